"""An escalation is published once and on time, is resolved by a new value, and is repeated once a day until then."""

import random
from collections import Counter
from datetime import datetime, timedelta

import pytest

from components.remediation.workflow import LOOK_SECONDS
from tests.remediation.scenario import (
    fail_rotation,
    list_calls,
    list_transitions,
    move_by_hand,
    rotate_by_hand,
    run_up_to,
)
from tests.remediation.secrets_manager import CURRENT, PENDING, PREVIOUS
from tests.remediation.services import WRONG
from tests.remediation.world import CRITICAL, Settings

REPAIR = {"rotation-guard:remediation": "repair", "rotation-guard:probe": "probe"}
NOTIFY = {"rotation-guard:remediation": "notify"}


@pytest.mark.parametrize("repair", [rotate_by_hand, move_by_hand])
def test_an_escalated_incident_is_resolved_once(world, repair):
    secret = world.secret(tags=NOTIFY)
    fail_rotation(world, secret, "createSecret", times=9)
    world.run()
    assert list_transitions(world, CRITICAL) == ["escalated"]

    world.clock.advance(4 * 3600)
    repair(world, secret)
    world.run()

    world.invariants.check_at_end()
    [incident] = world.rows()
    assert (incident["outcome"], incident["resolved_outcome"]) == ("resolved", "escalated")
    assert list_transitions(world, CRITICAL) == ["escalated", "resolved"]
    assert list_transitions(world) == ["opened", "escalated", "resolved"]
    assert [
        entry["DetailType"].rpartition(" ")[2] for entry in world.bus.put if "Stalled" not in entry["DetailType"]
    ] == [
        "Opened",
        "Escalated",
        "Resolved",
    ]


def test_the_event_of_the_products_own_move_resolves_nothing(world):
    secret = world.secret(tags=REPAIR)
    fail_rotation(world, secret, "createSecret", after=True, times=9)
    world.functions.probe_behavior = WRONG
    world.step(run_up_to(world, "Move"))
    world.functions.probe_behavior = "correct"
    late_events = world.undelivered
    for event in late_events:
        event.is_dropped = True
    world.run()
    assert list_transitions(world, CRITICAL) == ["escalated"]

    for event in late_events:
        world.deliver(event)
    world.run()

    assert world.rows()[0]["outcome"] == "escalated"
    assert list_transitions(world, CRITICAL) == ["escalated"]


def test_every_escalated_incident_is_resolved_when_the_secret_recovers(world):
    secret = world.secret(tags=NOTIFY)
    for _ in range(2):
        secret.labels.pop(PENDING, None)
        fail_rotation(world, secret, "createSecret", times=9)
        world.run()
        world.clock.advance(30 * 3600)
    rotate_by_hand(world, secret)
    world.run()

    world.invariants.check_at_end()
    assert [row["outcome"] for row in world.rows()] == ["resolved", "resolved"]
    assert Counter(list_transitions(world, CRITICAL)) == {"escalated": 2, "resolved": 2}


def test_an_escalated_stuck_rotation_gets_a_daily_reminder_and_no_retry(world):
    secret = world.secret(tags=REPAIR)
    fail_rotation(world, secret, "createSecret", times=99)
    world.run()
    calls = len(list_calls(world))

    for _ in range(5 * 24):
        world.clock.advance(3600)
        world.find_stuck(secret.arn)
        world.run()

    world.invariants.check_at_end()
    assert len(world.rows()) == 1
    assert len(list_calls(world)) == calls
    assert list_transitions(world, CRITICAL).count("reminder") in (4, 5)


def test_a_failure_after_a_published_recovery_opens_another_incident(world):
    secret = world.secret(tags=REPAIR | {"rotation-guard:fallback": "allowed"})
    fail_rotation(world, secret, "createSecret", times=9)
    secret.live["app"] = secret.versions[secret.labels[PREVIOUS]].password
    world.run()
    assert [row["outcome"] for row in world.rows()] == ["fallen back"]

    # AWS continues the same rotation, which sets a password that AWSCURRENT never gets.
    world.clock.advance(2 * 3600)
    fail_rotation(world, secret, "setSecret", after=True, times=99)
    assert not secret.works(secret.labels[CURRENT])
    world.run()

    world.invariants.check_at_end()
    assert [row["outcome"] for row in world.rows()] == ["fallen back", "rolled forward"]
    assert secret.works(secret.labels[CURRENT])


