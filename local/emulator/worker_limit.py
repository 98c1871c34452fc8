"""Limits the processes of a function: further calls wait, first come, first served.

MiniStack starts another process for each call that finds none idle, without a limit: two hundred rotations that fail at
once would start two hundred processes of each step.
"""

import os
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Generator
from contextlib import contextmanager

WORKERS_PER_FUNCTION = max(2, os.cpu_count() or 1)
"""How many processes of a function run at once."""


class WorkerLimit:
    """Slots for the calls of each function; a released slot goes to the call that has waited longest."""

    def __init__(self, max_workers: int = WORKERS_PER_FUNCTION) -> None:
        self._max_workers = max_workers
        self._lock = threading.Lock()
        self._used: Counter[str] = Counter()
        self._waiting: defaultdict[str, deque[threading.Event]] = defaultdict(deque)

    @contextmanager
    def reserve(self, function: str) -> Generator[None]:
        """Hold a slot of this function during the context."""
        self._acquire(function)
        try:
            yield
        finally:
            self._release(function)

    def _acquire(self, function: str) -> None:
        with self._lock:
            if self._used[function] < self._max_workers:
                self._used[function] += 1
                return
            turn = threading.Event()
            self._waiting[function].append(turn)
        turn.wait()

    def _release(self, function: str) -> None:
        with self._lock:
            if waiting := self._waiting[function]:
                waiting.popleft().set()  # The slot stays used: the waiting call takes it over.
            else:
                self._used[function] -= 1
