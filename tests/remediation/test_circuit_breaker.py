"""Repairs of a secret are suspended after too many incidents without a verified success."""

import pytest

from tests.remediation.scenario import fail_rotation, list_calls, list_transitions
from tests.remediation.secrets_manager import CURRENT, PENDING, PREVIOUS
from tests.remediation.services import TIMES_OUT, WRONG
from tests.remediation.world import CRITICAL

REPAIR = {"rotation-guard:remediation": "repair", "rotation-guard:probe": "probe"}


def repair_by_wrong_probe(world, secret, action_count):
    """Fail a rotation whose probe wrongly reports that a version works, until AWSCURRENT has moved to it.

    `action_count` is the number of actions before; returns the number after.
    """
    # The current password is restored in the database, as an operator has to after each of these.
    secret.labels.pop(PENDING, None)
    secret.live["app"] = secret.versions[secret.labels[CURRENT]].password
    fail_rotation(world, secret, "createSecret", after=True, times=9)
    world.functions.probe_behavior = WRONG
    while not any(action.kind == "update_secret_version_stage" for action in world.event_log.actions[action_count:]):
        if not world.running and not world.undelivered:
            break
        for event in world.undelivered:
            world.deliver(event)
        if world.running:
            world.run_next()
    world.functions.probe_behavior = "correct"
    world.run()
    return len(world.event_log.actions)


def test_a_move_to_a_version_that_does_not_work_does_not_close_the_circuit_breaker(world):
    secret, action_count = world.secret(), 0

    for _ in range(8):
        action_count = repair_by_wrong_probe(world, secret, action_count)
        world.functions.wrong_answers.clear()
        world.clock.advance(45 * 60)

    moves = [action for action in world.event_log.actions if action.kind == "update_secret_version_stage"]
    assert len(moves) == 3
    assert world.rows()[-1]["rule"] == "orphaned"


@pytest.mark.parametrize("every_hours", [4, 30])
def test_a_rotation_that_fails_for_ten_days_is_not_retried_for_ten_days(world, every_hours):
    secret = world.secret(tags={"rotation-guard:remediation": "retry"})
    fail_rotation(world, secret, "createSecret", times=999)
    for _ in range(240 // every_hours):
        world.run()
        world.clock.advance(every_hours * 3600)
        world.secrets_manager.start_rotation(secret.arn)
        world.secrets_manager.continue_rotation(secret.arn)
    world.run()

    world.invariants.check_at_end()
    assert len(list_calls(world)) <= 9
    assert list_transitions(world, CRITICAL).count("escalated") <= 3
    # It is not forgotten either: a reminder a day.
    days = {
        notification.request["Subject"]
        for notification in world.event_log.notifications
        if notification.transition == "reminder"
    }
    assert days
    assert 7 <= list_transitions(world, CRITICAL).count("reminder") <= 10


def test_a_completed_rotation_closes_the_circuit_breaker(world):
    secret = world.secret(tags={"rotation-guard:remediation": "retry"})
    for number in range(5):
        secret.labels.pop(PENDING, None)
        fail_rotation(world, secret, "createSecret", times=99)
        world.run()
        if number == 2:
            continue
        secret.fault = None
        world.secrets_manager.start_rotation(secret.arn)
        world.secrets_manager.continue_rotation(secret.arn)
        world.run()
        world.clock.advance(60)

    world.invariants.check_at_end()
    assert [row["attempts"] for row in world.rows()] == [3, 3, 3, 3, 3]


def test_a_label_that_was_moved_by_hand_is_no_verified_success(world):
    secret = world.secret(tags={"rotation-guard:remediation": "retry"})
    for _ in range(5):
        secret.labels.pop(PENDING, None)
        fail_rotation(world, secret, "createSecret", times=99)
        world.run()
        world.secrets_manager.move_by_hand(secret.arn, secret.labels[PREVIOUS])
        world.run()
        world.clock.advance(60)

    world.invariants.check_at_end()
    assert [row["attempts"] for row in world.rows()] == [3, 3, 3, 0, 0]


def test_moves_without_a_verified_success_open_the_circuit_breaker(world):
    secret = world.secret(tags=REPAIR)
    for _ in range(6):
        secret.labels.pop(PENDING, None)
        secret.live["app"] = secret.versions[secret.labels[CURRENT]].password
        fail_rotation(world, secret, "setSecret", after=True, times=9)
        for event in world.undelivered:
            world.deliver(event)
        while world.running and world.running[0].state != "Move":
            world.run_next()
        # The probe does not respond for the version that AWSCURRENT was moved to.
        world.functions.probe_behavior = TIMES_OUT
        world.run()
        world.functions.probe_behavior = "correct"
        world.clock.advance(3600)

    world.invariants.check_at_end()
    assert list_calls(world) == ["update_secret_version_stage"] * 3
    assert [row["rule"] for row in world.rows()] == ["moved"] * 3 + ["orphaned"] * 3
