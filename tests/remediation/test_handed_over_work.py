"""Work is handed over to a person, a later step or another execution: none of it is lost, whoever stops midway."""

import random
from collections import Counter
from datetime import datetime, timedelta

import pytest

from components.remediation.workflow import LOOK_SECONDS
from tests.remediation.account import Plan
from tests.remediation.secrets_manager import CURRENT, PENDING, PREVIOUS
from tests.remediation.services import HANGS, LIAR
from tests.remediation.story import asked, fails, heard, run_up_to
from tests.remediation.world import CRITICAL, DEPENDENTS, Settings

OPTED_IN = {"rotation-guard:remediation": "repair", "rotation-guard:probe": "probe"}
NOTIFY = {"rotation-guard:remediation": "notify"}
RESTART = {"rotation-guard:restart": DEPENDENTS}


def stop_at(world, state):
    """Somebody aborts the execution as it enters this state."""
    execution = run_up_to(world, state)
    world.machine.abort(execution)
    return execution


def audit_later(world, hours=3):
    """Time passes; then the hourly audit looks, and what it started runs to its end."""
    world.clock.pass_by(hours * 3600)
    world.audit()
    world.run()


# --- the circuit breaker --------------------------------------------------------------------------------------------


def lies_once(world, secret, seen):
    """A rotation fails, and its probe has a label moved to a version that it then says does not work.

    `seen` is the number of actions before; answers that after.
    """
    # The old password is set again, as after each of these somebody has to.
    secret.labels.pop(PENDING, None)
    secret.live["app"] = secret.versions[secret.labels[CURRENT]].password
    fails(world, secret, "createSecret", after=True, times=9)
    world.functions.manner = LIAR
    while not any(one.kind == "update_secret_version_stage" for one in world.journal.actions[seen:]):
        if not world.running and not world.waiting:
            break
        for event in world.waiting:
            world.deliver(event)
        if world.running:
            world.run_next()
    world.functions.manner = "honest"
    world.run()
    return len(world.journal.actions)


def test_a_move_that_proves_wrong_does_not_close_the_circuit_breaker(world):
    secret, seen = world.secret(), 0

    for _ in range(8):
        seen = lies_once(world, secret, seen)
        world.functions.lies.clear()
        world.clock.pass_by(45 * 60)

    moves = [one for one in world.journal.actions if one.kind == "update_secret_version_stage"]
    assert len(moves) == 3
    assert world.rows()[-1]["rule"] == "orphaned"


