"""Ends processes that this room started, and provably no others: a process id alone may have been given away again.

On Linux a process is held by a pidfd while it is looked at and signalled, so its id cannot be given away in between
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
_GRACE_SECONDS = {signal.SIGTERM: 1.0, signal.SIGKILL: 3.0}
"""How long to wait after each signal. The embedded AWS has nothing to save, and functions at work may hold it up."""


@dataclass(frozen=True)
class ProcessGroup:
    """A process of ours that leads a group of its own, and everything it started.

    Where the system has no /proc only the leader can be told from others, and only it is ended; the functions that it
    runs end by themselves when it is gone, since they read their work from it.
    """

    pid: int
    started: str
    """When it started, as the kernel tells it: no two processes share both this and the id."""

    @classmethod
    def led_by(cls, pid: int) -> "ProcessGroup":
        """The group of a process that has just been started."""
        return cls(pid, _start_of(pid))

    def leader_lives(self) -> bool:
        """Whether the very process that was started is still running."""
        return bool(self.started) and _start_of(self.pid) == self.started

    def end(self) -> bool:
        """End every process of the group, politely and then not; whether none is left."""
        for number, seconds in _GRACE_SECONDS.items():
            members = self._members()
            for pid in members:
                self._signal(pid, number)
            deadline = time.monotonic() + seconds
            while members and time.monotonic() < deadline:
                time.sleep(0.005)
                # The leader may be a child of this very process; whoever else is its parent waits for it there.
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(self.pid, os.WNOHANG)
                members = self._members()
            if not members:
                return True
        return False

    def _signal(self, pid: int, number: int) -> None:
        """Signal a member of the group, unless its id is another process's by now."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if not has_pidfd():
                os.kill(pid, number)
                return
            descriptor = os.pidfd_open(pid)
            try:
                # Looked at again: between the listing and this line the id may have been given away.
                if pid in self._members():
                    signal.pidfd_send_signal(descriptor, number)
            finally:
                os.close(descriptor)

    def _members(self) -> list[int]:
        if not _has_proc():
            return [self.pid] if self.leader_lives() else []
        boot, _, ticks = self.started.partition("/")
        if boot != _boot() or not ticks:
            return []
        running = list(_running())
        # An id is not given away while its group has members: whoever leads the group now leads another one.
        if any(pid == self.pid and start != int(ticks) for pid, _, start in running):
            return []
        return [pid for pid, group, start in running if group == self.pid and start >= int(ticks)]


def has_pidfd() -> bool:
    """Whether this system has descriptors of processes: Linux from 5.3 on."""
    if not hasattr(os, "pidfd_open"):
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True


def _running() -> Iterator[tuple[int, int, int]]:
    """Id, group and start of each process; those that only wait to be reaped are gone."""
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (fields := _fields(int(entry.name))):
            yield int(entry.name), int(fields[2]), int(fields[19])


def _fields(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on (proc(5)); the name before them may contain anything."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
    return [] if fields[0] in "ZX" else fields


def _start_of(pid: int) -> str:
    if _has_proc():
        fields = _fields(pid)
        return f"{_boot()}/{fields[19]}" if fields else ""
    told = subprocess.run(["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return told.stdout.strip()


def _has_proc() -> bool:
    return _PROC.joinpath("self", "stat").exists()


def _boot() -> str:
    """Starts are counted from the boot, so they mean nothing after the next one."""
    return _PROC.joinpath("sys/kernel/random/boot_id").read_text().strip()
