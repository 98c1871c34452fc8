"""Ways to make a stack worse: each takes away or loosens one safety property of one resource."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from policies.stack import Resource

LONG_AGO = "python3.7"
AWS_KEY = "AKIAQQQQQQQQQQQQQQQQ"
TRUST = "assumeRolePolicy"
DOCUMENTS = ("policy", TRUST)
DROPPED: Mapping[str, tuple[str, ...]] = {
    "aws:sqs/queue:Queue": ("redrivePolicy", "messageRetentionSeconds", "visibilityTimeoutSeconds"),
    "aws:cloudwatch/eventTarget:EventTarget": ("deadLetterConfig", "retryPolicy", "roleArn"),
    "aws:sns/topicSubscription:TopicSubscription": ("redrivePolicy",),
    "aws:scheduler/schedule:Schedule": ("target.deadLetterConfig", "target.retryPolicy"),
    "aws:lambda/eventSourceMapping:EventSourceMapping": ("functionResponseTypes",),
    "aws:lambda/function:Function": ("loggingConfig",),
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": ("destinationConfig",),
    "aws:cloudwatch/logGroup:LogGroup": ("retentionInDays",),
    "aws:dynamodb/table:Table": ("pointInTimeRecovery", "ttl"),
    "aws:sfn/stateMachine:StateMachine": ("loggingConfiguration",),
    "aws:secretsmanager/secretRotation:SecretRotation": ("rotationRules",),
}
"""Safety properties to take away."""
CHANGED: Mapping[str, tuple[tuple[str, Any], ...]] = {
    "aws:sqs/queue:Queue": (
        ("messageRetentionSeconds", 3600),
        ("visibilityTimeoutSeconds", 10),
        ("sqsManagedSseEnabled", False),
        ("kmsMasterKeyId", "alias/aws/sqs"),
    ),
    "aws:sns/topic:Topic": (("kmsMasterKeyId", "alias/aws/sns"),),
    "aws:cloudwatch/eventTarget:EventTarget": (("retryPolicy", {"maximumEventAgeInSeconds": 86400}),),
    "aws:cloudwatch/eventRule:EventRule": (
        ("eventPattern", '{"source": ["aws.secretsmanager"], "detail-type": ["aws api call via cloudtrail"]}'),
        ("eventPattern", '{"source": '),
    ),
    "aws:scheduler/schedule:Schedule": (
        ("target.retryPolicy.maximumEventAgeInSeconds", 86_400),
        ("scheduleExpression", "rate(1 hours)"),
    ),
    "aws:lambda/function:Function": (
        ("runtime", LONG_AGO),
        ("timeout", 900),
        ("environment.variables.AWS_SECRET", AWS_KEY),
        ("environment.variables.DB_PASSWORD", "hunter2hunter2"),
    ),
    "aws:lambda/permission:Permission": (("sourceAccount", None), ("principal", "*")),
    "aws:lambda/eventSourceMapping:EventSourceMapping": (
        ("functionResponseTypes", []),
        ("filterCriteria", {"filters": [{"pattern": '{"body": {"detail": {"eventName": ["RotationFailed"]}}}'}]}),
        ("maximumBatchingWindowInSeconds", 300),
    ),
    "aws:cloudwatch/logGroup:LogGroup": (("retentionInDays", 0),),
    "aws:dynamodb/table:Table": (("pointInTimeRecovery.enabled", False), ("ttl.enabled", False)),
    "aws:sfn/stateMachine:StateMachine": (("loggingConfiguration.level", "OFF"),),
    "aws:secretsmanager/secretRotation:SecretRotation": (("rotationRules.automaticallyAfterDays", 999),),
}
"""Safety properties to loosen: path and worse value."""
REMOVED = (
    "aws:sqs/queuePolicy:QueuePolicy",
    "aws:sns/topicPolicy:TopicPolicy",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:lambda/permission:Permission",
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
    "aws:secretsmanager/secretRotation:SecretRotation",
)
"""Resources whose whole purpose is safety."""


@dataclass(frozen=True)
class Mutation:
    """A stack made worse in one place."""

    what: str
    """The resource's name and what was done to it."""
    resources: tuple[Resource, ...]


