"""Queues: nothing in them is lost, read twice, or read by strangers."""

from collections.abc import Mapping
from typing import Any

from .. import dead_letters, encryption, kinds, policy_documents, trusted_accounts, values
from ..admission import any_of
from ..rule import Complaints, each, rule, stack_rule
from ..stack import Referring, Resource, Stack
from ..trusted_accounts import complain_of_outsiders
from ..values import Undecided

DAY = 86_400
AWS_RETENTION_SECONDS = 4 * DAY
AWS_VISIBILITY_SECONDS = 30
AWS_TIMEOUT_SECONDS = 3
AWS_RECEIVES = 10
MAXIMUM_RECEIVES = 1000
VISIBILITY_FACTOR = 6
KEYLESS_SENDERS = ("events.amazonaws.com", "sns.amazonaws.com", "s3.amazonaws.com")
"""Services that send as themselves and not as a role: the key's policy has to name them."""

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
    if dead_letters.serves(stack, queue):
        return None
    found = "redrivePolicy is absent" if holder is None else "redrivePolicy has no deadLetterTargetArn"
    return (
        f"The queue {queue.name} has no dead letters, so a message that fails is tried until it expires, and lost: "
        f"{found}. Set redrivePolicy to the deadLetterTargetArn of a queue and a maxReceiveCount."
    )


@stack_rule(
    kinds.QUEUE,
    kinds.REDRIVE_POLICY,
    severity="medium",
    enforcement="mandatory",
    link="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html",
    parameters={
        "minReceiveCount": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAXIMUM_RECEIVES,
            "default": 3,
            "description": "How often a message is received at least before it becomes a dead letter.",
        },
        "minReceiveCountOfFunctions": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAXIMUM_RECEIVES,
            "default": 5,
            "description": "The same where a Lambda function reads the queue: its throttling counts as a receive.",
        },
    },
)
def queue_retries_before_dead_letters(
    holder: Resource, stack: Stack, *, min_receive_count: int, min_receive_count_of_functions: int
) -> Complaints:
    """A message is received 3 to 1000 times before it is a dead letter, at least 5 times where a function reads."""
    if not holder.has("redrivePolicy.deadLetterTargetArn"):
        return None
    count = holder.number("redrivePolicy.maxReceiveCount", absent=AWS_RECEIVES)
    most = f"The redrive policy of {holder.name} moves a message to the dead letters after {count} receives"
    if count > MAXIMUM_RECEIVES:
        return f"{most}, which SQS refuses. Set maxReceiveCount to {MAXIMUM_RECEIVES} or less."
    if count < min_receive_count:
        return f"{most}, so a short disturbance is enough. Set maxReceiveCount to {min_receive_count} or more."
    if count < min_receive_count_of_functions:
        queue = holder if holder.type == kinds.QUEUE else stack.target(holder, "queueUrl", kinds.QUEUE)
        if queue is not None and _is_read(stack, queue):
            return (
                f"{most}, and a Lambda function reads the queue, whose throttling counts too. "
                f"Set maxReceiveCount to {min_receive_count_of_functions} or more."
            )
    return None


@rule(
    kinds.QUEUE,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/sqs-basic-architecture.html",
    parameters={
        "minRetentionDays": {
            "type": "number",
            "minimum": 0,
            "maximum": 14,
            "default": 7,
            "description": "Days that a message is kept at least; SQS keeps it 14 at most.",
        }
    },
)
def queue_keeps_messages(queue: Resource, *, min_retention_days: float) -> Complaints:
    """A queue keeps messages at least 7 days: a weekend, and time to mend what does not read them."""
    seconds = queue.number("messageRetentionSeconds", absent=AWS_RETENTION_SECONDS)
    if seconds >= min_retention_days * DAY:
        return None
    found = "is absent, which means 4 days" if not queue.has("messageRetentionSeconds") else f"is {seconds}"
    return (
        f"The queue {queue.name} loses messages that are not read within {_days(seconds)}: messageRetentionSeconds "
        f"{found}. Set it to {round(min_retention_days * DAY)} ({_days(min_retention_days * DAY)}) or more."
    )


@queue_keeps_messages.mends
def keep_messages(queue: Resource, *, min_retention_days: float) -> Mapping[str, Any]:
    """The least retention that is enough."""
    return {"messageRetentionSeconds": round(min_retention_days * DAY)}


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
            f"The dead letters {queue.name} keep a message {_days(kept)}, counted from its first day in {source.name}, "
            f"which keeps it {_days(before)}: it may be gone before anyone looks. Set {advice}."
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


@stack_rule(
    kinds.QUEUE,
    severity="high",
    enforcement="mandatory",
    link="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html",
)
def queue_hides_messages_while_read(queue: Resource, stack: Stack) -> Complaints:
    """A message stays invisible for 6 times the timeout of the function that reads it, and the batching window."""
    visible_after = queue.number("visibilityTimeoutSeconds", absent=AWS_VISIBILITY_SECONDS)

    def long_enough(mapping: Resource) -> Complaints:
        function = _function(stack, mapping)
        if function is None or mapping.flag("enabled", absent=True) is False:
            return None
        timeout = function.number("timeout", absent=AWS_TIMEOUT_SECONDS)
        window = mapping.number("maximumBatchingWindowInSeconds", absent=0)
        needed = VISIBILITY_FACTOR * timeout + window
        if visible_after >= needed:
            return None
        return (
            f"The queue {queue.name} shows a message again after {visible_after} s while {function.name}, whose "
            f"timeout is {timeout} s with a batching window of {window} s, may still work on it or be throttled. "
            f"Set visibilityTimeoutSeconds to {needed} or more."
        )

    yield from each(_readers(stack, queue).certain, long_enough)


