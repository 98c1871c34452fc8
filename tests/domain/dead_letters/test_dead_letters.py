"""Messages as AWS documents them for each kind of dead-letter queue: their cause, their subject and their destination.

The forms are those of eb-rule-dlq.html (EventBridge), configuring-schedule-dlq.html (Scheduler),
invocation-async-retain-records.html (Lambda), sns-message-and-json-formats.html (SNS) and API_ReceiveMessage (SQS).
"""

import json

import pytest

from rotation_guard.domain.dead_letters.causes import CAUSES, find_cause
from rotation_guard.domain.dead_letters.dead_letter import Sender, parse
from rotation_guard.domain.dead_letters.destinations import (
    Destination,
    DestinationKind,
    NoDestination,
    find_destination,
)
from rotation_guard.domain.dead_letters.subjects import describe_loss, find_subject
from tests.paths import EVENTS

ACCOUNT, REGION = "123456789012", "eu-west-1"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/db-Ab12Cd"
SUBSCRIPTION = "arn:aws:sns:eu-west-1:123456789012:failures:2bcfbf39-05c3-41de-beaa-fcfcc21c8f55"
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
DOCUMENTED = """
    CONNECTION_FAILURE CROSS_ACCOUNT_INGESTION_FAILED CROSS_REGION_INGESTION_FAILED ERROR_FROM_TARGET
    EVENTS_IN_BATCH_REQUEST_REJECTED FAILED_TO_ASSUME_ROLE INTERNAL_ERROR INVALID_JSON INVALID_PARAMETER NO_PERMISSIONS
    NO_RESOURCE RESOURCE_ALREADY_EXISTS RESOURCE_LIMIT_EXCEEDED RESOURCE_MODIFICATION_COLLISION SDK_CLIENT_ERROR
    THIRD_ACCOUNT_HOP_DETECTED THIRD_REGION_HOP_DETECTED THROTTLING TIMEOUT TRANSIENT_ASSUME_ROLE UNKNOWN
"""
MESSAGES = sorted(path.stem for path in (EVENTS / "dead_letters").glob("*.json"))


def recorded(name, **attributes):
    """A recorded message, with these message attributes in place of its own."""
    message = json.loads((EVENTS / "dead_letters" / f"{name}.json").read_text())
    for key, value in attributes.items():
        message.setdefault("MessageAttributes", {})[key] = {"StringValue": value, "DataType": "String"}
    return message


def letter(name, **attributes):
    return parse(recorded(name, **attributes), "some-queue")


def redelivery():
    """The record of a redelivery that failed."""
    message = recorded("function-unhandled")
    record = json.loads(message["Body"]) | {"requestPayload": {}}
    return parse({**message, "Body": json.dumps(record).replace("function:start", "function:redeliver")})


def destination_of(name, **attributes):
    return find_destination(letter(name, **attributes), ACCOUNT, REGION)


@pytest.mark.parametrize(
    ("name", "sender", "cause"),
    [
        ("rule-no-permissions", Sender.RULE, "NO_PERMISSIONS"),
        ("rule-throttled", Sender.RULE, "THROTTLING"),
        ("rule-key-denied", Sender.RULE, "KMSAccessDenied"),
        ("rule-other-account", Sender.RULE, "CROSS_ACCOUNT_INGESTION_FAILED"),
        ("schedule", Sender.SCHEDULE, "ResourceNotFoundException"),
        ("function-unhandled", Sender.FUNCTION, "Unhandled"),
        ("function-event-age", Sender.FUNCTION, "EventAgeExceeded"),
        ("function-dead-letter-queue", Sender.FUNCTION_QUEUE, "RetriesExhausted"),
        ("notification", Sender.SUBSCRIPTION, "DeliveryFailed"),
        ("received-too-often", Sender.QUEUE, "maxReceiveCount"),
    ],
)
def test_a_message_says_who_sent_it_and_why(name, sender, cause):
    assert (letter(name).sender, letter(name).cause.code) == (sender, cause)
    assert letter(name).cause.source.startswith("https://docs.aws.amazon.com/")


def test_every_recorded_message_is_tested():
    assert len(MESSAGES) == 10


@pytest.mark.parametrize("code", DOCUMENTED.split())
def test_every_code_that_eventbridge_documents_is_explained(code):
    cause = letter("rule-throttled", ERROR_CODE=code, ERROR_MESSAGE="").cause

    assert (cause.code, cause.is_documented) == (code, True)
    assert cause.explanation.endswith(".")
    assert cause.remedy.endswith(".")


