"""Keeps messages from getting lost between two threads of MiniStack that change one queue.

Runs inside the emulator. A queue's messages are a list, which is written anew without those that were deleted: whatever
another thread has put into the old list meanwhile is gone. So whoever changes one has to hold the lock that MiniStack
has for two of its functions.
"""

import functools
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from ministack.services import sqs

P = ParamSpec("P")
R = TypeVar("R")

_CHANGE_MESSAGES = (
    "_act_send_message",
    "_act_send_message_batch",
    "_act_delete_message",
    "_act_delete_message_batch",
    "_act_change_visibility",
    "_act_change_visibility_batch",
    "_act_purge_queue",
    "_expire_retained",
    "_dlq_sweep",
    "_collect_msgs",
)


def install() -> None:
    """Hold the lock from here on; one thread may take it again, since these functions call each other."""
    sqs._queues_lock = threading.RLock()  # ty: ignore[invalid-assignment]
    for name in _CHANGE_MESSAGES:
        ours = hold_lock(getattr(sqs, name))
        for action, function in sqs._HANDLERS.items():
            if function is getattr(sqs, name):
                sqs._HANDLERS[action] = ours
        setattr(sqs, name, ours)


def hold_lock(function: Callable[P, R]) -> Callable[P, R]:
    """This function, which nobody else runs beside it that changes a queue."""

    @functools.wraps(function)
    def locked(*arguments: P.args, **options: P.kwargs) -> R:
        with sqs._queues_lock:
            return function(*arguments, **options)

    return locked
