"""What each step of remediation may do, and no other: pure functions from ARNs to statements, one for each step.

Diagnosing cannot rotate, retrying cannot move labels, moving labels cannot restart anything. What changes a secret is
limited to those whose tag opts in.
"""

from collections.abc import Mapping, Sequence

from rotation_guard.domain.remediation.decisions import Mode
from rotation_guard.domain.secret_filter import EVERY_SECRET, SecretFilter
from rotation_guard.domain.tags import MODE_TAG

from ..iam_policies import Statement, all_secrets, allow, own_events

OPT_IN_TAG = f"aws:ResourceTag/{MODE_TAG}"
"""The tag by which a secret opts in, as a condition reads it."""
_AWS_DOCUMENTS = ("aws", "amazon", "amzn")
"""How the names of documents begin that belong to AWS and to no account
(https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateDocument.html)."""

ArnScope = Sequence[str]
"""Partition, Region and account."""


def start(state_machine_arn: str) -> list[Statement]:
    """Starts the remediation workflow, and nothing else."""
    return [allow("states:StartExecution", state_machine_arn)]


def claim(place: ArnScope, incidents_arn: str) -> list[Statement]:
    """Opens, extends and takes over incidents, and reads a secret's labels, never a value; reports what is stalled."""
    return [
        allow("secretsmanager:DescribeSecret", all_secrets(*place)),
        allow(
            [
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:UpdateItem",
                "dynamodb:DeleteItem",
                "dynamodb:Query",
            ],
            incidents_arn,
        ),
        own_events(*place),
    ]


def diagnose(place: ArnScope, incidents_arn: str) -> list[Statement]:
    """Reads a secret's labels, dates and tags, never a value, and writes down what it saw."""
    return [
        allow(["secretsmanager:DescribeSecret", "secretsmanager:ListSecretVersionIds"], all_secrets(*place)),
        allow(["dynamodb:GetItem", "dynamodb:UpdateItem"], incidents_arn),
    ]


def probe(function_arns: Sequence[str]) -> list[Statement]:
    """Asks the probes that are configured, by whatever version or alias."""
    return [allow("lambda:InvokeFunction", _with_qualifiers(function_arns))]


def decide(incidents_arn: str, kill_switch_arn: str) -> list[Statement]:
    """Reads the kill switch, counts incidents and actions, and writes down what is decided."""
    return [
        allow("ssm:GetParameter", kill_switch_arn),
        allow(["dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:Query"], incidents_arn),
    ]


def retry(
    place: ArnScope,
    incidents_arn: str,
    rotation_function_arns: Sequence[str],
    scope: SecretFilter = EVERY_SECRET,
) -> list[Statement]:
    """Asks for the rotation of secrets in scope whose tag opts in to it, by their schedule and functions as these are.

    AWS requires the caller of RotateSecret to be allowed to invoke the rotation function as well
    (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html).
    """
    rotating = allow(
        "secretsmanager:RotateSecret",
        _secrets_in(scope, place),
        _limit_to(
            scope,
            {
                "StringEquals": {OPT_IN_TAG: [Mode.RETRY, Mode.REPAIR]},
                "BoolIfExists": {"secretsmanager:ModifyRotationRules": "false"},
            },
        ),
    )
    functions = [allow("lambda:InvokeFunction", _with_qualifiers(rotation_function_arns))]
    return [rotating, *(functions if rotation_function_arns else []), *_acting(place, incidents_arn)]


def move(place: ArnScope, incidents_arn: str, scope: SecretFilter = EVERY_SECRET) -> list[Statement]:
    """Moves AWSCURRENT, and no other label, of secrets in scope whose tag opts in to repair."""
    moving = allow(
        "secretsmanager:UpdateSecretVersionStage",
        _secrets_in(scope, place),
        _limit_to(
            scope,
            {
                "StringEquals": {OPT_IN_TAG: Mode.REPAIR},
                # AWS always says which label; emulators do not know the key.
                "StringEqualsIfExists": {"secretsmanager:VersionStage": "AWSCURRENT"},
            },
        ),
    )
    return [moving, *_acting(place, incidents_arn)]


def end(incidents_arn: str) -> list[Statement]:
    """Ends incidents, releases their claims, and adds them to the chain of their secret."""
    return [
        allow(["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"], incidents_arn)
    ]


