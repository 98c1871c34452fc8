"""Reads a definition in Amazon States Language: what the state machine itself calls, and on what."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..model import values
from . import arns
from .iam import actions as iam_actions

_SERVICES = {
    "sfn": "states",
    "eventbridge": "events",
    "cloudwatchlogs": "logs",
    "sesv2": "ses",
    "elasticloadbalancingv2": "elasticloadbalancing",
    "cloudwatchevents": "events",
    "apigatewayv2": "apigateway",
    "apigatewaymanagementapi": "execute-api",
    "dynamodbstreams": "dynamodb",
    "cognitoidentityprovider": "cognito-idp",
    "configservice": "config",
    "costexplorer": "ce",
    "databasemigration": "dms",
    "efs": "elasticfilesystem",
    "emr": "elasticmapreduce",
    "iotdataplane": "iot",
    "opensearch": "es",
    "opensearchserverless": "aoss",
    "resourcegroupstaggingapi": "tag",
    "s3control": "s3",
    "servicecatalogappregistry": "servicecatalog",
    "bedrockagent": "bedrock",
    "bedrockruntime": "bedrock",
    "bedrockagentruntime": "bedrock",
    "sagemakerruntime": "sagemaker",
}
"""Where the SDK calls a service otherwise than IAM, and does not only leave out dashes."""
ONE_TO_ONE = frozenset({"lambda", "sns", "sqs", "dynamodb", "states", "events", "secretsmanager", "ssm", "ecs", "sts"})
"""Services in which an API call needs the action of its own name, and mostly no other."""
_OTHERWISE = {
    "lambda:Invoke": ("lambda:InvokeFunction",),
    "lambda:InvokeAsync": ("lambda:InvokeFunction",),
    "sqs:SendMessageBatch": ("sqs:SendMessage",),
    "sqs:DeleteMessageBatch": ("sqs:DeleteMessage",),
    "sqs:ChangeMessageVisibilityBatch": ("sqs:ChangeMessageVisibility",),
    "sns:PublishBatch": ("sns:Publish",),
    "states:StartSyncExecution": ("states:StartSyncExecution",),
    "secretsmanager:BatchGetSecretValue": (
        "secretsmanager:BatchGetSecretValue",
        "secretsmanager:GetSecretValue",
        "secretsmanager:ListSecrets",
    ),
    "ecs:RunTask": ("ecs:RunTask", "ecs:TagResource", "iam:PassRole"),
    "ecs:CreateService": ("ecs:CreateService", "ecs:TagResource", "iam:PassRole"),
    "ecs:UpdateService": ("ecs:UpdateService", "iam:PassRole"),
    "ecs:RegisterTaskDefinition": ("ecs:RegisterTaskDefinition", "ecs:TagResource", "iam:PassRole"),
    "lambda:CreateFunction": ("lambda:CreateFunction", "lambda:TagResource", "iam:PassRole"),
    "ssm:StartAutomationExecution": ("ssm:StartAutomationExecution", "iam:PassRole"),
    "lambda:UpdateFunctionCode": ("lambda:UpdateFunctionCode", "s3:GetObject", "s3:GetObjectVersion"),
    "dynamodb:ExportTableToPointInTime": (
        "dynamodb:ExportTableToPointInTime",
        "s3:AbortMultipartUpload",
        "s3:PutObject",
        "s3:PutObjectAcl",
    ),
    "events:PutTargets": ("events:PutTargets", "iam:PassRole"),
}
_ITEMS = ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem")
_PARTIQL = ("PartiQLSelect", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete")
_MANY = {
    "dynamodb:TransactWriteItems": _ITEMS,
    "dynamodb:TransactGetItems": _ITEMS,
    "dynamodb:ExecuteStatement": _PARTIQL,
    "dynamodb:ExecuteTransaction": _PARTIQL,
    "dynamodb:BatchExecuteStatement": _PARTIQL,
}
_TARGETS = {
    "lambda": ("FunctionName",),
    "sns": ("TopicArn", "TargetArn"),
    "sqs": ("QueueUrl",),
    "dynamodb": ("TableName",),
    "states": ("StateMachineArn",),
    "secretsmanager": ("SecretId",),
}
"""The parameters that name what is called."""
_WATCHING = {
    "states": ("states:DescribeExecution", "states:StopExecution"),
    "ecs": ("ecs:StopTask", "ecs:DescribeTasks"),
}
_MANAGED_RULES = ("events:PutTargets", "events:PutRule", "events:DescribeRule")
"""How Step Functions hears of the end of what it waits for."""


@dataclass
class Calls:
    """What a definition calls."""

    actions: dict[str, set[str] | None] = field(default_factory=dict)
    """IAM action -> the ARNs, URLs or names that it is done to; None where that is decided as it runs."""
    beside: set[str] = field(default_factory=set)
    """Actions that may be needed on top, and need not."""
    services: set[str] = field(default_factory=set)
    """Services of which nobody can tell here which actions the calls take."""
    go_on: bool = False
    """Whether such a call may go on to other services with the same permissions, as Athena does to Glue and S3."""

    def add(self, action: str, target: str | None) -> None:
        """It does this, to this."""
        known = self.actions.get(action, set())
        self.actions[action] = None if known is None or target is None else known | {target}

    def join(self, other: "Calls") -> None:
        """It does what the other does, too."""
        for action, targets in other.actions.items():
            known = self.actions.setdefault(action, set())
            if targets is None or known is None:
                self.actions[action] = None
            else:
                known |= targets
        self.beside |= other.beside
        self.services |= other.services
        self.go_on |= other.go_on


def calls(definition: Mapping[str, Any]) -> Calls:
    """What this definition calls with the state machine's own role. Raises Undecided where a part of it is unknown."""
    found = Calls()
    for state in _states(definition):
        kind = values.text(values.member(state, "Type"))
        if kind == "Task":
            _task(state, found)
        elif kind == "Map":
            _map(state, found)
    return found