def mutations(stack: tuple[Resource, ...]) -> Iterator[Mutation]:
    """Every way that is known here, once for each resource that it can be done to."""
    for index, resource in enumerate(stack):
        for what, worse in _worse(resource):
            changed = (*stack[:index], *([worse] if worse else []), *stack[index + 1 :])
            yield Mutation(f"{resource.type.rpartition(':')[2]} {resource.name}: {what}", changed)


def _makes_no_difference(resource: Resource, path: str) -> bool:
    """Whether the property is no safety for this resource: the stack is as safe without it."""
    if path == "visibilityTimeoutSeconds":  # nobody reads dead letters
        return "redrivePolicy" not in resource.props
    if path == "timeout":  # only a reader of a queue has to end before its messages come again
        return not resource.name.endswith("-writer")
    if path == "kmsMasterKeyId":  # AWS's own key shuts EventBridge and SNS out, and no role
        sent_by_roles = ("-trail-dead-letters", "-audit-dead-letters", "-remediation", "-critical")
        return resource.name.endswith(sent_by_roles)
    if path == "removed":  # without a policy, a topic that roles publish to is open to its own account
        return resource.type.endswith("TopicPolicy") and not resource.name.endswith("-failures")
    return path.startswith("ttl") and resource.name.endswith("-status")  # what is true now does not expire


def _worse(resource: Resource) -> Iterator[tuple[str, Resource | None]]:
    if resource.type in REMOVED and not _makes_no_difference(resource, "removed"):
        yield "removed", None
    for path in DROPPED.get(resource.type, ()):
        if resource.value(path) is not None and not _makes_no_difference(resource, path):
            yield f"without {path}", _with(resource, path, None)
    for path, value in CHANGED.get(resource.type, ()):
        if not _makes_no_difference(resource, path):
            yield f"{path} = {json.dumps(value)}", _with(resource, path, value)
    redrive = resource.props.get("redrivePolicy")
    if isinstance(redrive, str) and "maxReceiveCount" in redrive:
        yield "one receive", _with(resource, "redrivePolicy", json.dumps({**json.loads(redrive), "maxReceiveCount": 1}))
    for key in DOCUMENTS:
        document = resource.props.get(key)
        if isinstance(document, str):
            for what, text in _looser(json.loads(document), trust=key == TRUST):
                yield f"{key}: {what}", _with(resource, key, text)


def _looser(document: dict[str, Any], trust: bool) -> Iterator[tuple[str, str]]:
    for number, statement in enumerate(document["Statement"]):
        for what, loosen in _LOOSENINGS.items():
            loose = loosen(copy.deepcopy(statement), trust)
            if loose is not None and loose != statement:
                changed = [*document["Statement"]]
                changed[number] = loose
                yield f"statement {number} {what}", json.dumps({**document, "Statement": changed})


def _any_action(statement: dict[str, Any], trust: bool) -> dict[str, Any] | None:
    return None if trust else {**statement, "Action": "*"}


def _whole_service(statement: dict[str, Any], trust: bool) -> dict[str, Any] | None:
    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
    return None if trust else {**statement, "Action": f"{actions[0].partition(':')[0]}:*"}


def _misspelt(statement: dict[str, Any], trust: bool) -> dict[str, Any] | None:
    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
    return None if trust else {**statement, "Action": [*actions[1:], f"{actions[0]}s"]}


def _any_resource(statement: dict[str, Any], trust: bool) -> dict[str, Any] | None:
    return {**statement, "Resource": "*"} if "Resource" in statement and "Principal" not in statement else None


def _any_principal(statement: dict[str, Any], trust: bool) -> dict[str, Any] | None:
    return {**statement, "Principal": "*"} if "Principal" in statement else None


def _unconditional(statement: dict[str, Any], trust: bool) -> dict[str, Any] | None:
    return {key: value for key, value in statement.items() if key != "Condition"}


def _denied_inside_out(statement: dict[str, Any], trust: bool) -> dict[str, Any] | None:
    if trust or "Principal" in statement:
        return None
    action = statement["Action"]
    return {**{key: value for key, value in statement.items() if key != "Action"}, "NotAction": action}


_LOOSENINGS: Mapping[str, Callable[[dict[str, Any], bool], dict[str, Any] | None]] = {
    "allows every action": _any_action,
    "allows its whole service": _whole_service,
    "has a misspelt action": _misspelt,
    "is for every resource": _any_resource,
    "is for every principal": _any_principal,
    "has no condition": _unconditional,
    "allows all but its actions": _denied_inside_out,
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
