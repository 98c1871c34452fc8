"""Dead-letter queues: failed messages arrive there, are kept long enough, and raise an alarm."""

from collections.abc import Callable
from typing import Any

from ..aws import arns, dead_letters, delivery
from ..aws.dead_letters import AWS_RETENTION_SECONDS, DAY, show_days
from ..aws.iam import resource_access
from ..model import resource_types, values
from ..model.finding import Complaints, Finding
from ..model.rule import check_each, stack_rule
from ..model.stack import Resource, Stack
from ..model.values import Undecided, any_of

_METRIC = "ApproximateNumberOfMessagesVisible"
_QUERY_PATH = "metricQueries.metric.dimensions.QueueName"
_NATIVE_ALARM = "aws-native:cloudwatch:Alarm"
_UNSUPPORTED_ALARMS = (
    ("metricQueries.expression", resource_types.METRIC_ALARM),
    ("dimensions.value", _NATIVE_ALARM),
    ("metrics.metricStat.metric.dimensions.value", _NATIVE_ALARM),
)
"""Alarms that may refer to a queue and cannot be evaluated: with an unknown expression, or of aws-native."""

_GUIDE = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide"


@stack_rule(
    resource_types.QUEUE,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/sqs-dead-letter-queues.html",
)
def queue_has_dead_letters(queue: Resource, stack: Stack) -> Complaints:
    """A queue has a dead-letter queue, unless it is one itself.

    Set redrivePolicy to the deadLetterTargetArn of another queue and a maxReceiveCount.
    """
    holder = dead_letters.find_redrive_holder(stack, queue)
    if holder is not None and (
        not _readable(holder, "redrivePolicy") or holder.has("redrivePolicy.deadLetterTargetArn")
    ):
        return None
    # dead-letter-queue-is-used reports an unused one.
    if dead_letters.is_dead_letter_queue(stack, queue) or dead_letters.is_named_dead_letter_queue(queue):
        return None
    state = "redrivePolicy is absent" if holder is None else "redrivePolicy has no deadLetterTargetArn"
    return Finding(
        f"The queue {queue.name} has no dead-letter queue, so a message that keeps failing is lost when it expires: "
        f"{state}.",
        "Set redrivePolicy to the deadLetterTargetArn of another queue and a maxReceiveCount.",
    )


@stack_rule(
    resource_types.QUEUE,
    severity="medium",
    enforcement="advisory",
    link=f"{_GUIDE}/sqs-configure-dead-letter-queue.html",
)
def dead_letter_queue_is_used(queue: Resource, stack: Stack) -> Complaints:
    """A queue that is named as a dead-letter queue is used as one by something in the stack.

    Set it as the dead-letter queue of its sources, or set redriveAllowPolicy to byQueue if they are in another stack.
    """
    if not dead_letters.is_named_dead_letter_queue(queue) or dead_letters.is_dead_letter_queue(stack, queue):
        return None
    if dead_letters.find_redrive_holder(stack, queue) is not None:
        return None
    return Finding(
        f"The queue {queue.name} is named as a dead-letter queue, but nothing in this stack uses it as one: no queue, "
        "target, subscription, schedule, function or pipe refers to it.",
        f"Set {queue.name} as the dead-letter queue of its sources, or set its redriveAllowPolicy to byQueue if they "
        "are in another stack.",
    )


@stack_rule(
    resource_types.QUEUE,
    resource_types.REDRIVE_POLICY,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/sqs-dead-letter-queues.html",
)
def queue_dead_letters_are_reachable(holder: Resource, stack: Stack) -> Complaints:
    """A queue's dead-letter queue is of the same kind, account and Region, and its redrive allow policy admits it.

    Set deadLetterTargetArn to such a queue, and name the source in its redriveAllowPolicy.
    """
    path = "redrivePolicy.deadLetterTargetArn"
    if not holder.has(path):
        return
    queue = holder if holder.type == resource_types.QUEUE else stack.target(holder, "queueUrl", resource_types.QUEUE)
    target = stack.target(holder, path, resource_types.QUEUE)
    arn = resource_access.known_arn(target) or _text(holder, path)
    if queue is None:
        return

    def check(part: Callable[[], Finding | None]) -> Complaints:
        obstacle = part()
        where = "" if holder is queue else f" by {holder.name}"
        return obstacle and obstacle.prefix(
            f"Failed messages of the queue {queue.name} cannot be moved to a dead-letter queue{where}: "
        )

    yield from check_each(
        (
            lambda: _check_type(queue, target, arn),
            lambda: _check_location(resource_access.known_arn(queue), arn),
            lambda: _check_redrive_allow_policy(stack, queue, target) if target else None,
        ),
        check,
    )


@stack_rule(
    resource_types.QUEUE,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/setting-up-dead-letter-queue-retention.html",
)
def dead_letters_outlive_their_sources(queue: Resource, stack: Stack) -> Complaints:
    """A dead-letter queue keeps messages longer than its source queues, since the age of a message is kept.

    Set the dead-letter queue's messageRetentionSeconds to 1209600, which is 14 days.
    """
    kept = queue.number("messageRetentionSeconds", absent=AWS_RETENTION_SECONDS)

    def check(source: Resource) -> Complaints:
        before = source.number("messageRetentionSeconds", absent=AWS_RETENTION_SECONDS)
        # A FIFO queue resets the age when a message becomes a dead letter.
        if kept > before or source.flag("fifoQueue", absent=False):
            return None
        advice = f"messageRetentionSeconds of {queue.name} to more than that, for example to 1209600"
        if before >= 14 * DAY:
            advice = f"messageRetentionSeconds of {source.name} to less than 1209600, the maximum"
        return Finding(
            f"The dead-letter queue {queue.name} may delete a failed message as soon as it arrives: it keeps messages "
            f"{show_days(kept)}, counted from when they were sent to {source.name}, which keeps them "
            f"{show_days(before)}.",
            f"Set {advice}.",
        )

    yield from check_each(dict.fromkeys(dead_letters.source_queues(stack, queue)), check)