def restart(
    place: ArnScope, incidents_arn: str, kill_switch_arn: str, targets: Sequence[str], role_arns: Sequence[str]
) -> list[Statement]:
    """Restarts the services, functions and documents that are configured, unless the kill switch says stop.

    A document is started as an execution that has no name before
    (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html).
    """
    of = _by_service(targets)
    statements = [
        allow(["dynamodb:GetItem", "dynamodb:UpdateItem"], incidents_arn),
        allow("ssm:GetParameter", kill_switch_arn),
    ]
    if of["ecs"]:
        statements.append(allow(["ecs:DescribeServices", "ecs:UpdateService"], of["ecs"]))
    if of["lambda"]:
        statements.append(
            allow(["lambda:GetFunctionConfiguration", "lambda:UpdateFunctionConfiguration"], of["lambda"])
        )
    if of["ssm"]:
        documents = [_document(arn) for arn in of["ssm"]]
        statements.append(allow("ssm:StartAutomationExecution", [*documents, _automations(place)]))
    if role_arns:
        passed_to = {"StringEquals": {"iam:PassedToService": "ssm.amazonaws.com"}}
        statements.append(allow("iam:PassRole", list(role_arns), passed_to))
    return statements


def watch(place: ArnScope, incidents_arn: str, targets: Sequence[str]) -> list[Statement]:
    """Looks whether what was restarted has settled, and can restart nothing."""
    of = _by_service(targets)
    statements = [allow(["dynamodb:GetItem", "dynamodb:UpdateItem"], incidents_arn)]
    if of["ecs"]:
        statements.append(allow("ecs:DescribeServices", of["ecs"]))
    if of["lambda"]:
        statements.append(allow("lambda:GetFunctionConfiguration", of["lambda"]))
    if of["ssm"]:
        statements.append(allow("ssm:GetAutomationExecution", _automations(place)))
    return statements


def notify(place: ArnScope, incidents_arn: str, topic_arns: Sequence[str]) -> list[Statement]:
    """Publishes notifications, puts an event on the default bus, and records that it did."""
    return [
        allow("sns:Publish", list(topic_arns)),
        own_events(*place),
        allow(
            [
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:UpdateItem",
                "dynamodb:DeleteItem",
                "dynamodb:Query",
            ],
            incidents_arn,
        ),
    ]


def _acting(place: ArnScope, incidents_arn: str) -> list[Statement]:
    """What both kinds of action need: to check the secret first, and to record the action before and after."""
    return [
        allow("secretsmanager:DescribeSecret", all_secrets(*place)),
        allow(["dynamodb:GetItem", "dynamodb:UpdateItem"], incidents_arn),
    ]


def _secrets_in(scope: SecretFilter, place: ArnScope) -> str:
    """The ARN that takes in the secrets whose names are in scope.

    Secrets Manager puts a hyphen and six characters behind the name
    (https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen).
    """
    every = all_secrets(*place)
    return every if scope.name is None else f"{every.removesuffix('*')}{scope.name}-??????"


def _limit_to(scope: SecretFilter, condition: Statement) -> Statement:
    """The condition, and that the secret has the scope's tag."""
    if scope.tag_key is None:
        return condition
    key = f"aws:ResourceTag/{scope.tag_key}"
    if scope.tag_value is None:
        return {**condition, "Null": {key: "false"}}
    return {**condition, "StringEquals": {**condition["StringEquals"], key: scope.tag_value}}


def _with_qualifiers(function_arns: Sequence[str]) -> list[str]:
    """Functions, and their versions and aliases, which a function's own ARN does not take in."""
    return [resource for arn in function_arns for resource in (arn, f"{arn}:*")]


def _by_service(targets: Sequence[str]) -> Mapping[str, list[str]]:
    by_service: dict[str, list[str]] = {"ecs": [], "lambda": [], "ssm": []}
    for arn in targets:
        by_service[arn.split(":")[2]].append(arn)
    return by_service


def _document(arn: str) -> str:
    """A document as IAM knows it: one of AWS's own is in no account, whatever was written."""
    *head, account, name = arn.split(":", 5)
    owned_by_aws = name.removeprefix("document/").lower().startswith(_AWS_DOCUMENTS)
    return ":".join([*head, "" if owned_by_aws else account, name])


def _automations(place: ArnScope) -> str:
    partition, region, account = place
    return f"arn:{partition}:ssm:{region}:{account}:automation-execution/*"
