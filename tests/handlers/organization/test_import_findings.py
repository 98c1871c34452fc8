"""Findings of Security Hub: what is imported, when it is archived, and that none is lost."""

import pytest
from botocore.exceptions import ClientError

from handlers.organization import import_findings
from rotation_guard.domain.audit.status_events import STATUS_CHANGED
from tests.handlers.remediation.transitions import ARN, incident
from tests.organization_events import MEMBER, envelope, transition_event

PRODUCT = f"arn:aws:securityhub:eu-west-1:{MEMBER}:product/{MEMBER}/default"
BROKEN = {"current": "broken", "pending": "absent", "previous": "unknown", "notes": []}


@pytest.fixture
def imported(aws, to_records, context, monkeypatch):
    """Imports the findings of these events; returns them and the positions of the messages that failed."""
    monkeypatch.setenv("RUNBOOK_URL", "https://example.com/runbook")
    failed = []

    def respond(request):
        errors = [
            {"Id": finding["Id"], "ErrorCode": "InternalFailure", "ErrorMessage": "later"}
            for finding in request["Findings"]
            if any(word in finding["Title"] for word in failed)
        ]
        count = len(request["Findings"]) - len(errors)
        return {"FailedCount": len(errors), "SuccessCount": count, "FailedFindings": errors}

    aws.answer("BatchImportFindings", respond)

    def run(*events, failing=()):
        aws.forget()
        failed[:] = failing
        answer = import_findings.handler(to_records(*events), context)
        findings = [one for request in aws.requests("BatchImportFindings") for one in request["Findings"]]
        return findings, [int(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]]

    return run


def status_event(**changes):
    detail = {
        "secret_arn": ARN,
        "secret_name": "orders/db",
        "status": "needs_rotation",
        "verdict": "overdue",
        "reason": "The value in use is 40 days old; the limit is 30.",
        "checked_at": "2026-03-01T01:00:00Z",
        "since": "2026-03-01T01:00:00Z",
        "attention": "yes",
        "attention_since": "2026-03-01T01:00:00Z",
        "owner": "payments",
        **changes,
    }
    return envelope(STATUS_CHANGED, detail)


def healthy(**changes):
    return status_event(
        **{
            "status": "ok",
            "verdict": "within_limit",
            "reason": "It is young.",
            "attention": None,
            "attention_since": None,
            "checked_at": "2026-03-02T01:00:00Z",
            "since": "2026-03-02T01:00:00Z",
            **changes,
        }
    )


def test_a_secret_that_needs_attention_becomes_a_finding(imported):
    [[finding], failed] = imported(status_event())

    assert failed == []
    assert finding["SchemaVersion"] == "2018-10-08"
    assert (finding["ProductArn"], finding["AwsAccountId"]) == (PRODUCT, MEMBER)
    assert finding["GeneratorId"] == "rotation-guard/audit/overdue"
    assert finding["Title"] == "Secret orders/db: overdue"
    assert finding["Description"] == "The value in use is 40 days old; the limit is 30."
    assert finding["Resources"] == [
        {"Type": "AwsSecretsManagerSecret", "Id": ARN, "Partition": "aws", "Region": "eu-west-1"}
    ]
    assert (finding["RecordState"], finding["Compliance"]) == ("ACTIVE", {"Status": "FAILED"})
    assert finding["FindingProviderFields"]["Severity"]["Label"] == "MEDIUM"
    assert finding["CreatedAt"] == finding["UpdatedAt"] == "2026-03-01T01:00:00Z"
    assert finding["ProductFields"]["rotation-guard/owner"] == "payments"
    # Customers manage it, and a provider cannot update it.
    assert "Workflow" not in finding


def test_a_secret_that_could_not_be_judged_is_a_warning(imported):
    [[finding], _] = imported(status_event(status="unknown", verdict="unreadable"))

    assert finding["Compliance"] == {"Status": "WARNING"}
    assert finding["Severity"]["Label"] == "LOW"


@pytest.mark.parametrize("event", [healthy(), status_event(gone_since="2026-03-02T01:00:00Z")])
def test_a_finding_is_archived_once_its_cause_is_gone(imported, event):
    [[before], _] = imported(status_event())
    [[after], _] = imported(event)

    assert after["Id"] == before["Id"]
    assert (after["RecordState"], after["Compliance"]) == ("ARCHIVED", {"Status": "PASSED"})
    assert after["UpdatedAt"] > before["UpdatedAt"]


def test_the_end_of_a_finding_is_repeated_for_two_days(imported):
    assert len(imported(healthy(checked_at="2026-03-03T01:00:00Z"))[0]) == 1
    assert imported(healthy(checked_at="2026-03-05T01:00:00Z")) == ([], [])


@pytest.mark.parametrize(
    ("transition", "row", "state", "status", "label"),
    [
        ("opened", None, "ACTIVE", "FAILED", "HIGH"),
        ("escalated", incident(evidence=BROKEN), "ACTIVE", "FAILED", "CRITICAL"),
        ("held", None, "ACTIVE", "FAILED", "HIGH"),
        ("recovered", None, "ARCHIVED", "PASSED", "INFORMATIONAL"),
        ("resolved", None, "ARCHIVED", "PASSED", "INFORMATIONAL"),
    ],
)
def test_an_incident_is_a_finding_until_it_is_over(imported, transition, row, state, status, label):
    [[finding], failed] = imported(transition_event(transition, row))

    assert failed == []
    assert (finding["RecordState"], finding["Compliance"]["Status"]) == (state, status)
    assert finding["FindingProviderFields"]["Severity"]["Label"] == label
    assert finding["Id"] == imported(transition_event("opened"))[0][0]["Id"]


def test_of_several_events_of_a_finding_the_latest_is_imported(imported):
    [findings, failed] = imported(transition_event("resolved"), transition_event("opened"), status_event())

    assert failed == []
    assert sorted(finding["RecordState"] for finding in findings) == ["ACTIVE", "ARCHIVED"]


def test_a_finding_that_is_not_taken_is_tried_again_alone(imported):
    [findings, failed] = imported(transition_event("escalated"), status_event(), failing=["overdue"])

    assert len(findings) == 2
    assert failed == [1]


def test_an_event_that_is_none_does_not_hold_up_the_others(imported):
    [findings, failed] = imported("no json", status_event(secret_arn="orders/db"), status_event())

    assert (len(findings), failed) == (1, [0, 1])


@pytest.mark.parametrize("code", ["InvalidAccessException", "LimitExceededException", "TooManyRequestsException"])
def test_where_security_hub_refuses_all_the_whole_batch_is_tried_again(aws, imported, code):
    aws.answer("BatchImportFindings", lambda _: aws.Refusal(code, 403))

    with pytest.raises(ClientError, match=code):
        imported(status_event())


def test_a_finding_has_the_limits_of_its_format(imported):
    event = status_event(secret_name="n" * 512, reason="r" * 5000, owner="o" * 500)

    [[finding], _] = imported(event)

    assert len(finding["Title"]) <= 256
    assert len(finding["Description"]) <= 1024
    assert len(finding["Id"]) <= 512
    assert len(finding["Remediation"]["Recommendation"]["Text"]) <= 512
