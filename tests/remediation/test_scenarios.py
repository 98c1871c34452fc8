"""Histories that are likely, each told to its end on the real workflow: who mended it, what was done, who was told."""

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from rotation_guard.domain.rotation_event import STEPS
from tests.remediation.scenario import fail_rotation, list_calls, list_transitions, run_up_to
from tests.remediation.secrets_manager import CURRENT, PENDING, PREVIOUS
from tests.remediation.world import CRITICAL, DEPENDENTS, NOTICES, Settings

FALLBACK = {"rotation-guard:fallback": "allowed"}
RESTART = {"rotation-guard:restart": DEPENDENTS}
OPTED_IN = {"rotation-guard:remediation": "repair", "rotation-guard:probe": "probe"}


@pytest.mark.parametrize("step", STEPS)
def test_aws_mends_it_while_it_settles(world, finish, step):
    secret = world.secret()
    fail_rotation(world, secret, step)
    world.run(until=world.clock.now + timedelta(minutes=5))
    world.secrets_manager.go_on(secret.arn)

    incident, transitions = finish()

    assert incident["outcome"] == "recovered by AWS"
    assert incident["closed_at"] < "2026-03-02T00:06:00Z"
    assert transitions == ["opened", "recovered"]
    assert list_calls(world) == []
    assert secret.works(secret.labels[CURRENT])


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("users", ["single", "alternating"])
def test_a_retry_mends_what_left_the_value_in_use_alone(world, finish, step, users):
    secret = world.secret(users=users)
    # Of a single user's password setSecret changes the live one: from there on another remedy is better.
    fail_rotation(world, secret, step if users == "alternating" else "createSecret", after=True)

    incident, transitions = finish()

    assert incident["outcome"] == "recovered by retry"
    assert transitions == ["opened", "recovered"]
    assert list_calls(world) == ["rotate_secret"]
    assert secret.works(secret.labels[CURRENT])


@pytest.mark.parametrize(("step", "after"), [("setSecret", True), ("testSecret", False), ("finishSecret", False)])
def test_rolling_forward_mends_what_has_changed_the_password(world, finish, step, after):
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
    ("tags", "outcome"), [(OPTED_IN | FALLBACK, "fallen back"), (OPTED_IN, "escalated")], ids=["allowed", "not allowed"]
)
def test_falling_back_mends_a_new_value_that_does_not_work(world, finish, tags, outcome):
    secret = world.secret(tags=tags)
    before = secret.labels[CURRENT]
    world.secrets_manager.start_rotation(secret.arn)
    world.secrets_manager.go_on(secret.arn)
    world.run()
    # Somebody has set the password of before again, so that the new one fails, and so does the next rotation.
    secret.live["app"] = secret.versions[before].password
    fail_rotation(world, secret, "createSecret", times=9)

    incident, transitions = finish()

    is_allowed = outcome == "fallen back"
    assert incident["outcome"] == outcome
    assert transitions == ["opened", "recovered" if is_allowed else "escalated"]
    assert ("update_secret_version_stage" in list_calls(world)) is is_allowed
    assert (secret.labels[CURRENT] == before) is is_allowed


def test_five_failures_are_one_incident_that_is_told_twice(world, finish):
    secret = world.secret()
    fail_rotation(world, secret, "createSecret", times=9)
    for _ in range(4):
        world.run(until=world.clock.now + timedelta(minutes=2))
        world.secrets_manager.go_on(secret.arn)
    secret.fault = None

    incident, transitions = finish()

    assert incident["failures"] == 5
    assert transitions == ["opened", "recovered"]


def test_retries_come_to_an_end(world, finish):
    secret = world.secret()
    fail_rotation(world, secret, "createSecret", times=99)

    incident, transitions = finish()

    assert (incident["outcome"], incident["attempts"]) == ("escalated", 3)
    assert transitions == ["opened", "escalated"]
    assert list_transitions(world, CRITICAL) == ["escalated"]
    assert list_calls(world) == ["rotate_secret"] * 3
    times = [action.at for action in world.event_log.actions]
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    # Some time to look how each went, and at most 5 and 10 minutes of waiting.
    assert waits[0] < timedelta(minutes=12)
    assert waits[1] < timedelta(minutes=17)


def test_a_probe_that_lied_is_found_out_and_told(world, finish):
    secret = world.secret()
    fail_rotation(world, secret, "createSecret", after=True, times=9)
    world.functions.manner = "liar"
    execution = run_up_to(world, "Move")
    world.step(execution)
    world.functions.manner = "honest"

    incident, transitions = finish()

    assert incident["outcome"] == "escalated"
    assert transitions == ["opened", "escalated"]
    assert list_calls(world) == ["update_secret_version_stage"]
    assert "The version that AWSCURRENT was moved to does not work" in incident["reason"]


@pytest.mark.parametrize("manner", ["hangs", "rambles", "breaks", "gone", "shy"])
def test_a_probe_that_cannot_tell_moves_nothing(world, finish, manner):
    secret = world.secret()
    fail_rotation(world, secret, "setSecret", after=True, times=99)
    world.functions.manner = manner

    incident, _ = finish()

    assert incident["outcome"] == "escalated"
    assert set(list_calls(world)) == {"rotate_secret"}


