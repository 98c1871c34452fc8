"""Lambda invocations: failed asynchronous ones are kept, and queues are read completely."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..aws import arns, outside_targets
from ..aws.iam import resource_access, role_permissions
from ..model import resource_types, values
from ..model.finding import Complaints, Finding
from ..model.rule import check_each, stack_rule
from ..model.stack import Resource, Stack
from ..model.values import Mark, Undecided

DESTINATION = "destinationConfig.onFailure.destination"
DEAD_LETTERS = "deadLetterConfig.targetArn"
LATEST = "$LATEST"
REPORT = "ReportBatchItemFailures"
_ASYNCHRONOUS_SERVICES = re.compile(
    r"(events|sns|s3|ses|iot|config|codecommit|logs|logs\.[a-z0-9-]+)\.amazonaws\.com(\.cn)?"
)
"""Services that invoke functions asynchronously (https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html)."""
_RECEIPT_RULE = "aws:ses/receiptRule:ReceiptRule"
_CALLERS = (
    (resource_types.EVENT_TARGET, "arn"),
    (resource_types.SCHEDULE, "target.arn"),
    (resource_types.TOPIC_SUBSCRIPTION, "endpoint"),
    (resource_types.BUCKET_NOTIFICATION, "lambdaFunctions.lambdaFunctionArn"),
    *(
        (type_, path)
        for type_ in resource_types.ALARMS
        for path in ("alarmActions", "okActions", "insufficientDataActions")
    ),
    (resource_types.PIPE, "target"),
    ("aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter", "destinationArn"),
    ("aws:cfg/rule:Rule", "source.sourceIdentifier"),
    ("aws:codecommit/trigger:Trigger", "triggers.destinationArn"),
    ("aws:iot/topicRule:TopicRule", "lambdas.functionArn"),
    (_RECEIPT_RULE, "lambdaActions.functionArn"),
)
"""Resources that invoke a function, and the property that refers to it."""
_ASYNCHRONOUS_IF = {
    resource_types.TOPIC_SUBSCRIPTION: ("protocol", "lambda"),
    resource_types.PIPE: ("targetParameters.lambdaFunctionParameters.invocationType", "FIRE_AND_FORGET"),
    _RECEIPT_RULE: ("lambdaActions.invocationType", "Event|"),
}
"""Callers that are asynchronous only if a property matches; an absent property is an empty string."""
_DESTINATIONS = {
    resource_types.FUNCTION: (DEAD_LETTERS,),
    resource_types.FUNCTION_INVOKE_CONFIG: (DESTINATION, "destinationConfig.onSuccess.destination"),
    resource_types.EVENT_SOURCE_MAPPING: ("destinationConfig.onFailure.destinationArn",),
}
"""Properties with the destinations of a function."""
_DESTINATION_TYPES = (
    resource_types.QUEUE,
    resource_types.TOPIC,
    resource_types.FUNCTION,
    resource_types.FUNCTION_ALIAS,
    resource_types.EVENT_BUS,
    *resource_types.BUCKETS,
)
_FALSE_VALUES = ("false", "no", "0", "off", "none")

_GUIDE = "https://docs.aws.amazon.com/lambda/latest/dg"


@stack_rule(
    resource_types.FUNCTION,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/invocation-async-retain-records.html",
)
def asynchronous_function_keeps_its_failures(function: Resource, stack: Stack) -> Complaints:
    """A function that is invoked asynchronously has a destination for failed invocations.

    Set destinationConfig.onFailure.destination in a FunctionEventInvokeConfig to the ARN of a queue.
    """
    if function.has(DEAD_LETTERS):
        return None
    kept, undecided = _kept_qualifiers(stack, function)
    lost = [call for call in _asynchronous_calls(stack, function) if not _is_kept(call.qualifier, kept)]
    if not lost:
        return None
    if undecided:
        values.raise_undecided("an invoke config may be of this function")
    caller, of = lost[0].caller, f" for {lost[0].qualifier}" if isinstance(lost[0].qualifier, str) else ""
    return Finding(
        f"The function {function.name} is invoked asynchronously (by {caller.name}) and loses an event when all "
        f"retries fail: no FunctionEventInvokeConfig of it{of} has {DESTINATION}.",
        f"Set {DESTINATION} to the ARN of a queue.",
    )


@stack_rule(
    *_DESTINATIONS,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/invocation-async-retain-records.html",
)
def failure_destination_is_reachable(holder: Resource, stack: Stack) -> Complaints:
    """A function's role may send to the function's destinations, and none of them is FIFO.

    Allow the sending in a policy of the role, and use a standard queue or topic.
    """

    def check(path: str) -> Complaints:
        if not holder.has(path):
            return
        function = holder if holder.type == resource_types.FUNCTION else _function(stack, holder)
        target = stack.target(holder, path, *_DESTINATION_TYPES)
        who = function.name if function is not None else holder.name
        # AWS documents this for asynchronous invocations only, not for stream readers.
        takes_fifo = holder.type == resource_types.EVENT_SOURCE_MAPPING
        name = target.name if target is not None else holder.text(path)
        if name is None:
            return
        if not takes_fifo and (_is_fifo(target) if target is not None else name.endswith(".fifo")):
            yield _report_fifo(who, name, path)
        role = stack.target(function, "role", resource_types.ROLE) if function is not None else None
        missing = _missing_to_send(stack, role, holder, path, target) if role is not None else []
        if role is not None and missing:
            what = "successful" if "onSuccess" in path else "failed"
            yield Finding(
                f"The function {who} cannot send records of {what} invocations to {name} ({path} of "
                f"{holder.name}): its role {role.name} lacks {' and '.join(missing)}.",
                "Add the missing permissions to a policy of the role.",
            )

    yield from check_each(_DESTINATIONS[holder.type], check)


@stack_rule(
    resource_types.EVENT_SOURCE_MAPPING,
    severity="medium",
    enforcement="advisory",
    link=f"{_GUIDE}/services-sqs-errorhandling.html",
)
def queue_reader_reports_item_failures(mapping: Resource, stack: Stack) -> Complaints:
    """A function that reads a queue reports failed messages one by one: otherwise the whole batch fails.

    Set functionResponseTypes to [ReportBatchItemFailures], and return batchItemFailures from the function.
    """
    if not _reads_a_queue(stack, mapping) or mapping.number("batchSize") == 1:
        return None
    response_types = mapping.items("functionResponseTypes")
    if REPORT in response_types:
        return None
    if any(isinstance(response_type, values.Mark) for response_type in response_types):
        values.raise_undecided("a response type is unknown")
    return Finding(
        f"One failed message fails the whole batch of the event source mapping {mapping.name}: functionResponseTypes "
        f"is {', '.join(map(str, response_types)) or 'absent'}.",
        f"Set functionResponseTypes to [{REPORT}], and return batchItemFailures from the function.",
    )


@stack_rule(
    resource_types.EVENT_SOURCE_MAPPING,
    resource_types.PIPE,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/with-sqs-filtering.html",
    parameters={
        "auditWords": {
            "type": "array",
            "items": {"type": "string"},
            "default": ["audit"],
            "description": "Words that mark an audit queue: as a tag's key (also after a prefix, as in "
            "rotation-guard:audit) or value, or as a word in the queue's name.",
        }
    },
)
def audit_queue_is_read_whole(mapping: Resource, stack: Stack, *, audit_words: list[str]) -> Complaints:
    """A reader of an audit queue has no filter: messages that a filter excludes are deleted.

    Remove the filter, and select the messages in the function or the target.
    """
    is_pipe = mapping.type == resource_types.PIPE
    path = "sourceParameters.filterCriteria" if is_pipe else "filterCriteria"
    if not mapping.has(path):
        return None
    queue = stack.target(mapping, "source" if is_pipe else "eventSourceArn", resource_types.QUEUE)
    if queue is None or not _is_marked(queue, {word.lower() for word in audit_words}):
        return None
    if not mapping.items(f"{path}.filters"):
        return None
    return Finding(
        f"The {'pipe' if is_pipe else 'event source mapping'} {mapping.name} deletes messages that its filter "
        f"excludes, and the queue {queue.name} is marked as audit: {path} is set.",
        f"Remove {path}, and select the messages in {'the target' if is_pipe else 'the function'}.",
    )


@dataclass(frozen=True)
class AsynchronousCall:
    """An asynchronous invocation of a function."""

    caller: Resource
    qualifier: str | Mark | None
    """The version or alias; None for the function itself, a mark where that is unknown."""


def _asynchronous_calls(stack: Stack, function: Resource) -> Iterator[AsynchronousCall]:
    """List the known asynchronous invocations of a function."""
    for called in _function_and_aliases(stack, function):
        for type_, path in _CALLERS:
            for caller in stack.referring(called, path, type_).certain:
                if type_ not in _ASYNCHRONOUS_IF or _is_by(caller, *_ASYNCHRONOUS_IF[type_]):
                    yield from (
                        AsynchronousCall(caller, qualifier) for qualifier in _qualifiers(stack, caller, path, called)
                    )
        for permission in stack.referring(called, "function", resource_types.FUNCTION_PERMISSION).certain:
            if _is_by(permission, "principal", _ASYNCHRONOUS_SERVICES):
                yield from (
                    AsynchronousCall(permission, qualifier)
                    for qualifier in _qualifiers(stack, permission, "function", called)
                )


def _kept_qualifiers(stack: Stack, function: Resource) -> tuple[set[str | Mark | None], bool]:
    """The versions and aliases with a failure destination, and whether there may be more.

    An invoke config applies to the version or alias that it names, or else to the function itself
    (https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html).
    """
    kept: set[str | Mark | None] = set()
    undecided = False
    for called in _function_and_aliases(stack, function):
        configs = stack.referring(called, "functionName", resource_types.FUNCTION_INVOKE_CONFIG)
        undecided = undecided or configs.undecided
        for config in configs.certain:
            if config.has(DESTINATION):
                kept.update(_qualifiers(stack, config, "functionName", called))
    return kept, undecided


def _is_kept(qualifier: str | Mark | None, kept: set[str | Mark | None]) -> bool:
    """Whether a version or alias has, or may have, a failure destination."""
    return qualifier in kept or (bool(kept) and (qualifier is Mark.UNKNOWN or Mark.UNKNOWN in kept))


def _qualifiers(stack: Stack, holder: Resource, path: str, called: Resource) -> list[str | Mark | None]:
    """The versions and aliases of a function that a property refers to; None for the function itself."""
    if called.type == resource_types.FUNCTION_ALIAS:
        name = called.value("name")
        return [name if isinstance(name, str) else Mark.UNKNOWN]
    if holder.has("qualifier"):
        qualifier = holder.value("qualifier")
        return [(None if qualifier == LATEST else qualifier) if isinstance(qualifier, str) else Mark.UNKNOWN]
    return [
        reference[1] if isinstance(value, str) and (reference := arns.parse_function(value)) else Mark.UNKNOWN
        for value, target in stack.targets(holder, path, resource_types.FUNCTION)
        if target is called
    ]


def _function_and_aliases(stack: Stack, function: Resource) -> Iterator[Resource]:
    """List a function and its aliases."""
    yield function
    yield from stack.referring(function, "functionName", resource_types.FUNCTION_ALIAS).certain


def _function(stack: Stack, config: Resource) -> Resource | None:
    """The function of an invoke config, also by an alias."""
    referred = stack.target(config, "functionName", resource_types.FUNCTION, resource_types.FUNCTION_ALIAS)
    if referred is not None and referred.type == resource_types.FUNCTION_ALIAS:
        return stack.target(referred, "functionName", resource_types.FUNCTION)
    return referred


def _missing_to_send(stack: Stack, role: Resource, holder: Resource, path: str, target: Resource | None) -> list[str]:
    """The actions that a role lacks to send to a destination, which may be a bucket or outside the stack
    (https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure.html)."""
    if target is None:
        outside = holder.text(path) or ""
        parts = arns.parse(outside)
        if parts and parts.service == "s3":
            return _missing_on_bucket(stack, role, outside, outside)
        return outside_targets.missing_to_call(stack, role, outside)
    if target.type in resource_types.BUCKETS:
        arn = resource_access.known_arn(target) or values.raise_undecided("the bucket's ARN is not known yet")
        return _missing_on_bucket(stack, role, target.name, arn)
    return role_permissions.missing_to_send(stack, role, holder, path, target)


def _missing_on_bucket(stack: Stack, role: Resource, name: str, arn: str) -> list[str]:
    needed = {"s3:PutObject": f"{arn}/aws/lambda/failed", "s3:ListBucket": arn}
    return [
        f"{action} on {name}" for action, on in needed.items() if not role_permissions.allows(stack, role, action, on)
    ]


def _is_by(resource: Resource, path: str, wanted: str | re.Pattern[str]) -> bool:
    try:
        value = resource.text(path) or ""
    except Undecided:
        return False
    return bool(re.fullmatch(wanted, value))


def _is_fifo(target: Resource) -> bool:
    if target.type not in (resource_types.QUEUE, resource_types.TOPIC):
        return False
    try:
        return bool(target.flag("fifoQueue" if target.type == resource_types.QUEUE else "fifoTopic", absent=False))
    except Undecided:
        return False


def _report_fifo(function: str, target: str, path: str) -> Finding:
    return Finding(
        f"The function {function} cannot send records of invocations to {target}, which is FIFO.",
        f"Set {path} to a standard queue.",
    )


def _reads_a_queue(stack: Stack, mapping: Resource) -> bool:
    if stack.target(mapping, "eventSourceArn", resource_types.QUEUE) is not None:
        return True
    value = mapping.value("eventSourceArn")
    parts = arns.parse(value) if isinstance(value, str) else None
    return parts is not None and parts.service == "sqs"


def _is_marked(queue: Resource, words: set[str]) -> bool:
    for key, value in queue.tags.items():
        if value.lower() in words:
            return True
        if re.split(r"[:/.]", key.lower())[-1] in words and value.strip().lower() not in _FALSE_VALUES:
            return True
    physical = queue.value("name")
    names = [queue.name, physical if isinstance(physical, str) else ""]
    return any(words & set(re.split(r"[^a-z0-9]+", _split_camel_case(name))) for name in names)


def _split_camel_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()
