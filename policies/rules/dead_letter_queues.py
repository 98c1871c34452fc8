"""Dead-letter queues: messages that fail get there, stay long enough, and somebody hears of them."""

from typing import Any

from .. import admission, arns, dead_letters, delivery, kinds, values
from ..admission import any_of
from ..dead_letters import AWS_RETENTION_SECONDS, DAY, show_days
from ..rule import Complaints, each, stack_rule
from ..stack import Resource, Stack
from ..values import Undecided

_VISIBLE_MESSAGES = "ApproximateNumberOfMessagesVisible"
_QUERIED = "metricQueries.metric.dimensions.QueueName"
_NATIVE_ALARM = "aws-native:cloudwatch:Alarm"
_SILENCING = (
    ("metricQueries.expression", kinds.METRIC_ALARM),
    ("dimensions.value", _NATIVE_ALARM),
    ("metrics.metricStat.metric.dimensions.value", _NATIVE_ALARM),
)
"""Where an alarm may name a queue that no rule can judge: in a query whose text is not known yet, or as an alarm of
Pulumi's other provider."""

_GUIDE = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide"


@stack_rule(
    kinds.QUEUE,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/sqs-dead-letter-queues.html",
)
def queue_has_dead_letters(queue: Resource, stack: Stack) -> Complaints:
    """A queue has dead letters, unless it serves as such itself."""
    holder = dead_letters.redrive(stack, queue)
    if holder is not None and (
        not _readable(holder, "redrivePolicy") or holder.has("redrivePolicy.deadLetterTargetArn")
    ):
        return None
    # One that nothing names is a mistake of another kind.
    if dead_letters.serves(stack, queue) or dead_letters.is_named_so(queue):
        return None
    found = "redrivePolicy is absent" if holder is None else "redrivePolicy has no deadLetterTargetArn"
    return (
        f"The queue {queue.name} has no dead letters, so a message that fails is tried until it expires, and lost: "
        f"{found}. Set redrivePolicy to the deadLetterTargetArn of a queue and a maxReceiveCount."
    )


@stack_rule(
    kinds.QUEUE,
    severity="medium",
    enforcement="advisory",
    link=f"{_GUIDE}/sqs-configure-dead-letter-queue.html",
)
def dead_letter_queue_is_used(queue: Resource, stack: Stack) -> Complaints:
    """A queue that is named a dead-letter queue is one: something in the stack sends its failures there."""
    if not dead_letters.is_named_so(queue) or dead_letters.serves(stack, queue):
        return None
    if dead_letters.redrive(stack, queue) is not None:
        return None
    return (
        f"The queue {queue.name} is a dead-letter queue by its name, and nothing in this stack uses it: no queue, "
        "target, subscription, schedule, function or pipe names it. Set it as their dead-letter queue, or set its "
        "redriveAllowPolicy to byQueue if its sources are in another stack."
    )


@stack_rule(
    kinds.QUEUE,
    kinds.REDRIVE_POLICY,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/sqs-dead-letter-queues.html",
)
def queue_dead_letters_are_reachable(holder: Resource, stack: Stack) -> Complaints:
    """A queue's dead-letter queue is of its kind, in its account and Region, and takes messages from it."""
    path = "redrivePolicy.deadLetterTargetArn"
    if not holder.has(path):
        return
    queue = holder if holder.type == kinds.QUEUE else stack.target(holder, "queueUrl", kinds.QUEUE)
    target = stack.target(holder, path, kinds.QUEUE)
    arn = admission.known_arn(target) or _text(holder, path)
    if queue is None:
        return

    def judge(check: Any) -> Complaints:
        obstacle = check()
        where = "" if holder is queue else f", by {holder.name}"
        return obstacle and f"Messages that fail in the queue {queue.name} have nowhere to go{where}: {obstacle}"

    yield from each(
        (
            lambda: _of_another_kind(queue, target, arn),
            lambda: _elsewhere(admission.known_arn(queue), arn),
            lambda: _turns_away(stack, queue, target) if target else None,
        ),
        judge,
    )


@stack_rule(
    kinds.QUEUE,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/setting-up-dead-letter-queue-retention.html",
)
def dead_letters_outlive_their_sources(queue: Resource, stack: Stack) -> Complaints:
    """Dead letters are kept longer than in every queue that they come from: their age counts from their first day."""
    kept = queue.number("messageRetentionSeconds", absent=AWS_RETENTION_SECONDS)

    def outlived(source: Resource) -> Complaints:
        before = source.number("messageRetentionSeconds", absent=AWS_RETENTION_SECONDS)
        # In a FIFO queue the clock starts anew when a message becomes a dead letter.
        if kept > before or source.flag("fifoQueue", absent=False):
            return None
        advice = "messageRetentionSeconds of the dead letters to more than that"
        if before >= 14 * DAY:
            advice = f"messageRetentionSeconds of {source.name} to less than 1209600, which is the most there is"
        return (
            f"The dead letters {queue.name} keep a message {show_days(kept)}, counted from its first day in "
            f"{source.name}, which keeps it {show_days(before)}: it may be gone before anyone looks. Set {advice}."
        )

    yield from each(dict.fromkeys(dead_letters.sources(stack, queue)), outlived)


