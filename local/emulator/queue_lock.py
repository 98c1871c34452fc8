"""Prevents the loss of messages when two threads of MiniStack change a queue at the same time.

Runs inside the emulator. MiniStack deletes messages by replacing the list of a queue's messages, which loses whatever
another thread has appended meanwhile. Here every change holds the lock that MiniStack uses in two functions only.
"""

import functools
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from ministack.services import sqs

P = ParamSpec("P")
R = TypeVar("R")

_LOCKED_FUNCTIONS = (
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
    """Hold the lock in each of these functions; it is reentrant, since they call each other."""
    sqs._queues_lock = threading.RLock()  # ty: ignore[invalid-assignment]
    for name in _LOCKED_FUNCTIONS:
        locked = hold_lock(getattr(sqs, name))
        for action, function in sqs._HANDLERS.items():
            if function is getattr(sqs, name):
                sqs._HANDLERS[action] = locked
        setattr(sqs, name, locked)


def hold_lock(function: Callable[P, R]) -> Callable[P, R]:
    """Wrap a function that changes a queue, so that it holds the lock."""

    @functools.wraps(function)
    def locked(*arguments: P.args, **options: P.kwargs) -> R:
        with sqs._queues_lock:
            return function(*arguments, **options)

    return locked
