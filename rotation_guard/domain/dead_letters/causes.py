"""Why messages end in dead-letter queues: the causes that AWS documents, and what to do about each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_RULES = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html"
_SCHEDULES = "https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html"
_BUSES = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-bus-to-bus.html"
_INVOCATIONS = "https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"
_RECORDS = "https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"
_CONCURRENCY = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"
_LOOPS = "https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html"
_QUEUES = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html"
_KEYS = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html"
_SUBSCRIPTIONS = "https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html"

KEY_DENIED = "KMSAccessDenied"
"""An error code of any kind whose message says that a KMS key was refused."""
RECEIVED_TOO_OFTEN = "maxReceiveCount"
"""A consumer failed so often that SQS moved the message; named after the property of the redrive policy."""
NOT_DELIVERED = "DeliveryFailed"
"""SNS gave up on a subscriber, and the message does not say why."""
UNKNOWN = "UNKNOWN"
"""The message does not say why."""

_OTHER_ARN = re.compile(r"arn:[\w-]+:(?!kms:)\S+")
_KEY = re.compile(r"\bKms(?=[A-Z])|\bKMS|\bkms:", re.ASCII)
"""As in KMSAccessDenied, KmsAccessDenied, KMS.DisabledException and "the KMS key"."""
_DENIED = re.compile(
    r"denied|not authori[sz]ed|no permission|disabled|not exist|NotFound|InvalidState|cannot", re.IGNORECASE
)


@dataclass(frozen=True)
class Cause:
    """One reason for which a message was given up."""

    code: str
    """As AWS has it in the message, where it has one."""
    explanation: str
    remedy: str
    source: str
    """The page of AWS that documents it; empty for a cause that AWS does not document."""

    @property
    def is_documented(self) -> bool:
        """Whether AWS documents it."""
        return bool(self.source)


_FIX_PERMISSION = "Restore the permission: `pulumi up` does so if it was removed by hand. Then redrive."
_REDRIVE = "It may have passed: redrive."

CAUSES: Mapping[str, Cause] = {
    cause.code: cause
    for cause in (
        Cause(
            "NO_PERMISSIONS",
            "The target's policy, or the role of the rule, does not allow EventBridge to deliver; it does not retry.",
            _FIX_PERMISSION,
            _RULES,
        ),
        Cause(
            KEY_DENIED,
            "The KMS key of the topic or queue does not allow the sender kms:Decrypt and kms:GenerateDataKey, or it is "
            "disabled or deleted.",
            "Correct the key's policy, or enable the key. Then redrive.",
            _KEYS,
        ),
        Cause(
            "NO_RESOURCE",
            "The target does not exist; EventBridge does not retry.",
            "Create it again by `pulumi up`, and redrive. If it has another ARN now, save the message by discard "
            "--save, and send it there.",
            _RULES,
        ),
        Cause(
            "SDK_CLIENT_ERROR",
            "EventBridge could not call the target, or got no usable response.",
            "Read the error message. Often it has passed: redrive.",
            _RULES,
        ),
        Cause(
            "THROTTLING",
            "The target took no more calls within the target's retry policy.",
            "Ask for a higher quota if this recurs. Once calls pass again, redrive.",
            _RULES,
        ),
        Cause("CONNECTION_FAILURE", "EventBridge could not connect to the target.", _REDRIVE, _RULES),
        Cause("TIMEOUT", "The target did not answer in time.", _REDRIVE, _RULES),
        Cause("INTERNAL_ERROR", "EventBridge, or the service of the target, failed.", _REDRIVE, _RULES),
        Cause(
            "ERROR_FROM_TARGET",
            "The target answered with an error.",
            "Read the error message, correct the target, and redrive.",
            _RULES,
        ),
        Cause(
            "FAILED_TO_ASSUME_ROLE",
            "EventBridge may not assume the role of the target: it is gone, or its trust policy has changed.",
            _FIX_PERMISSION,
            _RULES,
        ),
        Cause(
            "TRANSIENT_ASSUME_ROLE", "EventBridge could not assume the role of the target for a time.", _REDRIVE, _RULES
        ),
        Cause(
            "INVALID_PARAMETER",
            "The target refused the call: a parameter of the target, or the event's size, is not valid.",
            "Correct the target, and redrive. A message that can never be taken is to be saved and discarded.",
            _RULES,
        ),
        Cause(
            "INVALID_JSON",
            "What the input transformer of the target makes of the event is no JSON.",
            "Correct the input transformer, and redrive.",
            _RULES,
        ),
        Cause(
            "EVENTS_IN_BATCH_REQUEST_REJECTED",
            "The target refused the event within a batch.",
            "Read the error message, correct the target, and redrive.",
            _RULES,
        ),
        Cause(
            "CROSS_ACCOUNT_INGESTION_FAILED",
            "The bus of another account, such as a hub's, did not take the event.",
            "Let the hub's bus admit this account; the member's redelivery, or redrive, sends the event again.",
            _RULES,
        ),
        Cause(
            "CROSS_REGION_INGESTION_FAILED",
            "The bus of another Region did not take the event.",
            "Check the policy of that bus. Then redrive.",
            _RULES,
        ),
        Cause(
            "THIRD_ACCOUNT_HOP_DETECTED",
            "The event came from another account's bus, and EventBridge forwards an event once only.",
            "Forward it from its own account to the bus where it is needed. Redriving it helps once.",
            _BUSES,
        ),
        Cause(
            "THIRD_REGION_HOP_DETECTED",
            "The event came from another Region's bus, and EventBridge forwards an event once only.",
            "Forward it from its own Region to the bus where it is needed. Redriving it helps once.",
            _BUSES,
        ),
        Cause(
            "RESOURCE_ALREADY_EXISTS", "The target has this resource already.", "Discard it if it was handled.", _RULES
        ),
        Cause(
            "RESOURCE_LIMIT_EXCEEDED",
            "A quota of the target's service is used up.",
            "Ask for a higher quota, and redrive.",
            _RULES,
        ),
        Cause("RESOURCE_MODIFICATION_COLLISION", "The target was being changed.", _REDRIVE, _RULES),
        Cause(
            UNKNOWN,
            "The sender does not know the cause, or the message does not have it.",
            "Show the message, and read what it says.",
            _RULES,
        ),
        Cause(
            "Unhandled",
            "The function raised an error, timed out or ran out of memory at each attempt.",
            "Read its log at the time of the message, correct it, and redrive.",
            _INVOCATIONS,
        ),
        Cause(
            "Handled",
            "The function returned an error at each attempt.",
            "Read its log at the time of the message, correct it, and redrive.",
            _INVOCATIONS,
        ),
        Cause(
            "RetriesExhausted",
            "The function failed at each attempt.",
            "Read its log at the time of the message, correct it, and redrive.",
            _RECORDS,
        ),
        Cause(
            "EventAgeExceeded",
            "The function was throttled, or Lambda failed, until the event was too old.",
            "See whether the account's concurrency is used up. Once it is not, redrive.",
            _RECORDS,
        ),
        Cause(
            "ZeroReservedConcurrency",
            "The function has a reserved concurrency of 0, with which Lambda runs nothing.",
            "Remove that, by `pulumi up` if it was set by hand, and redrive.",
            _CONCURRENCY,
        ),
        Cause(
            "RecursiveInvocation",
            "Lambda stopped a function that invokes itself.",
            "Set the function's recursive loop configuration to Allow, as the stack does, and redrive.",
            _LOOPS,
        ),
        Cause(
            RECEIVED_TOO_OFTEN,
            "The consumer of the queue failed with it as often as the queue allows.",
            "Read the consumer's log. If it failed for a time, redrive. A message that can never be recorded comes "
            "back within seconds: save and discard it.",
            _QUEUES,
        ),
        Cause(
            NOT_DELIVERED,
            "SNS could not deliver to the subscriber: it is gone, does not admit the topic, or answered with an error "
            "until the retries were used up.",
            "Correct or remove the subscriber; then redrive.",
            _SUBSCRIPTIONS,
        ),
        Cause(
            "AWS.SimpleQueueService.NonExistentQueue",
            "The queue that was to take it does not exist.",
            "Create it again, or remove the subscription or target.",
            _SCHEDULES,
        ),
        Cause(
            "ResourceNotFoundException",
            "The function that was to take it does not exist.",
            "Create it again by `pulumi up`, and redrive.",
            _SCHEDULES,
        ),
        Cause(
            "AccessDeniedException",
            "The role of the schedule may not invoke the target.",
            _FIX_PERMISSION,
            _SCHEDULES,
        ),
    )
}
"""By code."""


def find_cause(code: str) -> Cause:
    """The cause with this code; of one that AWS does not document, the code as it came."""
    return CAUSES.get(code) or Cause(
        code, "AWS does not document this code.", "Show the message, and read its error message.", ""
    )


def classify(code: str, message: str) -> str:
    """The code of the cause: that of the message, unless its text says that a KMS key was refused."""
    # The name of a queue or a topic may contain anything.
    text = _OTHER_ARN.sub("", f"{code} {message}")
    return KEY_DENIED if _KEY.search(text) and _DENIED.search(text) else code
