"""The audit trail after a batch of messages."""

import hashlib
import json
import re
from datetime import UTC, datetime

import pytest

from handlers.environment import InvalidEnvironment
from handlers.trail import writer

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
    """Sends messages through the queue and receives them as Lambda does; texts are sent unchanged."""

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
    """Lets the writer record a batch; returns the positions of the messages that failed."""

    def write(event):
        ids = [record["messageId"] for record in event["Records"]]
        answer = writer.handler(event, context)
        return [ids.index(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]]

    return write


@pytest.fixture
def padded_event(recorded):
    """The recorded success with this in its detail."""

    def event(padding):
        body = recorded("rotation-succeeded")
        body["detail"]["padding"] = padding
        return body

    return event


def metrics(capsys):
    """The sum of each metric."""
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


def test_a_mixed_batch_fails_where_it_is_malformed_and_nowhere_else(
    aws, recorded, padded_event, batch, failures, capsys
):
    copies = [recorded("rotation-failed") | {"id": f"delivery-{number}"} for number in range(5)]
    without_secret = recorded("rotation-abandoned")
    without_secret["detail"]["additionalEventData"] = None
    renamed = recorded("rotation-succeeded")
    renamed["detail"] |= {"eventName": "RotationRenamed", "eventID": "another"}
    event = batch(
        *copies, '{"id": ', [recorded("rotation-failed")], without_secret, renamed, padded_event("x" * 200_000)
    )

    assert failures(event) == [5, 6]

    rows = {row["event_type"]: row for row in aws.rows("audit-trail")}
    assert len(aws.rows("audit-trail")) == len(rows) == 4
    assert set(rows) == {"RotationFailed", "RotationAbandoned", "RotationRenamed", "RotationSucceeded"}
    assert rows["RotationAbandoned"]["secret_arn"] == "aws.secretsmanager"
    assert json.loads(rows["RotationSucceeded"]["full_event"]) == padded_event("x" * 200_000)
    assert metrics(capsys) == {
        "EventsRecorded": 4,
        "EventsRepeated": 4,
        "EventsWithoutSecret": 1,
        "EventsUnrecorded": 2,
        "RotationsFailed": 2,
        "RotationsSucceeded": 1,
    }


@pytest.mark.parametrize(
    "malformed", [" ", "{", "null", "7", '"text"', "[]", "{}", '{"id": "x"}', "[" * 100_000, "\ufeff{}"]
)
def test_a_malformed_message_fails_alone(aws, recorded, batch, failures, malformed):
    event = batch(recorded("rotation-failed"), malformed, recorded("secret-label-updated"))

    assert failures(event) == [1]

    assert {row["event_type"] for row in aws.rows("audit-trail")} == {"RotationFailed", "Secret Label Updated"}


def test_a_batch_of_malformed_messages_fails_message_by_message(aws, batch, failures):
    assert failures(batch("{", "[]", "{}")) == [0, 1, 2]

    assert aws.rows("audit-trail") == []


def test_a_malformed_message_is_retried_at_once(aws, recorded, queue_url, batch, failures):
    event = batch(recorded("rotation-failed"), "{", "[]")

    assert failures(event) == [1, 2]

    again = aws.client("sqs").receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)["Messages"]
    assert sorted(message["Body"] for message in again) == ["[]", "{"]


def test_a_malformed_message_fails_even_if_its_visibility_timeout_cannot_be_set(aws, recorded, batch, failures):
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


def test_a_row_has_its_time_of_recording_and_its_expiry(aws, recorded, batch, failures):
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


def test_a_long_event_is_recorded_in_any_script(aws, padded_event, batch, failures):
    event = padded_event("é" * LONG)

    assert failures(batch(event)) == []

    [row] = aws.rows("audit-trail")
    assert json.loads(row["full_event"]) == event


