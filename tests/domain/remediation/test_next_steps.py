"""The next steps in a notification."""

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


def next_steps(transition, **changes):
    error = changes.pop("error", None)
    return format_next_steps(build_payload(transition, EXECUTION, incident(**changes), error=error))


def escalation_steps(rule, **changes):
    return next_steps("escalated", actions=[decided(rule)], **changes)


@pytest.mark.parametrize("rule", ESCALATING)
def test_every_rule_that_escalates_has_next_steps_of_its_own(rule):
    others = {escalation_steps(other) for other in ESCALATING if other != rule}

    assert escalation_steps(rule) not in others
    assert escalation_steps(rule) != escalation_steps("an unknown rule") or rule == "retries used up"


@pytest.mark.parametrize(
    ("rule", "expected"),
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
            f"Repair the cause, then rotate. If a rotation is unfinished, AWS retries that one: `{ROTATE}`",
        ),
    ],
)
def test_the_next_steps_of_an_escalation_depend_on_its_rule(rule, expected):
    assert expected in escalation_steps(rule)


def test_a_failed_step_is_to_be_found_in_the_history_of_the_execution():
    for text in (
        next_steps("escalated", error="States.Timeout", actions=[decided("stopped")]),
        next_steps("escalated", reason="A step of the workflow failed for good: States.Timeout."),
    ):
        assert text.startswith("See which step failed and why.")
        assert f"get-execution-history --execution-arn {EXECUTION}" in text
        assert "remediation go" not in text


@pytest.mark.parametrize("state", ["failed", "started", "wanted", "covered"])
def test_dependents_that_did_not_restart_are_to_be_restarted(state):
    restarts = [SETTLED, {**SETTLED, "target": "lambda:api", "state": state}]

    text = next_steps("escalated", actions=[decided("moved")], restarts=restarts)

    assert "may still use the old value. Find out why, then restart them: lambda:api." in text


@pytest.mark.parametrize("call", ["RotateSecret", "UpdateSecretVersionStage"])
def test_denied_access_points_to_the_resource_policy_first(call):
    actions = [decided("retry"), {"action": "retry", "number": 1, "outcome": f"{call} was refused: access denied."}]

    text = next_steps("escalated", actions=actions)

    assert text.startswith(
        "Access was denied. Check the secret's resource policy first: `aws secretsmanager get-resource-p"
    )
    assert text.index("get-resource-policy") < text.index("rotation-guard:remediation")
    # A move invokes no rotation function.
    assert ("rotationFunctions" in text) is (call == "RotateSecret")


def test_a_call_that_failed_for_another_reason_does_not_mention_policies():
    outcome = "RotateSecret was refused: Secrets Manager cannot do it (InvalidRequestException)."

    text = next_steps("escalated", actions=[{"action": "retry", "number": 1, "outcome": outcome}])

    assert "policy" not in text
    assert ROTATE in text


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
def test_for_a_deleted_secret_no_command_names_it(changes):
    text = next_steps("escalated", failed_step=None, versions=None, unreadable=GONE, **changes)

    assert text.startswith("If applications still use the secret, they cannot read it")
    assert "--secret-id" not in text
    assert "AWSPENDING" not in text


@pytest.mark.parametrize(
    ("reason", "included", "excluded"),
    [
        ("It cannot be read: access denied, perhaps by its own resource policy.", "get-resource-policy", "owns it"),
        ("It is marked for deletion.", "restore-secret", "rotate-secret"),
        ("It is a replica: repair its primary in us-east-1.", "primary Region", "rotate-secret"),
        ("It belongs to the service rds, which rotates it by itself.", "that owns it", "rotate-secret"),
    ],
)
def test_the_next_steps_for_an_unsupported_secret_name_who_can_repair_it(reason, included, excluded):
    text = next_steps("escalated", actions=[decided("untouchable")], reason=reason)

    assert included in text
    assert excluded not in text


@pytest.mark.parametrize("rule", ["notify", "retries used up", "stopped"])
def test_a_rotation_is_said_to_switch_rotation_on_again_if_it_is_off(rule):
    assert "rotating switches it on again" in escalation_steps(rule, rotation_on=False)
    assert "switches" not in escalation_steps(rule, rotation_on=True)


@pytest.mark.parametrize("rule", ["notify", "stopped", "orphaned", "nothing works", "retries used up"])
@pytest.mark.parametrize(
    ("pending", "previous", "version"),
    [("works", "works", "v2"), ("broken", "works", "v3"), ("broken", "broken", None)],
)
def test_an_outage_is_ended_first_if_a_probe_proved_a_version(rule, pending, previous, version):
    versions = {"v1": ["AWSCURRENT"], "v2": ["AWSPENDING"], "v3": ["AWSPREVIOUS"]}
    evidence = {"current": "broken", "pending": pending, "previous": previous}

    text = escalation_steps(rule, versions=versions, evidence=evidence)

    assert text.startswith("A probe proved that") is (version is not None)
    assert f"--move-to-version-id {version} --remove-from-version-id v1" in text or version is None


def test_no_label_is_to_be_moved_without_proof():
    for evidence in (None, {"current": "unknown", "pending": "works"}, {"current": "works", "pending": "works"}):
        assert "move-to-version-id" not in escalation_steps("notify", evidence=evidence)


def test_only_the_last_action_determines_the_next_steps():
    actions = [{"action": "retry", "outcome": "RotateSecret was refused: no."}, decided("orphaned")]

    assert "incidents release" in next_steps("escalated", actions=actions)