@pytest.mark.parametrize("settings", [Settings(max_retries=1), Settings(max_retries=3)])
def test_there_is_no_back_off_after_the_last_retry(world, settings):
    secret = world.secret(tags=REPAIR)
    fail_rotation(world, secret, "createSecret", times=99)
    execution = run_up_to(world, "Settle")
    world.run()

    assert execution.trail.count("BackOff") == settings.max_retries - 1
    escalated_at = max(action["at"] for action in world.rows()[0]["actions"] if action.get("turn") == "escalated")
    failed_at = world.events[-1].occurred_at
    # The rotation is watched once, and there is no back-off.
    waited = datetime.fromisoformat(escalated_at) - datetime.fromisoformat(failed_at)
    assert waited < timedelta(seconds=3 * LOOK_SECONDS)


RULED_OUT = {
    "marked for deletion": lambda secret, now: setattr(secret, "deleted_at", now),
    "rotation switched off": lambda secret, _: setattr(secret, "rotation_on", False),
    "access denied": lambda secret, _: setattr(secret, "denies_description", True),
    "not opted in any more": lambda secret, _: secret.tags.pop("rotation-guard:remediation"),
}


@pytest.mark.parametrize("change", RULED_OUT.values(), ids=RULED_OUT)
def test_there_is_no_back_off_if_no_further_retry_is_allowed(world, change):
    secret = world.secret(tags={"rotation-guard:remediation": "retry"})
    fail_rotation(world, secret, "createSecret", times=99)
    execution = run_up_to(world, "WatchRotation")
    world.secrets_manager.continue_rotation(secret.arn)
    change(secret, world.clock.now)
    world.run()

    world.invariants.check_at_end()
    assert list_transitions(world, CRITICAL) == ["escalated"]
    assert "BackOff" not in execution.trail


@pytest.mark.parametrize("settings", [Settings(mode="repair")])
@pytest.mark.parametrize(
    ("change", "ends"),
    [
        (lambda world, _: setattr(world.ssm, "switch", "stop"), "escalated"),
        (lambda _, secret: secret.live.update(app="of no version"), "escalated"),
        (lambda _, secret: secret.live.update(app=secret.versions[secret.labels[PENDING]].password), "rolled forward"),
    ],
    ids=["the kill switch is set", "no password works any more", "AWSPENDING alone works"],
)
def test_there_is_no_back_off_if_the_decision_is_not_a_retry(world, monkeypatch, change, ends):
    monkeypatch.setattr(random, "random", lambda: 0.99)
    secret = world.secret(tags=REPAIR)
    fail_rotation(world, secret, "setSecret", times=99)
    execution = run_up_to(world, "WatchRotation")
    world.secrets_manager.continue_rotation(secret.arn)
    change(world, secret)
    world.run()

    world.invariants.check_at_end()
    assert [row["outcome"] for row in world.rows()] == [ends]
    assert "BackOff" not in execution.trail


def test_an_escalation_does_not_fail_its_execution(world):
    secret = world.secret(tags=NOTIFY)
    fail_rotation(world, secret, "createSecret", times=9)
    world.run()

    assert list_transitions(world, CRITICAL) == ["escalated"]
    assert {execution.status for execution in world.executions.values()} == {"SUCCEEDED"}


def test_a_secret_that_cannot_be_described_is_not_rotated(world):
    secret = world.secret(tags=REPAIR)
    fail_rotation(world, secret, "createSecret", times=9)
    execution = run_up_to(world, "Retry")
    secret.denies_description = True

    world.step(execution)
    secret.denies_description = False
    world.run()

    assert list_calls(world) == []
    [incident] = world.rows()
    assert incident["outcome"] == "escalated"
    assert "access denied" in incident["reason"]
