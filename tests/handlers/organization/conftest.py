"""A hub's tables and topics, and messages as Lambda receives them from its queues."""

import json

import pytest

TOPICS = ("remediation", "critical")


@pytest.fixture
def hub(aws, monkeypatch):
    """Creates the hub's tables and topics; each topic has a queue that gets all of its messages."""
    aws.create_tables("hub-incidents", "hub-status", "hub-runs")
    monkeypatch.setenv("INCIDENTS_TABLE_NAME", "hub-incidents")
    monkeypatch.setenv("STATUS_TABLE_NAME", "hub-status")
    monkeypatch.setenv("RUNS_TABLE_NAME", "hub-runs")
    monkeypatch.setenv("RUNBOOK_URL", "https://example.com/runbook")
    for name in TOPICS:
        topic = aws.client("sns").create_topic(Name=name)["TopicArn"]
        url = aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
        attributes = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=attributes["QueueArn"])
        monkeypatch.setenv(f"{name.upper()}_TOPIC_ARN", topic)
    return aws


@pytest.fixture
def inbox(hub):
    """Takes the messages out of a topic's queue."""

    def take(topic):
        sqs = hub.client("sqs")
        url = sqs.get_queue_url(QueueName=topic)["QueueUrl"]
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]

    return take


@pytest.fixture
def to_records():
    """Builds the event with which Lambda hands over messages of a queue."""

    def build(*events):
        return {
            "Records": [
                {
                    "messageId": str(number),
                    "receiptHandle": f"handle-{number}",
                    "body": event if isinstance(event, str) else json.dumps(event),
                    "attributes": {"ApproximateReceiveCount": "1"},
                    "messageAttributes": {},
                    "eventSource": "aws:sqs",
                    "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:records",
                    "awsRegion": "eu-west-1",
                }
                for number, event in enumerate(events)
            ]
        }

    return build
