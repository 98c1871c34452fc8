"""Subject and text of a notification."""

import re

import pytest

from components.release import resolve_runbook
from tests.handlers.remediation.transitions import (
    ARN,
    EXECUTION,
    FUNCTION,
    NOT_LISTED,
    RUNBOOK,
    SETTLED,
    decided,
    incident,
    notification,
    rate_limited,
    repaired,
    resolved,
    unwrap,
)
from tests.paths import ROOT

LINKS = [
    "Secret: https://eu-west-1.console.aws.amazon.com/secretsmanager/secret?name=orders%2Fdb&region=eu-west-1",
    "Execution: https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1"
    f"#/v2/executions/details/{EXECUTION}",
]
REMEDIATION = ROOT / "docs" / "remediation.md"


def test_a_notification_of_a_failure_has_the_state_and_the_next_steps():
    row = incident(owner="payments", rotation_function=FUNCTION, rotation_on=True)

    message = notification("opened", row, runbook_url=RUNBOOK)

    assert message.subject == "AT RISK orders/db 123456789012 eu-west-1: rotation failed at setSecret"
    assert message.text.split("\n") == [
        "AT RISK: orders/db: rotation failed at setSecret.",
        "No probe has proved that AWSCURRENT works: check that applications can log in.",
        "",
        f"Secret: {ARN}",
        "Owner: payments",
        "Account: 123456789012",
        "Region: eu-west-1",
        "Function: orders-rotation",
        "Execution:",
        f"  {EXECUTION}",
        "",
        "When: 2026-03-01T00:50:20Z (RotationFailed)",
        "Actions: none yet.",
        "Now: AWSCURRENT is on version v1, which applications read; AWSPENDING is on",
        "  version v2: the rotation is unfinished.",
        "",
        "Next:",
        "1. AWS retries by itself, then rotation-guard diagnoses the secret. Another",
        "   notification follows when the incident ends.",
        "2. Read the log of the rotation function orders-rotation at setSecret. It is in",
        "   /aws/lambda/orders-rotation, unless the function's configuration names",
        "   another log group:",
        "",
        "   aws logs filter-log-events --log-group-name /aws/lambda/orders-rotation --start-time 1772325320000 "
        "--query 'events[].[message]' --output text --region eu-west-1",
        "",
        "3. Do not clear AWSPENDING: it may be the only copy of a password that is",
        "   already in use.",
        "",
        LINKS[0],
        "Log: https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1"
        "#logsV2:log-groups/log-group/$252Faws$252Flambda$252Forders-rotation",
        LINKS[1],
        "Runbook: https://example.com/runbook#opened",
    ]


def test_a_notification_of_a_recovery_has_the_actions_and_their_times():
    message = notification("recovered", repaired(), runbook_url=RUNBOOK)

    assert message.subject == "RESOLVED orders/db 123456789012 eu-west-1: rolled forward"
    lines = unwrap(message.text)
    assert lines[0] == "RESOLVED: orders/db: rotation failed at setSecret and was rolled forward."
    start = next(index for index, line in enumerate(lines) if line.startswith("When:"))
    assert lines[start : start + 9] == [
        "When: 2026-03-01T00:50:20Z (RotationFailed); 5 failures, the last at 2026-03-01T01:15:00Z",
        "Why: AWSCURRENT is on the version that this incident moved it to, and a probe proved that it works.",
        "Actions:",
        "- 2026-03-01T01:06:01Z retry 1: reattempted",
        "- 2026-03-01T01:16:01Z rolled forward, AWSCURRENT to version v2: done",
        "- 2026-03-01T01:19:00Z restart of ecs:shop/orders: settled",
        "- not restarted: lambda:api: It is not among them.",
        "Now: AWSCURRENT is on version v2, which applications read.",
        "Probe: AWSCURRENT works.",
    ]
    assert lines[-1] == "Runbook: https://example.com/runbook#rolled-forward"


def test_the_payload_has_the_next_steps_of_the_text():
    message = notification("escalated", incident(actions=[decided("orphaned")]))

    assert {f"   {command}" for command in message.payload["commands"]} <= {*message.text.splitlines()}
    assert len(message.payload["commands"]) == 4
    assert message.payload["next"].startswith("Find out why it keeps failing. Read the log of the rotation function")


