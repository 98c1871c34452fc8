"""A secret is identified by its ARN: one that is recreated under its name inherits nothing."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from handlers.trail import writer

NOW = datetime.now(UTC).replace(microsecond=0)
MANAGED = {"Managed": "true"}
INHERITED = ("heard_at", "heard_version_id", "fed_version_id", "told_stuck_version_id", "accounted_event_at")


@pytest.fixture(autouse=True)
def tables(aws, monkeypatch):
    aws.create_tables("history", "status", "runs", "audit-trail", "incidents")
    monkeypatch.setenv("AUDIT_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/audit")


@pytest.fixture
def recreate(aws, create_secret, audit, dates):
    """Creates a secret with a history, and recreates it under its name; returns both."""

    def make(after_deletion=lambda _: None):
        old = create_secret("orders", MANAGED)
        create_secret("stays", MANAGED)
        dates[old["VersionId"]] = NOW - timedelta(days=99)
        audit()
        [row] = [row for row in aws.rows("status") if row["secret_name"] == "orders"]
        old_dates = dict.fromkeys(("since", "attention_since", "first_seen", "accounted_at"), "2026-01-01T00:00:00Z")
        note = {"heard_at": "2026-01-01T00:00:00Z", "heard_version_id": "11111111-2222-4333-8444-555555555555"}
        aws.put("status", row | old_dates | note | {"told_stuck_version_id": "v9", "fed_version_id": "v8"})
        aws.client("secretsmanager").delete_secret(SecretId=old["ARN"], ForceDeleteWithoutRecovery=True)
        after_deletion(old)
        return old, create_secret("orders", MANAGED)

    return make


@pytest.fixture
def record_deletion(recorded, context):
    """Lets the writer record the final deletion of a secret."""

    def record(secret):
        body = recorded("rotation-succeeded")
        body["detail"] |= {"eventName": "EndSecretVersionDelete", "eventID": "b1e2c3d4-0000-4000-8000-000000000001"}
        body["detail"]["additionalEventData"]["SecretId"] = secret["ARN"]
        body["detail"]["eventTime"] = body["time"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        message = {"messageId": "1", "receiptHandle": "x", "body": json.dumps(body), "eventSource": "aws:sqs"}
        assert writer.handler({"Records": [message]}, context) == {"batchItemFailures": []}

    return record


def kinds(run):
    return [(finding["kind"], finding["secret_name"]) for finding in run["findings"]]


def test_a_recreated_secret_inherits_nothing(aws, audit, recreate):
    old, new = recreate()
    assert old["ARN"] != new["ARN"]

    run = audit()

    [row] = [row for row in aws.rows("status") if row["secret_name"] == "orders"]
    assert (row["secret_arn"], row["verdict"], row["current_version_id"]) == (new["ARN"], "in_grace", new["VersionId"])
    assert row["first_seen"] == row["checked_at"]
    assert min(row["since"], row["accounted_at"]) > "2026-01-01T00:00:00Z"
    assert row["accounted_version_id"] == new["VersionId"]
    assert not set(INHERITED) & set(row)
    assert run["added"] == 1
    assert kinds(audit()) == []


def test_the_old_secret_has_vanished_if_no_event_reported_its_deletion(audit, recreate):
    recreate()

    assert kinds(audit()) == [("vanished", "orders")]


def test_the_old_secret_has_not_vanished_if_an_event_reported_its_deletion(audit, recreate, record_deletion):
    recreate(record_deletion)

    assert kinds(audit()) == []


def test_a_deletion_of_the_new_secret_does_not_explain_the_missing_old_one(audit, recreate, record_deletion):
    _, new = recreate()
    record_deletion(new)

    assert kinds(audit()) == [("vanished", "orders")]


def test_reads_that_look_for_missing_rows_are_consistent(aws, create_secret, audit, recreate):
    recreate()
    create_secret("goes", MANAGED)
    audit()
    aws.client("secretsmanager").delete_secret(SecretId="goes", ForceDeleteWithoutRecovery=True)
    aws.client("secretsmanager").put_secret_value(SecretId="orders", SecretString="moved")
    audit()
    aws.forget()
    audit()

    queries = [request for request in aws.requests("Query") if "IndexName" not in request]
    assert {"audit-trail", "runs"} <= {request["TableName"] for request in queries}
    assert len(aws.requests("Query")) == len(queries)
    read = [*queries, *aws.requests("Scan"), *aws.requests("GetItem")]
    assert all(request.get("ConsistentRead") is True for request in read), read


def test_no_secret_is_lost_if_only_consistent_reads_see_recent_writes(aws, create_secret, audit):
    """As DynamoDB may behave briefly, and here always does."""
    secrets = [create_secret(f"orders-{number}", MANAGED) for number in range(3)]
    create_secret("stays", MANAGED)

    def hide_inconsistent_reads(request):
        if any(table.get("ConsistentRead") for table in request["RequestItems"].values()):
            return None
        return {"Responses": {table: [] for table in request["RequestItems"]}, "UnprocessedKeys": {}}

    aws.answer("BatchGetItem", hide_inconsistent_reads)
    aws.answer("Scan", lambda request: None if request.get("ConsistentRead") else {"Items": [], "Count": 0})
    runs = [audit(), audit()]
    aws.client("secretsmanager").delete_secret(SecretId=secrets[0]["ARN"], ForceDeleteWithoutRecovery=True)
    runs.append(audit())

    assert [run["added"] for run in runs] == [4, 0, 0]
    assert [kinds(run) for run in runs] == [[], [], [("vanished", "orders-0")]]
    assert [row["secret_name"] for row in aws.rows("status") if "gone_since" in row] == ["orders-0"]
