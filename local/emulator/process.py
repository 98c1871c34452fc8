"""Starts and stops the embedded AWS, which is a process of its own. Runs outside of it."""

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
from collections.abc import Generator, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..aws import Aws
from ..errors import LocalError
from ..processes import ProcessGroup

ACCOUNT_ID = "111122223333"
WAIT_SCALE = 0.02
"""Seconds that a second of a workflow's waits and retry intervals takes."""
ACCOUNT_CONCURRENCY = 1000
"""Lambda's default quota of concurrent executions
(https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)."""

_ROOT = Path(__file__).resolve().parents[2]
_MODULE = "local.emulator.main"
_HOST = "127.0.0.1"
_READY_SECONDS = 30.0
# Read by other_accounts.py and cloudtrail.py, which run inside the emulator and cannot be imported here.
_ACCOUNTS_VARIABLE = "ROTATION_GUARD_ACCOUNTS"
_EVENT_LOG_VARIABLE = "ROTATION_GUARD_EVENT_LOG"
_RECORD_FILE = "process.json"
# All that the emulator and its functions see of the developer's environment: no profile, proxy or endpoint.
_INHERITED_VARIABLES = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "SYSTEMROOT",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
)


@dataclass(frozen=True)
class Emulator:
    """An embedded AWS, and the folder of all its files."""

    folder: Path
    port: int
    process: ProcessGroup
    access_key_id: str
    """The root user's key, new in each run: every user of this machine can reach the port."""
    secret_access_key: str = field(repr=False)
    account_id: str = ACCOUNT_ID

    @property
    def endpoint_url(self) -> str:
        """The address it listens at, on loopback only."""
        return f"http://{_HOST}:{self.port}"

    @property
    def log(self) -> Path:
        """The output of the emulator and of the functions in it."""
        return self.folder / "emulator.log"

    @property
    def event_log(self) -> Path:
        """The events that AWS would have sent, each with its time: one JSON object per line."""
        return self.folder / "events.jsonl"

    @classmethod
    def start(
        cls,
        folder: Path,
        region: str,
        port: int | None = None,
        wait_scale: float = WAIT_SCALE,
        account_concurrency: int = ACCOUNT_CONCURRENCY,
        account_id: str = ACCOUNT_ID,
        accounts_file: Path | None = None,
    ) -> "Emulator":
        """Start an emulator in this folder, on this or any free port; call `wait_until_ready` next, and `stop` at last.

        `accounts_file` says where other accounts are, as `describe_accounts` writes it. Raises LocalError when the port
        is taken.
        """
        port = _find_free_port(port)
        # Readable only by its owner: the log holds what functions print.
        folder.mkdir(parents=True, mode=0o700)
        # A short path, removed with the folder: the code of every function is unpacked here.
        (folder / "tmp").mkdir()
        keys = _generate_access_key_id(), secrets.token_hex(20)
        with (folder / "emulator.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", _MODULE],
                cwd=_ROOT,
                env={
                    **_build_environment(folder, region, port, wait_scale, account_concurrency, *keys),
                    "MINISTACK_ACCOUNT_ID": account_id,
                    **({_ACCOUNTS_VARIABLE: str(accounts_file)} if accounts_file else {}),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        # Killed by its group, perhaps from another process: this object must not wait for it.
        process.returncode = 0
        emulator = cls(folder, port, ProcessGroup.of_leader(process.pid), *keys, account_id)
        try:
            emulator._write_record()
        except BaseException:
            emulator.stop()
            raise
        return emulator

    @classmethod
    @contextlib.contextmanager
    def serve(cls, folder: Path, region: str, **options: Any) -> Generator["Emulator"]:
        """Run an emulator, with the options of `start`, during the context; stop it even when its start fails."""
        emulator = cls.start(folder, region, **options)
        try:
            emulator.wait_until_ready()
            yield emulator
        finally:
            if not emulator.stop():
                raise LocalError(f"Process {emulator.process.pid} of the embedded AWS does not end: kill it manually.")

    def _write_record(self) -> None:
        record = {
            "port": self.port,
            **asdict(self.process),
            "access_key_id": self.access_key_id,
            "secret_access_key": self.secret_access_key,
            "account_id": self.account_id,
        }
        write_private_file(self.folder / _RECORD_FILE, json.dumps(record))

    @classmethod
    def load(cls, folder: Path) -> "Emulator | None":
        """Return the emulator that was started in this folder, dead or alive; None when none was."""
        try:
            record = json.loads((folder / _RECORD_FILE).read_text(encoding="utf-8"))
            process = ProcessGroup(int(record["pid"]), str(record["started"]))
            keys = str(record["access_key_id"]), str(record["secret_access_key"])
            return cls(folder, int(record["port"]), process, *keys, str(record.get("account_id", ACCOUNT_ID)))
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return None

    def aws(self, region: str) -> Aws:
        """Return clients for it, as the account's root user."""
        return Aws(self.endpoint_url, region, self.account_id, self.access_key_id, self.secret_access_key)

    def wait_until_ready(self) -> None:
        """Wait until it responds; raises LocalError with the last line of its log when it does not."""
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            if self.is_ready():
                return
            if not self.process.is_leader_alive():
                raise LocalError(f"The embedded AWS ended during its start: {self._read_last_log_line()}")
            time.sleep(0.01)
        raise LocalError(
            f"The embedded AWS did not respond within {_READY_SECONDS:.0f} s: {self._read_last_log_line()}"
        )

    def is_ready(self) -> bool:
        """Whether this process runs and responds."""
        if not self.process.is_leader_alive():
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
        """Kill it and all functions that run in it, and remove its folder; return whether no process is left.

        It stores nothing, so there is nothing to shut down.
        """
        ended = self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        return ended

    def _read_last_log_line(self) -> str:
        lines: list[str] = []
        with contextlib.suppress(OSError):
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "its log is empty."


def describe_accounts(file: Path, organization: str, emulators: Iterable[Emulator]) -> None:
    """Write where the accounts of an organisation are, for events between them."""
    accounts = {
        emulator.account_id: {
            "endpoint_url": emulator.endpoint_url,
            "access_key_id": emulator.access_key_id,
            "secret_access_key": emulator.secret_access_key,
        }
        for emulator in emulators
    }
    write_private_file(file, json.dumps({"organization": organization, **accounts}))


def _find_free_port(wanted: int | None) -> int:
    with socket.socket() as probe:
        # As the server does: a port whose last connections are still closing counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, wanted or 0))
        except (OSError, OverflowError):
            raise LocalError(f"Port {wanted} is taken or not allowed: choose another one with --port.") from None
        return probe.getsockname()[1]


def write_private_file(path: Path, text: str) -> None:
    """Write a file atomically, readable only by its owner."""
    partial = path.with_name(f"{path.name}.part")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)


def _generate_access_key_id() -> str:
    """Generate a key id in AWS's format: 20 characters, 16 of them random (80 bits)."""
    return "AKIA" + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))


def _build_environment(
    folder: Path,
    region: str,
    port: int,
    wait_scale: float,
    account_concurrency: int,
    access_key_id: str,
    secret_access_key: str,
) -> dict[str, str]:
    return {
        **{name: os.environ[name] for name in _INHERITED_VARIABLES if name in os.environ},
        "AUTH": "true",
        "BIND_HOST": _HOST,
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "0",
        "MINISTACK_REGION": region,
        "LAMBDA_ACCOUNT_CONCURRENCY": str(account_concurrency),
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
        _EVENT_LOG_VARIABLE: str(folder.resolve() / "events.jsonl"),
    }
