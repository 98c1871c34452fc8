"""What a message says is to be done next."""

import pytest

from rotation_guard.domain.remediation.decisions import RULES, Action
from rotation_guard.domain.remediation.next_steps import format_next_steps
from rotation_guard.domain.remediation.notification_payload import build_payload
from tests.handlers.remediation.transitions import (
    ARN,
    EXECUTION,
    FUNCTION,
    NOT_LISTED,
    SETTLED,
    decided,
    incident,
    rate_limited,
    resolved,
)

KEEP = "Do not clear AWSPENDING"
ROTATE = f"aws secretsmanager rotate-secret --secret-id {ARN} --region eu-west-1"
ESCALATING = [rule.name for rule in RULES if rule.action is Action.ESCALATE]


def advised(transition, **changes):
    error = changes.pop("error", None)
    return format_next_steps(build_payload(transition, EXECUTION, incident(**changes), error=error))


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
        ("moved in vain", "repair the probe"),
        ("untouchable", "Repair it where it is rotated"),
        ("test only", "test again"),
        ("exhausted", "rotation-guard incidents show orders/db"),
        ("stopped", "rotation-guard remediation go --reason 'cause repaired'"),
        ("orphaned", "rotation-guard incidents release orders/db"),
        ("notify", "rotation-guard:remediation=retry"),
        ("no AWSCURRENT", "move AWSCURRENT to it"),
        ("nothing works", "set the user's password to the value of AWSPENDING"),
        ("rotation off", "who switched its rotation off"),
        (
            "retries used up",
            f"Repair the cause, then rotate. If a rotation is unfinished, AWS retries that one: {ROTATE}",
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
        assert broken.startswith("See which step failed and why.")
        assert f"get-execution-history --execution-arn {EXECUTION}" in broken
        assert "remediation go" not in broken


@pytest.mark.parametrize("state", ["failed", "started", "wanted", "covered"])
def test_dependents_that_did_not_settle_are_the_next_thing_to_look_at(state):
    restarts = [SETTLED, {**SETTLED, "target": "lambda:api", "state": state}]

    said = advised("escalated", actions=[decided("moved")], restarts=restarts)

    assert "may still use the old value. Find out why, then restart them: lambda:api." in said


@pytest.mark.parametrize("call", ["RotateSecret", "UpdateSecretVersionStage"])
def test_access_that_was_denied_leads_to_the_secrets_own_policy_first(call):
    actions = [decided("retry"), {"action": "retry", "number": 1, "outcome": f"{call} was refused: access denied."}]

    said = advised("escalated", actions=actions)

    assert said.startswith(
        "Access was denied. Check the secret's resource policy first: aws secretsmanager get-resource-p"
    )
    assert said.index("get-resource-policy") < said.index("rotation-guard:remediation")
    # Of a move, no rotation function is invoked.
    assert ("rotationFunctions" in said) is (call == "RotateSecret")


def test_a_call_that_was_refused_for_another_reason_is_not_blamed_on_permissions():
    outcome = "RotateSecret was refused: Secrets Manager cannot do it (InvalidRequestException)."

    said = advised("escalated", actions=[{"action": "retry", "number": 1, "outcome": outcome}])

    assert "policy" not in said
    assert ROTATE in said


GONE = "It does not exist in Secrets Manager any more."


@pytest.mark.parametrize(
    "changes",
    [
        {"actions": [decided("untouchable")], "reason": GONE},
        {"actions": [{"action": "retry", "outcome": f"RotateSecret was not called: {GONE}"}]},
        {"actions": [{"action": "retry", "outcome": "RotateSecret was refused: gone (ResourceNotFoundException)."}]},
        {"actions": [{"action": "rolled forward", "outcome": f"AWSCURRENT was not moved: {GONE}"}]},
    ],
)
def test_a_secret_that_is_gone_is_neither_rotated_nor_described(changes):
    said = advised("escalated", failed_step=None, versions=None, unreadable=GONE, **changes)

    assert said.startswith("If applications still use the secret, they cannot read it")
    assert "--secret-id" not in said
    assert "AWSPENDING" not in said


@pytest.mark.parametrize(
    ("reason", "said", "unsaid"),
    [
        ("It cannot be read: access denied, perhaps by its own resource policy.", "get-resource-policy", "owns it"),
        ("It is marked for deletion.", "restore-secret", "rotate-secret"),
        ("It is a replica: repair its primary in us-east-1.", "primary Region", "rotate-secret"),
        ("It belongs to the service rds, which rotates it by itself.", "that owns it", "rotate-secret"),
    ],
)
def test_what_is_not_ours_to_repair_says_whose_it_is(reason, said, unsaid):
    told = advised("escalated", actions=[decided("untouchable")], reason=reason)

    assert said in told
    assert unsaid not in told


@pytest.mark.parametrize("rule", ["notify", "retries used up", "stopped"])
def test_rotating_says_that_it_switches_on_what_somebody_switched_off(rule):
    assert "rotating switches it on again" in escalated(rule, rotation_on=False)
    assert "switches" not in escalated(rule, rotation_on=True)


@pytest.mark.parametrize("rule", ["notify", "stopped", "orphaned", "nothing works", "retries used up"])
@pytest.mark.parametrize(
    ("pending", "previous", "version"),
    [("works", "works", "v2"), ("broken", "works", "v3"), ("broken", "broken", None)],
)
def test_an_outage_is_ended_first_where_a_version_is_proven(rule, pending, previous, version):
    versions = {"v1": ["AWSCURRENT"], "v2": ["AWSPENDING"], "v3": ["AWSPREVIOUS"]}
    evidence = {"current": "broken", "pending": pending, "previous": previous}

    said = escalated(rule, versions=versions, evidence=evidence)

    assert said.startswith("A probe proved that") is (version is not None)
    assert f"--move-to-version-id {version} --remove-from-version-id v1" in said or version is None


def test_no_label_is_to_be_moved_where_nothing_is_proven():
    for evidence in (None, {"current": "unknown", "pending": "works"}, {"current": "works", "pending": "works"}):
        assert "move-to-version-id" not in escalated("notify", evidence=evidence)


def test_a_call_that_was_refused_before_is_not_what_stopped_it_in_the_end():
    actions = [{"action": "retry", "outcome": "RotateSecret was refused: no."}, decided("orphaned")]

    assert "incidents release" in advised("escalated", actions=actions)


@pytest.mark.parametrize("rule", ESCALATING)
def test_a_reminder_says_what_the_escalation_said(rule):
    assert advised("reminder", actions=[decided(rule)]) == escalated(rule)


def test_what_is_resolved_asks_for_nothing():
    for versions in (None, {"v2": ["AWSCURRENT"]}, {"v2": ["AWSCURRENT", "AWSPENDING"]}):
        row = resolved(actions=[decided("notify")], new_value_versions=versions)
        assert format_next_steps(build_payload("resolved", EXECUTION, row)) == "No action required."


@pytest.mark.parametrize(("transition", "outcome"), [("resolved", "resolved"), ("recovered", "recovered by AWS")])
def test_a_rotation_that_is_unfinished_after_a_new_value_is_to_be_finished(transition, outcome):
    labels = {"v2": ["AWSCURRENT"], "v3": ["AWSPENDING"]}

    said = format_next_steps(
        build_payload(transition, EXECUTION, resolved(new_value_versions=labels) | {"outcome": outcome})
    )

    assert "No action required" not in said
    assert "AWSPENDING is still on version v3" in said
    assert ROTATE in said


@pytest.mark.parametrize(
    ("transition", "outcome"),
    [
        *(("recovered", outcome) for outcome in ("recovered by AWS", "recovered by retry", "rolled forward")),
        ("recovered", "fallen back"),
        ("resolved", "resolved"),
        ("restarted", None),
    ],
)
def test_what_is_over_asks_for_the_restart_of_what_was_not_restarted(transition, outcome):
    row = resolved() if transition == "resolved" else incident(outcome=outcome)
    row = {**row, "versions": {"v2": ["AWSCURRENT"]}, "restarts": [SETTLED, NOT_LISTED]}

    said = format_next_steps(build_payload(transition, EXECUTION, row))

    assert "No action required" not in said
    assert "Restart the dependents that were not restarted: lambda:api." in said


def test_a_lost_incident_leads_to_the_secret_and_to_who_deleted_its_row():
    said = advised("missing")

    assert f"aws secretsmanager describe-secret --secret-id {ARN} --region eu-west-1" in said
    assert "Somebody deleted the row" in said


@pytest.mark.parametrize("transition", ["opened", "escalated", "held", "reminder"])
@pytest.mark.parametrize(
    ("step", "pending", "warned"),
    [
        (None, False, False),
        ("createSecret", False, False),
        ("createSecret", True, False),
        (None, True, True),
        ("setSecret", False, True),
        ("testSecret", False, True),
        ("finishSecret", True, True),
    ],
)
def test_people_are_warned_of_clearing_what_may_be_the_live_password(transition, step, pending, warned):
    versions = {"v1": ["AWSCURRENT"], **({"v2": ["AWSPENDING"]} if pending else {})}

    assert (KEEP in advised(transition, failed_step=step, versions=versions)) is warned


def test_a_later_step_that_failed_once_is_remembered_when_createsecret_fails_after_it():
    said = advised("escalated", failed_step="createSecret", failed_steps={"createSecret", "setSecret"})

    assert KEEP in said
    assert KEEP not in advised("escalated", failed_step="createSecret", failed_steps={"createSecret"}, failures=5)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("recovered by AWS", "No action required. If this happens again"),
        ("recovered by retry", "No action required. If this happens again"),
        ("rolled forward", "No action required: nothing is lost."),
        ("fallen back", "Applications work with the previous value."),
    ],
)
def test_what_is_over_asks_for_little(outcome, said):
    advice_given = advised("recovered", outcome=outcome, versions={"v2": ["AWSCURRENT"]})

    assert advice_given.startswith(said)
    assert KEEP not in advice_given


