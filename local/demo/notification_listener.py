"""Hears two topics and the default bus, by a queue that lasts for as long as somebody listens."""

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from ..deploy.deployment import RunningStack
from ..deploy.resources import TABLE, Resource
from .trace import AWS, CRITICAL, OURS, REMEDIATION, Message

_TOPICS = (REMEDIATION, CRITICAL)


class Ears:
    """What has come into this queue of a running stack."""

    def __init__(self, stack: RunningStack, queue_url: str) -> None:
        self._sqs, self._queue_url = stack.client("sqs"), queue_url
        self._topics = {stack.output(f"{topic}_topic_arn"): topic for topic in _TOPICS}

    def heard(self, secret_arn: str) -> Iterator[Message]:
        """What has come since it was last asked for, about this secret."""
        while messages := self._sqs.receive_message(
            QueueUrl=self._queue_url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["SentTimestamp"]
        ).get("Messages"):
            entries = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(messages)]
            self._sqs.delete_message_batch(QueueUrl=self._queue_url, Entries=entries)
            yield from (self._message(one) for one in messages if secret_arn in one["Body"])

    def _message(self, received: dict[str, Any]) -> Message:
        at, raw = int(received["Attributes"]["SentTimestamp"]) / 1000, received["Body"]
        body = json.loads(raw)
        if topic := self._topics.get(body.get("TopicArn")):
            return Message(at, topic, body.get("Subject") or "", _twin(body["Message"]), raw)
        name = body["detail-type"] if body["source"] == OURS else body["detail"].get("eventName", "")
        return Message(at, body["source"], name, body["detail"], raw)


def _twin(message: str) -> dict[str, Any]:
    """A notice for machines; empty for what the workflow tells where no function could write one."""
    try:
        twin = json.loads(message)
    except ValueError:
        return {}
    return twin if isinstance(twin, dict) else {}


@contextmanager
def listening(stack: RunningStack) -> Generator[Ears]:
    """Ears on a running stack, and nothing of them left after that."""
    made: list[Resource] = []

    def make(token: str, **inputs: Any) -> dict[str, Any]:
        entry = TABLE[token]
        created = entry.create(stack.aws, entry.with_name("drill", inputs))
        made.append(Resource(token, "drill", created.id, created.outputs))
        return created.outputs

    try:
        queue = make("aws:sqs/queue:Queue")
        make("aws:sqs/queuePolicy:QueuePolicy", queueUrl=queue["url"], policy=_may_be_told(queue["arn"]))
        for topic in _TOPICS:
            arn = stack.output(f"{topic}_topic_arn")
            make("aws:sns/topicSubscription:TopicSubscription", topic=arn, protocol="sqs", endpoint=queue["arn"])
        rule = make("aws:cloudwatch/eventRule:EventRule", eventPattern=json.dumps({"source": [OURS, AWS]}))
        make("aws:cloudwatch/eventTarget:EventTarget", rule=rule["name"], targetId="drill", arn=queue["arn"])
        yield Ears(stack, queue["url"])
    finally:
        while made:
            made.pop().delete(stack.aws)


def _may_be_told(queue_arn: str) -> str:
    """A policy of the queue: without one SNS delivers nothing."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": ["sns.amazonaws.com", "events.amazonaws.com"]},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
