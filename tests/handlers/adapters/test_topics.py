"""Each subscriber is told in the form of its protocol."""

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
    """A queue that hears the topic; answers what it heard."""
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="machines")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws.client("sns").subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
    return lambda: [json.loads(message["Body"]) for message in sqs.receive_message(QueueUrl=url).get("Messages", [])]


def test_programs_are_told_the_facts_and_people_the_text():
    notice = notification("recovered", repaired(), runbook_url=RUNBOOK)

    said = build_messages(notice)

    assert said.keys() == {*PEOPLE, "sms", *PROGRAM_PROTOCOLS}
    assert {said[protocol] for protocol in PEOPLE} == {notice.text}
    for protocol in PROGRAM_PROTOCOLS:
        assert json.loads(said[protocol]) == {**notice.payload, "text": notice.text}
    assert said["sms"] == (
        "RESOLVED orders/db 123456789012 eu-west-1: rolled forward https://example.com/runbook#rolled-forward"
    )


@pytest.mark.parametrize("runbook_url", ["https://example.com/runbook", f"https://example.com/{'r' * 200}"])
@pytest.mark.parametrize("name", ["db", "n" * 512])
def test_a_text_message_is_one(name, runbook_url):
    for notice in (
        notification("opened", incident(secret_name=name), runbook_url=runbook_url),
        notification("held_burst", {}, digest=rate_limited(200), runbook_url=runbook_url),
    ):
        said = build_messages(notice)["sms"]

        assert len(said) <= SMS_LENGTH == 160
        assert said.startswith(notice.subject)
        assert said.endswith(("#opened", "#rate-limited")) or said == notice.subject


def test_sns_takes_it_and_a_queue_gets_the_facts(aws, topic_arn, queue):
    notice = notification("opened")

    message_id = Topic(topic_arn).publish(notice)

    [published] = aws.asked("Publish")
    assert (published["TopicArn"], published["MessageStructure"]) == (topic_arn, "json")
    assert json.loads(published["Message"]) == build_messages(notice)
    assert published["MessageAttributes"] == build_attributes(notice)
    [heard] = queue()
    assert (heard["MessageId"], heard["Subject"]) == (message_id, notice.subject)
    assert json.loads(heard["Message"]) == {**notice.payload, "text": notice.text}


LIMIT = 10
"""Attributes that SNS delivers raw to a queue (https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html)."""


@pytest.mark.parametrize("turn", TRANSITIONS)
@pytest.mark.parametrize("owner", [None, "payments", " ", "\u00e9quipe \u2028 paiements"])
def test_subscriptions_can_filter_by_attributes_and_by_the_same_fields_of_the_body(turn, owner):
    notice = notification(turn, incident(owner=owner, outcome="rolled forward"))

    given = build_attributes(notice)

    assert given.keys() <= {"severity", "outcome", "owner", "secret"}
    assert {"severity", "secret"} <= given.keys()
    assert ("owner" in given) is bool(owner)
    assert len(given) <= LIMIT
    body = json.loads(build_messages(notice)["sqs"])
    for name, attribute in given.items():
        assert attribute["DataType"] == "String"
        # SNS refuses an attribute without a value.
        assert attribute["StringValue"] == body[name] != ""
    assert all(body[name] is None for name in {"outcome", "owner"} - given.keys())


def test_a_burst_reaches_whoever_filters_by_one_of_its_secrets_or_owners(aws, topic_arn):
    burst = [{**each, "owner": "payments"} for each in rate_limited(2)]
    notice = notification("held_burst", {}, digest=burst)

    given = build_attributes(notice)
    Topic(topic_arn).publish(notice)

    assert given["secret"] == {"DataType": "String.Array", "StringValue": '["orders/db-1", "orders/db-2"]'}
    assert given["owner"] == {"DataType": "String.Array", "StringValue": '["payments"]'}


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
def test_a_filter_on_attributes_lets_through_what_it_names(aws, topic_arn, queue, policy, is_delivered):
    [subscription] = aws.client("sns").list_subscriptions_by_topic(TopicArn=topic_arn)["Subscriptions"]
    aws.client("sns").set_subscription_attributes(
        SubscriptionArn=subscription["SubscriptionArn"],
        AttributeName="FilterPolicy",
        AttributeValue=json.dumps(policy),
    )

    Topic(topic_arn).publish(notification("opened", incident(owner="payments")))

    assert bool(queue()) is is_delivered