@pytest.mark.parametrize("transition", ["recovered", "restarted"])
def test_what_was_not_restarted_is_the_readers_to_restart(transition):
    said = advised(transition, outcome="rolled forward", restarts=[SETTLED, NOT_LISTED])

    assert "Restart the dependents that were not restarted: lambda:api." in said
    assert "Restart" not in advised(transition, outcome="rolled forward", restarts=[SETTLED])


def test_a_test_of_a_rotation_is_tested_again():
    assert "test again" in advised("opened", event_type="TestRotationFailed")


def test_held_incidents_say_how_to_go_on_and_how_to_raise_the_limit():
    one, many = advised("held"), format_next_steps(build_payload("held_burst", EXECUTION, {}, digest=rate_limited(3)))

    assert ROTATE in one
    assert "rotation-guard incidents list --outcome held" in many
    assert many.count("rotate-secret") == 3
    assert all("maxActionsPerHour" in said for said in (one, many))


def test_an_event_without_a_secret_leads_to_the_event():
    assert "whole event" in format_next_steps(build_payload("unidentified", EXECUTION, {}))


def test_the_log_of_the_function_is_named_or_else_how_to_find_it():
    assert "the rotation function orders-rotation at setSecret. It is in /aws/lambda/orders-rotation" in advised(
        "opened", rotation_function=FUNCTION
    )
    assert f"describe-secret --secret-id {ARN} --query RotationLambdaARN" in advised("opened")


@pytest.mark.parametrize("kind", ["RotationAbandoned", "Rotation Stuck"])
def test_aws_is_not_said_to_try_again_what_it_has_given_up(kind):
    assert "AWS retries" not in advised("opened", event_type=kind, failed_step=None)
    assert "AWS retries" in advised("opened")
