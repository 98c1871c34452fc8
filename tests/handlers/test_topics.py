"""Each subscriber is told in the form of its protocol."""

import json

import pytest

from handlers.adapters.topics import MACHINES, SMS_LENGTH, Topic, messages
from tests.handlers.turns import held, incident, repaired, told

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
    return lambda: [json.loads(message["Body"]) for message in sqs.receive_message(QueueUrl=url)["Messages"]]


def test_programs_are_told_the_facts_and_people_the_text():
    notice = told("recovered", repaired())

    said = messages(notice)

    assert said.keys() == {*PEOPLE, "sms", *MACHINES}
    assert {said[protocol] for protocol in PEOPLE} == {notice.text}
    for protocol in MACHINES:
        assert json.loads(said[protocol]) == {**notice.facts, "text": notice.text}
    assert said["sms"] == "Rotation rolled forward: orders/db docs/runbook.md#rolled-forward"


@pytest.mark.parametrize("runbook_url", ["", "https://example.com/runbook", f"https://example.com/{'r' * 200}"])
@pytest.mark.parametrize("name", ["db", "n" * 512])
def test_a_text_message_is_one(name, runbook_url):
    for notice in (
        told("opened", incident(secret_name=name), runbook_url=runbook_url),
        told("held_burst", {}, held=held(200), runbook_url=runbook_url),
    ):
        said = messages(notice)["sms"]

        assert len(said) <= SMS_LENGTH == 160
        assert said.startswith(notice.subject)
        assert said.endswith(("#opened", "#held")) or said == notice.subject


def test_sns_takes_it_and_a_queue_gets_the_facts(aws, topic_arn, queue):
    notice = told("opened")

    message_id = Topic(topic_arn).publish(notice)

    [published] = aws.asked("Publish")
    assert (published["TopicArn"], published["MessageStructure"]) == (topic_arn, "json")
    assert json.loads(published["Message"]) == messages(notice)
    [heard] = queue()
    assert (heard["MessageId"], heard["Subject"]) == (message_id, notice.subject)
    assert json.loads(heard["Message"]) == {**notice.facts, "text": notice.text}
