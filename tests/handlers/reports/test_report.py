"""The report on a schedule: stored once as HTML and CSV, and its headline sent to the subscribers of a topic."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from handlers.reports import report
from rotation_guard.domain.audit.secret_rows import COLUMNS, PROVENANCE_COLUMNS

BUCKET = "reports-1"
HOUR = timedelta(hours=1)
SCHEDULED = {"scheduled_time": "2026-11-30T06:00:00Z"}
KEY = "reports/2026/11/2026-11-30T06-00-00Z"
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:"


def iso(ago=timedelta(0)):
    """The time so long ago."""
    return (datetime.now(UTC) - ago).strftime("%Y-%m-%dT%H:%M:%SZ")


def status(name, *, over=False, **more):
    created_at = iso(timedelta(days=40 if over else 3))
    verdict = ("overdue", "needs_rotation", "yes") if over else ("fresh", "ok", "no")
    return {
        "secret_name": name,
        "secret_arn": f"{ARN}{name}-Ab12Cd",
        **dict(zip(("verdict", "status", "attention"), verdict, strict=True)),
        "attention_since": iso(),
        "reason": "It is old." if over else "It is fresh.",
        "limit_days": 30,
        "value_created_at": created_at,
        "checked_at": iso(),
        **more,
    }


@pytest.fixture
def account(aws, monkeypatch):
    """An account with two secrets, a complete run, a bucket, and a queue that is subscribed to the topic."""
    aws.create_tables("status", "runs", "incidents")
    aws.client("s3").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": aws.client("s3").meta.region_name}
    )
    topic = aws.client("sns").create_topic(Name="reports")["TopicArn"]
    queue = aws.client("sqs").create_queue(QueueName="subscriber")["QueueUrl"]
    arn = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    for name, value in {
        "REPORTS_BUCKET_NAME": BUCKET,
        "REPORTS_TOPIC_ARN": topic,
        "PRODUCT_VERSION": "9.9.9",
    }.items():
        monkeypatch.setenv(name, value)
    for row in (status("orders/db", over=True, owner="payments"), status("mail/key"), status("gone", gone_since="x")):
        aws.put("status", row)
    ended = iso(timedelta(minutes=12, seconds=9))
    aws.put(
        "runs",
        {
            "audit": "rotation",
            "run_id": ended,
            "started_at": ended,
            "finished_at": ended,
            "complete": True,
            "checked": 2,
            "flagged": 1,
            "unknown": 0,
            "period_seconds": 3600,
            "settings": {"max_age_days": 30, "max_age_classes": [{"class": "name:prod/*", "days": 7}]},
        },
    )
    return aws


@pytest.fixture
def store(account, context):
    context.remaining = 900_000
    return lambda event=SCHEDULED: report.handler(event, context)


@pytest.fixture
def read_file(account):
    return lambda key: account.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()


@pytest.fixture
def receive(account):
    """The messages that the subscriber got."""

    def receive():
        sqs = account.client("sqs")
        url = sqs.get_queue_url(QueueName="subscriber")["QueueUrl"]
        return [
            json.loads(one["Body"]) for one in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        ]

    return receive


def test_the_report_is_stored_as_html_and_csv_and_its_headline_sent(store, read_file, receive):
    assert store() == {
        "headline": "1 of 2 secrets is over its limit; 0 could not be judged; 0 are accepted; "
        "last complete run 12 minutes ago",
        "keys": [f"{KEY}.html", f"{KEY}.csv"],
    }

    page, table = read_file(f"{KEY}.html"), read_file(f"{KEY}.csv")
    assert "orders/db" in page
    assert "gone" not in table
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert list(rows[0]) == [*COLUMNS, *PROVENANCE_COLUMNS]
    assert [(row["secret_name"], row["attention"]) for row in rows] == [("orders/db", "yes"), ("mail/key", "no")]
    assert rows[0]["product_version"] == "9.9.9"
    assert rows[0]["settings"] == "limit 30 days (name:prod/* 7)"
    [message] = receive()
    body = json.loads(message["Message"])
    assert message["Subject"] == "rotation-guard 123456789012 eu-west-1: 1 of 2 secrets over their limit"
    assert message["MessageAttributes"] == {"attention": {"Type": "String", "Value": "yes"}}
    assert body["files"] == {"html": f"s3://{BUCKET}/{KEY}.html", "csv": f"s3://{BUCKET}/{KEY}.csv"}
    assert body["tally"]["over_limit"] == 1
    assert body["account"] == "123456789012"
    assert body["text"].startswith("1 of 2 secrets is over its limit;")
    assert f"s3://{BUCKET}/{KEY}.html" in body["text"]


def incident(name, opened_ago, **more):
    """An incident that a retry repaired an hour after its opening, unless something else is given."""
    now = datetime.now(UTC)
    opened_at, closed_at = (f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in (now - opened_ago, now - opened_ago + HOUR))
    return {
        "secret_arn": f"{ARN}{name}-Ab12Cd",
        "secret_name": name,
        "opened_at": opened_at,
        "state": "closed",
        "outcome": "recovered by retry",
        "closed_at": closed_at,
        "failed_step": "testSecret",
        "event_type": "RotationFailed",
        "occurred_at": opened_at,
        "actions": [{"action": "retry", "number": 1, "at": opened_at, "outcome": "accepted"}],
        **more,
    }


def test_the_page_has_the_incidents_of_thirteen_months(store, account, read_file):
    rows = [
        incident("repaired/db", timedelta(days=3)),
        incident("waiting/db", timedelta(days=2), state="open", outcome=None, closed_at=None, failures=4),
        incident("ancient/db", timedelta(days=500)),
        incident("expired/db", timedelta(days=20), expires_at=1),
        incident("garbled/db", timedelta(days=9)) | {"opened_at": "soon"},
    ]
    for row in rows:
        account.put("incidents", {name: value for name, value in row.items() if value is not None})
    account.put("incidents", {"secret_arn": "unfinished", "opened_at": "1", "incident_arn": ARN})

    store()

    page = read_file(f"{KEY}.html")
    assert "repaired/db" in page
    assert "retry 1" in page
    assert "waiting/db" in page
    assert "recovered after 1 h<" in page
    assert "1 h, of 1 that recovered" in page
    assert not any(name in page for name in ("ancient/db", "expired/db", "garbled/db", "unfinished"))
    assert "1 incident is left out, because the time of its opening is invalid." in page


def test_a_page_without_a_table_of_incidents_says_so(store, account, read_file, monkeypatch):
    monkeypatch.setenv("INCIDENTS_TABLE_NAME", "")

    store()

    assert "stored without a table of incidents" in read_file(f"{KEY}.html")
    assert {request["TableName"] for request in account.requests("Scan")} == {"status"}


def test_incidents_that_cannot_be_read_are_no_report_without_incidents(store, account):
    account.answer(
        "Scan",
        lambda request: account.Refusal("AccessDeniedException", 400) if request["TableName"] == "incidents" else None,
    )

    with pytest.raises(Exception, match="AccessDenied"):
        store()

    assert account.requests("PutObject") == []


def test_a_retry_leaves_the_files_as_they_are_and_notifies_again(store, account, read_file, receive):
    """At least once: a notice that was lost with the first attempt is not lost for good."""
    store()
    before = read_file(f"{KEY}.csv")
    account.put("status", status("new/key"))

    store()

    assert read_file(f"{KEY}.csv") == before
    assert len(receive()) == 2
    assert {request["IfNoneMatch"] for request in account.requests("PutObject")} == {"*"}


def test_nothing_is_sent_before_both_files_are_stored(store, account, receive):
    account.answer(
        "PutObject", lambda request: account.Refusal("AccessDenied", 403) if request["Key"].endswith("csv") else None
    )

    with pytest.raises(Exception, match="AccessDenied"):
        store()
    account.answers.clear()
    store()

    assert len(receive()) == 1


def test_each_scheduled_time_has_files_of_its_own(store):
    keys = store({"scheduled_time": "2026-12-01T06:00:00Z"})["keys"]

    assert keys[0] == "reports/2026/12/2026-12-01T06-00-00Z.html"


@pytest.mark.parametrize("event", [{}, None, [], {"scheduled_time": 1}, {"scheduled_time": "soon"}])
def test_a_report_by_hand_is_named_after_its_own_time(store, event):
    before = datetime.now(UTC).replace(microsecond=0)

    [key, _] = store(event)["keys"]

    time = datetime.strptime(key.rpartition("/")[2], "%Y-%m-%dT%H-%M-%SZ.html").replace(tzinfo=UTC)
    assert time >= before


def test_an_incomplete_or_missing_run_is_a_warning_in_the_message(store, account, receive):
    account.client("dynamodb").delete_item(
        TableName="runs",
        Key={"audit": {"S": "rotation"}, "run_id": {"S": account.rows("runs")[0]["run_id"]}},
    )

    store()

    [message] = receive()
    assert "Warning: No run of the audit had finished" in json.loads(message["Message"])["text"]


def test_more_secrets_than_a_page_holds_are_stored_as_csv_alone(store, receive, monkeypatch):
    monkeypatch.setattr(report, "MOST_SECRETS_OF_PAGE", 1)

    assert store()["keys"] == [f"{KEY}.csv"]

    [message] = receive()
    assert "There is no HTML: a page has at most 1 secrets, and the report has 2." in message["Message"]


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "=cmd|' /C calc'!A0", "\x1b[31mred", "日本語/schlüssel"])
def test_names_are_escaped_in_each_file(store, account, read_file, name):
    account.put("status", status(name, over=True))

    store()

    page, table = read_file(f"{KEY}.html"), read_file(f"{KEY}.csv")
    assert "<script>alert(1)" not in page
    assert "\x1b" not in page + table
    assert "\r\n=cmd" not in table
