"""Runs a command as an operator does, and measures it: wall time, processor time, and the peak of its memory.

`python -S measured_command.py COMMAND ...` is the small process that the command starts from: the kernel counts for a
process also the memory of the one that it was forked from.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""Credentials that no AWS takes, and nothing of the operator's configuration."""
_INHERITED = ("PATH", "HOME", "LANG")


@dataclass(frozen=True)
class Measurement:
    """One run of a command."""

    seconds: float
    cpu_seconds: float
    """Of the command alone, not of the server that it calls."""
    megabytes: float
    """The peak of its resident memory."""
    lines: int
    """Of its standard output."""
    output_megabytes: float


def measure(command: Sequence[str], **environment: str) -> Measurement:
    """Run a command with these variables; RuntimeError if it fails."""
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            [sys.executable, "-S", __file__, *command],
            env={**{name: os.environ[name] for name in _INHERITED if name in os.environ}, **ENVIRONMENT, **environment},
            stdout=output,
            stderr=subprocess.PIPE,
            check=False,
        )
        *messages, report = done.stderr.decode().splitlines()
        measured: Mapping[str, float] = json.loads(report)
        if measured["exit_code"] != 0:
            raise RuntimeError(f"{Path(command[0]).name} must end with 0, got {measured['exit_code']}: {messages}")
        output.seek(0)
        lines = sum(chunk.count(b"\n") for chunk in iter(lambda: output.read(1 << 20), b""))
        size = output.tell() / 1e6
    return Measurement(measured["seconds"], measured["cpu_seconds"], measured["megabytes"], lines, size)


def read_peak_megabytes() -> float:
    """The peak of this process's own memory, or where /proc is missing with that of the process it was forked from."""
    status = Path("/proc/self/status")
    if status.exists():
        return (
            next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM:")) / 1000
        )
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def _main(command: Sequence[str]) -> None:
    began = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    report = {
        "exit_code": os.waitstatus_to_exitcode(status),
        "seconds": time.perf_counter() - began,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "megabytes": usage.ru_maxrss / 1000,  # Linux counts kilobytes
    }
    sys.stderr.write(f"{json.dumps(report)}\n")


if __name__ == "__main__":
    _main(sys.argv[1:])
