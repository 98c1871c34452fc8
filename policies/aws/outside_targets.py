"""What a role has to be allowed to call something outside the stack, by the ARN that a property names.

What the role may do is known, whoever owns what it calls.
"""

from dataclasses import dataclass

from ..model import resource_types
from ..model.stack import Resource, Stack
from ..model.values import any_of
from . import arns, state_language
from .iam import actions, role_permissions, wildcards


@dataclass(frozen=True)
class Kind:
    """A kind of resource that something is handed over to."""

    arn: str
    """Service and kind of resource in its ARN, as a pattern."""
    type: str
    action: str
    """What it takes to hand something over."""
    is_named: bool = True
    """Whether the action is done to what the ARN names; running a task is done to its definition."""


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
"""Those that EventBridge Scheduler, Lambda and EventBridge Pipes call with a role
(https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html)."""


def find_kind(arn: str) -> Kind | None:
    """The kind of resource that an ARN names; None where it is none of these."""
    parts = arns.parts(arn)
    if parts is None:
        return None
    noun = parts[4].replace(":", "/").partition("/")[0]
    return next((kind for kind in _KINDS if wildcards.matches(kind.arn, f"{parts[1]}:{noun}")), None)


def missing_to_call(stack: Stack, role: Resource, arn: str | None) -> list[str]:
    """The action that a role lacks to hand something over to this, with the ARN; none where nobody can tell which.

    Raises Undecided where what the role may do is unknown.
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
    """The ARNs by which a policy may name what this ARN does: of a state machine's version or alias either one."""
    unqualified = ":".join(arn.split(":")[:7])
    return list(dict.fromkeys([arn, unqualified])) if kind.type == resource_types.STATE_MACHINE else [arn]


def _universal(arn: str) -> str | None:
    """The action of the API call that a universal target of EventBridge Scheduler makes, where IAM has it by that name
    (https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html)."""
    parts = arns.parts(arn)
    words = parts[4].split(":") if parts and parts[1] == "scheduler" else []
    if len(words) != 3 or words[0] != "aws-sdk":
        return None
    action = state_language.find_action(words[1], words[2])
    return action if action and actions.covered(action) else None