def _states(scope: Any) -> Iterator[Mapping[str, Any]]:
    """Every state, in branches and in maps too."""
    inner = values.document(scope) or {}
    for state in (values.document(values.member(inner, "States")) or {}).values():
        one = values.document(state) or {}
        yield one
        for branch in values.items(values.member(one, "Branches")):
            yield from _states(branch)
        for key in ("Iterator", "ItemProcessor"):
            yield from _states(values.member(one, key))


def _task(state: Mapping[str, Any], found: Calls) -> None:
    given = values.document(values.member(state, "Credentials"))
    if given:
        role = values.member(given, "RoleArn")
        found.add("sts:AssumeRole", role if isinstance(role, str) and not _is_expression(role) else None)
        return
    resource = values.text(values.member(state, "Resource")) or ""
    parts = arns.parts(resource)
    if parts is None:
        values.undecided("what a task calls")
    _, service, _, _, rest = parts
    if service == "lambda":
        found.add("lambda:InvokeFunction", resource)
    elif service == "states" and not rest.startswith("activity:"):
        _integration(rest, _parameters(state), found)


def _map(state: Mapping[str, Any], found: Calls) -> None:
    processor = values.document(values.member(state, "ItemProcessor")) or {}
    config = values.document(values.member(processor, "ProcessorConfig")) or {}
    if values.text(values.member(config, "Mode")) != "DISTRIBUTED":
        return
    # Each child runs as an execution of the state machine itself.
    found.add("states:StartExecution", None)
    found.beside.update({"states:DescribeExecution", "states:StopExecution", "states:RedriveExecution"})
    for key in ("ItemReader", "ResultWriter"):
        if values.member(state, key) is not None:
            found.services.add("s3")


def _parameters(state: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in ("Parameters", "Arguments"):
        given = values.member(state, key)
        if isinstance(given, Mapping):
            return given
    return {}


def _integration(rest: str, parameters: Mapping[str, Any], found: Calls) -> None:
    """Such as `lambda:invoke`, `ecs:runTask.sync` or `aws-sdk:dynamodb:query`."""
    call, _, pattern = rest.partition(".")
    words = call.removeprefix("aws-sdk:").split(":")
    if len(words) != 2:
        values.undecided("what a task calls")
    if words[0] == "http":
        found.services.update(("states", "secretsmanager", "events"))
        return
    service = _service(words[0])
    action = f"{service}:{words[1][:1].upper()}{words[1][1:]}"
    waits = pattern.startswith("sync")
    if waits:
        found.beside.update(_MANAGED_RULES, _WATCHING.get(service, ()))
    if service not in ONE_TO_ONE or (waits and service not in _WATCHING):
        found.services.add(service)
        found.go_on = True
        return
    if action in _MANY:
        found.beside.update(f"dynamodb:{one}" for one in _MANY[action])
        return
    first, *others = _OTHERWISE.get(action, (action,))
    found.add(first, _target(service, parameters))
    found.beside.update(others)


def find_action(service: str, call: str) -> str | None:
    """The action that a call of the SDK needs, such as `dynamodb:PutItem` of `dynamodb` and `putItem`; None where it is
    one of several. Raises Undecided for a service that IAM does not know by this name."""
    action = f"{_service(service)}:{call[:1].upper()}{call[1:]}"
    return None if action in _MANY else _OTHERWISE.get(action, (action,))[0]


def _service(called: str) -> str:
    """What IAM calls a service. Raises Undecided for one that it does not know by this name."""
    return (
        _SERVICES.get(called.lower())
        or iam_actions.service_called(called)
        or values.undecided(f"what IAM calls {called}")
    )


def _target(service: str, parameters: Mapping[str, Any]) -> str | None:
    for key in _TARGETS.get(service, ()):
        given = values.member(parameters, key)
        if isinstance(given, str) and given and not _is_expression(given):
            return given
    return None


def _is_expression(text: str) -> bool:
    """Whether it is worked out as the state machine runs, in JSONata."""
    return text.lstrip().startswith("{%")
