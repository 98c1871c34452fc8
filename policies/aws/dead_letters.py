"""Finds which queues serve as dead letters, and whose: by every property in AWS that names such a queue."""

import re
from collections.abc import Iterator

from ..model import resource_types
from ..model.stack import Referring, Resource, Stack
from ..model.values import Undecided

DAY = 86_400
AWS_RETENTION_SECONDS = 4 * DAY
OF_QUEUES = (
    ("redrivePolicy.deadLetterTargetArn", resource_types.QUEUE),
    ("redrivePolicy.deadLetterTargetArn", resource_types.REDRIVE_POLICY),
)
OF_TOPICS = (("redrivePolicy.deadLetterTargetArn", resource_types.TOPIC_SUBSCRIPTION),)
OF_RULES = (("deadLetterConfig.arn", resource_types.EVENT_TARGET), ("deadLetterConfig.arn", resource_types.EVENT_BUS))
OF_SCHEDULES = (("target.deadLetterConfig.arn", resource_types.SCHEDULE),)
OF_FUNCTIONS = (
    ("destinationConfig.onFailure.destination", resource_types.FUNCTION_INVOKE_CONFIG),
    ("deadLetterConfig.targetArn", resource_types.FUNCTION),
    ("destinationConfig.onFailure.destinationArn", resource_types.EVENT_SOURCE_MAPPING),
)
OF_PIPES = (
    ("sourceParameters.kinesisStreamParameters.deadLetterConfig.arn", resource_types.PIPE),
    ("sourceParameters.dynamodbStreamParameters.deadLetterConfig.arn", resource_types.PIPE),
)
OF_OTHERS = (
    ("errorAction.sqs.queueUrl", "aws:iot/topicRule:TopicRule"),
    ("s3Targets.dlqEventQueueArn", "aws:glue/crawler:Crawler"),
)
_NAME = re.compile(r"\b(dlqs?\d*|dead ?letters?( ?queues?)?|dead queues?)\b")
EVERYWHERE = (*OF_QUEUES, *OF_TOPICS, *OF_RULES, *OF_SCHEDULES, *OF_FUNCTIONS, *OF_PIPES, *OF_OTHERS)
"""Property and resource type, of everything that can have dead letters."""


def is_dead_letter_queue(stack: Stack, queue: Resource) -> bool:
    """Whether this queue is the dead letters of something. Raises Undecided where that may be, and nobody can tell."""
    uses = [stack.referring(queue, path, type_) for path, type_ in EVERYWHERE]
    certain = tuple(user for use in uses for user in use.certain)
    return _declared(stack, queue) or Referring(certain, any(use.undecided for use in uses)).some()


def is_named_dead_letter_queue(queue: Resource) -> bool:
    """Whether a queue is by its name a dead-letter queue: orders-dlq, ordersDeadLetterQueue, orders-dead-letters."""
    physical = queue.value("name")
    return any(_says_dead_letters(name) for name in (queue.name, physical) if isinstance(name, str))


def _says_dead_letters(name: str) -> bool:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name.removesuffix(".fifo"))
    return _NAME.search(re.sub(r"[^a-z0-9]+", " ", spaced.lower())) is not None


def _declared(stack: Stack, queue: Resource) -> bool:
    """Whether it says itself whose dead letters it takes: then its sources may lie in another stack."""
    allowed = [queue, *stack.referring(queue, "queueUrl", resource_types.REDRIVE_ALLOW_POLICY).certain]
    for holder in allowed:
        try:
            if holder.text("redriveAllowPolicy.redrivePermission") == "byQueue":
                return True
        except Undecided:
            continue
    return False


def source_queues(stack: Stack, queue: Resource) -> Iterator[Resource]:
    """The queues whose dead letters this one takes, as far as that is decided."""
    for path, type_ in OF_QUEUES:
        for holder in stack.referring(queue, path, type_).certain:
            source = (
                holder
                if holder.type == resource_types.QUEUE
                else stack.target(holder, "queueUrl", resource_types.QUEUE)
            )
            if source is not None and source is not queue:
                yield source


def find_redrive_holder(stack: Stack, queue: Resource) -> Resource | None:
    """Where the redrive policy of a queue is written: itself or a RedrivePolicy. None where it has none.

    Raises Undecided where one may be there that nobody can see yet.
    """
    if queue.has("redrivePolicy"):
        return queue
    others = stack.referring(queue, "queueUrl", resource_types.REDRIVE_POLICY)
    return others.certain[0] if others.some() else None


def show_days(seconds: float) -> str:
    """A time for which messages are kept, as people say it."""
    if seconds < DAY:
        return f"{seconds:g} s"
    return "1 day" if seconds == DAY else f"{seconds / DAY:g} days"
