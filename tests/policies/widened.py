"""Mutations of a program that widen access or stop a delivery."""

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from policies.model import resource_types
from policies.model.stack import Resource

from .mutations import Mutation

Statement = dict[str, Any]
Document = dict[str, Any]
Worse = Iterator[tuple[str, Resource | None]]
"""The change and the changed resource; None where it is removed."""

_DOCUMENTS = ("policy", "assumeRolePolicy")
_EXACT = {"StringEquals": "StringLike", "StringNotEquals": "StringNotLike", "ArnEquals": "ArnLike"}
"""Operators without wildcards, and the corresponding ones with wildcards."""
_DELIVERING = (
    "sqs:SendMessage",
    "sns:Publish",
    "lambda:InvokeFunction",
    "states:StartExecution",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
)
"""Actions that a service needs to deliver."""
_DROPPED: Mapping[str, tuple[str, ...]] = {
    resource_types.EVENT_SOURCE_MAPPING: ("destinationConfig", "functionResponseTypes"),
    resource_types.TABLE: ("pointInTimeRecovery", "deletionProtectionEnabled"),
    resource_types.LOG_GROUP: ("retentionInDays",),
}
_CHANGED: Mapping[str, tuple[tuple[str, Any], ...]] = {
    "aws:lambda/functionUrl:FunctionUrl": (("authorizationType", "NONE"),),
    resource_types.FUNCTION_PERMISSION: (("principal", "*"),),
    resource_types.QUEUE: (("messageRetentionSeconds", 86_400),),
    resource_types.SECRET: (("recoveryWindowInDays", 0),),
    resource_types.SECRET_ROTATION: (("rotationRules", {"scheduleExpression": "cron(0 8 1 1 ? *)"}),),
    resource_types.SCHEDULE: (("scheduleExpression", "cron(0 3 * * *)"), ("groupName", "default")),
}


def widenings(stack: tuple[Resource, ...]) -> Iterator[Mutation]:
    """List all mutations of every resource."""
    for index, resource in enumerate(stack):
        for what, worse in _widen(resource):
            changed = (*stack[:index], *([worse] if worse else []), *stack[index + 1 :])
            yield Mutation(f"{resource.type.rpartition(':')[2]} {resource.name}: {what}", changed)


def _widen(resource: Resource) -> Worse:
    if resource.type in (
        resource_types.FUNCTION_PERMISSION,
        resource_types.QUEUE_POLICY,
        resource_types.TOPIC_POLICY,
        resource_types.METRIC_ALARM,
    ):
        yield "removed", None
    for path in _DROPPED.get(resource.type, ()):
        if resource.has(path):
            yield f"without {path}", _with(resource, path, None)
    for path, value in _CHANGED.get(resource.type, ()):
        yield f"{path} = {json.dumps(value)}", _with(resource, path, value)
    for key in ("sourceArn", "sourceAccount"):
        for wide in _wider(str(resource.props.get(key) or "")):
            yield f"{key} = {wide}", _with(resource, key, wide)
    for key in _DOCUMENTS:
        if isinstance(resource.props.get(key), str):
            for what, document in _widen_document(json.loads(resource.props[key]), trust=key == "assumeRolePolicy"):
                yield f"{key}: {what}", _with(resource, key, json.dumps(document))


