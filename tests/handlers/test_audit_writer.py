"""What the audit trail holds after a batch of messages."""

import json
from datetime import UTC, datetime

import pytest

from handlers import audit_writer
from handlers.settings import InvalidEnvironment

DAY = 86_400
LONG = 110_000


@pytest.fixture(autouse=True)
def tables(aws):
    aws.create_tables("audit-trail", "status")


@pytest.fixture
def queue_url(aws, monkeypatch):
    url = aws.client("sqs").create_queue(QueueName="audit")["QueueUrl"]
    monkeypatch.setenv("AUDIT_QUEUE_URL", url)
    return url


@pytest.fixture
def batch(aws, queue_url):
    """Sends these through the queue and takes them out of it as Lambda does; texts are sent as they are."""

    def deliver(*bodies):
        sqs = aws.client("sqs")
        for body in bodies:
            text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
            sqs.send_message(QueueUrl=queue_url, MessageBody=text)
        messages = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)["Messages"]
        assert len(messages) == len(bodies)
        return {
            "Records": [
                {
                    "messageId": message["MessageId"],
                    "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"],
                    "attributes": {"ApproximateReceiveCount": "1"},
                    "messageAttributes": {},
                    "md5OfBody": message["MD5OfBody"],
                    "eventSource": "aws:sqs",
                    "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:audit",
                    "awsRegion": "eu-west-1",
                }
                for message in messages
            ]
        }

    return deliver


@pytest.fixture
def failures(context):
    """Has a batch written down; answers the places in it of the messages that failed."""

    def write(event):
        ids = [record["messageId"] for record in event["Records"]]
        answer = audit_writer.handler(event, context)
        return [ids.index(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]]

    return write


@pytest.fixture
def padded(recorded):
    """The recorded success with this in its detail."""

    def event(padding):
        body = recorded("rotation-succeeded")
        body["detail"]["padding"] = padding
        return body

    return event


