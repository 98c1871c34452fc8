"""A rotation that stays unfinished is one incident with one reminder a day, whatever else happens."""

from datetime import timedelta
from itertools import pairwise

import pytest

from tests.remediation.scenario import fail_rotation, list_calls, list_transitions
from tests.remediation.secrets_manager import CURRENT, PENDING
from tests.remediation.world import CRITICAL, DEPENDENTS

RETRY = {"rotation-guard:remediation": "retry"}
NOTIFY = {"rotation-guard:remediation": "notify"}
ON_ROTATION = {"rotation-guard:restart": DEPENDENTS, "rotation-guard:restart-on": "rotation"}


def audit_for(world, days, every_hours=1):
    """Runs audits this many hours apart."""
    for _ in range(days * 24 // every_hours):
        world.clock.advance(every_hours * 3600)
        for arn in world.secrets_manager.secrets:
            world.find_stuck(arn)
        world.audit()
        world.run()


def test_a_failed_test_does_not_reopen_the_incident_of_a_stuck_rotation(world):
    secret = world.secret(tags=RETRY)
    fail_rotation(world, secret, "createSecret", times=999)
    world.run()
    calls = len(list_calls(world))
    world.clock.advance(3600)
    world.test_rotation(secret.arn)
    world.run()

    audit_for(world, days=3)

    world.invariants.check_at_end()
    assert len(list_calls(world)) == calls
    assert [row["event_type"] for row in world.rows()] == ["RotationFailed", "TestRotationFailed"]
    assert list_transitions(world, CRITICAL).count("reminder") in (2, 3)


def test_a_restart_does_not_reopen_the_incident_of_a_stuck_rotation(world):
    secret = world.secret(tags=RETRY)
    fail_rotation(world, secret, "createSecret", times=999)
    world.run()
    calls = len(list_calls(world))
    world.clock.advance(3600)
    secret.tags |= ON_ROTATION
    # A late event of the current value.
    world.emit(secret.arn, "Secret Label Updated", version=secret.labels[CURRENT])
    secret.moved_at.append(world.clock.now)
    world.run()
    assert [row["outcome"] for row in world.rows()] == ["escalated", "restarted"]

    audit_for(world, days=3)

    assert len(list_calls(world)) == calls
    assert len(world.rows()) == 2


@pytest.mark.parametrize("every_hours", [1, 6])
@pytest.mark.parametrize("delay_hours", [0.3, 2, 5, 12])
def test_reminders_of_a_stuck_rotation_are_a_day_apart_however_late_it_was_escalated(world, every_hours, delay_hours):
    secret = world.secret(tags=NOTIFY)
    fail_rotation(world, secret, "createSecret", times=999)
    world.clock.advance(delay_hours * 3600)
    world.run()

    audit_for(world, days=7, every_hours=every_hours)

    times = [notification.at for notification in world.event_log.notifications if notification.topic == CRITICAL]
    assert len(times) in (7, 8)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert all(timedelta(hours=12) < gap < timedelta(hours=38) for gap in gaps)


def test_a_stuck_secret_that_cannot_be_described_has_one_incident(world):
    secret = world.secret(tags=RETRY)
    secret.denies_description = True
    fail_rotation(world, secret, "createSecret", times=999)
    world.run()

    audit_for(world, days=5)

    assert len(world.rows()) == 1
    assert list_transitions(world, CRITICAL).count("escalated") == 1
    assert list_transitions(world, CRITICAL).count("reminder") in (4, 5)


def test_a_released_secret_is_repaired_again_although_its_rotation_is_the_same(world):
    secret = world.secret(tags=RETRY)
    for _ in range(4):
        secret.labels.pop(PENDING, None)
        fail_rotation(world, secret, "createSecret", times=99)
        world.run()
        world.clock.advance(3600)
    assert world.rows()[-1]["rule"] == "orphaned"
    calls = len(list_calls(world))

    world.release(secret)
    world.clock.advance(3600)
    secret.fault.times = 1
    world.secrets_manager.continue_rotation(secret.arn)
    world.run()

    world.invariants.check_at_end()
    assert len(list_calls(world)) == calls + 1
    assert world.rows()[-1]["outcome"] == "recovered by retry"
