"""What the writer notes for the audit of events: about this very secret, and only what is news."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from handlers.trail import writer
from rotation_guard.domain.rotation_event import secret_name_of

OURS = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-Ab12Cd"
V1, V2, V3 = (f"{number}1111111-2222-4333-8444-555555555555" for number in range(3))
SAME_NAME = [
    "arn:aws:secretsmanager:us-east-1:111122223333:secret:orders-Ab12Cd",
    "arn:aws:secretsmanager:eu-west-1:999988887777:secret:orders-Ab12Cd",
    "arn:aws-cn:secretsmanager:eu-west-1:111122223333:secret:orders-Ab12Cd",
    "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-Xy98Zw",  # deleted, and made anew under its name
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
def hear(context):
    """Lets the writer record events."""

    def record(*events):
        records = [
            {"messageId": str(number), "receiptHandle": "x", "body": json.dumps(event), "eventSource": "aws:sqs"}
            for number, event in enumerate(events)
        ]
        assert writer.handler({"Records": records}, context) == {"batchItemFailures": []}

    return record


@pytest.fixture
def moved(recorded):
    """AWSCURRENT moved to a version."""

    def event(arn, version, at):
        body = recorded("secret-label-updated")
        at = at if isinstance(at, str) else f"{at:%Y-%m-%dT%H:%M:%SZ}"
        body |= {"resources": [arn], "time": at, "id": f"{arn}-{version}-{at}"}
        body["detail"] |= {"name": secret_name_of(arn), "versionId": version}
        return body

    return event


@pytest.fixture
def succeeded(recorded):
    """A rotation succeeded."""

    def event(arn, at):
        body = recorded("rotation-succeeded")
        body["detail"]["additionalEventData"]["SecretId"] = arn
        body["detail"] |= {"eventTime": at, "eventID": f"succeeded-{at}"}
        return body

    return event


@pytest.fixture
def known(aws, now):
    """Our secret in the status table, accounted for since yesterday."""
    accounted = f"{now - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"

    def put(**more):
        aws.put("status", {"secret_name": "orders", "secret_arn": OURS, "accounted_at": accounted, **more})

    put()
    aws.answer("ListSecretVersionIds", lambda _: {"ARN": OURS, "Name": "orders", "Versions": []})
    return put


@pytest.fixture
def noted(aws):
    """Time and version of what was noted of our secret."""

    def read():
        [row] = aws.rows("status")
        return row.get("heard_at"), row.get("heard_version_id")

    return read


def written(moment):
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def test_a_move_of_this_secret_is_noted(aws, known, hear, moved, noted, now):
    hear(moved(OURS, V2, now))

    assert noted() == (written(now), V2)
    assert [asked["SecretId"] for asked in aws.asked("ListSecretVersionIds")] == [OURS]


@pytest.mark.parametrize("arn", SAME_NAME)
def test_a_move_of_another_secret_of_the_same_name_is_not_noted(aws, known, hear, moved, succeeded, noted, now, arn):
    hear(moved(arn, V2, now), succeeded(arn, written(now)))

    assert noted() == (None, None)
    assert aws.asked("ListSecretVersionIds") == []
    assert [row["secret_arn"] for row in aws.rows("audit-trail")] == [arn, arn]


def test_a_move_of_another_secret_of_the_same_name_hides_no_unheard_one(aws, secret, audit, hear, moved, now):
    made = secret("orders", {"Managed": "true"})
    audit()
    version = aws.client("secretsmanager").put_secret_value(SecretId=made["ARN"], SecretString="next")["VersionId"]
    hear(*(moved(arn, version, now) for arn in SAME_NAME))
    audit()

    assert [one["kind"] for one in audit()["findings"]] == ["moved_unheard"]


FUTURE = ["2099-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-10:00", "2099-01-01"]


@pytest.mark.parametrize("time", FUTURE)
def test_an_event_from_the_future_is_recorded_and_no_news(aws, known, hear, moved, succeeded, noted, now, time):
    hear(succeeded(OURS, time), moved(OURS, V3, time))
    assert noted() == (None, None)

    hear(moved(OURS, V2, now))

    assert noted() == (written(now), V2)
    assert sorted(row["timestamp"] for row in aws.rows("audit-trail")) == sorted([time, time, written(now)])


@pytest.mark.parametrize("time", FUTURE)
def test_an_event_from_the_future_announces_no_move(aws, secret, audit, hear, moved, time):
    made = secret("orders", {"Managed": "true"})
    hear(moved(made["ARN"], V3, time))
    audit()
    aws.client("secretsmanager").put_secret_value(SecretId=made["ARN"], SecretString="next")
    audit()

    assert [one["kind"] for one in audit()["findings"]] == ["moved_unheard"]


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+10:00", "1970-01-01T00:00:00Z"])
def test_a_time_that_means_none_is_recorded_and_no_news(aws, known, hear, succeeded, noted, time):
    hear(succeeded(OURS, time))

    assert noted() == (None, None)
    assert [row["timestamp"] for row in aws.rows("audit-trail")] == [time]


def test_a_clock_that_is_a_little_fast_is_believed_up_to_now(known, hear, moved, noted, now):
    hear(moved(OURS, V2, now + timedelta(minutes=2)))

    heard_at, version = noted()
    assert version == V2
    assert now <= datetime.fromisoformat(heard_at) < now + timedelta(minutes=2)


def test_later_news_stands(known, hear, moved, noted, now):
    hear(moved(OURS, V3, now), moved(OURS, V2, now - timedelta(minutes=5)))

    assert noted() == (written(now), V3)


@pytest.mark.parametrize("age", [timedelta(hours=1), timedelta(days=1), timedelta(days=13)])
def test_what_comes_late_for_the_first_time_is_recorded_and_no_news(aws, known, hear, moved, noted, now, age):
    known(accounted_at=written(now - timedelta(days=30)))

    hear(moved(OURS, V2, now - age))

    assert noted() == (None, None)
    assert len(aws.rows("audit-trail")) == 1


def test_what_is_recorded_already_is_no_news(known, hear, moved, noted, now):
    hear(moved(OURS, V2, now))
    known()  # a run has found it true

    hear(moved(OURS, V2, now))

    assert noted() == (None, None)


def test_what_happened_before_a_run_accounted_for_the_secret_is_no_news(known, hear, moved, noted, now):
    known(accounted_at=written(now - timedelta(minutes=1)))

    hear(moved(OURS, V2, now - timedelta(minutes=2)))

    assert noted() == (None, None)


@pytest.mark.parametrize("runs", [1, 2, 5])
def test_events_that_come_late_or_again_after_two_rotations_make_no_finding(aws, secret, audit, hear, moved, now, runs):
    made = secret("orders", {"Managed": "true"})
    audit()
    client = aws.client("secretsmanager")
    versions = [client.put_secret_value(SecretId=made["ARN"], SecretString=text)["VersionId"] for text in "ab"]
    hear(moved(made["ARN"], versions[1], now))
    found = []
    for _ in range(runs):
        found += audit()["findings"]

    # Time stands still here, and the past moves: an hour for each run.
    hear(*(moved(made["ARN"], version, now - timedelta(hours=runs)) for version in reversed(versions)))

    for _ in range(3):
        found += audit()["findings"]
    assert found == []


def test_the_audit_trail_is_read_so_that_what_was_just_written_is_seen(aws, secret, audit):
    made = secret("orders", {"Managed": "true"})
    audit()
    aws.client("secretsmanager").put_secret_value(SecretId=made["ARN"], SecretString="next")
    audit()
    aws.forget()
    audit()

    [asked] = [one for one in aws.asked("Query") if one["TableName"] == "audit-trail"]
    assert asked["ConsistentRead"] is True