@pytest.mark.parametrize("size", [262_144, 450_000, 1_000_000])
@pytest.mark.parametrize("character", ["x", "é", "漢", "😀"])
def test_an_event_of_up_to_a_megabyte_is_recorded_with_its_key_type_and_time(
    aws, padded_event, batch, failures, character, size
):
    event = padded_event(character * (size // len(character.encode())))

    assert failures(batch(event)) == []

    [row] = aws.rows("audit-trail")
    text = json.dumps(event, ensure_ascii=False)
    assert row["recorded"] == f"{event['detail']['eventTime']}#{event['detail']['eventID']}"
    assert (row["event_type"], row["timestamp"]) == ("RotationSucceeded", event["detail"]["eventTime"])
    assert text.startswith(row["full_event"])
    if size > 400_000:
        assert (row["truncated"], row["original_bytes"]) == (True, len(text.encode()))
        assert row["original_sha256"] == hashlib.sha256(text.encode()).hexdigest()
    else:
        assert row["full_event"] == text


def test_copies_of_a_large_event_are_one_row(aws, padded_event, batch, failures):
    event = padded_event("x" * 500_000)

    assert failures(batch(event, event | {"id": "another-delivery"})) == []

    assert len(aws.rows("audit-trail")) == 1


def in_detail(text):
    """The recorded failure with this JSON text in its detail."""
    return lambda event: json.dumps(event).replace('"awsRegion": ', f'{text}, "awsRegion": ')


def replacing(name, text):
    """The recorded failure with this JSON text for the value of this name."""
    return lambda event: re.sub(rf'"{name}": "[^"]*"', lambda _: f'"{name}": {text}', json.dumps(event))


EXTREMES = {
    "5 000 levels": in_detail(f'"x": {"[" * 5_000}{"]" * 5_000}'),
    "an integer of 5 000 digits": in_detail(f'"x": {"9" * 5_000}'),
    "NaN": in_detail('"x": NaN, "y": -Infinity'),
    "equal keys": in_detail('"eventVersion": "another"'),
    "a lone surrogate": in_detail(r'"x": "\ud800"'),
    "a lone surrogate in a key": in_detail(r'"\udfff": 1'),
    "an id with a lone surrogate": replacing("eventID", r'"\ud800"'),
    "an id of a newline": replacing("eventID", r'"\n"'),
    "an id of 2 000 characters": replacing("eventID", f'"{"x" * 2_000}"'),
    "a secret of 3 000 characters": replacing("SecretId", f'"arn:aws:secretsmanager:eu-west-1:1:secret:{"x" * 3_000}"'),
    "a secret with a lone surrogate": replacing("SecretId", r'"arn:aws:secretsmanager:eu-west-1:1:secret:x\ud800"'),
    "a kind of 500 000 characters": replacing("eventName", f'"{"x" * 500_000}"'),
    "a kind with a lone surrogate": replacing("eventName", r'"\ud800"'),
    "year 9999 with an offset": replacing("eventTime", '"9999-12-31T23:59:59-10:00"'),
    "year 9999": replacing("eventTime", '"9999-12-31T23:59:59Z"'),
    "year 1 with an offset": replacing("eventTime", '"0001-01-01T00:00:00+10:00"'),
    "year 1": replacing("eventTime", '"0001-01-01T00:00:00Z"'),
    "1970": replacing("eventTime", '"1970-01-01T00:00:00Z"'),
    "year 2099": replacing("eventTime", '"2099-01-01T00:00:00Z"'),
    "a time without offset": replacing("eventTime", '"2026-03-01T00:50:20"'),
    "a fraction of 500 000 digits": replacing("eventTime", f'"2026-03-01T00:50:20.{"1" * 500_000}Z"'),
    "a time with a lone surrogate": replacing("eventTime", r'"2026-03-01\ud80000:50:20"'),
    "no time but the envelope's": replacing("eventTime", '"yesterday"'),
    "numbers for texts": replacing("errorMessage", "7"),
    "a list for a request id": replacing("requestID", "[7]"),
}


@pytest.mark.parametrize("name", ["rotation-failed", "rotation-succeeded"])
@pytest.mark.parametrize("extreme", EXTREMES)
def test_an_event_with_extreme_values_is_recorded_at_once(aws, recorded, batch, failures, extreme, name):
    text = EXTREMES[extreme](recorded(name))
    assert text != json.dumps(recorded(name)) or name == "rotation-succeeded"

    assert failures(batch(text, recorded("secret-label-updated"))) == []

    assert len(aws.rows("audit-trail")) == 2
    items = [call["TransactItems"][0]["Put"]["Item"] for call in aws.requests("TransactWriteItems")]
    [item] = [item for item in items if item["event_type"] != {"S": "Secret Label Updated"}]
    assert len(item["secret_arn"]["S"].encode()) <= 2048
    assert len(item["recorded"]["S"].encode()) <= 1024
    assert all(value["S"].encode() for value in item.values() if "S" in value)  # no lone surrogate, and not empty
    if len(text) < 400_000:
        assert item["full_event"]["S"] == text


def test_a_lone_surrogate_in_the_message_itself_is_recorded_as_its_escape(aws, recorded, queue_url, failures):
    # No queue delivers such a message: SQS rejects the character.
    text = json.dumps(recorded("rotation-failed")).replace('"awsRegion"', '"x": "\ud800", "awsRegion"')

    assert failures({"Records": [{"messageId": "1", "receiptHandle": "1", "body": text}]}) == []

    [row] = aws.rows("audit-trail")
    assert json.loads(row["full_event"]) == json.loads(text)


def test_the_text_of_an_event_is_recorded_unchanged(aws, recorded, batch, failures):
    text = json.dumps(recorded("rotation-failed"), indent=2).replace('"eventName"', '"eventName": "first", "eventName"')

    assert failures(batch(text)) == []

    assert [row["full_event"] for row in aws.rows("audit-trail")] == [text]


@pytest.mark.parametrize("code", ["ValidationException", "SerializationException"])
def test_an_item_that_dynamodb_rejects_reaches_the_dead_letter_queue_in_seconds(
    aws, recorded, queue_url, batch, failures, code
):
    aws.answer("TransactWriteItems", lambda _: aws.Refusal(code))

    assert failures(batch(recorded("rotation-failed"))) == [0]

    assert [parameters["VisibilityTimeout"] for parameters in aws.requests("ChangeMessageVisibility")] == [0]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("put-secret-value", {}),
        ("put-secret-value", {"eventName": "UpdateSecret"}),
        ("put-secret-value", {"eventName": "UpdateSecretVersionStage"}),
    ],
)
@pytest.mark.parametrize("secret_id", ["orders/db", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db"])
def test_a_call_is_recorded_under_the_complete_arn(aws, recorded, batch, failures, name, change, secret_id):
    event = recorded(name)
    event["detail"] |= change
    event["detail"]["requestParameters"]["secretId"] = secret_id

    assert failures(batch(event)) == []

    [row] = aws.rows("audit-trail")
    assert row["secret_arn"] == "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-Ab12Cd"


def test_a_message_is_retried_if_dynamodb_fails(aws, recorded, batch, failures):
    aws.answer(
        "TransactWriteItems",
        lambda parameters: aws.Refusal("InternalServerError", 500) if "Failed" in str(parameters) else None,
    )

    assert failures(batch(recorded("rotation-succeeded"), recorded("rotation-failed"))) == [1]

    assert [row["event_type"] for row in aws.rows("audit-trail")] == ["RotationSucceeded"]


def test_every_message_is_retried_while_dynamodb_is_down(aws, recorded, batch, failures, capsys):
    aws.answer("TransactWriteItems", lambda _: aws.Refusal("InternalServerError", 500))

    assert failures(batch(recorded("rotation-succeeded"), recorded("rotation-failed"))) == [0, 1]

    assert metrics(capsys) == {"EventsUnrecorded": 2}
    assert aws.requests("ChangeMessageVisibility") == []


def test_an_incomplete_environment_is_reported(aws, recorded, batch, context, monkeypatch):
    event = batch(recorded("rotation-failed"))
    monkeypatch.delenv("AUDIT_TRAIL_TABLE_NAME")

    with pytest.raises(InvalidEnvironment, match=r"^AUDIT_TRAIL_TABLE_NAME must be set"):
        writer.handler(event, context)
