"""Repairs of a secret are suspended after too many incidents without a verified success."""

import pytest

from tests.remediation.scenario import fail_rotation, list_calls, list_transitions
from tests.remediation.secrets_manager import CURRENT, PENDING, PREVIOUS
from tests.remediation.services import HANGS, LIAR
from tests.remediation.world import CRITICAL

OPTED_IN = {"rotation-guard:remediation": "repair", "rotation-guard:probe": "probe"}


def lies_once(world, secret, seen):
    """A rotation fails, and its probe has a label moved to a version that it then says does not work.

    `seen` is the number of actions before; answers that after.
    """
    # The old password is set again, as after each of these somebody has to.
    secret.labels.pop(PENDING, None)
    secret.live["app"] = secret.versions[secret.labels[CURRENT]].password
    fail_rotation(world, secret, "createSecret", after=True, times=9)
    world.functions.manner = LIAR
    while not any(action.kind == "update_secret_version_stage" for action in world.event_log.actions[seen:]):
        if not world.running and not world.waiting:
            break
        for event in world.waiting:
            world.deliver(event)
        if world.running:
            world.run_next()
    world.functions.manner = "honest"
    world.run()
    return len(world.event_log.actions)


def test_a_move_that_proves_wrong_does_not_close_the_circuit_breaker(world):
    secret, seen = world.secret(), 0

    for _ in range(8):
        seen = lies_once(world, secret, seen)
        world.functions.lies.clear()
        world.clock.pass_by(45 * 60)

    moves = [action for action in world.event_log.actions if action.kind == "update_secret_version_stage"]
    assert len(moves) == 3
    assert world.rows()[-1]["rule"] == "orphaned"


@pytest.mark.parametrize("every", [4, 30])
def test_a_rotation_that_fails_for_ten_days_is_not_retried_for_ten_days(world, every):
    secret = world.secret(tags={"rotation-guard:remediation": "retry"})
    fail_rotation(world, secret, "createSecret", times=999)
    for _ in range(240 // every):
        world.run()
        world.clock.pass_by(every * 3600)
        world.secrets_manager.start_rotation(secret.arn)
        world.secrets_manager.go_on(secret.arn)
    world.run()

    world.invariants.at_the_end()
    assert len(list_calls(world)) <= 9
    assert list_transitions(world, CRITICAL).count("escalated") <= 3
    # Nobody forgets it either: a reminder a day.
    days = {notice.asked["Subject"] for notice in world.event_log.notices if notice.turn == "reminder"}
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
        world.secrets_manager.go_on(secret.arn)
        world.run()
        world.clock.pass_by(60)

    world.invariants.at_the_end()
    assert [row["attempts"] for row in world.rows()] == [3, 3, 3, 3, 3]


def test_a_label_that_somebody_moved_proves_nothing(world):
    secret = world.secret(tags={"rotation-guard:remediation": "retry"})
    for _ in range(5):
        secret.labels.pop(PENDING, None)
        fail_rotation(world, secret, "createSecret", times=99)
        world.run()
        world.secrets_manager.move_by_hand(secret.arn, secret.labels[PREVIOUS])
        world.run()
        world.clock.pass_by(60)

    world.invariants.at_the_end()
    assert [row["attempts"] for row in world.rows()] == [3, 3, 3, 0, 0]


def test_moves_that_nobody_proves_do_not_go_on_for_ever(world):
    secret = world.secret(tags=OPTED_IN)
    for _ in range(6):
        secret.labels.pop(PENDING, None)
        secret.live["app"] = secret.versions[secret.labels[CURRENT]].password
        fail_rotation(world, secret, "setSecret", after=True, times=9)
        for event in world.waiting:
            world.deliver(event)
        while world.running and world.running[0].state != "Move":
            world.run_next()
        # The probe that had the label moved says nothing of the version that it was moved to.
        world.functions.manner = HANGS
        world.run()
        world.functions.manner = "honest"
        world.clock.pass_by(3600)

    world.invariants.at_the_end()
    assert list_calls(world) == ["update_secret_version_stage"] * 3
    assert [row["rule"] for row in world.rows()] == ["moved"] * 3 + ["orphaned"] * 3
