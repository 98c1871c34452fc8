"""Sending dead letters again: to what did not take them, each once, and none is lost."""

import json

import pytest

from .conftest import CALLER, aws_error
from .dead_letter_stack import AUDIT_QUEUE, recorded_message

TOPIC = "arn:aws:sns:eu-west-1:123456789012:failures"
START = "arn:aws:lambda:eu-west-1:123456789012:function:start"
WRITES = ("SendMessage", "Publish", "Invoke", "PutEvents", "DeleteMessage")
YES = ("--yes", "--reason", "The topic's policy is restored.")


@pytest.fixture
def redrive(dead_letters, run_on_stack):
    """Redrives; returns the JSON of the report."""

    def redrive(*options, exit_code=0):
        result = run_on_stack("dead-letters", "redrive", *options, "--format", "json")
        assert result.exit_code == exit_code, result.stderr
        return json.loads(result.stdout)

    return redrive


@pytest.fixture
def invocations(dead_letters):
    """Function and event of each asynchronous invocation, which moto would run in a container."""
    accepted = []

    def accept(request):
        assert request["InvocationType"] == "Event"
        accepted.append((request["FunctionName"], json.loads(request["Payload"])))
        return {"StatusCode": 202}

    dead_letters.answers["Invoke"] = accept
    return accepted


@pytest.fixture
def published(dead_letters):
    """Topic and message of each notification."""
    accepted = []

    def accept(request):
        accepted.append((request["TopicArn"], json.loads(request["Message"])))
        return {"MessageId": "m"}

    assert dead_letters.create_topic("failures") == TOPIC
    dead_letters.answers["Publish"] = accept
    return accepted


def writes(dead_letters):
    return [name for name, _ in dead_letters.calls if name in WRITES]


def event_of(name):
    return json.loads(recorded_message(name)["Body"])


def test_an_event_for_a_topic_is_published_there(dead_letters, redrive, published):
    dead_letters.put("undelivered-events", "rule-no-permissions")

    answer = redrive(*YES)

    assert published == [(TOPIC, event_of("rule-no-permissions"))]
    assert dead_letters.visible("undelivered-events") == 0
    assert answer["summary"] == {"sent": 1}
    assert (answer["caller"], answer["reason"], answer["dry_run"]) == (CALLER, YES[2], False)


def test_an_event_for_a_queue_is_sent_there_as_eventbridge_would(dead_letters, redrive):
    dead_letters.put("undelivered-events", "rule-key-denied")

    redrive(*YES)

    [message] = dead_letters.receive(AUDIT_QUEUE)
    assert (json.loads(message["Body"]), message.get("MessageAttributes")) == (event_of("rule-key-denied"), None)


def test_an_event_for_a_function_invokes_it(dead_letters, redrive, invocations):
    dead_letters.put("undelivered-events", "rule-throttled")
    dead_letters.put("unstarted-remediations", "function-unhandled")
    dead_letters.put("failed-audits", "schedule")

    assert redrive(*YES)["summary"] == {"sent": 3}

    event = event_of("rule-throttled")
    check = START.replace("start", "check")
    assert invocations == [(START, event), (START, event), (check, {"scheduled_time": "2026-03-01T12:00:00Z"})]


