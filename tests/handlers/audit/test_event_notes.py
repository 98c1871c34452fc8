"""The writer's notes for the audit: only of recent events about exactly this secret."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from handlers.trail import writer
from rotation_guard.domain.rotation_event import secret_name_of

SECRET_ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-Ab12Cd"
V1, V2, V3 = (f"{number}1111111-2222-4333-8444-555555555555" for number in range(3))
SAME_NAME = [
    "arn:aws:secretsmanager:us-east-1:111122223333:secret:orders-Ab12Cd",
    "arn:aws:secretsmanager:eu-west-1:999988887777:secret:orders-Ab12Cd",
    "arn:aws-cn:secretsmanager:eu-west-1:111122223333:secret:orders-Ab12Cd",
    "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-Xy98Zw",  # deleted, and recreated under its name
    "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders",  # partial
]


@pytest.fixture(autouse=True)
def tables(aws, monkeypatch):
    aws.create_tables("history", "status", "runs", "audit-trail", "incidents")
    monkeypatch.setenv("AUDIT_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/audit")


@pytest.fixture
def now():
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def record_events(context):
    """Lets the writer record events."""

    def record(*events):
        records = [
            {"messageId": str(number), "receiptHandle": "x", "body": json.dumps(event), "eventSource": "aws:sqs"}
            for number, event in enumerate(events)
        ]
        assert writer.handler({"Records": records}, context) == {"batchItemFailures": []}

    return record


@pytest.fixture
def label_event(recorded):
    """An event: AWSCURRENT moved to a version."""

    def event(arn, version, at):
        body = recorded("secret-label-updated")
        at = at if isinstance(at, str) else f"{at:%Y-%m-%dT%H:%M:%SZ}"
        body |= {"resources": [arn], "time": at, "id": f"{arn}-{version}-{at}"}
        body["detail"] |= {"name": secret_name_of(arn), "versionId": version}
        return body

    return event


@pytest.fixture
def success_event(recorded):
    """An event: a rotation succeeded."""

    def event(arn, at):
        body = recorded("rotation-succeeded")
        body["detail"]["additionalEventData"]["SecretId"] = arn
        body["detail"] |= {"eventTime": at, "eventID": f"succeeded-{at}"}
        return body

    return event


@pytest.fixture
def store_status(aws, now):
    """Puts the status of the secret into its table, reconciled yesterday."""
    accounted = f"{now - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"

    def put(**more):
        aws.put("status", {"secret_name": "orders", "secret_arn": SECRET_ARN, "accounted_at": accounted, **more})

    put()
    aws.answer("ListSecretVersionIds", lambda _: {"ARN": SECRET_ARN, "Name": "orders", "Versions": []})
    return put


@pytest.fixture
def read_note(aws):
    """Reads the time and version of the note about the secret."""

    def read():
        [row] = aws.rows("status")
        return row.get("heard_at"), row.get("heard_version_id")

    return read


def iso(moment):
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def test_a_move_of_this_secret_is_noted(aws, store_status, record_events, label_event, read_note, now):
    record_events(label_event(SECRET_ARN, V2, now))

    assert read_note() == (iso(now), V2)
    assert [call["SecretId"] for call in aws.requests("ListSecretVersionIds")] == [SECRET_ARN]


@pytest.mark.parametrize("arn", SAME_NAME)
def test_a_move_of_another_secret_of_the_same_name_is_not_noted(
    aws, store_status, record_events, label_event, success_event, read_note, now, arn
):
    record_events(label_event(arn, V2, now), success_event(arn, iso(now)))

    assert read_note() == (None, None)
    assert aws.requests("ListSecretVersionIds") == []
    assert [row["secret_arn"] for row in aws.rows("audit-trail")] == [arn, arn]


def test_a_move_of_another_secret_of_the_same_name_hides_no_unreported_move(
    aws, create_secret, audit, record_events, label_event, now
):
    secret = create_secret("orders", {"Managed": "true"})
    audit()
    version = aws.client("secretsmanager").put_secret_value(SecretId=secret["ARN"], SecretString="next")["VersionId"]
    record_events(*(label_event(arn, version, now) for arn in SAME_NAME))
    audit()

    assert [finding["kind"] for finding in audit()["findings"]] == ["moved_unheard"]


FUTURE = ["2099-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-10:00", "2099-01-01"]


@pytest.mark.parametrize("time", FUTURE)
def test_an_event_from_the_future_is_recorded_but_not_noted(
    aws, store_status, record_events, label_event, success_event, read_note, now, time
):
    record_events(success_event(SECRET_ARN, time), label_event(SECRET_ARN, V3, time))
    assert read_note() == (None, None)

    record_events(label_event(SECRET_ARN, V2, now))

    assert read_note() == (iso(now), V2)
    assert sorted(row["timestamp"] for row in aws.rows("audit-trail")) == sorted([time, time, iso(now)])


@pytest.mark.parametrize("time", FUTURE)
def test_an_event_from_the_future_reports_no_move(aws, create_secret, audit, record_events, label_event, time):
    secret = create_secret("orders", {"Managed": "true"})
    record_events(label_event(secret["ARN"], V3, time))
    audit()
    aws.client("secretsmanager").put_secret_value(SecretId=secret["ARN"], SecretString="next")
    audit()

    assert [finding["kind"] for finding in audit()["findings"]] == ["moved_unheard"]


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+10:00", "1970-01-01T00:00:00Z"])
def test_an_event_with_a_placeholder_time_is_recorded_but_not_noted(
    aws, store_status, record_events, success_event, read_note, time
):
    record_events(success_event(SECRET_ARN, time))

    assert read_note() == (None, None)
    assert [row["timestamp"] for row in aws.rows("audit-trail")] == [time]


def test_the_time_of_a_slightly_fast_clock_is_capped_at_now(store_status, record_events, label_event, read_note, now):
    record_events(label_event(SECRET_ARN, V2, now + timedelta(minutes=2)))

    heard_at, version = read_note()
    assert version == V2
    assert now <= datetime.fromisoformat(heard_at) < now + timedelta(minutes=2)


def test_a_note_of_a_later_event_stays(store_status, record_events, label_event, read_note, now):
    record_events(label_event(SECRET_ARN, V3, now), label_event(SECRET_ARN, V2, now - timedelta(minutes=5)))

    assert read_note() == (iso(now), V3)


@pytest.mark.parametrize("age", [timedelta(hours=1), timedelta(days=1), timedelta(days=13)])
def test_a_very_late_event_is_recorded_but_not_noted(
    aws, store_status, record_events, label_event, read_note, now, age
):
    store_status(accounted_at=iso(now - timedelta(days=30)))

    record_events(label_event(SECRET_ARN, V2, now - age))

    assert read_note() == (None, None)
    assert len(aws.rows("audit-trail")) == 1


def test_a_repeated_event_is_not_noted(store_status, record_events, label_event, read_note, now):
    record_events(label_event(SECRET_ARN, V2, now))
    store_status()  # a run has reconciled it

    record_events(label_event(SECRET_ARN, V2, now))

    assert read_note() == (None, None)


def test_an_event_from_before_the_last_reconciliation_is_not_noted(
    store_status, record_events, label_event, read_note, now
):
    store_status(accounted_at=iso(now - timedelta(minutes=1)))

    record_events(label_event(SECRET_ARN, V2, now - timedelta(minutes=2)))

    assert read_note() == (None, None)


@pytest.mark.parametrize("runs", [1, 2, 5])
def test_late_and_repeated_events_after_two_rotations_are_no_finding(
    aws, create_secret, audit, record_events, label_event, now, runs
):
    secret = create_secret("orders", {"Managed": "true"})
    audit()
    client = aws.client("secretsmanager")
    versions = [client.put_secret_value(SecretId=secret["ARN"], SecretString=text)["VersionId"] for text in "ab"]
    record_events(label_event(secret["ARN"], versions[1], now))
    findings = []
    for _ in range(runs):
        findings += audit()["findings"]

    # Time stands still here, and the past moves: an hour for each run.
    record_events(*(label_event(secret["ARN"], version, now - timedelta(hours=runs)) for version in reversed(versions)))

    for _ in range(3):
        findings += audit()["findings"]
    assert findings == []


def test_the_audit_trail_is_read_consistently(aws, create_secret, audit):
    secret = create_secret("orders", {"Managed": "true"})
    audit()
    aws.client("secretsmanager").put_secret_value(SecretId=secret["ARN"], SecretString="next")
    audit()
    aws.forget()
    audit()

    [query] = [call for call in aws.requests("Query") if call["TableName"] == "audit-trail"]
    assert query["ConsistentRead"] is True