def metrics(capsys):
    """How often each metric was counted."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"CloudWatchMetrics"' in line]
    return {name: sum(values) for line in lines for name, values in line.items() if isinstance(values, list)}


def test_an_event_is_recorded_whole(aws, recorded, batch, failures):
    event = recorded("rotation-failed")

    assert failures(batch(event)) == []

    [row] = aws.rows("audit-trail")
    assert row["secret_arn"] == "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-Ab12Cd"
    assert row["recorded"] == "2026-03-01T00:50:20Z#e3b69cfe-b70e-4c94-baa9-9decc3c150b9"
    assert (row["event_type"], row["timestamp"]) == ("RotationFailed", "2026-03-01T00:50:20Z")
    assert row["rotation_id"] == "7ac47c8c-f328-423b-9698-6926dd1f293e"
    assert json.loads(row["full_event"]) == event


def test_a_mixed_batch_fails_where_it_is_malformed_and_nowhere_else(aws, recorded, padded, batch, failures, capsys):
    copies = [recorded("rotation-failed") | {"id": f"delivery-{number}"} for number in range(5)]
    without_secret = recorded("rotation-abandoned")
    without_secret["detail"]["additionalEventData"] = None
    renamed = recorded("rotation-succeeded")
    renamed["detail"] |= {"eventName": "RotationRenamed", "eventID": "another"}
    event = batch(*copies, '{"id": ', [recorded("rotation-failed")], without_secret, renamed, padded("x" * 200_000))

    assert failures(event) == [5, 6]

    rows = {row["event_type"]: row for row in aws.rows("audit-trail")}
    assert len(aws.rows("audit-trail")) == len(rows) == 4
    assert set(rows) == {"RotationFailed", "RotationAbandoned", "RotationRenamed", "RotationSucceeded"}
    assert rows["RotationAbandoned"]["secret_arn"] == "aws.secretsmanager"
    assert json.loads(rows["RotationSucceeded"]["full_event"]) == padded("x" * 200_000)
    assert metrics(capsys) == {
        "EventsRecorded": 4,
        "EventsRepeated": 4,
        "EventsWithoutSecret": 1,
        "EventsUnrecorded": 2,
    }


@pytest.mark.parametrize(
    "malformed", [" ", "{", "null", "7", '"text"', "[]", "{}", '{"id": "x"}', "[" * 100_000, "\ufeff{}"]
)
def test_a_malformed_message_fails_alone(aws, recorded, batch, failures, malformed):
    event = batch(recorded("rotation-failed"), malformed, recorded("secret-label-updated"))

    assert failures(event) == [1]

    assert {row["event_type"] for row in aws.rows("audit-trail")} == {"RotationFailed", "Secret Label Updated"}


def test_a_batch_of_nothing_but_malformed_messages_fails_one_by_one(aws, batch, failures):
    assert failures(batch("{", "[]", "{}")) == [0, 1, 2]

    assert aws.rows("audit-trail") == []


def test_a_malformed_message_comes_again_at_once(aws, recorded, queue_url, batch, failures):
    event = batch(recorded("rotation-failed"), "{", "[]")

    assert failures(event) == [1, 2]

    again = aws.client("sqs").receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)["Messages"]
    assert sorted(message["Body"] for message in again) == ["[]", "{"]


def test_a_malformed_message_fails_also_where_its_return_cannot_be_hastened(aws, recorded, batch, failures):
    aws.answer("ChangeMessageVisibility", lambda _: aws.Refusal("AccessDenied", 403))

    assert failures(batch("{", recorded("rotation-failed"))) == [0]

    assert len(aws.rows("audit-trail")) == 1


def test_the_first_record_of_an_event_stays_as_it_is(aws, recorded, batch, failures):
    failures(batch(recorded("rotation-failed")))
    [first] = aws.rows("audit-trail")
    key = {name: {"S": first[name]} for name in ("secret_arn", "recorded")}
    aws.client("dynamodb").update_item(
        TableName="audit-trail",
        Key=key,
        UpdateExpression="SET recorded_at = :then, expires_at = :soon",
        ExpressionAttributeValues={":then": {"S": "2026-03-01T00:50:24Z"}, ":soon": {"N": "1"}},
    )

    assert failures(batch(recorded("rotation-failed") | {"id": "a-later-delivery"})) == []

    assert aws.rows("audit-trail") == [first | {"recorded_at": "2026-03-01T00:50:24Z", "expires_at": 1}]


def test_different_events_of_the_same_second_are_different_rows(aws, recorded, batch, failures):
    events = [recorded("rotation-succeeded"), recorded("rotation-abandoned")]
    assert events[0]["time"] == events[1]["time"]

    failures(batch(*events))

    assert len(aws.rows("audit-trail")) == 2


def test_a_row_says_when_it_was_recorded_and_when_it_may_go(aws, recorded, batch, failures):
    before = datetime.now(UTC)
    failures(batch(recorded("rotation-failed")))
    after = datetime.now(UTC)

    [row] = aws.rows("audit-trail")
    assert before.replace(microsecond=0) <= datetime.fromisoformat(row["recorded_at"]) <= after
    assert int(before.timestamp()) <= row["expires_at"] - 400 * DAY <= after.timestamp()


def test_a_history_of_no_days_never_expires(aws, recorded, batch, failures, monkeypatch):
    monkeypatch.setenv("HISTORY_DAYS", "0")

    failures(batch(recorded("rotation-failed")))

    [row] = aws.rows("audit-trail")
    assert "expires_at" not in row


def test_a_long_event_is_recorded_in_any_script(aws, padded, batch, failures):
    event = padded("é" * LONG)

    assert failures(batch(event)) == []

    [row] = aws.rows("audit-trail")
    assert json.loads(row["full_event"]) == event


def test_what_dynamodb_does_not_take_comes_again(aws, recorded, batch, failures):
    aws.answer("PutItem", lambda asked: aws.Refusal("InternalServerError", 500) if "Failed" in str(asked) else None)

    assert failures(batch(recorded("rotation-succeeded"), recorded("rotation-failed"))) == [1]

    assert [row["event_type"] for row in aws.rows("audit-trail")] == ["RotationSucceeded"]


def test_nothing_is_swallowed_while_dynamodb_is_down(aws, recorded, batch, failures, capsys):
    aws.answer("PutItem", lambda _: aws.Refusal("InternalServerError", 500))

    assert failures(batch(recorded("rotation-succeeded"), recorded("rotation-failed"))) == [0, 1]

    assert metrics(capsys) == {"EventsUnrecorded": 2}
    assert aws.asked("ChangeMessageVisibility") == []


def test_an_incomplete_environment_is_told_as_what_it_is(aws, recorded, batch, context, monkeypatch):
    event = batch(recorded("rotation-failed"))
    monkeypatch.delenv("AUDIT_TRAIL_TABLE_NAME")

    with pytest.raises(InvalidEnvironment, match=r"^AUDIT_TRAIL_TABLE_NAME must be set"):
        audit_writer.handler(event, context)
