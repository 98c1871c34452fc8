"""Contradictions between events and labels."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from handlers.trail import writer

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(autouse=True)
def tables(aws, monkeypatch):
    aws.create_tables("history", "status", "runs", "audit-trail", "incidents")
    monkeypatch.setenv("AUDIT_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/audit")


@pytest.fixture
def record_events(aws, context):
    """Lets the writer record an event."""

    def record(*events):
        records = [
            {"messageId": str(number), "receiptHandle": "x", "body": json.dumps(event), "eventSource": "aws:sqs"}
            for number, event in enumerate(events)
        ]
        assert writer.handler({"Records": records}, context) == {"batchItemFailures": []}

    return record


@pytest.fixture
def label_event(recorded):
    """The event that AWS sends when AWSCURRENT moves."""

    def event(arn, version, at=NOW):
        body = recorded("secret-label-updated")
        body |= {"resources": [arn], "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "id": f"event-{version}"}
        body["detail"] |= {"labelUpdated": "AWSCURRENT", "versionId": version}
        return body

    return event


@pytest.fixture
def success_event(recorded):
    """The event that CloudTrail sends when a rotation succeeded."""

    def event(arn, at=NOW):
        body = recorded("rotation-succeeded")
        body["detail"]["additionalEventData"]["SecretId"] = arn
        body["detail"]["eventTime"] = body["time"] = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        return body

    return event


def kinds(run):
    return [(finding["kind"], finding["secret_name"]) for finding in run["findings"]]


def change(aws, arn):
    return aws.client("secretsmanager").put_secret_value(SecretId=arn, SecretString="next")["VersionId"]


def test_the_first_version_that_the_audit_sees_is_no_finding(create_secret, audit):
    create_secret("orders", {"Managed": "true"})

    assert audit()["findings"] == audit()["findings"] == []


def test_a_move_without_an_event_is_a_finding_of_the_second_run_that_sees_it(aws, create_secret, audit):
    secret = create_secret("orders", {"Managed": "true"})
    audit()
    version = change(aws, secret["ARN"])

    assert kinds(audit()) == []  # its event may be on the way
    run = audit()
    assert kinds(run) == [("moved_unheard", "orders")]
    assert run["findings"][0]["detail"] == f"AWSCURRENT is on version {version}, but no event reported the move."
    assert run["discrepancies"] == {"moved_unheard": 1}
    assert kinds(audit()) == []


def test_a_move_with_its_event_is_no_finding(aws, create_secret, audit, record_events, label_event):
    secret = create_secret("orders", {"Managed": "true"})
    audit()
    record_events(label_event(secret["ARN"], change(aws, secret["ARN"])))

    assert [kinds(audit()) for _ in range(3)] == [[], [], []]


def test_an_event_that_comes_after_the_run_that_saw_the_move_is_in_time(
    aws, create_secret, audit, record_events, label_event
):
    secret = create_secret("orders", {"Managed": "true"})
    audit()
    version = change(aws, secret["ARN"])
    audit()
    record_events(label_event(secret["ARN"], version))

    assert [kinds(audit()) for _ in range(3)] == [[], [], []]


def test_a_successful_rotation_reports_the_move_too(aws, create_secret, audit, record_events, success_event):
    secret = create_secret("orders", {"Managed": "true"})
    audit()
    change(aws, secret["ARN"])
    record_events(success_event(secret["ARN"]))

    assert [kinds(audit()) for _ in range(3)] == [[], [], []]


def test_an_event_without_a_move_is_a_finding_once(aws, create_secret, audit, record_events, label_event):
    secret = create_secret("orders", {"Managed": "true"})
    audit()
    record_events(label_event(secret["ARN"], "11111111-2222-4333-8444-555555555555", NOW - timedelta(minutes=20)))

    run = audit()
    assert kinds(run) == [("heard_unmoved", "orders")]
    assert "moved to version 11111111-2222-4333-8444-555555555555" in run["findings"][0]["detail"]
    assert kinds(audit()) == []


def test_a_successful_rotation_without_a_move_is_a_finding(create_secret, audit, record_events, success_event):
    secret = create_secret("orders", {"Managed": "true"})
    audit()
    record_events(success_event(secret["ARN"], NOW - timedelta(minutes=20)))

    assert kinds(audit()) == [("heard_unmoved", "orders")]


def test_a_recent_event_without_a_move_is_no_finding_yet(create_secret, audit, record_events, success_event):
    secret = create_secret("orders", {"Managed": "true"})
    audit()
    record_events(success_event(secret["ARN"], NOW))

    assert kinds(audit()) == []


def test_a_prefetched_value_is_not_read_again(aws, create_secret, audit, record_events, label_event, dates):
    secret = create_secret("orders", {"Managed": "true"})
    audit()
    version = change(aws, secret["ARN"])
    dates[version] = NOW - timedelta(days=12)  # moved by hand to a version that was made long before
    record_events(label_event(secret["ARN"], version))
    aws.forget()

    audit()

    assert aws.requests("ListSecretVersionIds") == []
    [row] = aws.rows("status")
    assert (row["current_version_id"], row["age_days"], row["verdict"]) == (version, 12, "manual_only")


@pytest.mark.parametrize("attribute", ["is_first_version", "fed_is_first_version"])
def test_a_prefetched_value_created_years_after_its_secret_is_not_the_first(aws, create_secret, audit, attribute):
    secret = create_secret("orders", {"Managed": "true"})
    audit()
    [row] = aws.rows("status")
    long_ago = (NOW - timedelta(days=99)).strftime("%Y-%m-%dT%H:%M:%SZ")
    if attribute == "is_first_version":
        aws.put("status", {**row, "value_created_at": long_ago, attribute: True})
    else:
        prefetched = {"fed_version_id": secret["VersionId"], "fed_value_created_at": long_ago, attribute: True}
        aws.put("status", {**row, "current_version_id": "v0", **prefetched})
    listed = aws.client("secretsmanager").list_secrets()["SecretList"]
    aws.answer("ListSecrets", lambda _: {"SecretList": [{**listed[0], "CreatedDate": NOW - timedelta(days=999)}]})

    audit()

    [row] = aws.rows("status")
    assert (row["verdict"], row["is_first_version"], row["age_days"]) == ("overdue", False, 99)


def test_nothing_is_read_about_a_secret_without_the_managed_tag(aws, create_secret, audit, record_events, label_event):
    secret = create_secret("other")
    record_events(label_event(secret["ARN"], secret["VersionId"]))

    assert aws.requests("ListSecretVersionIds") == []
    assert aws.rows("status") == []
