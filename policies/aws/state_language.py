"""Finds the actions and resources that a state machine calls, by its definition in Amazon States Language."""

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
"""IAM's name of a service by the SDK's, where they differ in more than dashes."""
ACTIONS_NAMED_LIKE_CALLS = frozenset(
    {"lambda", "sns", "sqs", "dynamodb", "states", "events", "secretsmanager", "ssm", "ecs", "sts"}
)
"""Services in which an API call needs the action of the same name and, with few exceptions, no other."""
_ACTIONS_OF_CALLS = {
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
_ACTIONS_BY_CONTENT = {
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
"""The parameters that name the called resource."""
_WATCHING = {
    "states": ("states:DescribeExecution", "states:StopExecution"),
    "ecs": ("ecs:StopTask", "ecs:DescribeTasks"),
}
_MANAGED_RULES = ("events:PutTargets", "events:PutRule", "events:DescribeRule")
"""The actions by which Step Functions waits for the end of a job (`.sync`)."""


@dataclass
class Calls:
    """The calls of a definition."""

    actions: dict[str, set[str] | None] = field(default_factory=dict)
    """The called ARNs, URLs or names by IAM action; None where they are determined at run time."""
    optional_actions: set[str] = field(default_factory=set)
    """Additional actions that may be needed."""
    services: set[str] = field(default_factory=set)
    """Called services of which the needed actions are unknown."""
    calls_other_services: bool = False
    """Whether such a service may call others with the same permissions, as Athena calls Glue and S3."""

    def add(self, action: str, target: str | None) -> None:
        """Add a call."""
        known = self.actions.get(action, set())
        self.actions[action] = None if known is None or target is None else known | {target}

    def merge(self, other: "Calls") -> None:
        """Add all calls of another definition."""
        for action, targets in other.actions.items():
            known = self.actions.setdefault(action, set())
            if targets is None or known is None:
                self.actions[action] = None
            else:
                known |= targets
        self.optional_actions |= other.optional_actions
        self.services |= other.services
        self.calls_other_services |= other.calls_other_services


def find_calls(definition: Mapping[str, Any]) -> Calls:
    """Find the calls that a definition makes with the role of the state machine.

    Raises Undecided where a part is unknown.
    """
    called = Calls()
    for state in _states(definition):
        kind = values.text(values.member(state, "Type"))
        if kind == "Task":
            _task(state, called)
        elif kind == "Map":
            _map(state, called)
    return called


def _states(scope: Any) -> Iterator[Mapping[str, Any]]:
    """List all states, including those of branches and maps."""
    inner = values.document(scope) or {}
    for state in (values.document(values.member(inner, "States")) or {}).values():
        definition = values.document(state) or {}
        yield definition
        for branch in values.items(values.member(definition, "Branches")):
            yield from _states(branch)
        for key in ("Iterator", "ItemProcessor"):
            yield from _states(values.member(definition, key))


def _task(state: Mapping[str, Any], called: Calls) -> None:
    credentials = values.document(values.member(state, "Credentials"))
    if credentials:
        role = values.member(credentials, "RoleArn")
        called.add("sts:AssumeRole", role if isinstance(role, str) and not _is_expression(role) else None)
        return
    resource = values.text(values.member(state, "Resource")) or ""
    parts = arns.parse(resource)
    if parts is None:
        values.raise_undecided("the call of a task")
    _, service, _, _, rest = parts
    if service == "lambda":
        called.add("lambda:InvokeFunction", resource)
    elif service == "states" and not rest.startswith("activity:"):
        _integration(rest, _parameters(state), called)


def _map(state: Mapping[str, Any], called: Calls) -> None:
    processor = values.document(values.member(state, "ItemProcessor")) or {}
    config = values.document(values.member(processor, "ProcessorConfig")) or {}
    if values.text(values.member(config, "Mode")) != "DISTRIBUTED":
        return
    # Each child runs as an execution of the state machine itself.
    called.add("states:StartExecution", None)
    called.optional_actions.update({"states:DescribeExecution", "states:StopExecution", "states:RedriveExecution"})
    for key in ("ItemReader", "ResultWriter"):
        if values.member(state, key) is not None:
            called.services.add("s3")


def _parameters(state: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in ("Parameters", "Arguments"):
        parameters = values.member(state, key)
        if isinstance(parameters, Mapping):
            return parameters
    return {}


def _integration(rest: str, parameters: Mapping[str, Any], called: Calls) -> None:
    """Such as `lambda:invoke`, `ecs:runTask.sync` or `aws-sdk:dynamodb:query`."""
    call, _, pattern = rest.partition(".")
    words = call.removeprefix("aws-sdk:").split(":")
    if len(words) != 2:
        values.raise_undecided("the call of a task")
    if words[0] == "http":
        called.services.update(("states", "secretsmanager", "events"))
        return
    service = _service(words[0])
    action = f"{service}:{words[1][:1].upper()}{words[1][1:]}"
    waits = pattern.startswith("sync")
    if waits:
        called.optional_actions.update(_MANAGED_RULES, _WATCHING.get(service, ()))
    if service not in ACTIONS_NAMED_LIKE_CALLS or (waits and service not in _WATCHING):
        called.services.add(service)
        called.calls_other_services = True
        return
    if action in _ACTIONS_BY_CONTENT:
        called.optional_actions.update(f"dynamodb:{action_name}" for action_name in _ACTIONS_BY_CONTENT[action])
        return
    first, *others = _ACTIONS_OF_CALLS.get(action, (action,))
    called.add(first, _target(service, parameters))
    called.optional_actions.update(others)


def find_action(service: str, call: str) -> str | None:
    """The action that an SDK call needs, such as `dynamodb:PutItem` for `dynamodb` and `putItem`.

    None where it depends on the content. Raises Undecided for an unknown service.
    """
    action = f"{_service(service)}:{call[:1].upper()}{call[1:]}"
    return None if action in _ACTIONS_BY_CONTENT else _ACTIONS_OF_CALLS.get(action, (action,))[0]


def _service(sdk_name: str) -> str:
    """IAM's name of a service. Raises Undecided for an unknown one."""
    return (
        _SERVICES.get(sdk_name.lower())
        or iam_actions.find_service(sdk_name)
        or values.raise_undecided(f"the service {sdk_name}")
    )


def _target(service: str, parameters: Mapping[str, Any]) -> str | None:
    for key in _TARGETS.get(service, ()):
        target = values.member(parameters, key)
        if isinstance(target, str) and target and not _is_expression(target):
            return target
    return None


def _is_expression(text: str) -> bool:
    """Whether it is a JSONata expression, which is evaluated at run time."""
    return text.lstrip().startswith("{%")
