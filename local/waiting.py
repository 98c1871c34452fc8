"""Polls until a condition holds."""

import time
from collections.abc import Callable
from typing import TypeVar

from .errors import LocalError

T = TypeVar("T")


def eventually(check: Callable[[], T | None], expectation: str, seconds: float = 30.0, poll_seconds: float = 0.03) -> T:
    """Call `check` until its result is true, and return that; raises LocalError when the time is up."""
    deadline = time.monotonic() + seconds
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > deadline:
            raise LocalError(f"{expectation} did not happen within {seconds:.0f} s.")
        time.sleep(poll_seconds)