@rule(
    kinds.QUEUE,
    severity="medium",
    enforcement="mandatory",
    link=f"{_GUIDE}/sqs-server-side-encryption.html",
)
def queue_is_encrypted(queue: Resource) -> Complaints:
    """A queue is encrypted, by SQS itself unless it has a key: encryption is not switched off."""
    if queue.has("kmsMasterKeyId") or queue.flag("sqsManagedSseEnabled", absent=True):
        return None
    return (
        f"The queue {queue.name} keeps messages unencrypted: sqsManagedSseEnabled is false and kmsMasterKeyId is "
        "absent. Set sqsManagedSseEnabled to true, or kmsMasterKeyId to a key."
    )


@stack_rule(
    kinds.QUEUE,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/sqs-key-management.html",
)
def queue_key_admits_senders(queue: Resource, stack: Stack) -> Complaints:
    """A queue is encrypted with a key that the services which send to it may use."""
    if not queue.has(encryption.PATH):
        return
    key = None if encryption.is_by_aws(queue) else encryption.key(stack, queue)
    if key is None and not encryption.is_by_aws(queue):
        return
    found = None if key is None else encryption.policy(stack, key)
    for service, sender in encryption.senders(stack, queue, "sqs:SendMessage", KEYLESS_SENDERS, _SENDING).items():
        if key is None:
            yield (
                f"The queue {queue.name} cannot take what {service} sends ({sender}): kmsMasterKeyId is "
                f"{queue.value(encryption.PATH)}, whose policy nobody can change. Set sqsManagedSseEnabled to true in "
                f"its place, or kmsMasterKeyId to a key whose policy lets {service} use it."
            )
        elif missing := encryption.missing(found or (), service):
            state = "has no policy of its own" if found is None else "does not name it"
            yield (
                f"The queue {queue.name} cannot take what {service} sends ({sender}): the policy of its key {key.name} "
                f"{state}. Let {service} {' and '.join(missing)} there."
            )


@rule(
    kinds.QUEUE,
    kinds.QUEUE_POLICY,
    severity="critical",
    enforcement="mandatory",
    link=f"{_GUIDE}/sqs-security-best-practices.html",
    parameters=trusted_accounts.PARAMETERS,
)
def queue_policy_is_not_open(
    holder: Resource, *, trusted_accounts: list[str], trusted_organizations: list[str]
) -> Complaints:
    """A queue is not open to the world: what is for everybody is held to a known account or source."""
    found = policy_documents.statements(holder.value("policy"))
    for statement in policy_documents.open_statements(found):
        yield (
            f"The policy of {holder.name} opens the queue to everybody: {statement.name} allows "
            f"{', '.join(statement.actions) or 'all but some actions'} to Principal * without a condition that says "
            "whose. Set a Principal, or a condition on aws:SourceArn, aws:SourceAccount or aws:PrincipalOrgID."
        )
    yield from each(found, lambda one: policy_documents.unmatched_statement(holder, one))
    yield from complain_of_outsiders(holder, found, trusted_accounts, trusted_organizations)


def _days(seconds: float) -> str:
    """A time as people say it."""
    return f"{seconds / DAY:g} days" if seconds >= DAY else f"{seconds:g} s"


def _readable(resource: Resource, path: str) -> bool:
    try:
        return resource.document(path) is not None
    except Undecided:
        return False


def _readers(stack: Stack, queue: Resource) -> Referring:
    """The event source mappings of a queue."""
    return stack.referring(queue, "eventSourceArn", kinds.EVENT_SOURCE_MAPPING)


def _is_read(stack: Stack, queue: Resource) -> bool:
    """Whether a function reads a queue now."""
    found = _readers(stack, queue)
    return found.some() and any_of(found.certain, lambda mapping: mapping.flag("enabled", absent=True))


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


def _function(stack: Stack, mapping: Resource) -> Resource | None:
    """The function that a mapping calls, be it by an alias."""
    found = stack.target(mapping, "functionName", kinds.FUNCTION, kinds.FUNCTION_ALIAS)
    if found is not None and found.type == kinds.FUNCTION_ALIAS:
        return stack.target(found, "functionName", kinds.FUNCTION)
    return found


_SENDING = (
    ("events.amazonaws.com", "arn", kinds.EVENT_TARGET),
    *(("events.amazonaws.com", path, type_) for path, type_ in dead_letters.OF_RULES),
    ("sns.amazonaws.com", "endpoint", kinds.TOPIC_SUBSCRIPTION),
    *(("sns.amazonaws.com", path, type_) for path, type_ in dead_letters.OF_TOPICS),
    ("s3.amazonaws.com", "queues.queueArn", kinds.BUCKET_NOTIFICATION),
)
"""A service that sends, and where what makes it send names the queue."""
