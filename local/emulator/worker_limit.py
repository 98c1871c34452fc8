"""How many processes of one function run at once: more calls wait in line, first come first served.

Runs inside the emulator, which starts another process for each call that finds none free, with no bound: two hundred
rotations that fail at once would start two hundred of each step, on a machine that can run a few.
"""

import os
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Generator
from contextlib import contextmanager

MOST = max(2, os.cpu_count() or 1)
"""Processes of one function."""


class WorkerLimit:
    """Places for the calls of each function; a place that is given back goes to whoever has waited longest."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._changing = threading.Lock()
        self._taken: Counter[str] = Counter()
        self._waiting: defaultdict[str, deque[threading.Event]] = defaultdict(deque)

    @contextmanager
    def place(self, function: str) -> Generator[None]:
        """A place of this function, for as long as the context lasts."""
        self._take(function)
        try:
            yield
        finally:
            self._give_back(function)

    def _take(self, function: str) -> None:
        with self._changing:
            if self._taken[function] < self._most:
                self._taken[function] += 1
                return
            mine = threading.Event()
            self._waiting[function].append(mine)
        mine.wait()

    def _give_back(self, function: str) -> None:
        with self._changing:
            if waiting := self._waiting[function]:
                waiting.popleft().set()  # The place stays taken: it changes hands.
            else:
                self._taken[function] -= 1
