"""Likely scenarios, each run to its end on the real workflow: how it recovers, what is called, who is notified."""

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from rotation_guard.domain.rotation_event import STEPS
from tests.remediation.scenario import fail_rotation, list_calls, list_transitions, run_up_to
from tests.remediation.secrets_manager import CURRENT, PENDING, PREVIOUS
from tests.remediation.world import CRITICAL, DEPENDENTS, NOTIFICATIONS, Settings

FALLBACK = {"rotation-guard:fallback": "allowed"}
RESTART = {"rotation-guard:restart": DEPENDENTS}
REPAIR = {"rotation-guard:remediation": "repair", "rotation-guard:probe": "probe"}


@pytest.mark.parametrize("step", STEPS)
def test_aws_completes_the_rotation_during_the_grace_period(world, finish, step):
    secret = world.secret()
    fail_rotation(world, secret, step)
    world.run(until=world.clock.now + timedelta(minutes=5))
    world.secrets_manager.continue_rotation(secret.arn)

    incident, transitions = finish()

    assert incident["outcome"] == "recovered by AWS"
    assert incident["closed_at"] < "2026-03-02T00:06:00Z"
    assert transitions == ["opened", "recovered"]
    assert list_calls(world) == []
    assert secret.works(secret.labels[CURRENT])


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("rotation_strategy", ["single", "alternating"])
def test_a_retry_repairs_a_failure_that_left_the_current_password_valid(world, finish, step, rotation_strategy):
    secret = world.secret(rotation_strategy=rotation_strategy)
    # With a single user, setSecret changes the current password: after it, a retry is not the best repair.
    fail_rotation(world, secret, step if rotation_strategy == "alternating" else "createSecret", after=True)

    incident, transitions = finish()

    assert incident["outcome"] == "recovered by retry"
    assert transitions == ["opened", "recovered"]
    assert list_calls(world) == ["rotate_secret"]
    assert secret.works(secret.labels[CURRENT])


@pytest.mark.parametrize(("step", "after"), [("setSecret", True), ("testSecret", False), ("finishSecret", False)])
def test_rolling_forward_repairs_a_failure_after_the_password_was_changed(world, finish, step, after):
    secret = world.secret()
    fail_rotation(world, secret, step, after, times=9)
    before, pending = secret.labels[CURRENT], secret.labels[PENDING]
    assert not secret.works(before)

    incident, transitions = finish()

    assert incident["outcome"] == "rolled forward"
    assert transitions == ["opened", "recovered"]
    assert list_calls(world) == ["update_secret_version_stage"]
    assert secret.labels == {CURRENT: pending, PENDING: pending, PREVIOUS: before}
    assert secret.works(pending)


@pytest.mark.parametrize(
    ("tags", "outcome"), [(REPAIR | FALLBACK, "fallen back"), (REPAIR, "escalated")], ids=["allowed", "not allowed"]
)
def test_rolling_back_repairs_a_new_value_that_does_not_work(world, finish, tags, outcome):
    secret = world.secret(tags=tags)
    before = secret.labels[CURRENT]
    world.secrets_manager.start_rotation(secret.arn)
    world.secrets_manager.continue_rotation(secret.arn)
    world.run()
    # Somebody restores the previous password in the database: the new one fails, and so does the next rotation.
    secret.live["app"] = secret.versions[before].password
    fail_rotation(world, secret, "createSecret", times=9)

    incident, transitions = finish()

    is_allowed = outcome == "fallen back"
    assert incident["outcome"] == outcome
    assert transitions == ["opened", "recovered" if is_allowed else "escalated"]
    assert ("update_secret_version_stage" in list_calls(world)) is is_allowed
    assert (secret.labels[CURRENT] == before) is is_allowed


def test_five_failures_are_one_incident_with_two_notifications(world, finish):
    secret = world.secret()
    fail_rotation(world, secret, "createSecret", times=9)
    for _ in range(4):
        world.run(until=world.clock.now + timedelta(minutes=2))
        world.secrets_manager.continue_rotation(secret.arn)
    secret.fault = None

    incident, transitions = finish()

    assert incident["failures"] == 5
    assert transitions == ["opened", "recovered"]


def test_an_incident_is_escalated_after_the_last_retry(world, finish):
    secret = world.secret()
    fail_rotation(world, secret, "createSecret", times=99)

    incident, transitions = finish()

    assert (incident["outcome"], incident["attempts"]) == ("escalated", 3)
    assert transitions == ["opened", "escalated"]
    assert list_transitions(world, CRITICAL) == ["escalated"]
    assert list_calls(world) == ["rotate_secret"] * 3
    times = [action.at for action in world.event_log.actions]
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    # The time to watch each rotation, and a back-off of at most 5 and 10 minutes.
    assert waits[0] < timedelta(minutes=12)
    assert waits[1] < timedelta(minutes=17)