@stack_rule(
    kinds.QUEUE,
    severity="medium",
    enforcement="advisory",
    link=f"{_GUIDE}/dead-letter-queues-alarms-cloudwatch.html",
)
def dead_letters_have_an_alarm(queue: Resource, stack: Stack) -> Complaints:
    """A queue that takes dead letters has an alarm on the messages that are visible in it."""
    if not dead_letters.serves(stack, queue) or stack.once(_is_counted_by_query):
        return None
    if any(one.certain or one.undecided for one in (stack.referring(queue, *where) for where in _SILENCING)):
        return None
    found = [stack.referring(queue, path, kinds.METRIC_ALARM) for path in ("dimensions.QueueName", _QUERIED)]
    alarms = dict.fromkeys(alarm for referring in found for alarm in referring.certain)
    if any_of(alarms, lambda alarm: _watches_messages(alarm, queue)) or any(one.undecided for one in found):
        return None
    return (
        f"Nobody hears of the dead letters in {queue.name} before they expire: no alarm watches "
        f"{_VISIBLE_MESSAGES} of AWS/SQS with this queue as its QueueName. Add one that rings from 1 on."
    )


def _text(holder: Resource, path: str) -> str | None:
    try:
        return holder.text(path)
    except Undecided:
        return None


def _of_another_kind(queue: Resource, target: Resource | None, arn: str | None) -> str | None:
    """Why a dead-letter queue is not FIFO or standard as its source is."""
    if target is None and arn is None:
        return None
    fifo = delivery.is_fifo(target) if target is not None else str(arn).endswith(".fifo")
    if fifo == delivery.is_fifo(queue):
        return None
    name = target.name if target is not None else arn
    wanted = "standard" if fifo else "FIFO"
    return f"{name} is {'a FIFO' if fifo else 'a standard'} queue. Set deadLetterTargetArn to a {wanted} one."


def _elsewhere(source: str | None, target: str | None) -> str | None:
    """Why a dead-letter queue is in another Region or account than its source."""
    here, there = arns.parts(source or ""), arns.parts(target or "")
    if here is None or there is None or here[2:4] == there[2:4]:
        return None
    return f"{target} is not in the Region and account of the queue, which are {here[2]} and {here[3]}. Set one there."


def _turns_away(stack: Stack, queue: Resource, target: Resource) -> str | None:
    """Why a dead-letter queue takes no messages from this queue, by its redrive allow policy."""
    holder = target
    if not target.has("redriveAllowPolicy"):
        others = stack.referring(target, "queueUrl", kinds.REDRIVE_ALLOW_POLICY)
        if not others.some():
            return None
        holder = others.certain[0]
    permission = holder.text("redriveAllowPolicy.redrivePermission")
    if permission == "denyAll":
        return f"the redriveAllowPolicy of {target.name} is denyAll. Set it to byQueue and name {queue.name}."
    if permission != "byQueue":
        return None
    listed = holder.items("redriveAllowPolicy.sourceQueueArns")
    own = admission.known_arn(queue)
    if any(isinstance(one, values.Mark) for one in listed) or own is None or own in listed:
        return None
    return f"the redriveAllowPolicy of {target.name} does not name {queue.name}. Add its ARN to sourceQueueArns."


def _readable(resource: Resource, path: str) -> bool:
    try:
        return resource.document(path) is not None
    except Undecided:
        return False


def _watches_messages(alarm: Resource, queue: Resource) -> bool:
    """Whether the alarm watches the messages of this queue, by its one metric or by one of its queries."""
    if alarm.has("metricName"):
        is_count = alarm.text("metricName") == _VISIBLE_MESSAGES and alarm.text("namespace") == "AWS/SQS"
        # The ARN and the URL refer to the queue as well, but CloudWatch knows it by its name alone.
        return is_count and alarm.text("dimensions.QueueName") == queue.text("name")
    return any_of(alarm.items("metricQueries"), lambda query: _asks_for_messages(query, queue))


def _asks_for_messages(query: Any, queue: Resource) -> bool:
    metric = values.at(query, "metric")
    if metric is None or values.text(values.at(metric, "metricName")) != _VISIBLE_MESSAGES:
        return False
    is_sqs = values.text(values.at(metric, "namespace")) == "AWS/SQS"
    return is_sqs and values.text(values.at(metric, "dimensions.QueueName")) == queue.text("name")


def _is_counted_by_query(stack: Stack) -> bool:
    """Whether an alarm selects queues by a query of Metrics Insights: which ones those are only CloudWatch can say."""
    expressions = (
        text
        for alarm in stack.of_type(kinds.METRIC_ALARM)
        for text in values.every(alarm.props, "metricQueries.expression")
    )
    return any(isinstance(text, str) and _VISIBLE_MESSAGES in text for text in expressions)
