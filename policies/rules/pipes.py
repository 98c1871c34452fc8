"""EventBridge Pipes: the role may read the source, call the enrichment, write to the target and keep failed records."""

from collections.abc import Iterator
from dataclasses import dataclass

from ..aws import arns, encryption, outside_targets
from ..aws.iam import resource_access, role_permissions
from ..model import resource_types
from ..model.finding import Complaints, Finding
from ..model.rule import check_each, stack_rule
from ..model.stack import Resource, Stack
from ..model.values import Undecided, any_of
from .lambda_stream_readers import PIPE_STREAMS

SERVICE = "pipes.amazonaws.com"
_READ_ACTIONS = {
    "sqs": ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    "kinesis": ("kinesis:GetRecords", "kinesis:GetShardIterator"),
    "dynamodb": ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"),
}
"""Actions that a role needs to read a source, by the service in its ARN
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-permissions.html)."""
_TARGET_ACTIONS = {
    resource_types.QUEUE: ("sqs:SendMessage",),
    resource_types.TOPIC: ("sns:Publish",),
    resource_types.FUNCTION: ("lambda:InvokeFunction",),
    resource_types.FUNCTION_ALIAS: ("lambda:InvokeFunction",),
    resource_types.STATE_MACHINE: ("states:StartExecution", "states:StartSyncExecution"),
    resource_types.EVENT_BUS: ("events:PutEvents",),
    resource_types.API_DESTINATION: ("events:InvokeApiDestination",),
    resource_types.STREAM: ("kinesis:PutRecord", "kinesis:PutRecords"),
    resource_types.DELIVERY_STREAM: ("firehose:PutRecord", "firehose:PutRecordBatch"),
}
"""Alternative actions that a role needs to call a target."""
_ENRICHMENT_ACTIONS = {
    resource_types.FUNCTION: ("lambda:InvokeFunction",),
    resource_types.FUNCTION_ALIAS: ("lambda:InvokeFunction",),
    resource_types.STATE_MACHINE: ("states:StartSyncExecution",),
    resource_types.API_DESTINATION: ("events:InvokeApiDestination",),
}
"""The same for enrichments, which are called synchronously."""

_GUIDE = "https://docs.aws.amazon.com/eventbridge/latest/userguide"


@stack_rule(resource_types.PIPE, severity="high", enforcement="mandatory", link=f"{_GUIDE}/eb-pipes-permissions.html")
def pipe_role_may_do_its_work(pipe: Resource, stack: Stack) -> Complaints:
    """EventBridge Pipes may assume a pipe's role, and the role may read the source, enrich, and write to the target.

    Allow pipes.amazonaws.com in the role's trust policy, and the missing actions in a policy of the role.
    """
    role = stack.target(pipe, "roleArn", resource_types.ROLE)
    if role is None or role.external:
        return

    yield from check_each([role], lambda pipe_role: _check_trust(pipe, pipe_role))
    yield from check_each(_list_calls(stack, pipe), lambda call: _check_permissions(stack, pipe, role, call))


@stack_rule(resource_types.PIPE, severity="high", enforcement="mandatory", link=f"{_GUIDE}/eb-pipes-permissions.html")
def pipe_dead_letters_are_reachable(pipe: Resource, stack: Stack) -> Complaints:
    """A pipe's role may send to the pipe's dead-letter queue or topic.

    Allow the sending in a policy of the role.
    """
    for inside in PIPE_STREAMS.values():
        path = f"{inside}.deadLetterConfig.arn"
        to = stack.target(pipe, path, resource_types.QUEUE, resource_types.TOPIC)
        role = stack.target(pipe, "roleArn", resource_types.ROLE)
        if role is None or role.external:
            continue
        if to is not None:
            missing = role_permissions.missing_to_send(stack, role, pipe, path, to)
        else:
            missing = outside_targets.missing_to_call(stack, role, pipe.text(path))
        if missing:
            yield Finding(
                f"The pipe {pipe.name} cannot send failed records to {to.name if to else pipe.text(path)}: its role "
                f"{role.name} lacks "
                f"{' and '.join(missing)}.",
                "Add the missing permissions to a policy of the role.",
            )


