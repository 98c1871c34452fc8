"""Mutations of a stack, each of which removes or weakens one safety property of one resource."""

import copy
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from policies.model import resource_types
from policies.model.configuration import Configuration, read
from policies.model.evaluation import Evaluation, Findings
from policies.model.rule import Rule
from policies.model.stack import Resource, Stack
from policies.rules import RULES

from .loosened_documents import loosened
from .loosened_patterns import loosened as loosened_pattern

LONG_AGO = "python3.7"
AWS_KEY = "AKIAQQQQQQQQQQQQQQQQ"
FIFO = "arn:aws:sqs:eu-west-1:111122223333:elsewhere.fifo"
EVERYTHING = '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}'
SUBSCRIBING = EVERYTHING.replace('"Action": "*"', '"Action": "sns:Subscribe"')
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
TRUST = "assumeRolePolicy"
DOCUMENTS = ("policy", TRUST)
HANDING_OVER = {"sqs:SendMessage", "sns:Publish", "lambda:InvokeFunction", "states:StartExecution"}
"""Actions that deliver a message, an event or a failure."""

DROPPED: Mapping[str, tuple[str, ...]] = {
    resource_types.QUEUE: ("redrivePolicy", "messageRetentionSeconds", "visibilityTimeoutSeconds"),
    resource_types.EVENT_TARGET: ("deadLetterConfig", "retryPolicy", "roleArn"),
    resource_types.TOPIC_SUBSCRIPTION: ("redrivePolicy",),
    resource_types.SCHEDULE: ("target.deadLetterConfig", "target.retryPolicy", "groupName"),
    resource_types.EVENT_SOURCE_MAPPING: ("functionResponseTypes",),
    resource_types.FUNCTION_INVOKE_CONFIG: ("destinationConfig",),
    resource_types.FUNCTION_PERMISSION: ("sourceAccount", "sourceArn"),
    resource_types.LOG_GROUP: ("retentionInDays",),
    resource_types.TABLE: ("pointInTimeRecovery", "ttl", "deletionProtectionEnabled"),
    resource_types.STATE_MACHINE: ("loggingConfiguration",),
    resource_types.SECRET_ROTATION: ("rotationRules",),
}
"""Safety properties to remove."""
CHANGED: Mapping[str, tuple[tuple[str, Any], ...]] = {
    resource_types.QUEUE: (
        ("messageRetentionSeconds", 3600),
        ("sqsManagedSseEnabled", False),
        ("policy", EVERYTHING),
    ),
    resource_types.TOPIC: (("policy", EVERYTHING), ("policy", SUBSCRIBING)),
    resource_types.TOPIC_POLICY: (("policy", EVERYTHING), ("policy", SUBSCRIBING)),
    resource_types.TOPIC_SUBSCRIPTION: (("redrivePolicy", json.dumps({"deadLetterTargetArn": FIFO})),),
    resource_types.EVENT_TARGET: (
        ("retryPolicy", {"maximumEventAgeInSeconds": 86400}),
        ("deadLetterConfig.arn", FIFO),
    ),
    resource_types.EVENT_RULE: (("eventPattern", '{"source": '),),
    resource_types.SCHEDULE: (
        ("target.retryPolicy.maximumEventAgeInSeconds", 86_400),
        ("target.deadLetterConfig.arn", FIFO),
        ("scheduleExpression", "rate(0 hours)"),
    ),
    resource_types.FUNCTION: (
        ("runtime", LONG_AGO),
        ("deadLetterConfig", {"targetArn": FIFO}),
        ("environment.variables.AWS_SECRET", AWS_KEY),
        ("environment.variables.DB_PASSWORD", "hunter2hunter2"),
        ("environment.variables.SIGNING", "-----BEGIN RSA PRIVATE KEY-----"),
        ("environment.variables.STORE", "postgres://app:hunter2hunter2@db/app"),
    ),
    resource_types.FUNCTION_INVOKE_CONFIG: (("destinationConfig.onFailure.destination", FIFO),),
    resource_types.FUNCTION_PERMISSION: (("principal", "*"), ("principal", "s3.amazonaws.com")),
    resource_types.EVENT_SOURCE_MAPPING: (
        ("functionResponseTypes", []),
        ("filterCriteria", {"filters": [{"pattern": '{"body": {"detail": {"eventName": ["RotationFailed"]}}}'}]}),
        ("maximumBatchingWindowInSeconds", 300),
        ("enabled", False),
    ),
    resource_types.LOG_GROUP: (("retentionInDays", 0),),
    resource_types.ROLE: (
        ("managedPolicyArns", [ADMINISTRATOR]),
        ("inlinePolicies", [{"name": "all", "policy": EVERYTHING.replace('"Principal": "*", ', "")}]),
    ),
    resource_types.SECRET: (("policy", EVERYTHING),),
    resource_types.TABLE: (("pointInTimeRecovery.enabled", False), ("ttl.enabled", False)),
    resource_types.STATE_MACHINE: (("loggingConfiguration.level", "OFF"),),
    resource_types.SECRET_ROTATION: (("rotationRules.automaticallyAfterDays", 999),),
}
"""Safety properties to weaken: path and value."""
REMOVED = (
    resource_types.QUEUE_POLICY,
    resource_types.TOPIC_POLICY,
    resource_types.ROLE_POLICY,
    resource_types.FUNCTION_PERMISSION,
    resource_types.FUNCTION_INVOKE_CONFIG,
    resource_types.SECRET_ROTATION,
)
"""Resources to remove."""