@pytest.mark.parametrize(
    ("transition", "changes", "event", "headline"),
    [
        ("opened", {}, "rotation failed at setSecret", "orders/db: rotation failed at setSecret."),
        (
            "opened",
            {"event_type": "RotationAbandoned", "failed_step": None},
            "rotation was abandoned",
            "orders/db: rotation was abandoned.",
        ),
        (
            "opened",
            {"event_type": "TestRotationFailed"},
            "rotation failed its test at setSecret",
            "orders/db: rotation failed its test at setSecret.",
        ),
        (
            "opened",
            {"event_type": "Rotation Stuck", "failed_step": None},
            "rotation is stuck",
            "orders/db: rotation is stuck.",
        ),
        (
            "recovered",
            {"outcome": "recovered by AWS"},
            "recovered by AWS",
            "orders/db: rotation failed at setSecret and was recovered by AWS.",
        ),
        ("recovered", {"outcome": "recovered by retry"}, "recovered by retry", None),
        (
            "recovered",
            {"outcome": "fallen back"},
            "rolled back",
            "orders/db: rotation failed at setSecret and was rolled back.",
        ),
        ("recovered", {}, "recovered", "orders/db: rotation failed at setSecret and has recovered."),
        (
            "escalated",
            {},
            "rotation escalated at setSecret",
            "orders/db: rotation failed at setSecret and was escalated.",
        ),
        (
            "escalated",
            {"event_type": "RotationSucceeded", "failed_step": None},
            "rotation escalated",
            "orders/db has a new value and was escalated.",
        ),
        (
            "escalated",
            {"restarts": [{**SETTLED, "state": "failed"}]},
            "restart of dependents failed",
            "orders/db has a new value, but a restart of its dependents failed.",
        ),
        ("held", {}, "rotation rate limited", None),
        (
            "reminder",
            {"outcome": "escalated"},
            "rotation still fails at setSecret",
            "orders/db: rotation still fails at setSecret. It was escalated and is not resolved.",
        ),
        (
            "reminder",
            {"outcome": "escalated", "failed_step": None},
            "rotation still fails",
            "orders/db: rotation still fails. It was escalated and is not resolved.",
        ),
        ("resolved", {"outcome": "resolved"}, "new value in use", "orders/db: the incident is resolved."),
        ("missing", {}, "incident record lost", "orders/db: the record of the incident is lost."),
        (
            "restarted",
            {"restarts": [SETTLED, NOT_LISTED]},
            "dependents restarted",
            "orders/db has a new value; its dependents were restarted.",
        ),
        (
            "restarted",
            {"restarts": [NOT_LISTED]},
            "dependents not restarted",
            "orders/db has a new value; its dependents were not restarted.",
        ),
    ],
)
def test_a_subject_names_severity_secret_account_region_and_what_happened(transition, changes, event, headline):
    message = notification(transition, incident(**changes))

    severity = message.payload["severity"]
    assert message.subject == f"{severity} orders/db 123456789012 eu-west-1: {event}"
    assert headline is None or unwrap(message.text)[0] == f"{severity}: {headline}"


def test_a_failed_step_during_restarts_is_not_reported_as_a_failed_restart():
    message = notification("escalated", incident(restarts=[{**SETTLED, "state": "started"}]), error="States.Timeout")

    assert message.subject.endswith(": rotation escalated at setSecret")


def test_a_notification_of_a_resolved_incident_has_its_cause_and_requires_no_action():
    lines = unwrap(notification("resolved", resolved()).text)

    assert lines[0] == "RESOLVED: orders/db: the incident is resolved."
    for line in (
        "When: 2026-03-01T00:50:20Z (RotationFailed)",
        "Why: A new value is in use since 2026-03-01T09:00:00Z (RotationSucceeded).",
        "Now: the labels are unknown.",
        "1. No action required.",
    ):
        assert line in lines


