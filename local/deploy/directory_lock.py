"""Locks the directory of a deployment, so that only one `up` or `down` runs at a time."""

import contextlib
import fcntl
import os
import time
from collections.abc import Generator
from pathlib import Path

from ..errors import LocalError

_LOCK = "lock"
_POLL_SECONDS = 0.05


@contextlib.contextmanager
def lock_directory(directory: Path, description: str, timeout_seconds: float = 0) -> Generator[None]:
    """Hold the directory's lock; raises LocalError when another `up` or `down` holds it for longer than the timeout.

    Afterwards remove the lock, and the directory if it is empty, unless the description exists.
    """
    path, deadline = directory / _LOCK, time.monotonic() + timeout_seconds
    while True:
        directory.mkdir(parents=True, exist_ok=True)
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            continue  # The holder of the lock has just removed the directory.
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(lock), path.stat()):
                break
        except FileNotFoundError:
            pass  # The holder has removed it: the next lock is another file.
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(lock)
                raise LocalError("Another `up` or `down` is running here: wait until it has finished.") from None
            time.sleep(_POLL_SECONDS)
        os.close(lock)
    try:
        yield
    finally:
        if not (directory / description).exists():
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                directory.rmdir()
        os.close(lock)