def test_a_cause_that_aws_does_not_document_is_named_as_it_came():
    cause = letter("rule-throttled", ERROR_CODE="QUANTUM_FLUX", ERROR_MESSAGE="").cause

    assert (cause.code, cause.is_documented) == ("QUANTUM_FLUX", False)
    assert cause not in CAUSES.values()
    assert find_cause("THROTTLING") is CAUSES["THROTTLING"]


@pytest.mark.parametrize(
    ("code", "message", "is_about_key"),
    [
        ("KMS.AccessDeniedException", "", True),
        ("KMSAccessDenied", "No.", True),
        ("SDK_CLIENT_ERROR", "null (Service: AmazonSQS; Error Code: KMS.DisabledException)", True),
        ("KMSNotFound", "Key 'arn:aws:kms:eu-west-1:123456789012:key/x' does not exist", True),
        ("NO_PERMISSIONS", "not authorized to perform sqs:SendMessage on arn:aws:sqs:eu-west-1:1:KMS-events", False),
        ("THROTTLING", "KMS.ThrottlingException", False),
        ("NO_PERMISSIONS", "not authorized to perform: sns:Publish", False),
    ],
)
def test_a_refused_key_is_a_cause_of_its_own(code, message, is_about_key):
    cause = letter("rule-throttled", ERROR_CODE=code, ERROR_MESSAGE=message).cause

    assert (cause.code == "KMSAccessDenied") is is_about_key


def test_a_record_of_lambda_says_what_the_function_raised():
    record = letter("function-unhandled")

    assert record.error_message == (
        "ClientError: An error occurred (AccessDeniedException) when calling the StartExecution operation"
    )
    assert (record.retries, record.exhausted_condition) == ("3 invocations", "RetriesExhausted")


@pytest.mark.parametrize(
    "name",
    [name for name in MESSAGES if name not in ("rule-key-denied", "schedule", "received-too-often")],
)
def test_the_secret_and_the_event_are_found_in_every_envelope(name):
    subject = find_subject(letter(name))

    assert (subject.secret_arn, subject.secret_name) == (SECRET, "orders/db")
    assert (subject.event, subject.occurred_at) == ("RotationFailed", "2026-03-01T00:50:20Z")


def test_an_audit_that_was_not_started_is_named_by_its_time():
    subject = find_subject(letter("schedule"))

    assert (subject.event, subject.occurred_at) == ("Audit", "2026-03-01T12:00:00Z")
    assert "The audit of 2026-03-01T12:00:00Z has not run" in describe_loss(letter("schedule"), subject)


def test_a_notification_for_people_is_named_by_its_attributes_and_subject():
    message = recorded("notification")
    envelope = json.loads(message["Body"]) | {
        "Message": "The rotation failed.",
        "Subject": "[OUTAGE] orders/db",
        "MessageAttributes": {"secret": {"Type": "String", "Value": "orders/db"}},
    }

    subject = find_subject(parse({**message, "Body": json.dumps(envelope)}))

    assert (subject.secret_name, subject.event) == ("orders/db", "[OUTAGE] orders/db")


def test_an_event_that_a_member_delivered_again_is_unwrapped():
    event = json.loads(recorded("rule-throttled")["Body"])
    wrapped = {"source": "rotation-guard.redelivered", "detail": event, "account": ACCOUNT}

    assert find_subject(parse({**recorded("received-too-often"), "Body": json.dumps(wrapped)})).secret_arn == SECRET


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("rule-no-permissions", "The topic's subscribers have not heard of the event RotationFailed."),
        ("rule-throttled", "Remediation has not heard of the event RotationFailed: "),
        ("rule-key-denied", "Nothing has recorded the event RotationFailed: the queue audit has not received it."),
        ("rule-other-account", "such as a hub"),
        ("function-unhandled", "Remediation has not heard of the event RotationFailed: "),
        ("redelivery", "The function redeliver has not handled what it was invoked with."),
        ("notification", "One subscriber has not received this notification"),
        ("received-too-often", "Nothing has recorded this event: the consumer of the queue audit could not."),
    ],
)
def test_a_message_says_what_is_missing_until_it_is_sent_again(name, missing):
    found = redelivery() if name == "redelivery" else letter(name)

    assert missing in describe_loss(found, find_subject(found))


