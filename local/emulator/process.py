"""Starts the embedded AWS as a process of its own, and knows when it is ready."""

import contextlib
import http.client
import json
import os
import secrets
import shutil
import socket
import string
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..aws import Aws
from ..errors import LocalError
from ..processes import ProcessGroup

ACCOUNT_ID = "111122223333"
WAIT_SCALE = 0.02
"""Seconds that a second takes of a workflow's waits and of the intervals between its retries."""

_ROOT = Path(__file__).resolve().parents[2]
_MODULE = "local.emulator.main"
_HOST = "127.0.0.1"
_READY_SECONDS = 30.0
# Read by cloudtrail.py, which runs in that process and cannot be imported in this one.
_JOURNAL_VARIABLE = "ROTATION_GUARD_JOURNAL"
_RECORD = "process.json"
# What the emulator, and every function in it, may see of the developer's environment: no profile, proxy or endpoint.
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


@dataclass(frozen=True)
class Emulator:
    """One embedded AWS and the folder that holds all it leaves on disk."""

    folder: Path
    port: int
    process: ProcessGroup
    access_key_id: str
    """The key of the account's root user, new in each run: everyone on this machine can reach the port."""
    secret_access_key: str = field(repr=False)

    @property
    def endpoint_url(self) -> str:
        """Where it listens: on loopback only."""
        return f"http://{_HOST}:{self.port}"

    @property
    def log(self) -> Path:
        """What it and the functions in it say."""
        return self.folder / "emulator.log"

    @property
    def journal(self) -> Path:
        """The events that AWS would have sent, each with the moment it was put: JSON, one a line."""
        return self.folder / "journal.jsonl"

    @classmethod
    def start(cls, folder: Path, region: str, port: int | None = None, wait_scale: float = WAIT_SCALE) -> "Emulator":
        """Start one in this folder, on a free port unless one is given; `wait_until_ready` is to follow.

        Raises LocalError when the port is taken.
        """
        port = _free_port(port)
        # For its owner alone: the log has what functions print.
        folder.mkdir(parents=True, mode=0o700)
        # Short, and emptied with the folder: the code of every function is unpacked below it.
        (folder / "tmp").mkdir()
        keys = _new_access_key_id(), secrets.token_hex(20)
        with (folder / "emulator.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", _MODULE],
                cwd=_ROOT,
                env=_environment(folder, region, port, wait_scale, *keys),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        # Ended by its group, maybe by another process: nobody is to wait for this object.
        process.returncode = 0
        emulator = cls(folder, port, ProcessGroup.led_by(process.pid), *keys)
        record = {
            "port": port,
            **asdict(emulator.process),
            "access_key_id": emulator.access_key_id,
            "secret_access_key": emulator.secret_access_key,
        }
        write_privately(folder / _RECORD, json.dumps(record))
        return emulator

    @classmethod
    def in_folder(cls, folder: Path) -> "Emulator | None":
        """The one that was started in this folder, dead or alive; None when none was."""
        try:
            record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
            process = ProcessGroup(int(record["pid"]), str(record["started"]))
            keys = str(record["access_key_id"]), str(record["secret_access_key"])
            return cls(folder, int(record["port"]), process, *keys)
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return None

    def aws(self, region: str) -> Aws:
        """The way into it, as the account's root user."""
        return Aws(self.endpoint_url, region, ACCOUNT_ID, self.access_key_id, self.secret_access_key)

    def wait_until_ready(self) -> None:
        """Wait until it answers; raises LocalError, with the last line of its log, when it does not."""
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            if self.answers():
                return
            if not self.process.leader_lives():
                raise LocalError(f"The embedded AWS ended while it started: {self._last_words()}")
            time.sleep(0.01)
        raise LocalError(f"The embedded AWS did not answer within {_READY_SECONDS:.0f} s: {self._last_words()}")

    def answers(self) -> bool:
        """Whether this very process is up and answers."""
        if not self.process.leader_lives():
            return False
        connection = http.client.HTTPConnection(_HOST, self.port, timeout=2)
        try:
            connection.request("GET", "/_ministack/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def stop(self) -> bool:
        """End it with all functions that run in it, and remove its folder; whether no process is left."""
        ended = self.process.end()
        shutil.rmtree(self.folder, ignore_errors=True)
        return ended

    def _last_words(self) -> str:
        lines: list[str] = []
        with contextlib.suppress(OSError):
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "it said nothing."


def _free_port(wanted: int | None) -> int:
    with socket.socket() as probe:
        # As the server itself does: a port whose last connections are still closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, wanted or 0))
        except (OSError, OverflowError):
            raise LocalError(f"Port {wanted} is taken or not allowed: choose another with --port.") from None
        return probe.getsockname()[1]


def write_privately(path: Path, text: str) -> None:
    """Write a file whole or not at all, and for nobody else to read."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)


def _new_access_key_id() -> str:
    """As AWS forms them: 20 characters, of which these are what nobody can guess (80 bits)."""
    return "AKIA" + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))


def _environment(
    folder: Path, region: str, port: int, wait_scale: float, access_key_id: str, secret_access_key: str
) -> dict[str, str]:
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        "AUTH": "true",
        "BIND_HOST": _HOST,
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "0",
        "MINISTACK_REGION": region,
        "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
        # AWS's default quota; MiniStack would take what fits into the memory of this machine.
        "LAMBDA_ACCOUNT_CONCURRENCY": "1000",
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.1",
        "LAMBDA_ASYNC_RETRY_MAX_SECONDS": "1",
        "SFN_WAIT_SCALE": str(wait_scale),
        "AWS_ACCESS_KEY_ID": access_key_id,
        "AWS_SECRET_ACCESS_KEY": secret_access_key,
        "AWS_DEFAULT_REGION": region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "TMPDIR": str(folder.resolve() / "tmp"),
        "PYTHONUNBUFFERED": "1",
        _JOURNAL_VARIABLE: str(folder.resolve() / "journal.jsonl"),
    }