def test_a_wrong_probe_result_is_detected_and_escalated(world, finish):
    secret = world.secret()
    fail_rotation(world, secret, "createSecret", after=True, times=9)
    world.functions.probe_behavior = "wrong"
    execution = run_up_to(world, "Move")
    world.step(execution)
    world.functions.probe_behavior = "correct"

    incident, transitions = finish()

    assert incident["outcome"] == "escalated"
    assert transitions == ["opened", "escalated"]
    assert list_calls(world) == ["update_secret_version_stage"]
    assert "The version that AWSCURRENT was moved to does not work" in incident["reason"]


@pytest.mark.parametrize("probe_behavior", ["times out", "malformed", "raises", "missing", "partial"])
def test_a_probe_without_a_valid_result_moves_no_label(world, finish, probe_behavior):
    secret = world.secret()
    fail_rotation(world, secret, "setSecret", after=True, times=99)
    world.functions.probe_behavior = probe_behavior

    incident, _ = finish()

    assert incident["outcome"] == "escalated"
    assert set(list_calls(world)) == {"rotate_secret"}


@pytest.mark.parametrize(
    ("settings", "expected_calls"),
    [(Settings(mode="retry"), {"rotate_secret"}), (Settings(mode="notify"), set())],
    ids=["retry", "notify"],
)
def test_a_secret_cannot_opt_in_to_more_than_the_stack_allows(world, finish, expected_calls):
    secret = world.secret()
    fail_rotation(world, secret, "setSecret", after=True, times=99)

    incident, _ = finish()

    assert incident["outcome"] == "escalated"
    assert set(list_calls(world)) == expected_calls


def test_a_failed_test_of_the_rotation_is_escalated_without_a_repair(world, finish):
    secret = world.secret()
    world.test_rotation(secret.arn)

    incident, transitions = finish()

    assert (incident["outcome"], incident["rule"]) == ("escalated", "test only")
    assert transitions == ["opened", "escalated"]
    assert list_calls(world) == []


def test_a_secret_that_did_not_opt_in_is_escalated_without_a_repair(world, finish):
    secret = world.secret(tags={"rotation-guard:probe": "probe"})
    fail_rotation(world, secret, "setSecret", after=True, times=9)

    incident, transitions = finish()

    assert incident["outcome"] == "escalated"
    assert transitions == ["opened", "escalated"]
    assert list_calls(world) == []
    assert "no tag rotation-guard:remediation" in incident["reason"]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"OwningService": "rds"}, "belongs to the service rds"),
        ({"PrimaryRegion": "us-east-1"}, "is a replica"),
        ({"Type": "Partner"}, "managed external secret"),
    ],
)
def test_a_secret_that_others_rotate_is_escalated_without_a_repair(world, finish, more, why):
    secret = world.secret(more=more)
    fail_rotation(world, secret, "setSecret", after=True, times=9)

    incident, _ = finish()

    assert incident["outcome"] == "escalated"
    assert why in incident["reason"]
    assert list_calls(world) == []


def test_the_kill_switch_stops_everything_but_notifications(world, finish):
    secret = world.secret()
    fail_rotation(world, secret, "setSecret", after=True, times=9)
    world.run(until=world.clock.now + timedelta(minutes=5))
    world.ssm.switch = "stop"

    incident, transitions = finish()

    assert incident["outcome"] == "escalated"
    assert transitions == ["opened", "escalated"]
    assert list_calls(world) == []
    assert "kill switch" in incident["reason"]


def test_repairs_of_a_secret_that_keeps_failing_are_suspended_until_it_is_released(world):
    secret = world.secret()
    for _ in range(4):
        world.pass_time(7200)
        # A new rotation is started each time, as after a change by hand.
        secret.labels.pop(PENDING, None)
        fail_rotation(world, secret, "createSecret", times=99)
        world.run()
    assert [row["attempts"] for row in world.rows()] == [3, 3, 3, 0]
    assert "until an operator releases it" in world.rows()[-1]["reason"]

    world.pass_time(7200)
    world.release(secret)
    secret.labels.pop(PENDING)
    fail_rotation(world, secret, "createSecret", times=1)
    world.run()

    world.invariants.check_at_end()
    assert world.rows()[-1]["outcome"] == "recovered by retry"