@stack_rule(resource_types.PIPE, severity="high", enforcement="mandatory", link=f"{_GUIDE}/pipes-enrichment.html")
def pipe_enrichment_answers(pipe: Resource, stack: Stack) -> Complaints:
    """A state machine that is a pipe's enrichment is an Express workflow: a pipe does not support a standard one.

    Set the state machine's type to EXPRESS.
    """
    machine = stack.target(pipe, "enrichment", resource_types.STATE_MACHINE)
    if machine is None or machine.external or machine.text("type") == "EXPRESS":
        return None
    return Finding(
        f"The pipe {pipe.name} cannot use {machine.name} as its enrichment: type of the state machine is "
        f"{machine.text('type') or 'absent'} and not EXPRESS.",
        "Set type to EXPRESS.",
    )


@dataclass(frozen=True)
class Call:
    """A call that a pipe makes with its role."""

    verb: str
    """`read` needs all of the actions, other verbs one of them."""
    path: str
    """The property that refers to the resource."""
    actions: tuple[str, ...]
    on: Resource | str


def _check_trust(pipe: Resource, role: Resource) -> Complaints:
    if not role.has("assumeRolePolicy") or resource_access.trusts(role, SERVICE, resource_access.known_arn(pipe)):
        return None
    return Finding(
        f"The pipe {pipe.name} cannot start: the trust policy of its role {role.name} does not allow {SERVICE} to "
        "assume it.",
        f"Allow sts:AssumeRole to the Service {SERVICE} in the trust policy.",
    )


def _check_permissions(stack: Stack, pipe: Resource, role: Resource, call: Call) -> Complaints:
    if call.verb == "read":
        missing = [action for action in call.actions if not role_permissions.allows(stack, role, action, call.on)]
    else:
        allowed = any_of(call.actions, lambda action: role_permissions.allows(stack, role, action, call.on))
        missing = [] if allowed else [" or ".join(call.actions)]
    missing += _missing_on_key(stack, role, call)
    if not missing:
        return None
    name = call.on.name if isinstance(call.on, Resource) else call.on
    return Finding(
        f"The pipe {pipe.name} cannot {call.verb} {name} ({call.path}): its role {role.name} lacks "
        f"{' and '.join(missing)}.",
        "Add the missing permissions to a policy of the role.",
    )


def _list_calls(stack: Stack, pipe: Resource) -> Iterator[Call]:
    """List the known calls of a pipe."""
    source = pipe.value("source")
    parts = arns.parse(source) if isinstance(source, str) else None
    if parts and parts.service in _READ_ACTIONS:
        queue = _target(stack, pipe, "source", resource_types.QUEUE) if parts.service == "sqs" else None
        yield Call("read", "source", _READ_ACTIONS[parts.service], queue or str(source))
    for verb, path, actions in (("call", "enrichment", _ENRICHMENT_ACTIONS), ("write to", "target", _TARGET_ACTIONS)):
        to = _target(stack, pipe, path, *actions)
        if to is not None:
            arn = pipe.value(path)
            # A policy must name the version or alias of a function that is called.
            called = arn if to.type == resource_types.FUNCTION and isinstance(arn, str) and arns.parse(arn) else to
            yield Call(verb, path, actions[to.type], called)
        elif isinstance(arn := pipe.value(path), str):
            kind = outside_targets.find_kind(arn)
            if kind is not None and kind.type in actions:
                yield Call(verb, path, actions[kind.type], arn)


def _target(stack: Stack, pipe: Resource, path: str, *types: str) -> Resource | None:
    try:
        return stack.target(pipe, path, *types)
    except Undecided:
        return None


def _missing_on_key(stack: Stack, role: Resource, call: Call) -> list[str]:
    """The actions that the role lacks on the key of a queue or topic."""
    if isinstance(call.on, str) or call.on.type not in (resource_types.QUEUE, resource_types.TOPIC):
        return []
    key = encryption.find_key(stack, call.on)
    uses = ("kms:Decrypt",) if call.verb == "read" else encryption.KEY_ACTIONS
    return [
        f"{use} on the key {key.name}"
        for use in uses
        if key is not None and not role_permissions.allows(stack, role, use, key)
    ]
