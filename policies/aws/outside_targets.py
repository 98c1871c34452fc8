"""Finds the action that a role needs to call a target outside the stack, by the target's ARN."""

from dataclasses import dataclass

from ..model import resource_types
from ..model.stack import Resource, Stack
from ..model.values import any_of
from . import arns, state_language
from .iam import actions, role_permissions, wildcards


@dataclass(frozen=True)
class Kind:
    """A kind of target."""

    arn: str
    """Pattern of the service and the resource type in the ARN."""
    type: str
    action: str
    """The action that calls the target."""
    is_named: bool = True
    """Whether the ARN is the action's resource; ecs:RunTask is authorized on the task definition."""


_KINDS = (
    Kind("sqs:*", resource_types.QUEUE, "sqs:SendMessage"),
    Kind("sns:*", resource_types.TOPIC, "sns:Publish"),
    Kind("lambda:function", resource_types.FUNCTION, "lambda:InvokeFunction"),
    Kind("states:stateMachine", resource_types.STATE_MACHINE, "states:StartExecution"),
    Kind("events:event-bus", resource_types.EVENT_BUS, "events:PutEvents"),
    Kind("events:api-destination", resource_types.API_DESTINATION, "events:InvokeApiDestination"),
    Kind("kinesis:stream", resource_types.STREAM, "kinesis:PutRecord"),
    Kind("firehose:deliverystream", resource_types.DELIVERY_STREAM, "firehose:PutRecord"),
    Kind("codebuild:project", "aws:codebuild/project:Project", "codebuild:StartBuild"),
    Kind("codepipeline:*", "aws:codepipeline/pipeline:Pipeline", "codepipeline:StartPipelineExecution"),
    Kind("sagemaker:pipeline", "aws:sagemaker/pipeline:Pipeline", "sagemaker:StartPipelineExecution"),
    Kind("ecs:cluster", "aws:ecs/cluster:Cluster", "ecs:RunTask", is_named=False),
)
"""Targets that EventBridge Scheduler, Lambda and EventBridge Pipes call with a role
(https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html)."""


def find_kind(arn: str) -> Kind | None:
    """The kind of target that an ARN identifies; None for any other ARN."""
    parts = arns.parse(arn)
    if parts is None:
        return None
    noun = parts.resource.replace(":", "/").partition("/")[0]
    return next((kind for kind in _KINDS if wildcards.matches(kind.arn, f"{parts.service}:{noun}")), None)


def missing_to_call(stack: Stack, role: Resource, arn: str | None) -> list[str]:
    """The action that a role lacks to call this ARN; empty where the role has it, or the action is unknown.

    Raises Undecided where the role's permissions are unknown.
    """
    if called := _universal(arn or ""):
        return [] if role_permissions.allows_somewhere(stack, role, called) else [called]
    kind = find_kind(arn or "")
    if arn is None or kind is None:
        return []
    if not kind.is_named:
        return [] if role_permissions.allows_somewhere(stack, role, kind.action) else [kind.action]
    if any_of(_list_arns(arn, kind), lambda candidate: role_permissions.allows(stack, role, kind.action, candidate)):
        return []
    return [f"{kind.action} on {arn}"]


def _list_arns(arn: str, kind: Kind) -> list[str]:
    """The ARNs by which a policy may refer to a target: a state machine also without its version or alias."""
    unqualified = ":".join(arn.split(":")[:7])
    return list(dict.fromkeys([arn, unqualified])) if kind.type == resource_types.STATE_MACHINE else [arn]


def _universal(arn: str) -> str | None:
    """The action of a universal target of EventBridge Scheduler, where IAM has an action of that name
    (https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html)."""
    parts = arns.parse(arn)
    words = parts.resource.split(":") if parts and parts.service == "scheduler" else []
    if len(words) != 3 or words[0] != "aws-sdk":
        return None
    action = state_language.find_action(words[1], words[2])
    return action if action and actions.covered(action) else None
