"""Queues: nothing in them is lost, read twice, or read by strangers."""

from collections.abc import Mapping
from typing import Any

from .. import dead_letters, encryption, kinds, policy_documents, trusted_accounts
from ..admission import any_of
from ..dead_letters import AWS_RETENTION_SECONDS, DAY, show_days
from ..rule import Complaints, each, rule, stack_rule
from ..stack import Referring, Resource, Stack
from ..trusted_accounts import complain_of_outsiders

AWS_VISIBILITY_SECONDS = 30
AWS_TIMEOUT_SECONDS = 3
AWS_RECEIVES = 10
MAXIMUM_RECEIVES = 1000
VISIBILITY_FACTOR = 6
KEYLESS_SENDERS = ("events.amazonaws.com", "sns.amazonaws.com", "s3.amazonaws.com")
"""Services that send as themselves and not as a role: the key's policy has to name them."""

_GUIDE = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide"


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
        f"The queue {queue.name} loses messages that are not read within {show_days(seconds)}: messageRetentionSeconds "
        f"{found}. Set it to {round(min_retention_days * DAY)} ({show_days(min_retention_days * DAY)}) or more."
    )


@queue_keeps_messages.mends
def keep_messages(queue: Resource, *, min_retention_days: float) -> Mapping[str, Any]:
    """The least retention that is enough."""
    return {"messageRetentionSeconds": round(min_retention_days * DAY)}


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


def _readers(stack: Stack, queue: Resource) -> Referring:
    """The event source mappings of a queue."""
    return stack.referring(queue, "eventSourceArn", kinds.EVENT_SOURCE_MAPPING)


def _is_read(stack: Stack, queue: Resource) -> bool:
    """Whether a function reads a queue now."""
    found = _readers(stack, queue)
    return found.some() and any_of(found.certain, lambda mapping: mapping.flag("enabled", absent=True))


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
