"""However long a rotation stays unfinished, it is one incident and one reminder a day, whatever happens beside it."""

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
    """Audits look, so many hours apart."""
    for _ in range(days * 24 // every_hours):
        world.clock.pass_by(every_hours * 3600)
        for arn in world.secrets_manager.secrets:
            world.find_stuck(arn)
        world.audit()
        world.run()


def test_a_test_that_failed_since_does_not_make_the_stuck_rotation_news(world):
    secret = world.secret(tags=RETRY)
    fail_rotation(world, secret, "createSecret", times=999)
    world.run()
    calls = len(list_calls(world))
    world.clock.pass_by(3600)
    world.test_rotation(secret.arn)
    world.run()

    audit_for(world, days=3)

    world.invariants.at_the_end()
    assert len(list_calls(world)) == calls
    assert [row["event_type"] for row in world.rows()] == ["RotationFailed", "TestRotationFailed"]
    assert list_transitions(world, CRITICAL).count("reminder") in (2, 3)


def test_a_restart_since_does_not_make_the_stuck_rotation_news(world):
    secret = world.secret(tags=RETRY)
    fail_rotation(world, secret, "createSecret", times=999)
    world.run()
    calls = len(list_calls(world))
    world.clock.pass_by(3600)
    secret.tags |= ON_ROTATION
    # An event of the value that is in use comes late.
    world._happens(secret.arn, "Secret Label Updated", version=secret.labels[CURRENT])
    secret.moved_at.append(world.clock.now)
    world.run()
    assert [row["outcome"] for row in world.rows()] == ["escalated", "restarted"]

    audit_for(world, days=3)

    assert len(list_calls(world)) == calls
    assert len(world.rows()) == 2


@pytest.mark.parametrize("every_hours", [1, 6])
@pytest.mark.parametrize("delay_hours", [0.3, 2, 5, 12])
def test_what_was_escalated_hours_after_it_began_is_told_again_a_day_later(world, every_hours, delay_hours):
    secret = world.secret(tags=NOTIFY)
    fail_rotation(world, secret, "createSecret", times=999)
    world.clock.pass_by(delay_hours * 3600)
    world.run()

    audit_for(world, days=7, every_hours=every_hours)

    times = [notice.at for notice in world.event_log.notices if notice.topic == CRITICAL]
    assert len(times) in (7, 8)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert all(timedelta(hours=12) < gap < timedelta(hours=38) for gap in gaps)


def test_a_secret_that_cannot_be_read_is_one_incident_while_it_is_stuck(world):
    secret = world.secret(tags=RETRY)
    secret.denies_description = True
    fail_rotation(world, secret, "createSecret", times=999)
    world.run()

    audit_for(world, days=5)

    assert len(world.rows()) == 1
    assert list_transitions(world, CRITICAL).count("escalated") == 1
    assert list_transitions(world, CRITICAL).count("reminder") in (4, 5)


def test_a_secret_that_was_released_is_repaired_again_though_its_rotation_is_the_same(world):
    secret = world.secret(tags=RETRY)
    for _ in range(4):
        secret.labels.pop(PENDING, None)
        fail_rotation(world, secret, "createSecret", times=99)
        world.run()
        world.clock.pass_by(3600)
    assert world.rows()[-1]["rule"] == "orphaned"
    calls = len(list_calls(world))

    world.release(secret)
    world.clock.pass_by(3600)
    secret.fault.times = 1
    world.secrets_manager.go_on(secret.arn)
    world.run()

    world.invariants.at_the_end()
    assert len(list_calls(world)) == calls + 1
    assert world.rows()[-1]["outcome"] == "recovered by retry"
