"""Waits for what happens by itself, without sleeping longer than needed."""

import time
from collections.abc import Callable
from typing import TypeVar

from .errors import LocalError

T = TypeVar("T")


def eventually(look: Callable[[], T | None], what: str, seconds: float = 30.0, every: float = 0.01) -> T:
    """Look until there is something to see, and return it; raises LocalError, saying what did not happen."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise LocalError(f"{what} did not happen within {seconds:.0f} s.")
        time.sleep(every)