@pytest.mark.parametrize("settings", [Settings(max_actions_per_hour=2)])
def test_incidents_beyond_the_hourly_limit_are_published_in_one_digest(world):
    for number in range(6):
        fail_rotation(world, world.secret(f"secret-{number}"), "createSecret", times=1)
    world.run()
    world.invariants.check_at_end()

    outcomes = Counter(row["outcome"] for row in world.rows())
    assert outcomes == {"held": 4, "recovered by retry": 2}
    assert list_calls(world) == ["rotate_secret"] * 2
    [digest] = [
        notification
        for notification in world.event_log.notifications
        if notification.transition == "held_burst" and notification.topic == NOTIFICATIONS
    ]
    assert len(digest.incidents) == 4
    assert Counter(list_transitions(world)) == {"opened": 6, "recovered": 2, "held_burst": 1}
    assert list_transitions(world, CRITICAL) == ["held_burst"]

    world.pass_time(900)
    for number in range(3):
        fail_rotation(world, world.secret(f"another-{number}"), "createSecret", times=1)
    world.run()
    world.invariants.check_at_end()

    *_, digest = [
        notification
        for notification in world.event_log.notifications
        if notification.transition == "held_burst" and notification.topic == NOTIFICATIONS
    ]
    assert len(digest.incidents) == 3


@pytest.mark.parametrize("settings", [Settings(change_window={"days": ["wed"], "start": "22:00", "end": "04:00"})])
def test_an_action_waits_for_the_change_window_and_a_notification_does_not(world, finish):
    secret = world.secret()
    fail_rotation(world, secret, "setSecret", after=True, times=9)

    incident, _ = finish()

    assert incident["outcome"] == "rolled forward"
    [move] = world.event_log.actions
    wednesday = datetime(2026, 3, 4, 22, tzinfo=UTC)
    assert wednesday <= move.at < wednesday + timedelta(minutes=5)
    assert incident["actions"][0]["at"] < "2026-03-02T00:01:00Z"


def test_dependents_are_restarted_once_after_a_repair_and_watched(world, finish):
    secret = world.secret(tags=REPAIR | RESTART)
    world.services.ends = world.ssm.ends = "IN_PROGRESS"
    fail_rotation(world, secret, "setSecret", after=True, times=9)
    world.run(until=world.clock.now + timedelta(minutes=25))
    [incident] = world.rows()
    assert (incident["state"], list_transitions(world)) == ("restarting", ["opened"])
    world.services.ends, world.ssm.ends = "COMPLETED", "Success"

    incident, transitions = finish()

    assert incident["outcome"] == "rolled forward"
    assert transitions == ["opened", "recovered"]
    assert [entry["state"] for entry in incident["restarts"]] == ["settled", "settled"]
    assert sorted(target for _, _, target in world.event_log.restarts) == ["orders", "restart-orders"]


def test_a_restart_that_never_settles_is_escalated(world, finish):
    secret = world.secret(tags=REPAIR | RESTART)
    world.services.ends = "IN_PROGRESS"
    fail_rotation(world, secret, "setSecret", after=True, times=9)

    incident, transitions = finish()

    assert incident["outcome"] == "escalated"
    assert transitions == ["opened", "escalated"]
    assert "has not settled within 30 minutes" in incident["reason"]
    assert incident["moved"]["outcome"] == "done"


def test_the_kill_switch_stops_a_restart_too(world, finish):
    secret = world.secret(tags=REPAIR | RESTART)
    fail_rotation(world, secret, "setSecret", after=True, times=9)
    run_up_to(world, "Restart")
    world.ssm.switch = "stop"

    incident, transitions = finish()

    assert incident["outcome"] == "rolled forward"
    assert transitions == ["opened", "recovered"]
    assert [entry["state"] for entry in incident["restarts"]] == ["refused", "refused"]
    assert world.event_log.restarts == []


@pytest.mark.parametrize("kind", ["RotationSucceeded", "Secret Label Updated"])
def test_either_event_of_a_completed_rotation_restarts_the_dependents(world, finish, kind):
    secret = world.secret(tags=RESTART | {"rotation-guard:restart-on": "rotation"})
    world.secrets_manager.start_rotation(secret.arn)
    world.secrets_manager.continue_rotation(secret.arn)
    for event in world.events:
        event.is_dropped = event.kind != kind

    incident, transitions = finish()

    assert (incident["outcome"], transitions) == ("restarted", ["restarted"])
    assert len(world.event_log.restarts) == 2
