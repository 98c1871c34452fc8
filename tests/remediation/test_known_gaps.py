"""Sequences that violate an invariant today. Each test fails as expected, and must be moved when it passes."""

import pytest

from tests.remediation.secrets_manager import SET, Fault
from tests.remediation.test_any_sequence import AnySequence
from tests.remediation.world import Settings


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="A failure claimed before the older event of a new value counts as a repeat of the escalated incident, "
    "which that event then resolves: only the audit reports the rotation again, once it counts as stuck.",
)
def test_a_failure_that_overtakes_the_event_of_a_new_value_is_notified():
    state = AnySequence()
    tags = {
        "rotation-guard:remediation": "repair",
        "rotation-guard:probe": "probe",
        "rotation-guard:fallback": "allowed",
    }
    state.deploy(stack=Settings(mode="repair"), secrets=[(tags, "single", {})])
    state.move_label_by_hand(to=2, which=0)
    state.intervene(intervention="stop", which=0)
    state.fail_rotation(fault=Fault(SET, True, 2, True), is_delivered=True, which=1)
    state.pass_time(seconds=9000)
    state.move_label_by_hand(to=2, which=3)
    state.pass_time(seconds=30)
    state.throttle_lambda(minutes=12)
    state.retry_rotation(is_fixed=False, which=1)

    state.teardown()
