"""Finds dead-letter queues and their sources, by every property that can refer to one."""

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
ALL_USES = (*OF_QUEUES, *OF_TOPICS, *OF_RULES, *OF_SCHEDULES, *OF_FUNCTIONS, *OF_PIPES, *OF_OTHERS)
"""Every property that refers to a dead-letter queue, with its resource type."""


def is_dead_letter_queue(stack: Stack, queue: Resource) -> bool:
    """Whether a queue is used as a dead-letter queue. Raises Undecided where an unknown value may refer to it."""
    uses = [stack.referring(queue, path, type_) for path, type_ in ALL_USES]
    certain = tuple(user for use in uses for user in use.certain)
    return _lists_sources(stack, queue) or Referring(certain, any(use.undecided for use in uses)).some()


def is_named_dead_letter_queue(queue: Resource) -> bool:
    """Whether a queue has the name of a dead-letter queue: orders-dlq, ordersDeadLetterQueue, orders-dead-letters."""
    physical = queue.value("name")
    return any(_has_dead_letter_words(name) for name in (queue.name, physical) if isinstance(name, str))


def _has_dead_letter_words(name: str) -> bool:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name.removesuffix(".fifo"))
    return _NAME.search(re.sub(r"[^a-z0-9]+", " ", spaced.lower())) is not None


def _lists_sources(stack: Stack, queue: Resource) -> bool:
    """Whether its redrive allow policy lists source queues, which may be in another stack."""
    allowed = [queue, *stack.referring(queue, "queueUrl", resource_types.REDRIVE_ALLOW_POLICY).certain]
    for holder in allowed:
        try:
            if holder.text("redriveAllowPolicy.redrivePermission") == "byQueue":
                return True
        except Undecided:
            continue
    return False


def source_queues(stack: Stack, queue: Resource) -> Iterator[Resource]:
    """The known source queues of a dead-letter queue."""
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
    """Find the resource with the redrive policy of a queue: the queue or a RedrivePolicy. None where it has none.

    Raises Undecided where an unknown value may refer to the queue.
    """
    if queue.has("redrivePolicy"):
        return queue
    others = stack.referring(queue, "queueUrl", resource_types.REDRIVE_POLICY)
    return others.certain[0] if others.some() else None


def show_days(seconds: float) -> str:
    """Format a retention period."""
    if seconds < DAY:
        return f"{seconds:g} s"
    return "1 day" if seconds == DAY else f"{seconds / DAY:g} days"
