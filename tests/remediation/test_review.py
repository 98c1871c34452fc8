"""Situations of the classes that section 1 of the remediation work names, found by a stranger."""

import random
from datetime import timedelta

import pytest

from tests.remediation.story import fails, heard, run_up_to
from tests.remediation.world import CRITICAL, DEPENDENTS, TABLE, Settings

OPTED_IN = {"rotation-guard:remediation": "repair", "rotation-guard:probe": "probe"}
RETRY = {"rotation-guard:remediation": "retry"}
NOTIFY = {"rotation-guard:remediation": "notify"}
RESTART = {"rotation-guard:restart": DEPENDENTS}
ON_ROTATION = {"rotation-guard:restart": DEPENDENTS, "rotation-guard:restart-on": "rotation"}


def rotate_by_hand(world, secret):
    secret.fault = None
    world.secrets_manager.start_rotation(secret.arn)
    world.secrets_manager.go_on(secret.arn)


def audits(world, days, every_hours=1):
    for _ in range(days * 24 // every_hours):
        world.clock.pass_by(every_hours * 3600)
        for arn in list(world.secrets_manager.secrets):
            world.find_stuck(arn)
        world.audit()
        world.run()


# --- resolved---


@pytest.mark.xfail(
    strict=True,
    reason="open: many that were held are one notice on the critical topic, and none of them is resolved there",
)
@pytest.mark.parametrize("settings", [Settings(max_actions_per_hour=0)])
def test_what_was_held_is_resolved_on_the_topics_that_were_told(world):
    secret = world.secret(tags=RETRY)
    fails(world, secret, "createSecret", times=9)
    world.run()
    assert heard(world, CRITICAL) == ["held_burst"]
    world.clock.pass_by(3600)
    rotate_by_hand(world, secret)
    world.run()
    assert heard(world) == ["opened", "held_burst", "resolved"]
    assert heard(world, CRITICAL) == ["held_burst", "resolved"]


@pytest.mark.xfail(strict=True, reason="open: an incident without a failed rotation is never resolved")
def test_a_restart_that_was_escalated_is_resolved_by_the_next_one_that_settles(world):
    secret = world.secret(tags=ON_ROTATION)
    world.ssm.ends = "Failed"
    rotate_by_hand(world, secret)
    world.run()
    assert heard(world, CRITICAL) == ["escalated"]
    world.clock.pass_by(3600)
    world.ssm.ends = "Success"
    rotate_by_hand(world, secret)
    world.run()
    assert heard(world, CRITICAL) == ["escalated", "resolved"]


# --- the same rotation is the same incident---


# --- rows that somebody deleted---


@pytest.mark.parametrize("state", ["Settle", "Diagnose", "Decide", "Retry", "Look", "End"])
@pytest.mark.parametrize("prefix", ["open#", "unfinished", "secret#", "limit#actions"])
def test_an_incident_ends_and_is_told_though_a_row_beside_it_was_deleted(world, state, prefix):
    secret = world.secret(tags=RETRY)
    fails(world, secret, "createSecret", times=1)
    run_up_to(world, state)
    items = world.tables.items[TABLE]
    for key in [key for key in items if key[0].startswith(prefix)]:
        del items[key]
    world.run()
    assert [row["outcome"] for row in world.rows()] == ["recovered by retry"]
    assert heard(world) == ["opened", "recovered"]
    assert heard(world, CRITICAL) == []


@pytest.mark.xfail(strict=True, reason="open: the incident says that it has joined the notice, whose row is gone")
@pytest.mark.parametrize("settings", [Settings(max_actions_per_hour=0)])
def test_what_was_held_is_told_though_its_row_was_deleted(world):
    secret = world.secret(tags=RETRY)
    fails(world, secret, "createSecret", times=9)
    run_up_to(world, "TellBurst")
    items = world.tables.items[TABLE]
    for key in [key for key in items if key[0] == "held"]:
        del items[key]
    world.run()
    for _ in range(4):
        world.clock.pass_by(3 * 3600)
        world.audit()
        world.run()
    assert heard(world, CRITICAL)
    assert not [key for key in items if key[0] == "unfinished"]


@pytest.mark.parametrize("state", ["Debounce", "Restart", "Watch", "Settled"])
def test_the_incident_row_is_deleted_while_restarting(world, state):
    secret = world.secret(tags=OPTED_IN | RESTART)
    fails(world, secret, "setSecret", after=True, times=9)
    run_up_to(world, state)
    items = world.tables.items[TABLE]
    for key in [key for key in items if key[0].startswith("arn:")]:
        del items[key]
    world.run()
    for _ in range(4):
        world.clock.pass_by(3 * 3600)
        world.audit()
        world.run()
    assert heard(world, CRITICAL)
    assert len(heard(world, CRITICAL)) <= 2
    assert not [key for key in items if key[0] in ("unfinished", f"open#{secret.arn}")]


# --- no wait before an escalation---


def deleted(world, secret):
    secret.deleted_at = world.clock.now


def switched_off(world, secret):
    secret.rotation_on = False


def stopped(world, secret):
    world.ssm.switch = "stop"


def denied(world, secret):
    secret.denies_description = True


def untagged(world, secret):
    secret.tags.pop("rotation-guard:remediation")


# --- clocks---


def skewed(world, step, minutes):
    """The clock of one function alone is off."""
    original = world.journal.enter

    def enter(execution, kind, payload):
        world.clock.skew = timedelta(minutes=minutes if kind == step else 0)
        return original(execution, kind, payload)

    world.journal.enter = enter


@pytest.mark.parametrize("minutes", [-10, 10])
@pytest.mark.parametrize("step", ["claim", "diagnose", "decide", "end", "notify", "retry"])
def test_failure_success_failure_within_minutes_though_a_clock_is_off(world, step, minutes):
    skewed(world, step, minutes)
    secret = world.secret(tags=RETRY)
    for _ in range(2):
        fails(world, secret, "createSecret", times=1)
        world.run()
        world.clock.pass_by(60)
    world.promises.at_the_end()
    assert [row["outcome"] for row in world.rows()] == ["recovered by retry"] * 2
    fails(world, secret, "createSecret", times=99)
    world.run()
    assert heard(world, CRITICAL) == ["escalated"]


# --- open: needs a decision---


@pytest.mark.xfail(strict=True, reason="open: only a retry that has begun looks whether the secret has recovered")
def test_a_retry_is_not_made_when_aws_has_finished_the_rotation_since_the_decision(world):
    secret = world.secret(tags=RETRY)
    fails(world, secret, "createSecret", times=1)
    execution = run_up_to(world, "Retry")
    # Lambda is throttled for some minutes, and AWS's own try succeeds meanwhile.
    world.secrets_manager.go_on(secret.arn)
    world.step(execution)
    world.run()

    assert len(secret.moved_at) == 1


@pytest.mark.xfail(strict=True, reason="open: the probe is asked after the back-off")
@pytest.mark.parametrize("settings", [Settings(mode="repair")])
def test_nobody_waits_for_a_back_off_when_a_retry_has_left_nothing_that_works(world, monkeypatch):
    monkeypatch.setattr(random, "random", lambda: 0.99)
    secret = world.secret(tags=OPTED_IN)
    fails(world, secret, "createSecret", times=1)
    execution = run_up_to(world, "WatchRotation")
    # The retry loses the password on both sides.
    secret.live["app"] = "of nobody"
    world.secrets_manager.go_on(secret.arn)
    world.run()

    assert heard(world, CRITICAL) == ["escalated"]
    assert "BackOff" not in execution.trail
