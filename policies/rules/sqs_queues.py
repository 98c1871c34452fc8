"""SQS queues: messages are not lost, processed twice, or open to the public."""

from collections.abc import Mapping
from typing import Any

from ..aws import dead_letters, encryption
from ..aws.dead_letters import AWS_RETENTION_SECONDS, DAY, show_days
from ..aws.iam import policy_documents, trusted_accounts
from ..aws.iam.trusted_accounts import check_trusted_accounts
from ..model import resource_types
from ..model.finding import Complaints, Finding
from ..model.rule import check_each, rule, stack_rule
from ..model.stack import Referring, Resource, Stack
from ..model.values import any_of

AWS_VISIBILITY_SECONDS = 30
AWS_TIMEOUT_SECONDS = 3
AWS_RECEIVES = 10
MAXIMUM_RECEIVES = 1000
VISIBILITY_FACTOR = 6
DEFAULT_RETENTION_DAYS = 7
SERVICE_SENDERS = ("events.amazonaws.com", "sns.amazonaws.com", "s3.amazonaws.com")
"""Services that send as service principals, not with a role, and so must be in the key's policy."""

_GUIDE = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide"


@stack_rule(
    resource_types.QUEUE,
    resource_types.REDRIVE_POLICY,
    severity="medium",
    enforcement="mandatory",
    link="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html",
    parameters={
        "minReceiveCount": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAXIMUM_RECEIVES,
            "default": 3,
            "description": "Least maxReceiveCount of a redrive policy.",
        },
        "minReceiveCountOfFunctions": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAXIMUM_RECEIVES,
            "default": 5,
            "description": "The same if a Lambda function reads the queue: a throttled invocation counts as a receive.",
        },
    },
)
def queue_retries_before_dead_letters(
    holder: Resource, stack: Stack, *, min_receive_count: int, min_receive_count_of_functions: int
) -> Complaints:
    """A message is received 3 to 1000 times before it is moved to the dead-letter queue, or 5 if a function reads it.

    Set maxReceiveCount to at least 5.
    """
    if not holder.has("redrivePolicy.deadLetterTargetArn"):
        return None
    count = holder.number("redrivePolicy.maxReceiveCount", absent=AWS_RECEIVES)
    receives = "1 receive" if count == 1 else f"{count} receives"
    problem = f"The redrive policy of {holder.name} moves a message to the dead-letter queue after {receives}"
    if count > MAXIMUM_RECEIVES:
        return Finding(f"{problem}, which SQS rejects.", f"Set maxReceiveCount to {MAXIMUM_RECEIVES} or less.")
    if count < min_receive_count:
        return Finding(
            f"{problem}, so a brief disruption is enough.",
            f"Set maxReceiveCount to {min_receive_count} or more.",
            is_advisory=True,
        )
    if count < min_receive_count_of_functions:
        queue = (
            holder if holder.type == resource_types.QUEUE else stack.target(holder, "queueUrl", resource_types.QUEUE)
        )
        if queue is not None and _is_read(stack, queue):
            return Finding(
                f"{problem}, and a Lambda function reads the queue, whose throttled invocations count as well.",
                f"Set maxReceiveCount to {min_receive_count_of_functions} or more.",
                is_advisory=True,
            )
    return None


@rule(
    resource_types.QUEUE,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/sqs-basic-architecture.html",
    parameters={
        "minRetentionDays": {
            "type": "number",
            "minimum": 0,
            "maximum": 14,
            "default": DEFAULT_RETENTION_DAYS,
            "description": "Least retention period in days; the maximum of SQS is 14.",
        }
    },
)
def queue_keeps_messages(queue: Resource, *, min_retention_days: float) -> Complaints:
    """A queue keeps messages at least 7 days: a weekend, and time to repair their consumer.

    Set messageRetentionSeconds to at least 604800.
    """
    seconds = queue.number("messageRetentionSeconds", absent=AWS_RETENTION_SECONDS)
    if seconds >= min_retention_days * DAY:
        return None
    is_set = queue.has("messageRetentionSeconds")
    state = f"is {seconds}" if is_set else "is absent, which means 4 days"
    return Finding(
        f"The queue {queue.name} loses messages that are not read within {show_days(seconds)}: messageRetentionSeconds "
        f"{state}.",
        f"Set messageRetentionSeconds to {round(min_retention_days * DAY)} ({show_days(min_retention_days * DAY)}) or "
        "more.",
        # A retention that is set is a choice, unless a minimum is configured.
        is_advisory=is_set and min_retention_days == DEFAULT_RETENTION_DAYS,
    )


@queue_keeps_messages.remediates
def set_retention(queue: Resource, *, min_retention_days: float) -> Mapping[str, Any]:
    """Set the minimum retention."""
    return {"messageRetentionSeconds": round(min_retention_days * DAY)}


@stack_rule(
    resource_types.QUEUE,
    severity="high",
    enforcement="mandatory",
    link="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html",
)
def queue_hides_messages_while_read(queue: Resource, stack: Stack) -> Complaints:
    """A queue's visibility timeout is at least 6 times the timeout of its function, plus the batching window.

    Set visibilityTimeoutSeconds to that.
    """
    visible_after = queue.number("visibilityTimeoutSeconds", absent=AWS_VISIBILITY_SECONDS)

    def check(mapping: Resource) -> Complaints:
        function = _function(stack, mapping)
        if function is None or mapping.flag("enabled", absent=True) is False:
            return None
        timeout = function.number("timeout", absent=AWS_TIMEOUT_SECONDS)
        window = mapping.number("maximumBatchingWindowInSeconds", absent=0)
        needed = VISIBILITY_FACTOR * timeout + window
        if visible_after >= needed:
            return None
        return Finding(
            f"The queue {queue.name} makes a message visible again after {visible_after} s, while the function "
            f"{function.name}, with a timeout of {timeout} s and a batching window of {window} s, may still be "
            "processing it or be throttled.",
            f"Set visibilityTimeoutSeconds to {needed} or more.",
            # Lambda rejects a visibility timeout that is shorter than the function's timeout.
            is_advisory=visible_after >= timeout,
        )

    yield from check_each(_readers(stack, queue).certain, check)