def test_what_a_hub_did_not_take_is_wrapped_for_its_bus(dead_letters, redrive):
    dead_letters.put("undelivered-events", "rule-other-account")
    dead_letters.answers["PutEvents"] = lambda _: {"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]}

    redrive(*YES)

    [request] = dead_letters.calls_of("PutEvents")
    [entry] = request["Entries"]
    assert entry["EventBusName"] == "arn:aws:events:eu-west-1:999988887777:event-bus/hub"
    assert entry["Source"] == "rotation-guard.redelivered"
    assert entry["Detail"] == recorded_message("rule-other-account")["Body"]


def test_an_event_that_a_bus_refuses_stays(dead_letters, redrive):
    dead_letters.put("undelivered-events", "rule-other-account")
    refusal = {"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "No."}
    dead_letters.answers["PutEvents"] = lambda _: {"FailedEntryCount": 1, "Entries": [refusal]}

    [message] = redrive(*YES, exit_code=3)["messages"]

    assert message["result"] == "kept"
    assert "PutEvents was refused: NotAuthorizedForSourceException: No." in message["reason"]
    assert dead_letters.visible("undelivered-events") == 1


def test_an_unrecorded_event_goes_back_to_its_queue_with_its_attributes(dead_letters, redrive):
    dead_letters.put("unrecorded-events", "received-too-often", "{}", owner="payments")

    redrive(*YES)

    [message] = dead_letters.receive(AUDIT_QUEUE)
    assert (message["Body"], message["MessageAttributes"]["owner"]["StringValue"]) == ("{}", "payments")


def put_notification(dead_letters, subscription):
    envelope = event_of("notification")
    link = f"https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={subscription}"
    body = json.dumps(envelope | {"UnsubscribeURL": link})
    dead_letters.put("undelivered-notices", "notification", body)
    return body


def test_a_notification_reaches_the_subscriber_that_missed_it_alone(dead_letters, redrive, published):
    subscription = dead_letters.subscribe(TOPIC, "sqs", dead_letters.create_queue("theirs"))
    body = put_notification(dead_letters, subscription)

    [message] = redrive(*YES)["messages"]

    assert (message["result"], message["destination"]) == ("sent", "subscriber sqs theirs")
    assert (dead_letters.bodies("theirs"), published) == ([body], [])


def test_a_function_that_is_subscribed_gets_the_event_that_sns_sends(dead_letters, redrive, invocations, published):
    put_notification(dead_letters, dead_letters.subscribe(TOPIC, "lambda", START))

    redrive(*YES)

    [(function, event)] = invocations
    [record] = event["Records"]
    assert (function, record["EventSource"], record["EventVersion"]) == (START, "aws:sns", "1.0")
    # https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
    assert {"SigningCertUrl", "UnsubscribeUrl", "Subject", "MessageAttributes", "Message"} <= record["Sns"].keys()
    assert {"SigningCertURL", "UnsubscribeURL"}.isdisjoint(record["Sns"])


def test_a_raw_notification_goes_to_the_only_subscriber_that_it_can_be_for(dead_letters, redrive):
    topic = dead_letters.create_topic("failures")
    dead_letters.add_outputs({"failures_topic_arn": topic})
    dead_letters.subscribe(topic, "sqs", dead_letters.create_queue("raw"), RawMessageDelivery="true")
    dead_letters.subscribe(topic, "sqs", dead_letters.create_queue("wrapped"))
    dead_letters.put("undelivered-notices", "received-too-often", '{"secret": "orders/db"}')

    redrive(*YES)

    assert dead_letters.bodies("raw") == ['{"secret": "orders/db"}']
    dead_letters.subscribe(topic, "sqs", dead_letters.create_queue("another"), RawMessageDelivery="true")
    dead_letters.put("undelivered-notices", "received-too-often", "{}")
    assert "2 subscriptions have raw delivery" in redrive(*YES)["messages"][0]["reason"]


def test_what_only_sns_can_deliver_stays_and_says_so(dead_letters, redrive, published):
    put_notification(dead_letters, dead_letters.subscribe(TOPIC, "https", "https://example.com/hook"))
    put_notification(dead_letters, f"{TOPIC}:00000000-0000-0000-0000-000000000000")

    reasons = [message["reason"] for message in redrive(*YES)["messages"]]

    assert any("SNS alone can deliver to an https endpoint" in reason for reason in reasons)
    assert any("does not exist anymore" in reason for reason in reasons)
    assert dead_letters.visible("undelivered-notices") == 2
    assert published == []


def test_a_message_that_names_a_destination_elsewhere_is_never_sent(dead_letters, redrive, invocations):
    theirs = START.replace("123456789012", "999988887777")
    dead_letters.put("undelivered-events", "rule-throttled", TARGET_ARN=theirs)

    assert "must be in account 123456789012" in redrive(*YES)["messages"][0]["reason"]
    assert (invocations, dead_letters.visible("undelivered-events")) == ([], 1)


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_without_yes_it_is_a_dry_run(dead_letters, run_on_stack, options):
    dead_letters.put("undelivered-events", "rule-no-permissions")

    result = run_on_stack("dead-letters", "redrive", *options, COLUMNS="200")

    assert (result.exit_code, writes(dead_letters)) == (0, [])
    assert "would send" in result.stdout
    assert "To topic failures." in result.stdout
    assert "Nothing was written: this is a dry run." in result.stdout
    assert "repeat the command with --yes" in result.stdout
    assert dead_letters.visible("undelivered-events") == 1


def test_only_what_is_selected_is_sent(dead_letters, redrive, invocations, published):
    dead_letters.put("undelivered-events", "rule-throttled")
    dead_letters.put("undelivered-events", "rule-no-permissions")

    answer = redrive(*YES, "--cause", "NO_PERMISSIONS")

    assert (answer["summary"], len(published), invocations) == ({"sent": 1}, 1, [])
    assert dead_letters.visible("undelivered-events") == 1


def test_a_message_is_deleted_only_once_it_is_accepted(dead_letters, redrive, published):
    dead_letters.put("undelivered-events", "rule-no-permissions")

    redrive(*YES)

    assert writes(dead_letters) == ["Publish", "DeleteMessage"]


def test_a_refused_message_stays_and_the_others_are_sent(dead_letters, redrive, invocations):
    dead_letters.put("undelivered-events", "rule-no-permissions")
    dead_letters.put("undelivered-events", "rule-throttled")
    dead_letters.answers["Publish"] = lambda _: aws_error("AuthorizationError")

    answer = redrive(*YES, exit_code=3)

    assert answer["summary"] == {"kept": 1, "sent": 1}
    [kept] = [message for message in answer["messages"] if message["result"] == "kept"]
    assert "topic failures: Publish was refused: AuthorizationError: No." in kept["reason"]
    assert dead_letters.visible("undelivered-events") == 1


def test_a_destination_that_refuses_everything_is_not_asked_without_end(dead_letters, redrive):
    for _ in range(6):
        dead_letters.put("undelivered-events", "rule-no-permissions")
    dead_letters.answers["Publish"] = lambda _: aws_error("AuthorizationError")

    answer = redrive(*YES, exit_code=3)

    assert (answer["summary"], len(dead_letters.calls_of("Publish"))) == ({"kept": 6}, 3)
    assert dead_letters.visible("undelivered-events") == 6


def test_a_message_that_comes_back_at_once_is_not_sent_without_end(dead_letters, redrive):
    dead_letters.put("unrecorded-events", "received-too-often")

    def fail(request):
        # The consumer fails at once, so SQS moves the message back: as a new one, which is newer than this run.
        sent = str(int(dead_letters.now.timestamp() + 3600) * 1000)
        dead_letters.answers["ReceiveMessage"] = lambda _: {
            "Messages": [recorded_message("received-too-often") | {"Attributes": {"SentTimestamp": sent}}]
        }

    dead_letters.answers["SendMessage"] = fail

    assert redrive(*YES)["summary"] == {"sent": 1}
    assert len(dead_letters.calls_of("SendMessage")) == 1


def test_a_message_that_sqs_delivers_twice_is_sent_once(dead_letters, redrive, invocations):
    message = recorded_message("rule-throttled")
    dead_letters.put("undelivered-events", "rule-throttled")
    dead_letters.answers["ReceiveMessage"] = lambda _: {"Messages": [message, message]}
    dead_letters.answers["DeleteMessage"] = lambda _: {}

    redrive(*YES)

    assert len(invocations) == 1


def interrupt(_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("operation", "sent", "left"),
    [("GetQueueAttributes", 0, 3), ("ReceiveMessage", 0, 3), ("GetQueueUrl", 0, 3), ("SendMessage", 0, 3)],
)
def test_an_interruption_before_a_message_is_accepted_loses_nothing(
    dead_letters, run_on_stack, redrive, operation, sent, left
):
    for _ in range(3):
        dead_letters.put("undelivered-events", "rule-key-denied")
    dead_letters.answers[operation] = interrupt

    result = run_on_stack("dead-letters", "redrive", *YES)

    assert result.exit_code == 130
    assert "Interrupted" in result.stdout
    del dead_letters.answers[operation]
    assert (dead_letters.visible(AUDIT_QUEUE), dead_letters.visible("undelivered-events")) == (sent, left)
    redrive(*YES)
    assert (dead_letters.visible(AUDIT_QUEUE), dead_letters.visible("undelivered-events")) == (3, 0)


def test_an_interruption_while_a_message_is_deleted_sends_nothing_twice(dead_letters, run_on_stack, redrive):
    for _ in range(3):
        dead_letters.put("undelivered-events", "rule-key-denied")

    def interrupt_once(_):
        del dead_letters.answers["DeleteMessage"]
        raise KeyboardInterrupt

    dead_letters.answers["DeleteMessage"] = interrupt_once

    assert run_on_stack("dead-letters", "redrive", *YES).exit_code == 130
    assert (dead_letters.visible(AUDIT_QUEUE), dead_letters.visible("undelivered-events")) == (1, 2)
    redrive(*YES)
    assert (dead_letters.visible(AUDIT_QUEUE), dead_letters.visible("undelivered-events")) == (3, 0)


def test_a_process_that_is_killed_between_send_and_delete_sends_at_most_one_message_twice(dead_letters, redrive):
    for _ in range(3):
        dead_letters.put("undelivered-events", "rule-key-denied")

    class Killed(BaseException):
        """Nothing of the process runs after this."""

    def kill(_):
        dead_letters.answers["ChangeMessageVisibilityBatch"] = kill  # It cannot give messages back, either.
        raise Killed

    dead_letters.answers["DeleteMessage"] = kill
    with pytest.raises(Killed):
        redrive(*YES)
    dead_letters.answers.clear()
    assert dead_letters.visible(AUDIT_QUEUE) == 1
    # The visibility timeout is over.
    dead_letters.expire_visibility("undelivered-events")

    redrive(*YES)

    assert (dead_letters.visible(AUDIT_QUEUE), dead_letters.visible("undelivered-events")) == (4, 0)


def test_a_message_that_is_accepted_and_cannot_be_deleted_is_reported(dead_letters, redrive):
    dead_letters.put("undelivered-events", "rule-key-denied")
    dead_letters.answers["DeleteMessage"] = lambda _: aws_error("AccessDenied")

    [message] = redrive(*YES, exit_code=3)["messages"]

    assert message["result"] == "sent, not deleted"
    assert "redriving it sends it twice" in message["reason"]
    assert dead_letters.visible("undelivered-events") == 1


def test_a_queue_that_cannot_be_read_does_not_stop_the_others(dead_letters, redrive, invocations):
    dead_letters.put("failed-audits", "schedule")
    dead_letters.sqs.delete_queue(QueueUrl=dead_letters.urls["undelivered-events"])

    answer = redrive(*YES, exit_code=3)

    assert (len(invocations), answer["summary"]) == (1, {"sent": 1})
    assert "Queue undelivered-events" in answer["warnings"][0]


def test_deployment_and_caller_are_named_before_anything_is_sent(dead_letters, run_on_stack, published):
    dead_letters.put("undelivered-events", "rule-no-permissions")

    table = run_on_stack("dead-letters", "redrive", *YES)
    answer = run_on_stack("dead-letters", "redrive", *YES, "--format", "json")

    assert table.stdout.startswith("Deployment: The stack of ")
    assert f"account 123456789012, Region eu-west-1. Caller: {CALLER}." in table.stdout
    assert answer.stderr.startswith("Deployment: The stack of ")
    assert json.loads(answer.stdout)["messages"] == []


def test_credentials_of_another_account_send_nothing(dead_letters, run_on_stack):
    dead_letters.put("undelivered-events", "rule-no-permissions")
    outputs = json.loads(dead_letters.outputs.read_text())
    outputs["function_arn"] = outputs["function_arn"].replace("123456789012", "999988887777")
    dead_letters.outputs.write_text(json.dumps(outputs))

    result = run_on_stack("dead-letters", "redrive", *YES)

    assert result.exit_code == 2
    assert "is in account 999988887777, and the credentials are for 123456789012; nothing was written." in result.stderr
    assert writes(dead_letters) == []


def test_the_local_deployment_is_not_written_to_by_default(dead_letters, stack, run, tmp_path, monkeypatch):
    dead_letters.put("undelivered-events", "rule-key-denied")
    stack.deploy_locally(tmp_path)
    monkeypatch.chdir(tmp_path)

    assert run("dead-letters", "redrive").exit_code == 0
    refused = run("dead-letters", "redrive", "--yes")
    assert (refused.exit_code, writes(dead_letters)) == (2, [])
    assert "A command that writes needs a deployment" in refused.stderr
    assert run("dead-letters", "redrive", "--yes", "--local").exit_code == 0
    assert writes(dead_letters) == ["SendMessage", "DeleteMessage"]