@pytest.mark.parametrize(
    ("settings", "did"),
    [(Settings(mode="retry"), {"rotate_secret"}), (Settings(mode="notify"), set())],
    ids=["retry", "notify"],
)
def test_a_secret_that_opts_in_to_more_than_the_stack_allows_gets_no_more(world, finish, did):
    secret = world.secret()
    fail_rotation(world, secret, "setSecret", after=True, times=99)

    incident, _ = finish()

    assert incident["outcome"] == "escalated"
    assert set(list_calls(world)) == did


def test_a_test_that_failed_is_told_and_nothing_is_done(world, finish):
    secret = world.secret()
    world.test_rotation(secret.arn)

    incident, transitions = finish()

    assert (incident["outcome"], incident["rule"]) == ("escalated", "test only")
    assert transitions == ["opened", "escalated"]
    assert list_calls(world) == []


def test_what_did_not_opt_in_is_told_and_not_touched(world, finish):
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
def test_what_belongs_to_others_is_told_and_not_touched(world, finish, more, why):
    secret = world.secret(more=more)
    fail_rotation(world, secret, "setSecret", after=True, times=9)

    incident, _ = finish()

    assert incident["outcome"] == "escalated"
    assert why in incident["reason"]
    assert list_calls(world) == []


def test_the_kill_switch_stops_everything_but_telling(world, finish):
    secret = world.secret()
    fail_rotation(world, secret, "setSecret", after=True, times=9)
    world.run(until=world.clock.now + timedelta(minutes=5))
    world.ssm.switch = "stop"

    incident, transitions = finish()

    assert incident["outcome"] == "escalated"
    assert transitions == ["opened", "escalated"]
    assert list_calls(world) == []
    assert "kill switch" in incident["reason"]


def test_a_secret_that_fails_time_and_again_is_left_alone_until_it_is_released(world):
    secret = world.secret()
    for _ in range(4):
        world.pass_time(7200)
        # Its rotation is begun anew each time, as after a change by hand.
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

    world.invariants.at_the_end()
    assert world.rows()[-1]["outcome"] == "recovered by retry"


@pytest.mark.parametrize("settings", [Settings(max_actions_per_hour=2)])
def test_beyond_the_cap_they_are_held_and_told_in_one_notice(world):
    for number in range(6):
        fail_rotation(world, world.secret(f"secret-{number}"), "createSecret", times=1)
    world.run()
    world.invariants.at_the_end()

    outcomes = Counter(row["outcome"] for row in world.rows())
    assert outcomes == {"held": 4, "recovered by retry": 2}
    assert list_calls(world) == ["rotate_secret"] * 2
    [burst] = [notice for notice in world.event_log.notices if notice.turn == "held_burst" and notice.topic == NOTICES]
    assert len(burst.about) == 4
    assert Counter(list_transitions(world)) == {"opened": 6, "recovered": 2, "held_burst": 1}
    assert list_transitions(world, CRITICAL) == ["held_burst"]

    world.pass_time(900)
    for number in range(3):
        fail_rotation(world, world.secret(f"another-{number}"), "createSecret", times=1)
    world.run()
    world.invariants.at_the_end()

    *_, burst = [
        notice for notice in world.event_log.notices if notice.turn == "held_burst" and notice.topic == NOTICES
    ]
    assert len(burst.about) == 3


@pytest.mark.parametrize("settings", [Settings(change_window={"days": ["wed"], "start": "22:00", "end": "04:00"})])
def test_an_action_waits_for_the_change_window_and_a_notice_does_not(world, finish):
    secret = world.secret()
    fail_rotation(world, secret, "setSecret", after=True, times=9)

    incident, _ = finish()

    assert incident["outcome"] == "rolled forward"
    [move] = world.event_log.actions
    wednesday = datetime(2026, 3, 4, 22, tzinfo=UTC)
    assert wednesday <= move.at < wednesday + timedelta(minutes=5)
    assert incident["actions"][0]["at"] < "2026-03-02T00:01:00Z"


def test_dependents_are_restarted_once_after_a_repair_and_watched(world, finish):
    secret = world.secret(tags=OPTED_IN | RESTART)
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
    secret = world.secret(tags=OPTED_IN | RESTART)
    world.services.ends = "IN_PROGRESS"
    fail_rotation(world, secret, "setSecret", after=True, times=9)

    incident, transitions = finish()

    assert incident["outcome"] == "escalated"
    assert transitions == ["opened", "escalated"]
    assert "has not settled within 30 minutes" in incident["reason"]
    assert incident["moved"]["outcome"] == "done"


def test_the_kill_switch_stops_a_restart_too(world, finish):
    secret = world.secret(tags=OPTED_IN | RESTART)
    fail_rotation(world, secret, "setSecret", after=True, times=9)
    run_up_to(world, "Restart")
    world.ssm.switch = "stop"

    incident, transitions = finish()

    assert incident["outcome"] == "rolled forward"
    assert transitions == ["opened", "recovered"]
    assert [entry["state"] for entry in incident["restarts"]] == ["refused", "refused"]
    assert world.event_log.restarts == []


@pytest.mark.parametrize("kind", ["RotationSucceeded", "Secret Label Updated"])
def test_after_any_rotation_dependents_are_restarted_by_whichever_event_comes(world, finish, kind):
    secret = world.secret(tags=RESTART | {"rotation-guard:restart-on": "rotation"})
    world.secrets_manager.start_rotation(secret.arn)
    world.secrets_manager.go_on(secret.arn)
    for event in world.events:
        event.is_dropped = event.kind != kind

    incident, transitions = finish()

    assert (incident["outcome"], transitions) == ("restarted", ["restarted"])
    assert len(world.event_log.restarts) == 2
