"""A secret is its ARN: one that is deleted and made again under its name is another, and inherits nothing."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from handlers.trail import writer

NOW = datetime.now(UTC).replace(microsecond=0)
MANAGED = {"Managed": "true"}
INHERITED = ("heard_at", "heard_version_id", "fed_version_id", "told_stuck_version_id", "accounted_event_at")


@pytest.fixture(autouse=True)
def begin_now(monkeypatch):
    """Each test begins now, however long those before it have taken."""
    monkeypatch.setitem(globals(), "NOW", datetime.now(UTC).replace(microsecond=0))


@pytest.fixture(autouse=True)
def tables(aws, monkeypatch):
    aws.create_tables("history", "status", "runs", "audit-trail", "incidents")
    monkeypatch.setenv("AUDIT_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/audit")


@pytest.fixture
def recreated(aws, secret, audit, dates):
    """Makes a secret of some history, and one of its name after it; answers both."""

    def make(deleted=lambda _: None):
        old = secret("orders", MANAGED)
        secret("stays", MANAGED)
        dates[old["VersionId"]] = NOW - timedelta(days=99)
        audit()
        [row] = [row for row in aws.rows("status") if row["secret_name"] == "orders"]
        ancient = dict.fromkeys(("since", "attention_since", "first_seen", "accounted_at"), "2026-01-01T00:00:00Z")
        heard = {"heard_at": "2026-01-01T00:00:00Z", "heard_version_id": "11111111-2222-4333-8444-555555555555"}
        aws.put("status", row | ancient | heard | {"told_stuck_version_id": "v9", "fed_version_id": "v8"})
        aws.client("secretsmanager").delete_secret(SecretId=old["ARN"], ForceDeleteWithoutRecovery=True)
        deleted(old)
        return old, secret("orders", MANAGED)

    return make


@pytest.fixture
def hear_of_deletion(recorded, context):
    """Has the writer record that a secret was deleted for good."""

    def record(made):
        body = recorded("rotation-succeeded")
        body["detail"] |= {"eventName": "EndSecretVersionDelete", "eventID": "b1e2c3d4-0000-4000-8000-000000000001"}
        body["detail"]["additionalEventData"]["SecretId"] = made["ARN"]
        body["detail"]["eventTime"] = body["time"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        message = {"messageId": "1", "receiptHandle": "x", "body": json.dumps(body), "eventSource": "aws:sqs"}
        assert writer.handler({"Records": [message]}, context) == {"batchItemFailures": []}

    return record


def kinds(run):
    return [(found["kind"], found["secret_name"]) for found in run["findings"]]


def test_a_secret_that_was_made_again_under_its_name_inherits_nothing(aws, audit, recreated):
    old, new = recreated()
    assert old["ARN"] != new["ARN"]

    found = audit()

    [row] = [row for row in aws.rows("status") if row["secret_name"] == "orders"]
    assert (row["secret_arn"], row["verdict"], row["current_version_id"]) == (new["ARN"], "in_grace", new["VersionId"])
    assert row["first_seen"] == row["checked_at"]
    assert min(row["since"], row["accounted_at"]) > "2026-01-01T00:00:00Z"
    assert row["accounted_version_id"] == new["VersionId"]
    assert not set(INHERITED) & set(row)
    assert found["added"] == 1
    assert kinds(audit()) == []


def test_the_one_that_had_the_name_before_has_vanished_where_no_event_told_of_its_end(audit, recreated):
    recreated()

    assert kinds(audit()) == [("vanished", "orders")]


def test_it_has_not_where_one_did_by_its_own_arn(audit, recreated, hear_of_deletion):
    recreated(hear_of_deletion)

    assert kinds(audit()) == []


def test_the_end_of_the_one_is_not_that_of_the_other(audit, recreated, hear_of_deletion):
    _, new = recreated()
    hear_of_deletion(new)

    assert kinds(audit()) == [("vanished", "orders")]


def test_what_is_read_to_conclude_an_absence_is_read_consistently(aws, secret, audit, recreated):
    recreated()
    secret("goes", MANAGED)
    audit()
    aws.client("secretsmanager").delete_secret(SecretId="goes", ForceDeleteWithoutRecovery=True)
    aws.client("secretsmanager").put_secret_value(SecretId="orders", SecretString="moved")
    audit()
    aws.forget()
    audit()

    queries = [asked for asked in aws.asked("Query") if "IndexName" not in asked]
    assert {"audit-trail", "runs"} <= {asked["TableName"] for asked in queries}
    assert len(aws.asked("Query")) == len(queries)
    read = [*queries, *aws.asked("Scan"), *aws.asked("GetItem")]
    assert all(asked.get("ConsistentRead") is True for asked in read), read


def test_a_table_that_shows_what_was_written_only_to_consistent_reads_loses_no_secret(aws, secret, audit):
    """As DynamoDB may do for a moment, and here does for ever."""
    made = [secret(f"orders-{number}", MANAGED) for number in range(3)]
    secret("stays", MANAGED)

    def forgetful(asked):
        if any(table.get("ConsistentRead") for table in asked["RequestItems"].values()):
            return None
        return {"Responses": {table: [] for table in asked["RequestItems"]}, "UnprocessedKeys": {}}

    aws.answer("BatchGetItem", forgetful)
    aws.answer("Scan", lambda asked: None if asked.get("ConsistentRead") else {"Items": [], "Count": 0})
    runs = [audit(), audit()]
    aws.client("secretsmanager").delete_secret(SecretId=made[0]["ARN"], ForceDeleteWithoutRecovery=True)
    runs.append(audit())

    assert [run["added"] for run in runs] == [4, 0, 0]
    assert [kinds(run) for run in runs] == [[], [], [("vanished", "orders-0")]]
    assert [row["secret_name"] for row in aws.rows("status") if "gone_since" in row] == ["orders-0"]