@dataclass(frozen=True)
class Mutation:
    """A stack with one change for the worse."""

    what: str
    """The resource's name and the change."""
    resources: tuple[Resource, ...]


class MutationTest:
    """Tells whether a rule has a new complaint about a mutation of a stack.

    The first one is enough. The changed resource is evaluated first, with the most successful rules.
    """

    def __init__(self, stack: tuple[Resource, ...], config: Mapping[str, Any] | None = None) -> None:
        self._configuration = read(config or {}, RULES)
        self._stack = stack
        self._original = frozenset(map(id, stack))
        self._before = frozenset(_list_complaints(Evaluation(Stack(stack), self._configuration), RULES))
        self._kills: Counter[str] = Counter()

    def kills(self, mutation: Mutation) -> bool:
        """Whether some rule complains about the mutation."""
        stack = Stack(mutation.resources)
        changed = [resource for resource in stack.resources if id(resource) not in self._original]
        kept = self._original & frozenset(map(id, stack.resources))
        types = {resource.type for resource in (*changed, *self._stack) if id(resource) not in kept}
        names = sorted(RULES, key=lambda name: (types.isdisjoint(RULES[name].types), -self._kills[name]))
        for name, message in self._complaints(stack, changed, names):
            if (name, message) not in self._before:
                self._kills[name] += 1
                return True
        return False

    def _complaints(self, stack: Stack, changed: list[Resource], names: list[str]) -> Iterator[tuple[str, str]]:
        """The complaints that may be new, those about the changed resources first."""
        yield from _list_complaints(_OfChanged(stack, self._configuration, changed), names)
        # What a rule says about one resource alone is new only for the changed ones.
        of_stack = [name for name in names if RULES[name].needs_stack]
        yield from _list_complaints(Evaluation(stack, self._configuration), of_stack)


class _OfChanged(Evaluation):
    """The findings about the changed resources alone."""

    def __init__(self, stack: Stack, configuration: Configuration, changed: list[Resource]) -> None:
        super().__init__(stack, configuration)
        self._changed = changed

    def _evaluate(self, rule: Rule, settings: Mapping[str, Any]) -> Findings:
        return [
            (resource, finding)
            for resource in self._changed
            if resource.type in rule.types and not self.exemptions.exempt(rule, resource)
            for finding in rule.findings(resource, self.stack, settings)
        ]


