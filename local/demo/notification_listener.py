"""Receives the messages of two topics and of the default bus, through a temporary queue."""

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from ..deploy.deployment import RunningStack
from ..deploy.resources import TABLE, Resource
from .trace import AWS, CRITICAL, REMEDIATION, ROTATION_GUARD, Message

_TOPICS = (REMEDIATION, CRITICAL)


class NotificationListener:
    """The messages that arrive in this queue of a running stack."""

    def __init__(self, stack: RunningStack, queue_url: str) -> None:
        self._sqs, self._queue_url = stack.client("sqs"), queue_url
        self._topics = {stack.output(f"{topic}_topic_arn"): topic for topic in _TOPICS}

    def receive(self, secret_arn: str) -> Iterator[Message]:
        """Yield the messages about this secret that have arrived since the last call; discard all others."""
        while messages := self._sqs.receive_message(
            QueueUrl=self._queue_url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["SentTimestamp"]
        ).get("Messages"):
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages)
            ]
            self._sqs.delete_message_batch(QueueUrl=self._queue_url, Entries=entries)
            yield from (self._parse(message) for message in messages if secret_arn in message["Body"])

    def _parse(self, received: dict[str, Any]) -> Message:
        sent_at, raw = int(received["Attributes"]["SentTimestamp"]) / 1000, received["Body"]
        body = json.loads(raw)
        if topic := self._topics.get(body.get("TopicArn")):
            return Message(sent_at, topic, body.get("Subject") or "", _parse_payload(body["Message"]), raw)
        name = body["detail-type"] if body["source"] == ROTATION_GUARD else body["detail"].get("eventName", "")
        return Message(sent_at, body["source"], name, body["detail"], raw)


def _parse_payload(message: str) -> dict[str, Any]:
    """Return a notification's JSON; empty for the workflow's last-resort notifications, which are plain text."""
    try:
        payload = json.loads(message)
    except ValueError:
        return {}
    return payload if isinstance(payload, dict) else {}


@contextmanager
def listen(stack: RunningStack) -> Generator[NotificationListener]:
    """Listen to a running stack, and remove the queue and its subscriptions afterwards."""
    resources: list[Resource] = []

    def create(token: str, **inputs: Any) -> dict[str, Any]:
        entry = TABLE[token]
        created = entry.create(stack.aws, entry.with_name("drill", inputs))
        resources.append(Resource(token, "drill", created.id, created.outputs))
        return created.outputs

    try:
        queue = create("aws:sqs/queue:Queue")
        create("aws:sqs/queuePolicy:QueuePolicy", queueUrl=queue["url"], policy=_build_queue_policy(queue["arn"]))
        for topic in _TOPICS:
            arn = stack.output(f"{topic}_topic_arn")
            create("aws:sns/topicSubscription:TopicSubscription", topic=arn, protocol="sqs", endpoint=queue["arn"])
        rule = create("aws:cloudwatch/eventRule:EventRule", eventPattern=json.dumps({"source": [ROTATION_GUARD, AWS]}))
        create("aws:cloudwatch/eventTarget:EventTarget", rule=rule["name"], targetId="drill", arn=queue["arn"])
        yield NotificationListener(stack, queue["url"])
    finally:
        while resources:
            resources.pop().delete(stack.aws)


def _build_queue_policy(queue_arn: str) -> str:
    """Build the policy of the queue, without which SNS delivers nothing."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": ["sns.amazonaws.com", "events.amazonaws.com"]},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
