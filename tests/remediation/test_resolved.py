"""An escalated incident is resolved by a new value, in whatever order the events arrive."""

import pytest

from tests.remediation.account import AFTER, BEFORE, Plan
from tests.remediation.scenario import fail_rotation, list_transitions
from tests.remediation.secrets_manager import PENDING
from tests.remediation.world import CRITICAL, DEPENDENTS, Settings

RETRY = {"rotation-guard:remediation": "retry"}
ON_ROTATION = {"rotation-guard:restart": DEPENDENTS, "rotation-guard:restart-on": "rotation"}
NOTIFY = {"rotation-guard:remediation": "notify"}


def rotate_by_hand(world, secret):
    secret.fault = None
    world.secrets_manager.start_rotation(secret.arn)
    world.secrets_manager.continue_rotation(secret.arn)


def test_a_rotation_that_aws_completes_after_its_label_moved_resolves_the_incident(world):
    secret = world.secret(tags=NOTIFY)
    # finishSecret moves AWSCURRENT, and ends before it has responded.
    fail_rotation(world, secret, "finishSecret", after=True, times=1)
    world.run()
    assert list_transitions(world, CRITICAL) == ["escalated"]

    world.clock.advance(3600)
    world.secrets_manager.continue_rotation(secret.arn)
    world.run()

    world.invariants.check_at_end()
    assert list_transitions(world, CRITICAL) == ["escalated", "resolved"]


@pytest.mark.parametrize("write", range(8))
@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_all_escalated_incidents_are_resolved_although_the_claim_crashes(world, write, when):
    secret = world.secret(tags=NOTIFY)
    for _ in range(2):
        secret.labels.pop(PENDING, None)
        fail_rotation(world, secret, "createSecret", times=9)
        world.run()
        world.clock.advance(30 * 3600)
    rotate_by_hand(world, secret)
    for event in world.undelivered:
        world.deliver(event)

    world.step(world.running[0], Plan(crash=(write, when)))
    world.run()

    world.invariants.check_at_end()
    assert [row["outcome"] for row in world.rows()] == ["resolved", "resolved"]


def test_an_escalated_incident_is_resolved_by_events_that_come_after_the_next_recovery(world):
    secret = world.secret(tags=RETRY)
    fail_rotation(world, secret, "createSecret", times=99)
    world.run()
    world.clock.advance(30 * 3600)
    secret.labels.pop(PENDING, None)
    fail_rotation(world, secret, "createSecret", times=1)
    # CloudTrail's events take minutes; the workflow sees the new value within seconds.
    late_events = run_with_failures_only(world)
    assert [row["outcome"] for row in world.rows()] == ["escalated", "recovered by retry"]

    for event in late_events:
        event.is_dropped = False
    world.run()

    world.invariants.check_at_end()
    assert [row["outcome"] for row in world.rows()] == ["resolved", "recovered by retry"]


def run_with_failures_only(world):
    """Runs everything to its end, delivering failures only; returns the other events."""
    late_events = []
    while True:
        for event in world.undelivered:
            if event.is_failure:
                world.deliver(event)
            else:
                event.is_dropped = True
                late_events.append(event)
        if not world.running:
            return late_events
        world.run_next()


def test_late_events_of_an_earlier_value_resolve_nothing_if_the_secret_cannot_be_described(world):
    secret = world.secret(tags=NOTIFY)
    rotate_by_hand(world, secret)
    late_events = world.undelivered
    for event in late_events:
        event.is_dropped = True
    world.clock.advance(60)
    secret.denies_description = True
    fail_rotation(world, secret, "createSecret", times=9)
    world.run()
    assert list_transitions(world, CRITICAL) == ["escalated"]

    for event in late_events:
        event.is_dropped = False
    world.run()

    world.invariants.check_at_end()
    assert world.rows()[0]["outcome"] == "escalated"


@pytest.mark.parametrize("settings", [Settings(max_actions_per_hour=0)])
def test_a_rate_limited_incident_is_resolved_on_every_topic_of_its_digest(world):
    secret = world.secret(tags=RETRY)
    fail_rotation(world, secret, "createSecret", times=9)
    world.run()
    assert list_transitions(world, CRITICAL) == ["held_burst"]
    world.clock.advance(3600)
    rotate_by_hand(world, secret)
    world.run()
    assert list_transitions(world) == ["opened", "held_burst", "resolved"]
    assert list_transitions(world, CRITICAL) == ["held_burst", "resolved"]


def test_an_escalated_restart_is_resolved_by_the_next_one_that_settles(world):
    secret = world.secret(tags=ON_ROTATION)
    world.ssm.ends = "Failed"
    rotate_by_hand(world, secret)
    world.run()
    assert list_transitions(world, CRITICAL) == ["escalated"]
    world.clock.advance(3600)
    world.ssm.ends = "Success"
    rotate_by_hand(world, secret)
    world.run()
    assert list_transitions(world, CRITICAL) == ["escalated", "resolved"]