@rule(
    resource_types.QUEUE,
    severity="medium",
    enforcement="advisory",
    link=f"{_GUIDE}/sqs-server-side-encryption.html",
)
def queue_is_encrypted(queue: Resource) -> Complaints:
    """A queue is encrypted, by SQS itself or with a KMS key.

    Set sqsManagedSseEnabled to true, or kmsMasterKeyId to a key.
    """
    if queue.has("kmsMasterKeyId") or queue.flag("sqsManagedSseEnabled", absent=True):
        return None
    return Finding(
        f"The queue {queue.name} stores messages unencrypted: sqsManagedSseEnabled is false and kmsMasterKeyId is "
        "absent.",
        "Set sqsManagedSseEnabled to true, or kmsMasterKeyId to a key.",
    )


@stack_rule(
    resource_types.QUEUE,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/sqs-key-management.html",
)
def queue_key_admits_senders(queue: Resource, stack: Stack) -> Complaints:
    """The services that send to a queue may use its key.

    Allow kms:Decrypt and kms:GenerateDataKey to them in the key's policy, or set sqsManagedSseEnabled to true.
    """
    if not queue.has(encryption.PATH):
        return
    key = None if encryption.is_aws_managed(queue) else encryption.find_key(stack, queue)
    if key is None and not encryption.is_aws_managed(queue):
        return
    key_policy = None if key is None else encryption.key_policy(stack, key)
    for service, sender in encryption.find_senders(stack, queue, "sqs:SendMessage", SERVICE_SENDERS, _SENDING).items():
        if key is None:
            yield Finding(
                f"The queue {queue.name} cannot receive messages from {service} ({sender}): kmsMasterKeyId is "
                f"{queue.value(encryption.PATH)}, whose policy cannot be changed.",
                "Set sqsManagedSseEnabled to true instead, or kmsMasterKeyId to a key whose policy allows "
                f"{service} to use it.",
            )
        elif missing := encryption.missing_key_actions(key_policy or (), service):
            state = "is the default, which names no service" if key_policy is None else "does not allow it"
            yield Finding(
                f"The queue {queue.name} cannot receive messages from {service} ({sender}): the policy of its key "
                f"{key.name} {state}.",
                f"Allow {' and '.join(missing)} to {service} in the key policy.",
            )


@rule(
    resource_types.QUEUE,
    resource_types.QUEUE_POLICY,
    severity="critical",
    enforcement="mandatory",
    link=f"{_GUIDE}/sqs-security-best-practices.html",
    parameters=trusted_accounts.PARAMETERS,
)
def queue_policy_is_not_open(
    holder: Resource, *, trusted_accounts: list[str], trusted_organizations: list[str]
) -> Complaints:
    """A queue policy grants no public access: Principal * needs a condition on a specific account or source.

    Set Principal to specific accounts, roles or services, or add a condition on aws:SourceArn or aws:PrincipalOrgID.
    """
    statements = policy_documents.statements(holder.value("policy"))
    for statement in policy_documents.public_statements(statements):
        yield Finding(
            f"The policy of {holder.name} makes the queue public: {statement.name} allows "
            f"{statement.actions_text} to Principal * with no condition that limits "
            "who may call.",
            "Set a Principal, or a condition on aws:SourceArn, aws:SourceAccount or aws:PrincipalOrgID.",
            about=statement.identify(holder),
        )
    yield from check_each(statements, lambda statement: policy_documents.unmatched_statement(holder, statement))
    yield from check_trusted_accounts(holder, statements, trusted_accounts, trusted_organizations)


def _readers(stack: Stack, queue: Resource) -> Referring:
    """The event source mappings of a queue."""
    return stack.referring(queue, "eventSourceArn", resource_types.EVENT_SOURCE_MAPPING)


def _is_read(stack: Stack, queue: Resource) -> bool:
    """Whether an enabled event source mapping reads a queue."""
    readers = _readers(stack, queue)
    return readers.some() and any_of(readers.certain, lambda mapping: mapping.flag("enabled", absent=True))


def _function(stack: Stack, mapping: Resource) -> Resource | None:
    """The function of an event source mapping, also by an alias."""
    referred = stack.target(mapping, "functionName", resource_types.FUNCTION, resource_types.FUNCTION_ALIAS)
    if referred is not None and referred.type == resource_types.FUNCTION_ALIAS:
        return stack.target(referred, "functionName", resource_types.FUNCTION)
    return referred


_SENDING = (
    ("events.amazonaws.com", "arn", resource_types.EVENT_TARGET),
    *(("events.amazonaws.com", path, type_) for path, type_ in dead_letters.OF_RULES),
    ("sns.amazonaws.com", "endpoint", resource_types.TOPIC_SUBSCRIPTION),
    *(("sns.amazonaws.com", path, type_) for path, type_ in dead_letters.OF_TOPICS),
    ("s3.amazonaws.com", "queues.queueArn", resource_types.BUCKET_NOTIFICATION),
)
"""Sending services, each with the property and type of the resource that refers to the queue."""
