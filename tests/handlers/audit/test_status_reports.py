"""What the audit tells a hub: each change, the whole every day, and the end of each run; never a value."""

import json

import pytest

from rotation_guard.domain.audit.status_events import RUN_FINISHED, STATUS_CHANGED
from rotation_guard.domain.organization.deliveries import read_delivery
from rotation_guard.domain.organization.statuses import build_run_row, build_status_row

ACCOUNT = "123456789012"


@pytest.fixture(autouse=True)
def tables(aws):
    aws.create_tables("audit-trail", "history", "status", "runs", "incidents")


@pytest.fixture
def publishing(monkeypatch):
    monkeypatch.setenv("PUBLISH_STATUS", "true")


@pytest.fixture
def reports(aws):
    """Takes the reports that were published since the last time, by detail-type, as the hub would receive them."""

    def take(detail_type):
        entries = [entry for request in aws.requests("PutEvents") for entry in request["Entries"]]
        return [
            {
                "account": ACCOUNT,
                "region": "eu-west-1",
                "source": entry["Source"],
                "detail": json.loads(entry["Detail"]),
            }
            for entry in entries
            if entry["DetailType"] == detail_type
        ]

    return take


@pytest.fixture
def run_anew(run, context):
    """Runs the audit, each time as a run of its own; the time of the last check stays as it is."""
    numbers = iter(range(100))

    def run_next():
        context.aws_request_id = f"run-{next(numbers)}"
        return run()

    return run_next


def reported(events):
    return sorted(event["detail"]["secret_name"] for event in events)


def test_nothing_is_published_unless_the_environment_says_so(aws, create_aged_secret, run):
    create_aged_secret("orders/db")

    run()

    assert aws.requests("PutEvents") == []


def test_the_first_run_reports_every_secret_and_the_hub_reads_its_row(
    publishing, create_aged_secret, audit, status, reports
):
    for name, days in (("fresh", 1), ("stale", 40), ("soon", 28)):
        create_aged_secret(name, days)

    audit()

    rows = [build_status_row(read_delivery(event)) for event in reports(STATUS_CHANGED)]
    assert sorted(row["secret_name"] for row in rows) == ["fresh", "soon", "stale"]
    own = status()
    for row in rows:
        stored = own[row["secret_name"]]
        same = ("secret_arn", "verdict", "status", "reason", "age_days", "limit_days", "value_created_at", "due_at")
        assert {name: row[name] for name in same} == {name: stored.get(name) for name in same}
        assert row["attention"] == stored.get("attention")


def test_later_runs_of_a_day_report_only_what_changed(publishing, aws, create_aged_secret, dates, run_anew, reports):
    versions = {name: create_aged_secret(name, 1)["VersionId"] for name in ("orders/db", "users/db")}
    run_anew()
    aws.forget()

    run_anew()
    assert reports(STATUS_CHANGED) == []

    dates[versions["users/db"]] = dates[versions["users/db"]].replace(year=2020)
    aws.client("dynamodb").update_item(
        TableName="status",
        Key={"secret_name": {"S": "users/db"}},
        UpdateExpression="REMOVE value_created_at",
    )
    run_anew()
    assert reported(reports(STATUS_CHANGED)) == ["users/db"]


def test_a_new_day_reports_every_secret_again(publishing, aws, create_aged_secret, run, reports):
    create_aged_secret("orders/db", 1)
    run()
    aws.forget()
    aws.client("dynamodb").update_item(
        TableName="status",
        Key={"secret_name": {"S": "orders/db"}},
        UpdateExpression="SET checked_at = :yesterday",
        ExpressionAttributeValues={":yesterday": {"S": "2026-01-01T00:00:00Z"}},
    )

    run()

    assert reported(reports(STATUS_CHANGED)) == ["orders/db"]


def test_a_secret_that_is_gone_is_reported_as_gone(publishing, aws, create_aged_secret, run_anew, reports):
    for name in ("orders/db", "users/db"):
        create_aged_secret(name, 1)
    run_anew()
    aws.client("secretsmanager").delete_secret(SecretId="users/db", ForceDeleteWithoutRecovery=True)
    aws.forget()

    run_anew()

    [gone] = reports(STATUS_CHANGED)
    row = build_status_row(read_delivery(gone))
    assert (row["secret_name"], row["attention"]) == ("users/db", None)
    assert row["gone_since"] is not None


def test_every_run_reports_its_end_with_its_counts(publishing, create_aged_secret, audit, reports):
    for name, days in (("fresh", 1), ("stale", 40)):
        create_aged_secret(name, days)

    stored = audit()

    [event] = reports(RUN_FINISHED)
    row = build_run_row(read_delivery(event))
    assert row["audit"] == f"{ACCOUNT}/eu-west-1/function"
    same = ("run_id", "checked", "flagged", "unknown", "listed", "verdicts", "complete")
    assert {name: row[name] for name in same} == {name: stored[name] for name in same}
    assert (row["checked"], row["flagged"]) == (2, 1)


def test_reports_are_published_in_calls_of_ten(publishing, aws, create_aged_secret, run):
    for number in range(23):
        create_aged_secret(f"secret-{number}", 1)

    run()

    sizes = [len(request["Entries"]) for request in aws.requests("PutEvents")]
    # https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
    assert sorted(sizes) == [1, 3, 10, 10]


@pytest.mark.parametrize("code", ["InternalException", "AccessDeniedException"])
def test_a_refused_report_is_logged_and_does_not_stop_the_audit(
    publishing, aws, create_aged_secret, audit, history, log_text, code
):
    create_aged_secret("orders/db", 1)
    aws.answer("PutEvents", lambda _: aws.Refusal(code))

    assert audit()["complete"] is True

    assert set(history()) == {"orders/db"}
    assert "reports were not published" in log_text()


def test_a_rejected_report_is_logged(publishing, aws, create_aged_secret, audit, log_text):
    create_aged_secret("orders/db", 1)
    entry = {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}
    aws.answer("PutEvents", lambda _: {"FailedEntryCount": 1, "Entries": [entry]})

    audit()

    assert "EventBridge rejected reports" in log_text()


def test_no_report_holds_a_value_of_a_secret(publishing, aws, create_aged_secret, run):
    create_aged_secret("orders/db", 40)

    run()

    text = json.dumps(aws.requests("PutEvents"))
    assert "orders/db" in text
    # The value that the fixture stores.
    assert "password" not in text
    assert '"first"' not in text