def _widen_document(document: Document, *, trust: bool) -> Iterator[tuple[str, Document]]:
    statements = document["Statement"]
    for index, statement in enumerate(statements):
        for what, put in _widen_statement(statement, trust=trust):
            yield f"statement {index} {what}", {**document, "Statement": _replaced(statements, index, put)}
        needed = "Principal" not in statement and set(_listed(statement["Action"])) & set(_DELIVERING)
        if len(statements) > 1 and (needed or statement["Effect"] == "Deny"):
            yield f"statement {index} is gone", {**document, "Statement": _replaced(statements, index)}
    extra = {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"} if trust else None
    if not trust:
        of_resource = any("Principal" in statement for statement in statements)
        action = _listed(statements[-1]["Action"])[0]
        whom = {"Principal": "*", "Action": action} if of_resource else {"Action": "s3:DeleteObject"}
        extra = {"Effect": "Allow", **whom, "Resource": "*"}
    yield "another statement for everybody", {**document, "Statement": [*statements, extra]}


def _replaced(statements: list[Statement], index: int, *put: Statement) -> list[Statement]:
    return [*statements[:index], *put, *statements[index + 1 :]]


def _widen_statement(statement: Statement, *, trust: bool) -> Iterator[tuple[str, Statement]]:
    principal = statement.get("Principal")
    if statement["Effect"] == "Allow" and isinstance(principal, dict) and "AWS" in principal:
        yield "is for everybody too", {**statement, "Principal": {**principal, "AWS": [principal["AWS"], "*"]}}
    if statement["Effect"] == "Allow" and isinstance(principal, dict) and not trust:
        excepted = {key: value for key, value in statement.items() if key not in ("Principal", "Condition")}
        yield "is for all but a stranger", {**excepted, "NotPrincipal": {"AWS": "arn:aws:iam::999999999999:root"}}
    yield from _widen_conditions(statement)
    if "Principal" not in statement:
        yield from _widen_grant(statement)


def _widen_conditions(statement: Statement) -> Iterator[tuple[str, Statement]]:
    """Widen one condition of the statement."""
    for operator, keys in statement.get("Condition", {}).items():
        for key, value in keys.items():
            for wide in _wider(_listed(value)[0]):
                conditions = copy.deepcopy(statement["Condition"])
                del conditions[operator][key]
                conditions = {name: inner for name, inner in conditions.items() if inner}
                conditions.setdefault(_EXACT.get(operator, operator), {})[key] = wide
                yield f"has {key} {wide}", {**statement, "Condition": conditions}


def _wider(value: str) -> Iterator[str]:
    """Wider values of a condition."""
    parts = value.split(":", 5)
    if value.startswith("arn:") and len(parts) == 6 and parts[4]:
        yield ":".join([*parts[:4], "*", parts[5]])
        yield f"arn:aws:{parts[2]}:*"
        yield ":".join([*parts[:4], "${aws:PrincipalAccount}", parts[5]])
    elif value.startswith("arn:"):
        yield value[: value.rindex(":") + 2] + "*"
    elif value.isdigit():
        yield f"{value[:-1]}?"
        yield "*"
    elif value.startswith("o-"):
        yield "o-*"
    elif value.startswith("repo:"):
        yield f"{value.partition('/')[0]}*"
        yield "repo:*"


def _widen_grant(statement: Statement) -> Iterator[tuple[str, Statement]]:
    for number, arn in enumerate(resources := _listed(statement["Resource"])):
        parts = arn.split(":", 5)
        for wide in (f"arn:aws:{parts[2]}:*:*:*", f"arn:aws:*:{parts[3]}:{parts[4]}:*") if len(parts) == 6 else ():
            changed = [*resources[:number], wide, *resources[number + 1 :]]
            yield f"is for {wide}", {**statement, "Resource": changed}
        if arn != "*":
            yield f"is for everything beside {arn}", {**statement, "Resource": [*resources, "*"]}
    for number, action in enumerate(actions := _listed(statement["Action"])):
        service = action.partition(":")[0]
        yield (
            f"allows {service}:* for {action}",
            {**statement, "Action": [*actions[:number], f"{service}:*", *actions[number + 1 :]]},
        )
        for typo in (f"{action[:-1]}", f"{service}:Do{action.partition(':')[2]}"):
            yield (
                f"allows {typo} for {action}",
                {**statement, "Action": [*actions[:number], typo, *actions[number + 1 :]]},
            )


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _with(resource: Resource, path: str, value: Any) -> Resource:
    props = {key: current for key, current in resource.props.items() if key != path}
    return replace(resource, props=props if value is None else {**props, path: value})
