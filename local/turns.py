"""As many processes of one function as can be of use here: whoever calls it meanwhile waits for one.

Runs inside the emulator, which starts another process for each call that finds none free, with no bound: two hundred
rotations that fail at once would start two hundred of each step, on a machine that can run a few.
"""

import os
import threading
from collections.abc import Callable
from typing import Any

MOST = max(2, os.cpu_count() or 1)
"""Processes of one function."""
_GLANCE_SECONDS = 0.05
"""A process that died makes room without a word."""


class Turns:
    """Stands between the emulator and its processes, by the two calls by which it takes one and gives it back."""

    def __init__(self, acquire: Callable[..., Any], release: Callable[[Any], None], most: int = MOST) -> None:
        self._acquire, self._release, self._most = acquire, release, most
        self._free = threading.Condition()

    def acquire(self, func_name: str, config: dict[str, Any], code_zip: bytes, **options: Any) -> Any:
        """A process of this function, once there is one; a function that calls itself could wait for ever."""
        options["max_concurrency"] = options.get("max_concurrency") or self._most
        with self._free:
            while True:
                worker, how = self._acquire(func_name, config, code_zip, **options)
                if worker is not None:
                    return worker, how
                self._free.wait(_GLANCE_SECONDS)

    def release(self, worker: Any) -> None:
        """Gives a process back, for whoever waits."""
        self._release(worker)
        with self._free:
            self._free.notify_all()


def install() -> None:
    """Let calls wait from here on."""
    from ministack.services import lambda_svc

    turns = Turns(lambda_svc.acquire_worker, lambda_svc.release_worker)
    lambda_svc.acquire_worker = turns.acquire  # ty: ignore[invalid-assignment]
    lambda_svc.release_worker = turns.release  # ty: ignore[invalid-assignment]
