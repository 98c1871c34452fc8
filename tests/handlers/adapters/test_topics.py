"""Each subscriber gets a notification in the format of its protocol."""

import json

import pytest

from handlers.adapters.topics import PROGRAM_PROTOCOLS, SMS_LENGTH, Topic, build_attributes, build_messages
from tests.handlers.remediation.transitions import RUNBOOK, TRANSITIONS, incident, notification, rate_limited, repaired

PEOPLE = ("default", "email")


@pytest.fixture
def topic_arn(aws):
    return aws.client("sns").create_topic(Name="remediation")["TopicArn"]


@pytest.fixture
def queue(aws, topic_arn):
    """Subscribes a queue to the topic; returns a function that receives its messages."""
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="machines")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws.client("sns").subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
    return lambda: [json.loads(message["Body"]) for message in sqs.receive_message(QueueUrl=url).get("Messages", [])]


def test_programs_get_the_payload_and_people_the_text():
    notice = notification("recovered", repaired(), runbook_url=RUNBOOK)

    messages = build_messages(notice)

    assert messages.keys() == {*PEOPLE, "sms", *PROGRAM_PROTOCOLS}
    assert {messages[protocol] for protocol in PEOPLE} == {notice.text}
    for protocol in PROGRAM_PROTOCOLS:
        assert json.loads(messages[protocol]) == {**notice.payload, "text": notice.text}
    assert messages["sms"] == (
        "RESOLVED orders/db 123456789012 eu-west-1: rolled forward https://example.com/runbook#rolled-forward"
    )


@pytest.mark.parametrize("runbook_url", ["https://example.com/runbook", f"https://example.com/{'r' * 200}"])
@pytest.mark.parametrize("name", ["db", "n" * 512])
def test_a_text_message_fits_into_one_sms(name, runbook_url):
    for notice in (
        notification("opened", incident(secret_name=name), runbook_url=runbook_url),
        notification("held_burst", {}, digest=rate_limited(200), runbook_url=runbook_url),
    ):
        text = build_messages(notice)["sms"]

        assert len(text) <= SMS_LENGTH == 160
        assert text.startswith(notice.subject)
        assert text.endswith(("#opened", "#rate-limited")) or text == notice.subject


def test_sns_accepts_a_notification_and_a_queue_gets_its_payload(aws, topic_arn, queue):
    notice = notification("opened")

    message_id = Topic(topic_arn).publish(notice)

    [published] = aws.requests("Publish")
    assert (published["TopicArn"], published["MessageStructure"]) == (topic_arn, "json")
    assert json.loads(published["Message"]) == build_messages(notice)
    assert published["MessageAttributes"] == build_attributes(notice)
    [received] = queue()
    assert (received["MessageId"], received["Subject"]) == (message_id, notice.subject)
    assert json.loads(received["Message"]) == {**notice.payload, "text": notice.text}


LIMIT = 10
"""Attributes that SNS delivers raw to a queue (https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html)."""


@pytest.mark.parametrize("transition", TRANSITIONS)
@pytest.mark.parametrize("owner", [None, "payments", " ", "\u00e9quipe \u2028 paiements"])
def test_subscriptions_can_filter_by_attributes_and_by_the_same_fields_of_the_body(transition, owner):
    notice = notification(transition, incident(owner=owner, outcome="rolled forward"))

    attributes = build_attributes(notice)

    assert attributes.keys() <= {"severity", "outcome", "owner", "secret"}
    assert {"severity", "secret"} <= attributes.keys()
    assert ("owner" in attributes) is bool(owner)
    assert len(attributes) <= LIMIT
    body = json.loads(build_messages(notice)["sqs"])
    for name, attribute in attributes.items():
        assert attribute["DataType"] == "String"
        # SNS refuses an attribute without a value.
        assert attribute["StringValue"] == body[name] != ""
    assert all(body[name] is None for name in {"outcome", "owner"} - attributes.keys())


def test_a_digest_has_its_secrets_and_owners_as_attributes(aws, topic_arn):
    digest = [{**row, "owner": "payments"} for row in rate_limited(2)]
    notice = notification("held_burst", {}, digest=digest)

    attributes = build_attributes(notice)
    Topic(topic_arn).publish(notice)

    assert attributes["secret"] == {"DataType": "String.Array", "StringValue": '["orders/db-1", "orders/db-2"]'}
    assert attributes["owner"] == {"DataType": "String.Array", "StringValue": '["payments"]'}


@pytest.mark.parametrize(
    ("policy", "is_delivered"),
    [
        ({"severity": ["OUTAGE", "AT RISK"]}, True),
        ({"severity": ["RESOLVED"]}, False),
        ({"secret": [{"prefix": "orders/"}]}, True),
        ({"owner": ["payments"], "severity": [{"anything-but": "INFO"}]}, True),
        ({"owner": ["billing"]}, False),
    ],
)
def test_a_filter_policy_delivers_only_what_it_matches(aws, topic_arn, queue, policy, is_delivered):
    [subscription] = aws.client("sns").list_subscriptions_by_topic(TopicArn=topic_arn)["Subscriptions"]
    aws.client("sns").set_subscription_attributes(
        SubscriptionArn=subscription["SubscriptionArn"],
        AttributeName="FilterPolicy",
        AttributeValue=json.dumps(policy),
    )

    Topic(topic_arn).publish(notification("opened", incident(owner="payments")))

    assert bool(queue()) is is_delivered
