"""Kills processes that the local deployment started, and provably no others: process ids are reused.

On Linux a pidfd refers to the process from the check to the signal, so that the id cannot be reused in between
(https://man7.org/linux/man-pages/man2/pidfd_open.2.html).
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_KILL_TIMEOUT_SECONDS = 3.0


@dataclass(frozen=True)
class ProcessGroup:
    """A process that leads its own group, and everything it started.

    Without /proc only the leader can be identified, so only it is killed. The functions that it runs end by
    themselves, since they read their work from it.
    """

    pid: int
    started: str
    """When the kernel started it: no two processes share both this and the id."""

    @classmethod
    def of_leader(cls, pid: int) -> "ProcessGroup":
        """Return the group of a process that has just been started."""
        return cls(pid, _read_start(pid))

    def is_leader_alive(self) -> bool:
        """Whether the process that was started is still running."""
        return bool(self.started) and _read_start(self.pid) == self.started

    def kill(self) -> bool:
        """Kill every process of the group and wait for their end; return whether none is left."""
        deadline = time.monotonic() + _KILL_TIMEOUT_SECONDS
        while members := self._list_members():
            if time.monotonic() > deadline:
                return False
            self._kill(members)
            time.sleep(0.005)
            # The leader may be a child of this process; otherwise its parent reaps it.
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, os.WNOHANG)
        return True

    def _kill(self, pids: list[int]) -> None:
        """Kill these members of the group, except ids that belong to other processes now."""
        if not has_pidfd():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            return
        with contextlib.ExitStack() as stack:
            descriptors: dict[int, int] = {}
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    descriptors[pid] = os.pidfd_open(pid)
                    stack.callback(os.close, descriptors[pid])
            # List again: an id may have been reused before its descriptor was opened.
            for pid in descriptors.keys() & set(self._list_members()):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    signal.pidfd_send_signal(descriptors[pid], signal.SIGKILL)

    def _list_members(self) -> list[int]:
        if not _has_proc():
            return [self.pid] if self.is_leader_alive() else []
        boot, _, ticks = self.started.partition("/")
        if boot != _read_boot_id() or not ticks:
            return []
        running = list(_list_processes())
        # An id is not reused while its group has members: a leader with another start time leads another group.
        if any(pid == self.pid and start != int(ticks) for pid, _, start in running):
            return []
        return [pid for pid, group, start in running if group == self.pid and start >= int(ticks)]


def has_pidfd() -> bool:
    """Whether this system has process file descriptors: Linux 5.3 or later."""
    if not hasattr(os, "pidfd_open"):
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True


def _list_processes() -> Iterator[tuple[int, int, int]]:
    """Yield the id, group and start of each process; zombies do not count."""
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (fields := _read_stat(int(entry.name))):
            yield int(entry.name), int(fields[2]), int(fields[19])


def _read_stat(pid: int) -> list[str]:
    """Read the fields of /proc/<pid>/stat from the state on (proc(5)); the name before them may contain anything."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
    return [] if fields[0] in "ZX" else fields


def _read_start(pid: int) -> str:
    if _has_proc():
        fields = _read_stat(pid)
        return f"{_read_boot_id()}/{fields[19]}" if fields else ""
    completed = subprocess.run(
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return completed.stdout.strip()


def _has_proc() -> bool:
    return _PROC.joinpath("self", "stat").exists()


def _read_boot_id() -> str:
    """Read the id of this boot: start times count from it."""
    return _PROC.joinpath("sys/kernel/random/boot_id").read_text().strip()