def _list_complaints(evaluation: Evaluation, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    return ((name, str(finding)) for name in names for _, finding in evaluation.complaints(RULES[name]))


Worse = Iterator[tuple[str, Resource | None]]
"""The change and the changed resource; None where it is removed."""


def mutations(stack: tuple[Resource, ...]) -> Iterator[Mutation]:
    """List all mutations of every resource."""
    for index, resource in enumerate(stack):
        for what, worse in _worse(resource, stack):
            changed = (*stack[:index], *([worse] if worse else []), *stack[index + 1 :])
            yield Mutation(f"{resource.type.rpartition(':')[2]} {resource.name}: {what}", changed)


def _worse(resource: Resource, stack: tuple[Resource, ...]) -> Worse:
    if resource.type in REMOVED and (resource.type != resource_types.ROLE_POLICY or _hands_over(resource)):
        yield "removed", None
    for path in DROPPED.get(resource.type, ()):
        if path == "visibilityTimeoutSeconds" and not _is_read(resource, stack):
            continue
        if resource.has(path) and resource.value(path) is not False:
            yield f"without {path}", _with(resource, path, None)
    for path, value in CHANGED.get(resource.type, ()):
        if path == "ttl.enabled" and not resource.has("ttl"):
            continue
        yield f"{path} = {json.dumps(value)}", _with(resource, path, value)
    for worse in _OF_TYPES.get(resource.type, ()):
        yield from worse(resource, stack)
    for key in DOCUMENTS:
        document = resource.props.get(key)
        if isinstance(document, str):
            for what, text in loosened(json.loads(document), trust=key == TRUST):
                yield f"{key}: {what}", _with(resource, key, text)


# --- what takes a look at the others ---------------------------------------------------------------------------------


def _queue(queue: Resource, stack: tuple[Resource, ...]) -> Worse:
    if queue.has("visibilityTimeoutSeconds") and _is_read(queue, stack):
        for seconds in (queue.number("visibilityTimeoutSeconds", 0) // 2, 10):
            yield f"a visibility of {seconds} s", _with(queue, "visibilityTimeoutSeconds", seconds)
    if _admits_a_service(queue, stack):
        yield "a key that shuts services out", _with(queue, "kmsMasterKeyId", "alias/aws/sqs")
    sources = [
        other
        for other in stack
        if other.type == resource_types.QUEUE and queue.props["arn"] in str(other.props.get("redrivePolicy"))
    ]
    for source in sources:
        seconds = source.number("messageRetentionSeconds")
        yield f"kept no longer than {source.name}", _with(queue, "messageRetentionSeconds", seconds)
    redrive = queue.document("redrivePolicy")
    for count in (1, 2000) if redrive else ():
        yield (
            f"{count} receives",
            _with(queue, "redrivePolicy", json.dumps({**(redrive or {}), "maxReceiveCount": count})),
        )


def _is_read(queue: Resource, stack: tuple[Resource, ...]) -> bool:
    """Whether a function of the stack reads the queue."""
    mappings = (resource for resource in stack if resource.type == resource_types.EVENT_SOURCE_MAPPING)
    return any(mapping.text("eventSourceArn") == queue.props["arn"] for mapping in mappings)


def _alarm(alarm: Resource, stack: tuple[Resource, ...]) -> Worse:
    """Mutations of an alarm on a dead-letter queue."""
    if alarm.text("metricName") == "ApproximateNumberOfMessagesVisible":
        yield "removed", None
        yield "of what is sent", _with(alarm, "metricName", "NumberOfMessagesSent")
        yield "of another queue", _with(alarm, "dimensions", {"QueueName": "elsewhere"})


def _topic(topic: Resource, stack: tuple[Resource, ...]) -> Worse:
    if _admits_a_service(topic, stack):
        yield "a key that shuts services out", _with(topic, "kmsMasterKeyId", "alias/aws/sns")


def _admits_a_service(resource: Resource, stack: tuple[Resource, ...]) -> bool:
    documents = [
        holder.document("policy") or {}
        for holder in stack
        if holder.type in (resource_types.QUEUE_POLICY, resource_types.TOPIC_POLICY)
    ]
    statements = [statement for document in documents for statement in document["Statement"]]
    return any(
        statement["Resource"] == resource.props["arn"] and "Service" in statement["Principal"]
        for statement in statements
    )


def _pattern(event_rule: Resource, stack: tuple[Resource, ...]) -> Worse:
    for what, text in loosened_pattern(json.loads(event_rule.text("eventPattern") or "{}")):
        yield f"eventPattern: {what}", _with(event_rule, "eventPattern", text)


def _role_policy(role_policy: Resource, stack: tuple[Resource, ...]) -> Worse:
    """Remove permissions that a service needs; what a function's code needs is not known here."""
    document = role_policy.document("policy") or {}
    for number, statement in enumerate(document["Statement"]):
        if _actions(statement) & HANDING_OVER and len(document["Statement"]) > 1:
            left = [other for other in document["Statement"] if other is not statement]
            text = json.dumps({**document, "Statement": left})
            yield f"without statement {number}, {', '.join(_actions(statement))}", _with(role_policy, "policy", text)
    passing = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"}
    text = json.dumps({**document, "Statement": [*document["Statement"], passing]})
    yield "may pass every role", _with(role_policy, "policy", text)


def _hands_over(role_policy: Resource) -> bool:
    return any(_actions(statement) & HANDING_OVER for statement in (role_policy.document("policy") or {})["Statement"])


def _actions(statement: Mapping[str, Any]) -> set[str]:
    return set(statement["Action"]) if isinstance(statement["Action"], list) else {statement["Action"]}


def _elsewhere(path: str) -> Callable[[Resource, tuple[Resource, ...]], Worse]:
    """Use another queue of the stack as the dead-letter queue, to which the sender has no access."""

    def worse(resource: Resource, stack: tuple[Resource, ...]) -> Worse:
        now = resource.text(path)
        for queue in stack:
            if (
                queue.type == resource_types.QUEUE
                and queue.name.endswith("-dead-letters")
                and queue.props["arn"] != now
            ):
                yield f"its dead letters in {queue.name}", _with(resource, path, queue.props["arn"])

    return worse


def _target(target: Resource, stack: tuple[Resource, ...]) -> Worse:
    """Send events to another queue of the stack, to which EventBridge has no access."""
    now = target.text("arn") or ""
    for queue in stack:
        if (
            queue.type == resource_types.QUEUE
            and ":sqs:" in now
            and queue.name.endswith(("-audit-dead-letters", "-trail-dead-letters"))
        ):
            yield f"its events in {queue.name}", _with(target, "arn", queue.props["arn"])


def _function(function: Resource, stack: tuple[Resource, ...]) -> Worse:
    reads = {other.text("functionName") for other in stack if other.type == resource_types.EVENT_SOURCE_MAPPING}
    if function.text("arn") in reads:
        yield "a timeout of 900 s", _with(function, "timeout", 900)
    other = next((other for other in stack if other.type == resource_types.FUNCTION and other is not function), None)
    if other:
        yield "the role of another", _with(function, "role", other.props["role"])


_OF_TYPES: Mapping[str, tuple[Callable[[Resource, tuple[Resource, ...]], Worse], ...]] = {
    resource_types.QUEUE: (_queue,),
    resource_types.METRIC_ALARM: (_alarm,),
    resource_types.TOPIC: (_topic,),
    resource_types.EVENT_RULE: (_pattern,),
    resource_types.ROLE_POLICY: (_role_policy,),
    resource_types.FUNCTION: (_function,),
    resource_types.EVENT_TARGET: (_elsewhere("deadLetterConfig.arn"), _target),
    resource_types.SCHEDULE: (_elsewhere("target.deadLetterConfig.arn"),),
    resource_types.FUNCTION_INVOKE_CONFIG: (_elsewhere("destinationConfig.onFailure.destination"),),
}


def _with(resource: Resource, path: str, value: Any) -> Resource:
    props = copy.deepcopy(dict(resource.props))
    place, *_ = [props]
    *parents, last = path.split(".")
    for key in parents:
        place = place.setdefault(key, {})
    if value is None:
        place.pop(last, None)
    else:
        place[last] = value
    return replace(resource, props=props)
