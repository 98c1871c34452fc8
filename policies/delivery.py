"""Decides whether what a service sends as itself arrives: at a queue or a topic by its policy, at a function too."""

from typing import Any

from . import admission, function_permissions, kinds
from .function_permissions import Caller
from .stack import Resource, Stack

DESTINATIONS = (kinds.QUEUE, kinds.TOPIC, kinds.FUNCTION, kinds.FUNCTION_ALIAS)
_ACTIONS = {kinds.QUEUE: ("sqs:SendMessage", "QueuePolicy"), kinds.TOPIC: ("sns:Publish", "TopicPolicy")}


def find_obstacle(stack: Stack, called: Any, to: Resource, caller: Caller) -> str | None:
    """Why nothing arrives and what to do about it; None where it arrives. `called` is the value that names the
    destination. Raises Undecided where nobody can tell.
    """
    if to.type not in _ACTIONS:
        reason = function_permissions.denial_reason(stack, called, to, caller)
        return reason and f"{reason}. {function_permissions.advice(to, caller)}"
    action, holder = _ACTIONS[to.type]
    reason = admission.refusal(stack, to, admission.request(caller.service, action, to, caller.arn))
    return reason and (
        f"{reason}. Let {caller.service} {action} in a {holder}, with a condition on aws:SourceArn that holds for the "
        f"{caller.noun}."
    )


def is_fifo(to: Resource) -> bool:
    """Whether a queue or a topic is FIFO. Raises Undecided where that is unknown."""
    return bool(to.flag("fifoQueue" if to.type == kinds.QUEUE else "fifoTopic", absent=False))