@stack_rule(
    resource_types.QUEUE,
    severity="medium",
    enforcement="advisory",
    link=f"{_GUIDE}/dead-letter-queues-alarms-cloudwatch.html",
)
def dead_letters_have_an_alarm(queue: Resource, stack: Stack) -> Complaints:
    """A dead-letter queue has an alarm on its visible messages.

    Add an alarm on ApproximateNumberOfMessagesVisible of AWS/SQS with the queue's name as QueueName and threshold 1.
    """
    if not dead_letters.is_dead_letter_queue(stack, queue) or stack.memoize(_has_insights_query):
        return None
    if any(
        referring.certain or referring.undecided
        for referring in (stack.referring(queue, *where) for where in _UNSUPPORTED_ALARMS)
    ):
        return None
    watchers = [
        stack.referring(queue, path, resource_types.METRIC_ALARM) for path in ("dimensions.QueueName", _QUERY_PATH)
    ]
    alarms = dict.fromkeys(alarm for referring in watchers for alarm in referring.certain)
    if any_of(alarms, lambda alarm: _watches_messages(alarm, queue)) or any(
        referring.undecided for referring in watchers
    ):
        return None
    return Finding(
        f"No alarm reports messages in the dead-letter queue {queue.name}: none watches {_METRIC} of AWS/SQS "
        "with this queue as QueueName.",
        f"Add an alarm on {_METRIC} of {queue.name} with the threshold 1.",
    )


def _text(holder: Resource, path: str) -> str | None:
    try:
        return holder.text(path)
    except Undecided:
        return None


def _check_type(queue: Resource, target: Resource | None, arn: str | None) -> Finding | None:
    """Check that a dead-letter queue is a queue, and FIFO or standard like its source."""
    if target is None and arn is None:
        return None
    parts = arns.parse(arn or "")
    if parts and parts.service != "sqs":
        return Finding(f"{arn} is not a queue.", "Set deadLetterTargetArn to the ARN of a queue.")
    fifo = delivery.is_fifo(target) if target is not None else str(arn).endswith(".fifo")
    if fifo == delivery.is_fifo(queue):
        return None
    name = target.name if target is not None else arn
    wanted = "standard" if fifo else "FIFO"
    return Finding(
        f"{name} is a {'FIFO' if fifo else 'standard'} queue, and the source is not.",
        f"Set deadLetterTargetArn to a {wanted} queue.",
    )


def _check_location(source: str | None, target: str | None) -> Finding | None:
    """Check that a dead-letter queue is in the Region and account of its source."""
    here, there = arns.parse(source or ""), arns.parse(target or "")
    if here is None or there is None or (here.region, here.account) == (there.region, there.account):
        return None
    return Finding(
        f"{target} is not in the queue's Region and account, which are {here.region} and {here.account}.",
        "Set deadLetterTargetArn to a queue there.",
    )


def _check_redrive_allow_policy(stack: Stack, queue: Resource, target: Resource) -> Finding | None:
    """Check that the redrive allow policy of a dead-letter queue allows this queue."""
    holder = target
    if not target.has("redriveAllowPolicy"):
        others = stack.referring(target, "queueUrl", resource_types.REDRIVE_ALLOW_POLICY)
        if not others.some():
            return None
        holder = others.certain[0]
    permission = holder.text("redriveAllowPolicy.redrivePermission")
    if permission == "denyAll":
        return Finding(
            f"the redriveAllowPolicy of {target.name} is denyAll.",
            f"Set redrivePermission to byQueue, with the ARN of {queue.name} in sourceQueueArns.",
        )
    if permission != "byQueue":
        return None
    listed = holder.items("redriveAllowPolicy.sourceQueueArns")
    own = resource_access.known_arn(queue)
    if any(isinstance(source, values.Mark) for source in listed) or own is None or own in listed:
        return None
    return Finding(
        f"the redriveAllowPolicy of {target.name} does not name {queue.name}.", "Add its ARN to sourceQueueArns."
    )


def _readable(resource: Resource, path: str) -> bool:
    try:
        return resource.document(path) is not None
    except Undecided:
        return False


def _watches_messages(alarm: Resource, queue: Resource) -> bool:
    """Whether an alarm watches the visible messages of this queue, by its metric or a query."""
    if alarm.has("metricName"):
        is_count = alarm.text("metricName") == _METRIC and alarm.text("namespace") == "AWS/SQS"
        # The ARN and the URL refer to the queue too, but the dimension must be its name.
        return is_count and alarm.text("dimensions.QueueName") == queue.text("name")
    return any_of(alarm.items("metricQueries"), lambda query: _queries_messages(query, queue))


def _queries_messages(query: Any, queue: Resource) -> bool:
    metric = values.get_path(query, "metric")
    if metric is None or values.text(values.get_path(metric, "metricName")) != _METRIC:
        return False
    is_sqs = values.text(values.get_path(metric, "namespace")) == "AWS/SQS"
    return is_sqs and values.text(values.get_path(metric, "dimensions.QueueName")) == queue.text("name")


def _has_insights_query(stack: Stack) -> bool:
    """Whether an alarm selects queues by a Metrics Insights query, which cannot be evaluated here."""
    expressions = (
        text
        for alarm in stack.of_type(resource_types.METRIC_ALARM)
        for text in values.get_all(alarm.props, "metricQueries.expression")
    )
    return any(isinstance(text, str) and _METRIC in text for text in expressions)