@pytest.mark.parametrize("rule", ESCALATING)
def test_a_reminder_has_the_next_steps_of_the_escalation(rule):
    assert next_steps("reminder", actions=[decided(rule)]) == escalation_steps(rule)


def test_a_resolved_incident_requires_no_action():
    for versions in (None, {"v2": ["AWSCURRENT"]}, {"v2": ["AWSCURRENT", "AWSPENDING"]}):
        row = resolved(actions=[decided("notify")], new_value_versions=versions)
        assert format_next_steps(build_payload("resolved", EXECUTION, row)) == "No action required."


@pytest.mark.parametrize(("transition", "outcome"), [("resolved", "resolved"), ("recovered", "recovered by AWS")])
def test_a_rotation_that_is_unfinished_after_a_new_value_is_to_be_finished(transition, outcome):
    labels = {"v2": ["AWSCURRENT"], "v3": ["AWSPENDING"]}

    text = format_next_steps(
        build_payload(transition, EXECUTION, resolved(new_value_versions=labels) | {"outcome": outcome})
    )

    assert "No action required" not in text
    assert "AWSPENDING is still on version v3" in text
    assert ROTATE in text


@pytest.mark.parametrize(
    ("transition", "outcome"),
    [
        *(("recovered", outcome) for outcome in ("recovered by AWS", "recovered by retry", "rolled forward")),
        ("recovered", "fallen back"),
        ("resolved", "resolved"),
        ("restarted", None),
    ],
)
def test_after_the_end_dependents_that_were_not_restarted_are_to_be_restarted(transition, outcome):
    row = resolved() if transition == "resolved" else incident(outcome=outcome)
    row = {**row, "versions": {"v2": ["AWSCURRENT"]}, "restarts": [SETTLED, NOT_LISTED]}

    text = format_next_steps(build_payload(transition, EXECUTION, row))

    assert "No action required" not in text
    assert "Restart the dependents that were not restarted: lambda:api." in text


def test_a_missing_incident_points_to_the_secret_and_the_deletion_of_its_row():
    text = next_steps("missing")

    assert f"aws secretsmanager describe-secret --secret-id {ARN} --region eu-west-1" in text
    assert "Somebody deleted the row" in text


@pytest.mark.parametrize("transition", ["opened", "escalated", "held", "reminder"])
@pytest.mark.parametrize(
    ("step", "pending", "is_warned"),
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
def test_readers_are_warned_not_to_clear_what_may_be_the_live_password(transition, step, pending, is_warned):
    versions = {"v1": ["AWSCURRENT"], **({"v2": ["AWSPENDING"]} if pending else {})}

    assert (KEEP in next_steps(transition, failed_step=step, versions=versions)) is is_warned


def test_a_later_step_that_failed_once_is_remembered_when_createsecret_fails_after_it():
    text = next_steps("escalated", failed_step="createSecret", failed_steps={"createSecret", "setSecret"})

    assert KEEP in text
    assert KEEP not in next_steps("escalated", failed_step="createSecret", failed_steps={"createSecret"}, failures=5)


@pytest.mark.parametrize(
    ("outcome", "beginning"),
    [
        ("recovered by AWS", "No action required. If this happens again"),
        ("recovered by retry", "No action required. If this happens again"),
        ("rolled forward", "No action required: nothing is lost."),
        ("fallen back", "Applications work with the previous value."),
    ],
)
def test_a_recovered_incident_requires_little(outcome, beginning):
    text = next_steps("recovered", outcome=outcome, versions={"v2": ["AWSCURRENT"]})

    assert text.startswith(beginning)
    assert KEEP not in text


@pytest.mark.parametrize("transition", ["recovered", "restarted"])
def test_unlisted_dependents_are_to_be_restarted_by_the_reader(transition):
    text = next_steps(transition, outcome="rolled forward", restarts=[SETTLED, NOT_LISTED])

    assert "Restart the dependents that were not restarted: lambda:api." in text
    assert "Restart" not in next_steps(transition, outcome="rolled forward", restarts=[SETTLED])


def test_a_failed_test_of_a_rotation_is_to_be_repeated():
    assert "test again" in next_steps("opened", event_type="TestRotationFailed")


def test_rate_limited_incidents_say_how_to_continue_and_how_to_raise_the_limit():
    single, digest = (
        next_steps("held"),
        format_next_steps(build_payload("held_burst", EXECUTION, {}, digest=rate_limited(3))),
    )

    assert ROTATE in single
    assert "rotation-guard incidents list --outcome held" in digest
    assert digest.count("rotate-secret") == 3
    assert all("maxActionsPerHour" in text for text in (single, digest))


def test_an_event_without_a_secret_points_to_the_whole_event():
    assert "whole event" in format_next_steps(build_payload("unidentified", EXECUTION, {}))


def test_the_log_of_the_function_is_named_or_else_how_to_find_it():
    assert "the rotation function orders-rotation at setSecret. It is in /aws/lambda/orders-rotation" in next_steps(
        "opened", rotation_function=FUNCTION
    )
    assert f"describe-secret --secret-id {ARN} --query RotationLambdaARN" in next_steps("opened")


@pytest.mark.parametrize("kind", ["RotationAbandoned", "Rotation Stuck"])
def test_after_aws_has_given_up_no_retry_is_announced(kind):
    assert "AWS retries" not in next_steps("opened", event_type=kind, failed_step=None)
    assert "AWS retries" in next_steps("opened")
