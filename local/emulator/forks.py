"""Starts Lambda functions as forks of one process, the fork server, that has imported their common modules.

MiniStack starts a new Python for each function, and again after each error. Most of that time, over half a second of
CPU, is the import of boto3 and Powertools, which a fork has already. Everything else is as in a separate process: the
function's code, environment, folder and credentials. Used on Linux only, since forking is not safe on every system.
"""

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import weakref
from traceback import print_exception
from types import TracebackType
from typing import IO, Any

from ..processes import has_pidfd

_PRELOADED_MODULES = (
    "boto3",
    "boto3.dynamodb.types",
    "botocore.auth",
    "botocore.endpoint",
    "botocore.parsers",
    "botocore.retries.standard",
    "aws_lambda_powertools",
    "aws_lambda_powertools.utilities.batch",
    "aws_lambda_powertools.utilities.data_classes",
    "aws_lambda_powertools.utilities.typing",
)
_PRELOADED_SERVICES = ("dynamodb", "events", "lambda", "secretsmanager", "sns", "ssm")
"""Services whose models are preloaded: most of the 0.1 s of CPU that a function's first clients take."""
_LENGTH_FORMAT = struct.Struct("!I")


class ForkServer:
    """The emulator's side of the fork server; it replaces the `subprocess` module of MiniStack's Lambda runtime."""

    def __init__(self) -> None:
        self._request_lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def prepare(self) -> None:
        """Start the server, so that its imports are done when the first function is called."""
        with self._request_lock:
            if self._process is None:
                self._start()

    def _start(self) -> None:
        self._socket, child_fds = socket.socketpair()
        # A child in the emulator's process group, so that it ends with it, or when the socket closes.
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(child_fds.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[child_fds.fileno()],
        )
        child_fds.close()

    def close(self) -> None:
        """Stop the server; its forks continue."""
        if self._socket and self._process:
            self._socket.close()
            self._process.wait()

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def Popen(self, arguments: list[str], **options: Any) -> Any:  # noqa: N802 - the name in `subprocess`
        """Start a script of this Python as a fork, and any other command as `subprocess` does."""
        if arguments[:-1] != [sys.executable] or not options.get("text"):
            return subprocess.Popen(arguments, **options)
        self.prepare()
        try:
            return self._fork(arguments[-1], options["cwd"], options["env"])
        except OSError:
            return subprocess.Popen(arguments, **options)  # The server has ended.

    def _fork(self, script: str, folder: str, environment: dict[str, str]) -> "ForkedProcess":
        if self._socket is None:
            raise OSError("not started")
        (read_in, write_in), (read_out, write_out), (read_error, write_error) = (os.pipe() for _ in range(3))
        child_fds = [read_in, write_out, write_error]
        request = json.dumps({"script": script, "folder": folder, "environment": environment}).encode()
        try:
            with self._request_lock:
                socket.send_fds(self._socket, [_LENGTH_FORMAT.pack(len(request))], child_fds)
                self._socket.sendall(request)
                pid, descriptors = _receive_descriptors(self._socket, 1)
                if pid is None:
                    raise OSError("the fork server has ended")
        finally:
            for descriptor in child_fds:
                os.close(descriptor)
        return ForkedProcess(
            pid, descriptors[0], os.fdopen(write_in, "w", 1), os.fdopen(read_out), os.fdopen(read_error)
        )


class ForkedProcess:
    """A forked process, with the part of the interface of `subprocess.Popen` that MiniStack uses."""

    def __init__(self, pid: int, pidfd: int, stdin: IO[str], stdout: IO[str], stderr: IO[str]) -> None:
        self.pid, self.stdin, self.stdout, self.stderr = pid, stdin, stdout, stderr
        self.returncode: int | None = None
        # The id is reused as soon as the process ends, since nothing waits for it; the pidfd still refers to it.
        self._pidfd = pidfd
        self._close = weakref.finalize(self, os.close, pidfd)
        self._poll = select.poll()
        self._poll.register(pidfd, select.POLLIN)
        self._polling = threading.Lock()

    def poll(self) -> int | None:
        """Return None while it runs, and -1 afterwards: the exit code is unknown."""
        with self._polling:
            # Readable once it has ended. `select` would not support descriptors above 1023.
            if self.returncode is None and self._poll.poll(0):
                self.returncode = -1
                self._close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("fork", timeout or 0)
            time.sleep(0.002)
        return code

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        with self._polling:
            if self.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._pidfd, number)


def install() -> None:
    """Start the fork server, where forking is safe, and start functions as its forks."""
    if sys.platform == "linux" and has_pidfd():
        from ministack.core import lambda_runtime

        forks = ForkServer()
        forks.prepare()
        lambda_runtime.subprocess = forks  # ty: ignore[invalid-assignment]


def _serve(connection: socket.socket) -> None:
    for name in _PRELOADED_MODULES:
        importlib.import_module(name)
    _preload_models()
    # The system reaps ended forks.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        size, descriptors = _receive_descriptors(connection, 3)
        if size is None:
            return
        request = json.loads(_receive_exactly(connection, size))
        start_read, start_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            connection.close()
            os.close(start_write)
            # Wait until the parent has a pidfd: otherwise the id could be reused first.
            os.read(start_read, 1)
            os.close(start_read)
            _run_script(request, descriptors)
        pidfd = os.pidfd_open(pid)
        socket.send_fds(connection, [_LENGTH_FORMAT.pack(pid)], [pidfd])
        for descriptor in (*descriptors, pidfd, start_read, start_write):
            os.close(descriptor)


def _preload_models() -> None:
    """Load service models into the session that forks inherit; each fork reads keys and Region from its environment."""
    boto3 = sys.modules["boto3"]
    boto3.setup_default_session()
    for service in _PRELOADED_SERVICES:
        boto3.client(service, region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none")  # noqa: S106


def _run_script(request: dict[str, Any], descriptors: list[int]) -> None:
    """Run the requested script in this process; never returns."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for target, descriptor in enumerate(descriptors):
            os.dup2(descriptor, target)
            os.close(descriptor)
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        script = request["script"]
        sys.argv[:] = [script]
        # As for any script, its own folder comes first.
        sys.path[0] = os.path.dirname(script)  # noqa: PTH120
        with open(script, encoding="utf-8") as source:  # noqa: PTH123
            program = compile(source.read(), script, "exec")
        exec(program, {"__name__": "__main__", "__builtins__": __builtins__})  # noqa: S102
        code = 0
    except SystemExit as end:
        code = _compute_exit_code(end)
    except BaseException as error:  # noqa: BLE001 - the process ends here
        # Print the traceback as Python does, without the frames of this file.
        print_exception(type(error), error, _strip_own_frames(error.__traceback__))
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _compute_exit_code(end: SystemExit) -> int:
    """Return the exit code as Python does: anything but a number is an error message."""
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    sys.stderr.write(f"{end.code}\n")
    return 1


def _strip_own_frames(trace: TracebackType | None) -> TracebackType | None:
    frame = trace
    while frame is not None and frame.tb_frame.f_code.co_filename == __file__:
        frame = frame.tb_next
    return frame


def _receive_descriptors(connection: socket.socket, count: int) -> tuple[int | None, list[int]]:
    data, descriptors, _, _ = socket.recv_fds(connection, _LENGTH_FORMAT.size, count)
    return (_LENGTH_FORMAT.unpack(data)[0] if data else None), descriptors


def _receive_exactly(source: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        part = source.recv(size - len(content))
        if not part:
            raise ConnectionError("the connection was closed")
        content += part
    return content


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
