"""Checks whether a service may deliver to a queue, topic or function, by the resource policy of the destination."""

from typing import Any

from ..model import resource_types
from ..model.finding import Finding
from ..model.stack import Resource, Stack
from . import function_permissions
from .function_permissions import Caller
from .iam import resource_access

DESTINATIONS = (resource_types.QUEUE, resource_types.TOPIC, resource_types.FUNCTION, resource_types.FUNCTION_ALIAS)
_ACTIONS = {
    resource_types.QUEUE: ("sqs:SendMessage", "QueuePolicy"),
    resource_types.TOPIC: ("sns:Publish", "TopicPolicy"),
}


def find_obstacle(stack: Stack, called: Any, to: Resource, caller: Caller) -> Finding | None:
    """Why the caller cannot deliver, with the fix; None where it can. `called` is the value that names the destination.

    Raises Undecided where an unknown value decides.
    """
    if to.type not in _ACTIONS:
        reason = function_permissions.denial_reason(stack, called, to, caller)
        return Finding(f"{reason}.", function_permissions.advice(to, caller)) if reason else None
    action, holder = _ACTIONS[to.type]
    reason = resource_access.denial_reason(
        stack, to, resource_access.make_request(caller.service, action, to, caller.arn)
    )
    if reason is None:
        return None
    return Finding(
        f"{reason}.",
        f"Allow {action} to {caller.service} in a {holder}, with a condition on aws:SourceArn that matches the "
        f"{caller.noun}.",
    )


def is_fifo(to: Resource) -> bool:
    """Whether a queue or a topic is FIFO. Raises Undecided where that is unknown."""
    return bool(to.flag("fifoQueue" if to.type == resource_types.QUEUE else "fifoTopic", absent=False))