def test_a_reminder_names_only_the_latest_failure():
    row = repaired() | {"outcome": "escalated", "reminded_at": "2026-03-02T02:00:00Z"}

    text = notification("reminder", row).text

    assert "it failed again at 2026-03-02T02:00:00Z" in " ".join(unwrap(text))
    # The time of the last failure when the incident was closed.
    assert "2026-03-01T01:15:00Z" not in text


def test_a_notification_of_a_missing_incident_says_that_its_actions_are_unknown():
    lines = unwrap(notification("missing", {"secret_arn": ARN, "opened_at": "2026-03-01T00:51:00.000Z"}).text)

    assert "Why: Its row is missing from the Incidents table, so it is not known what was done." in lines
    assert "Actions: unknown." in lines
    assert f"   aws secretsmanager describe-secret --secret-id {ARN} --region eu-west-1" in lines


def test_a_failure_without_a_secret_has_a_notification():
    signal = {"kind": "RotationFailed", "occurred_at": "2026-03-01T00:50:20Z"}

    message = notification("unidentified", {}, signal=signal, runbook_url=RUNBOOK)

    assert message.subject == "AT RISK an unidentified secret 123456789012 eu-west-1: rotation failed"
    assert message.text.splitlines()[-1] == "Runbook: https://example.com/runbook#unidentified"
    assert "Secret:" not in message.text
    assert "Now:" not in message.text


def test_a_failed_step_replaces_the_reason():
    message = notification("escalated", incident(reason="So it is."), error="States.Timeout")

    assert "A step of the workflow failed for good: States.Timeout." in message.text.splitlines()
    assert "Why:" not in message.text


def test_an_unreadable_incident_has_a_notification_with_what_is_known():
    message = notification(
        "escalated", {"secret_arn": ARN, "opened_at": "2026-03-01T00:51:00.000Z"}, error="States.Timeout"
    )

    assert message.subject == "AT RISK orders/db 123456789012 eu-west-1: rotation escalated"
    assert "Now: the labels are unknown." in message.text.splitlines()
    assert LINKS[0] in message.text.splitlines()


def test_a_digest_is_one_notification():
    message = notification("held_burst", {}, digest=rate_limited(187), runbook_url=RUNBOOK)

    assert message.subject == (
        "AT RISK orders/db-1 and 186 more 123456789012 eu-west-1: 187 failed rotations rate limited"
    )
    lines = message.text.splitlines()
    assert lines[0] == "AT RISK: 187 rotations failed, and repairs are rate limited."
    start = lines.index("Why: This account has reached maxActionsPerHour.")
    assert lines[start + 1] == "- orders/db-1"
    assert lines[start + 20 : start + 22] == ["- orders/db-20", "- and 167 more"]
    assert "   rotation-guard incidents list --outcome held --stack-outputs stack-outputs.json" in lines
    assert "stack-outputs.json has the output of `pulumi stack output --json` for this" in lines
    assert lines[-1] == "Runbook: https://example.com/runbook#rate-limited"


def test_a_digest_of_one_incident_uses_the_singular():
    message = notification("held_burst", {}, digest=rate_limited(1))

    assert message.subject == "AT RISK orders/db-1 123456789012 eu-west-1: 1 failed rotation rate limited"
    assert message.text.splitlines()[0] == "AT RISK: 1 rotation failed, and repairs are rate limited."
    assert "more" not in message.text


def test_the_example_on_the_page_about_remediation_is_up_to_date():
    row = incident(
        owner="payments",
        rotation_function=FUNCTION,
        rotation_on=True,
        mode="notify",
        failed_step="testSecret",
        reason="The mode of this secret is notify, so remediation only notifies.",
        evidence={"current": "broken", "pending": "works"},
        versions={
            "11111111-aaaa-4bbb-8ccc-111111111111": ["AWSCURRENT"],
            "22222222-dddd-4eee-8fff-222222222222": ["AWSPENDING"],
        },
        actions=[decided("notify")],
    )

    message = notification("escalated", row, runbook_url=resolve_runbook())

    [example] = re.findall(r"^```text\n(.*?)\n```$", REMEDIATION.read_text(), re.MULTILINE | re.DOTALL)
    assert example == f"{message.subject}\n\n{message.text}"