@pytest.mark.parametrize(
    ("name", "kind", "arn"),
    [
        ("rule-no-permissions", DestinationKind.TOPIC, "arn:aws:sns:eu-west-1:123456789012:failures"),
        ("rule-throttled", DestinationKind.FUNCTION, "arn:aws:lambda:eu-west-1:123456789012:function:start"),
        ("rule-key-denied", DestinationKind.QUEUE, "arn:aws:sqs:eu-west-1:123456789012:audit"),
        ("rule-other-account", DestinationKind.EVENT_BUS, "arn:aws:events:eu-west-1:999988887777:event-bus/hub"),
        ("schedule", DestinationKind.FUNCTION, "arn:aws:lambda:eu-west-1:123456789012:function:check"),
        ("function-unhandled", DestinationKind.FUNCTION, "arn:aws:lambda:eu-west-1:123456789012:function:start"),
        ("notification", DestinationKind.SUBSCRIPTION, SUBSCRIPTION),
        ("received-too-often", DestinationKind.QUEUE, "arn:aws:sqs:eu-west-1:123456789012:audit"),
    ],
)
def test_a_message_goes_to_what_did_not_take_it_alone(name, kind, arn):
    assert destination_of(name) == Destination(kind, arn)


@pytest.mark.parametrize(
    ("name", "attributes", "reason"),
    [
        ("function-dead-letter-queue", {}, "does not record which function failed"),
        ("schedule", {"IS_PAYLOAD_TRUNCATED": "true"}, "kept only the beginning"),
        ("rule-throttled", {"TARGET_ARN": "arn:aws:events:eu-west-1:123456789012:api-destination/x/1"}, "API dest"),
        ("rule-throttled", {"TARGET_ARN": "arn:aws:ecs:eu-west-1:123456789012:cluster/x"}, "No call hands an event"),
        ("rule-throttled", {"TARGET_ARN": ""}, "that the message does not name"),
        (
            "rule-throttled",
            {"TARGET_ARN": "arn:aws:lambda:eu-west-1:999988887777:function:theirs"},
            "must be in account 123456789012, Region eu-west-1, and the function that the message names is arn:aws:",
        ),
        ("rule-key-denied", {"TARGET_ARN": "arn:aws:sqs:us-east-1:123456789012:audit"}, "must be in account"),
        ("rule-other-account", {"RULE_ARN": "arn:aws:events:eu-west-1:999988887777:rule/theirs"}, "and the rule that"),
    ],
)
def test_a_message_without_a_destination_of_its_own_stays(name, attributes, reason):
    with pytest.raises(NoDestination, match=reason):
        destination_of(name, **attributes)


def test_a_message_that_says_nothing_has_no_destination():
    unknown = parse({"MessageId": "x", "Body": "\x00"})

    assert (unknown.sender, unknown.cause.code, find_subject(unknown).event) == (Sender.UNKNOWN, "UNKNOWN", None)
    with pytest.raises(NoDestination, match="does not say what did not take it"):
        find_destination(unknown, ACCOUNT, REGION)


def test_what_lambda_got_is_sent_as_it_was_written():
    message = recorded("function-unhandled")
    record = '{"requestContext": {}, "requestPayload":\n {"n": 12345678901234567890.10, "s": "\\ud800"}, "x": 1}'

    assert parse({**message, "Body": record}).payload == '{"n": 12345678901234567890.10, "s": "\\ud800"}'
    assert parse(message).payload == json.dumps(json.loads(message["Body"])["requestPayload"])


def test_the_time_of_a_run_takes_the_place_of_schedulers_keyword():
    message = recorded("schedule")
    message["Body"] = '{"scheduled_time": "<aws.scheduler.scheduled-time>"}'

    assert json.loads(parse(message).payload) == {"scheduled_time": "2026-03-01T12:00:00Z"}


@pytest.mark.parametrize("body", ["", "null", "[]", "7", '"text"', "{", "[" * 5000, '{"Type": "Notification"}'])
def test_every_body_can_be_read(body):
    for sender in Sender:
        found = parse({"MessageId": "x", "Body": body}, "q", sender)

        assert find_subject(found).secret_arn is None
        assert describe_loss(found, find_subject(found))
        assert found.cause.code


def test_a_canary_that_scheduler_could_not_put_on_the_bus_is_none_of_an_audit_and_is_not_sent_again():
    """Its body is the input of the schedule; the source and the type of the event are in the schedule alone."""
    time, bus = "2026-03-01T06:00:00Z", f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
    message = recorded("schedule", TARGET_ARN=bus, SCHEDULED_TIME=time, ERROR_CODE="AccessDeniedException")
    detail = {"eventName": "RotationCanary", "eventTime": "<aws.scheduler.scheduled-time>", "incidents_table": "t"}
    canary = parse({**message, "Body": json.dumps(detail)}, "undelivered-events")

    subject = find_subject(canary)

    assert (subject.event, subject.occurred_at, subject.secret_arn) == ("RotationCanary", time, None)
    assert "canary" in describe_loss(canary, subject)
    with pytest.raises(NoDestination, match="discard it"):
        find_destination(canary, ACCOUNT, REGION)
