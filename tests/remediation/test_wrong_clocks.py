"""Events are ordered correctly although the clock of one function is minutes off."""

from datetime import timedelta

import pytest

from tests.remediation.scenario import fail_rotation, list_transitions, rotate_by_hand
from tests.remediation.secrets_manager import PENDING
from tests.remediation.world import CRITICAL, DEPENDENTS, Settings

NOTIFY = {"rotation-guard:remediation": "notify"}
RESTART = {"rotation-guard:restart": DEPENDENTS}
RETRY = {"rotation-guard:remediation": "retry"}


def skew_clock(world, step, minutes):
    """Makes the clock of one function wrong."""
    original = world.event_log.enter

    def enter(execution, started_step, payload):
        world.clock.skew = timedelta(minutes=minutes if started_step == step else 0)
        return original(execution, started_step, payload)

    world.event_log.enter = enter


@pytest.mark.parametrize("minutes", [-10, 10])
@pytest.mark.parametrize("step", ["claim", "diagnose", "decide", "end", "notify", "retry"])
def test_failure_success_failure_within_minutes_although_a_clock_is_wrong(world, step, minutes):
    skew_clock(world, step, minutes)
    secret = world.secret(tags=RETRY)
    for _ in range(2):
        fail_rotation(world, secret, "createSecret", times=1)
        world.run()
        world.clock.advance(60)
    world.invariants.check_at_end()
    assert [row["outcome"] for row in world.rows()] == ["recovered by retry"] * 2
    fail_rotation(world, secret, "createSecret", times=99)
    world.run()
    assert list_transitions(world, CRITICAL) == ["escalated"]


@pytest.mark.parametrize("minutes", [-3, 3])
def test_a_function_whose_clock_is_minutes_off_misses_no_failure(world, minutes):
    secret = world.secret(tags=NOTIFY)
    rotate_by_hand(world, secret)
    world.run()
    world.clock.advance(5)
    world.clock.skew = timedelta(minutes=minutes)
    fail_rotation(world, secret, "createSecret", times=9)
    world.run()
    assert list_transitions(world, CRITICAL) == ["escalated"]

    # A minute later the next rotation fails: that is another incident, whatever the clock of the functions says.
    world.clock.advance(60)
    secret.labels.pop(PENDING)
    fail_rotation(world, secret, "createSecret", times=9)
    world.run()

    assert list_transitions(world, CRITICAL) == ["escalated", "escalated"]


@pytest.mark.parametrize("minutes", [-10, 10])
@pytest.mark.parametrize("step", Settings().steps)
def test_a_shared_dependent_is_restarted_for_each_secret_although_a_clock_is_wrong(world, step, minutes):
    skew_clock(world, step, minutes)
    for name in ("one", "other"):
        secret = world.secret(name, tags=RESTART | {"rotation-guard:restart-on": "rotation"})
        rotate_by_hand(world, secret)
        world.run()
        # The first restart is over before the second value is there.
        world.clock.advance(120)

    assert len(world.services.deployments) == 2