@pytest.mark.parametrize("every", [4, 30])
def test_a_rotation_that_fails_for_ten_days_is_not_retried_for_ten_days(world, every):
    secret = world.secret(tags={"rotation-guard:remediation": "retry"})
    fails(world, secret, "createSecret", times=999)
    for _ in range(240 // every):
        world.run()
        world.clock.pass_by(every * 3600)
        world.secrets_manager.start_rotation(secret.arn)
        world.secrets_manager.go_on(secret.arn)
    world.run()

    world.promises.at_the_end()
    assert len(asked(world)) <= 9
    assert heard(world, CRITICAL).count("escalated") <= 3
    # Nobody forgets it either: a reminder a day.
    days = {one.asked["Subject"] for one in world.journal.notices if one.turn == "reminder"}
    assert days
    assert 7 <= heard(world, CRITICAL).count("reminder") <= 10


def test_a_completed_rotation_closes_the_circuit_breaker(world):
    secret = world.secret(tags={"rotation-guard:remediation": "retry"})
    for number in range(5):
        secret.labels.pop(PENDING, None)
        fails(world, secret, "createSecret", times=99)
        world.run()
        if number == 2:
            continue
        secret.fault = None
        world.secrets_manager.start_rotation(secret.arn)
        world.secrets_manager.go_on(secret.arn)
        world.run()
        world.clock.pass_by(60)

    world.promises.at_the_end()
    assert [row["attempts"] for row in world.rows()] == [3, 3, 3, 3, 3]


def test_a_label_that_somebody_moved_proves_nothing(world):
    secret = world.secret(tags={"rotation-guard:remediation": "retry"})
    for _ in range(5):
        secret.labels.pop(PENDING, None)
        fails(world, secret, "createSecret", times=99)
        world.run()
        world.secrets_manager.move_by_hand(secret.arn, secret.labels[PREVIOUS])
        world.run()
        world.clock.pass_by(60)

    world.promises.at_the_end()
    assert [row["attempts"] for row in world.rows()] == [3, 3, 3, 0, 0]


def test_moves_that_nobody_proves_do_not_go_on_for_ever(world):
    secret = world.secret(tags=OPTED_IN)
    for _ in range(6):
        secret.labels.pop(PENDING, None)
        secret.live["app"] = secret.versions[secret.labels[CURRENT]].password
        fails(world, secret, "setSecret", after=True, times=9)
        for event in world.waiting:
            world.deliver(event)
        while world.running and world.running[0].state != "Move":
            world.run_next()
        # The probe that had the label moved says nothing of the version that it was moved to.
        world.functions.manner = HANGS
        world.run()
        world.functions.manner = "honest"
        world.clock.pass_by(3600)

    world.promises.at_the_end()
    assert asked(world) == ["update_secret_version_stage"] * 3
    assert [row["rule"] for row in world.rows()] == ["moved"] * 3 + ["orphaned"] * 3


# --- a step that runs twice ------------------------------------------------------------------------------------------

BREAKS = {
    "Claim": ("createSecret", False),
    "TellOpened": ("createSecret", False),
    "Diagnose": ("createSecret", False),
    "Probe": ("createSecret", False),
    "Decide": ("createSecret", False),
    "Retry": ("createSecret", False),
    "Move": ("setSecret", True),
    "End": ("setSecret", True),
    "Restart": ("setSecret", True),
    "Watch": ("setSecret", True),
    "TellRecovered": ("setSecret", True),
}
"""A state -> what breaks, so that the incident passes through it."""


@pytest.mark.parametrize("call", range(9))
@pytest.mark.parametrize("state", BREAKS)
def test_a_step_that_was_invoked_twice_ends_as_if_it_ran_once(world, state, call):
    step, after = BREAKS[state]
    secret = world.secret(tags=OPTED_IN | RESTART)
    fails(world, secret, step, after, times=9 if after else 1)
    execution = run_up_to(world, state)

    # Its first invocation is slow: the second runs from beginning to end before this call of it.
    world.step(execution, Plan(meanwhile={call: lambda: world.invoke_again(execution)}))
    world.run()

    world.promises.at_the_end()
    [incident] = world.rows()
    assert incident["outcome"] == ("rolled forward" if after else "recovered by retry")
    # AWS takes a second request for the first while the rotation is unfinished; a label is moved once in any case.
    assert len(secret.moved_at) == 1
    assert len(world.journal.actions) <= 2
    assert sorted(set(heard(world))) == ["opened", "recovered"]


@pytest.mark.parametrize("state", BREAKS)
def test_a_step_whose_answer_was_lost_ends_as_if_it_ran_once(world, state):
    step, after = BREAKS[state]
    secret = world.secret(tags=OPTED_IN | RESTART)
    fails(world, secret, step, after, times=9 if after else 1)
    execution = run_up_to(world, state)

    world.invoke_again(execution)
    world.run()

    world.promises.at_the_end()
    [incident] = world.rows()
    assert incident["outcome"] == ("rolled forward" if after else "recovered by retry")
    assert Counter(one.kind for one in world.journal.actions).most_common(1)[0][1] == 1
    assert heard(world) == ["opened", "recovered"]


# --- an execution that was stopped -----------------------------------------------------------------------------------

STATES = [
    *("TellOpened", "Settle", "Diagnose", "Probe", "Decide", "Move", "End"),
    *("Debounce", "Restart", "WatchRestarts", "Watch", "Settled", "TellRecovered"),
]


@pytest.mark.parametrize("state", STATES)
def test_an_execution_that_was_aborted_is_found_by_the_next_audit(world, state):
    secret = world.secret(tags=OPTED_IN | RESTART)
    fails(world, secret, "setSecret", after=True, times=9)
    stop_at(world, state)

    audit_later(world)

    world.promises.at_the_end()
    [incident] = world.rows()
    assert (incident["state"], incident["outcome"]) == ("closed", "rolled forward")
    assert heard(world) == ["opened", "recovered"]
    assert asked(world) == ["update_secret_version_stage"]
    assert sorted(target for _, _, target in world.journal.restarts) == ["orders", "restart-orders"]


@pytest.mark.parametrize("state", STATES)
def test_an_execution_that_was_aborted_is_found_by_the_next_failure_of_its_secret(world, state):
    secret = world.secret(tags=OPTED_IN | RESTART)
    fails(world, secret, "setSecret", after=True, times=1)
    stop_at(world, state)
    first = world.rows()[0]["opened_at"]

    world.clock.pass_by(3 * 3600)
    secret.labels.pop(PENDING, None)
    secret.rotation = ""
    fails(world, secret, "createSecret", times=1)
    world.run()

    world.promises.at_the_end()
    assert all(row["state"] == "closed" for row in world.rows())
    if STATES.index(state) > STATES.index("Move"):
        assert sorted(target for _, incident, target in world.journal.restarts if incident[1] == first) == [
            "orders",
            "restart-orders",
        ]


@pytest.mark.parametrize("state", ["End", "TellEscalated"])
def test_a_page_that_was_cut_off_is_sent_all_the_same(world, state):
    secret = world.secret(tags=NOTIFY)
    fails(world, secret, "createSecret", times=9)
    stop_at(world, state)
    assert heard(world, CRITICAL) == []

    audit_later(world)

    world.promises.at_the_end()
    assert heard(world, CRITICAL) == ["escalated"]


@pytest.mark.parametrize("state", ["TellHeld", "Gather", "TellBurst"])
@pytest.mark.parametrize("settings", [Settings(max_actions_per_hour=0)])
def test_incidents_that_are_rate_limited_are_told_though_their_executions_were_stopped(world, state):
    for number in range(3):
        fails(world, world.secret(f"secret-{number}"), "createSecret", times=9)
    for event in world.waiting:
        world.deliver(event)
    while world.running:
        execution = world.running[0]
        if execution.state == state:
            world.machine.abort(execution)
        else:
            world.run_next()

    audit_later(world)

    world.promises.at_the_end()
    told = [incident for notice in world.journal.notices if notice.topic == CRITICAL for incident in notice.about]
    assert {arn for arn, _ in told} == set(world.secrets_manager.secrets)


def test_an_audit_leaves_incidents_alone_that_somebody_works_on(world):
    secret = world.secret(tags=OPTED_IN)
    fails(world, secret, "createSecret", times=1)
    run_up_to(world, "Settle")

    for _ in range(3):
        world.clock.pass_by(60)
        world.audit()

    assert [event.kind for event in world.events] == ["RotationFailed"]


# --- what was escalated ----------------------------------------------------------------------------------------------


def rotate_by_hand(world, secret):
    secret.fault = None
    world.secrets_manager.start_rotation(secret.arn)
    world.secrets_manager.go_on(secret.arn)


def move_by_hand(world, secret):
    world.secrets_manager.move_by_hand(secret.arn, secret.labels[PREVIOUS])


@pytest.mark.parametrize("repair", [rotate_by_hand, move_by_hand])
def test_what_was_escalated_is_told_to_be_resolved_once(world, repair):
    secret = world.secret(tags=NOTIFY)
    fails(world, secret, "createSecret", times=9)
    world.run()
    assert heard(world, CRITICAL) == ["escalated"]

    world.clock.pass_by(4 * 3600)
    repair(world, secret)
    world.run()

    world.promises.at_the_end()
    [incident] = world.rows()
    assert (incident["outcome"], incident["resolved_outcome"]) == ("resolved", "escalated")
    assert heard(world, CRITICAL) == ["escalated", "resolved"]
    assert heard(world) == ["opened", "escalated", "resolved"]
    assert [one["DetailType"].rpartition(" ")[2] for one in world.bus.put if "Stalled" not in one["DetailType"]] == [
        "Opened",
        "Escalated",
        "Resolved",
    ]


def test_the_news_of_our_own_move_resolves_nothing(world):
    secret = world.secret(tags=OPTED_IN)
    fails(world, secret, "createSecret", after=True, times=9)
    world.functions.manner = LIAR
    world.step(run_up_to(world, "Move"))
    world.functions.manner = "honest"
    late = world.waiting
    for event in late:
        event.is_dropped = True
    world.run()
    assert heard(world, CRITICAL) == ["escalated"]

    for event in late:
        world.deliver(event)
    world.run()

    assert world.rows()[0]["outcome"] == "escalated"
    assert heard(world, CRITICAL) == ["escalated"]


def test_every_page_that_was_sent_is_closed_when_the_secret_recovers(world):
    secret = world.secret(tags=NOTIFY)
    for _ in range(2):
        secret.labels.pop(PENDING, None)
        fails(world, secret, "createSecret", times=9)
        world.run()
        world.clock.pass_by(30 * 3600)
    rotate_by_hand(world, secret)
    world.run()

    world.promises.at_the_end()
    assert [row["outcome"] for row in world.rows()] == ["resolved", "resolved"]
    assert Counter(heard(world, CRITICAL)) == {"escalated": 2, "resolved": 2}


def test_what_was_escalated_and_is_stuck_is_told_again_each_day_and_not_retried(world):
    secret = world.secret(tags=OPTED_IN)
    fails(world, secret, "createSecret", times=99)
    world.run()
    calls = len(asked(world))

    for _ in range(5 * 24):
        world.clock.pass_by(3600)
        world.find_stuck(secret.arn)
        world.run()

    world.promises.at_the_end()
    assert len(world.rows()) == 1
    assert len(asked(world)) == calls
    assert heard(world, CRITICAL).count("reminder") in (4, 5)


def test_what_breaks_again_after_people_were_told_that_all_is_well_is_news(world):
    secret = world.secret(tags=OPTED_IN | {"rotation-guard:fallback": "allowed"})
    fails(world, secret, "createSecret", times=9)
    secret.live["app"] = secret.versions[secret.labels[PREVIOUS]].password
    world.run()
    assert [row["outcome"] for row in world.rows()] == ["fallen back"]

    # AWS goes on with the same rotation, which sets a password that is never put into use.
    world.clock.pass_by(2 * 3600)
    fails(world, secret, "setSecret", after=True, times=99)
    assert not secret.works(secret.labels[CURRENT])
    world.run()

    world.promises.at_the_end()
    assert [row["outcome"] for row in world.rows()] == ["fallen back", "rolled forward"]
    assert secret.works(secret.labels[CURRENT])


# --- a page is not late, and comes once ------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [Settings(max_retries=1), Settings(max_retries=3)])
def test_nobody_waits_for_a_back_off_after_the_last_retry(world, settings):
    secret = world.secret(tags=OPTED_IN)
    fails(world, secret, "createSecret", times=99)
    execution = run_up_to(world, "Settle")
    world.run()

    assert execution.trail.count("BackOff") == settings.max_retries - 1
    escalated_at = max(one["at"] for one in world.rows()[0]["actions"] if one.get("turn") == "escalated")
    failed_at = world.events[-1].occurred_at
    # One look at the rotation, and no more.
    waited = datetime.fromisoformat(escalated_at) - datetime.fromisoformat(failed_at)
    assert waited < timedelta(seconds=3 * LOOK_SECONDS)


RULED_OUT = {
    "marked for deletion": lambda secret, now: setattr(secret, "deleted_at", now),
    "rotation switched off": lambda secret, _: setattr(secret, "rotation_on", False),
    "access denied": lambda secret, _: setattr(secret, "denies_description", True),
    "not opted in any more": lambda secret, _: secret.tags.pop("rotation-guard:remediation"),
}


@pytest.mark.parametrize("change", RULED_OUT.values(), ids=RULED_OUT)
def test_nobody_waits_for_a_back_off_where_no_other_retry_is_allowed(world, change):
    secret = world.secret(tags={"rotation-guard:remediation": "retry"})
    fails(world, secret, "createSecret", times=99)
    execution = run_up_to(world, "WatchRotation")
    world.secrets_manager.go_on(secret.arn)
    change(secret, world.clock.now)
    world.run()

    world.promises.at_the_end()
    assert heard(world, CRITICAL) == ["escalated"]
    assert "BackOff" not in execution.trail


@pytest.mark.parametrize("settings", [Settings(mode="repair")])
@pytest.mark.parametrize(
    ("change", "ends"),
    [
        (lambda world, _: setattr(world.ssm, "switch", "stop"), "escalated"),
        (lambda _, secret: secret.live.update(app="of nobody"), "escalated"),
        (lambda _, secret: secret.live.update(app=secret.versions[secret.labels[PENDING]].password), "rolled forward"),
    ],
    ids=["the kill switch is set", "no password works any more", "AWSPENDING alone works"],
)
def test_nobody_waits_for_a_back_off_when_something_else_is_decided(world, monkeypatch, change, ends):
    monkeypatch.setattr(random, "random", lambda: 0.99)
    secret = world.secret(tags=OPTED_IN)
    fails(world, secret, "setSecret", times=99)
    execution = run_up_to(world, "WatchRotation")
    world.secrets_manager.go_on(secret.arn)
    change(world, secret)
    world.run()

    world.promises.at_the_end()
    assert [row["outcome"] for row in world.rows()] == [ends]
    assert "BackOff" not in execution.trail


def test_an_escalation_does_not_fail_its_execution(world):
    secret = world.secret(tags=NOTIFY)
    fails(world, secret, "createSecret", times=9)
    world.run()

    assert heard(world, CRITICAL) == ["escalated"]
    assert {one.status for one in world.executions.values()} == {"SUCCEEDED"}


# --- what somebody deleted -------------------------------------------------------------------------------------------


def test_a_claim_without_its_incident_is_released_and_told_once(world):
    secret = world.secret(tags=NOTIFY)
    fails(world, secret, "createSecret", times=99)
    execution = run_up_to(world, "Settle")
    world.machine.abort(execution)
    items = world.tables.items["incidents"]
    [lost] = [key for key in items if key[0].startswith("arn:")]
    del items[lost]

    for _ in range(3):
        world.secrets_manager.go_on(secret.arn)
        world.run()
        world.clock.pass_by(60)

    assert heard(world, CRITICAL).count("missing") == 1
    assert [row["outcome"] for row in world.rows()] == ["escalated"]
    world.audit()
    world.run()
    assert heard(world, CRITICAL).count("missing") == 1
    assert not [key for key in items if key[0] in ("unfinished", f"open#{secret.arn}")]


def test_an_open_incident_whose_claim_was_deleted_is_claimed_again(world):
    secret = world.secret(tags=OPTED_IN)
    fails(world, secret, "createSecret", times=1)
    run_up_to(world, "Settle")
    del world.tables.items["incidents"][f"open#{secret.arn}", "claim"]
    world.secrets_manager.go_on(secret.arn)
    world.run()

    world.promises.at_the_end()
    assert len(world.rows()) == 1
    assert heard(world) == ["opened", "recovered"]


@pytest.mark.parametrize("state", ["Settle", "Diagnose", "Decide", "End"])
def test_an_incident_whose_claim_was_deleted_ends_though_nothing_more_is_heard(world, state):
    secret = world.secret(tags=NOTIFY)
    fails(world, secret, "createSecret", times=9)
    run_up_to(world, state)
    del world.tables.items["incidents"][f"open#{secret.arn}", "claim"]
    world.run()

    world.promises.at_the_end()
    assert [row["outcome"] for row in world.rows()] == ["escalated"]
    assert heard(world, CRITICAL) == ["escalated"]


# --- what cannot be read is not safe ---------------------------------------------------------------------------------


def test_a_secret_that_cannot_be_read_is_not_rotated(world):
    secret = world.secret(tags=OPTED_IN)
    fails(world, secret, "createSecret", times=9)
    execution = run_up_to(world, "Retry")
    secret.denies_description = True

    world.step(execution)
    secret.denies_description = False
    world.run()

    assert asked(world) == []
    [incident] = world.rows()
    assert incident["outcome"] == "escalated"
    assert "access denied" in incident["reason"]


# --- clocks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [-3, 3])
def test_a_function_whose_clock_is_minutes_off_misses_no_failure(world, minutes):
    secret = world.secret(tags=NOTIFY)
    rotate_by_hand(world, secret)
    world.run()
    world.clock.pass_by(5)
    world.clock.skew = timedelta(minutes=minutes)
    fails(world, secret, "createSecret", times=9)
    world.run()
    assert heard(world, CRITICAL) == ["escalated"]

    # A minute after it was escalated the next rotation fails: that is news, whatever the functions think it is.
    world.clock.pass_by(60)
    secret.labels.pop(PENDING)
    fails(world, secret, "createSecret", times=9)
    world.run()

    assert heard(world, CRITICAL) == ["escalated", "escalated"]


@pytest.mark.parametrize("minutes", [-10, 10])
@pytest.mark.parametrize("step", Settings().steps)
def test_secrets_that_share_a_dependent_each_have_it_restarted_though_a_clock_is_off(world, step, minutes):
    skew(world, step, minutes)
    for name in ("one", "other"):
        secret = world.secret(name, tags=RESTART | {"rotation-guard:restart-on": "rotation"})
        rotate_by_hand(world, secret)
        world.run()
        # The first restart is over before the second value is there.
        world.clock.pass_by(120)

    assert len(world.services.deployments) == 2


def skew(world, step, minutes):
    """Has the clock of this function alone be off."""
    enter = world.journal.enter

    def skewed(execution, kind, payload):
        world.clock.skew = timedelta(minutes=minutes if kind == step else 0)
        return enter(execution, kind, payload)

    world.journal.enter = skewed
