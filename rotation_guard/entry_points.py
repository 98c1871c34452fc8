"""What the entry points of our processes have in common: closed streams, and Ctrl-C while they import."""

import os
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def replace_closed_streams() -> None:
    """Give the process a stream for each standard one that is closed, as under some supervisors: Python has None."""
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


@contextmanager
def postpone_interruption() -> Generator[None]:
    """Let SIGINT and SIGTERM take effect only after the context, such as an import.

    Python raises KeyboardInterrupt between any two instructions. While it imports, that may be a callback, which
    swallows the exception, so that Ctrl-C does nothing; or the initialization of a class or an extension, which leaves
    an object half built: of 450 interrupted imports of Pulumi under Python 3.11 one crashed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Only the main thread is interrupted.
        return
    received: list[int] = []

    def record(number: int, frame: FrameType | None) -> None:
        received.append(number)

    # A handler that was not installed by Python is None, and could not be restored.
    handlers = {number: signal.signal(number, record) for number in _SIGNALS if signal.getsignal(number) is not None}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in received[:1]:
            signal.raise_signal(number)
