"""Starts Lambda functions quickly: as forks of one process that has imported what every function imports.

Runs beside the emulator, which starts a Python of its own for each function, and again after each error of one. Most of
that start is the import of boto3 and Powertools, over half a second of a processor each time. A fork has both already;
all else is as in a process of its own: the function's code, environment, folder and credentials. Only on Linux, since
forking is not safe everywhere; elsewhere MiniStack's own way is left as it is.
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

_IMPORTED = (
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
_READ = ("dynamodb", "events", "lambda", "secretsmanager", "sns", "ssm")
"""Services whose models are read beforehand: most of the 0.1 s of a processor that a function's first clients take."""
_LENGTH = struct.Struct("!I")


class Forks:
    """The process that is forked, seen from the emulator, in the place of its Lambda runtime's `subprocess` module."""

    def __init__(self) -> None:
        self._asking = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def prepare(self) -> None:
        """Start the process that is forked, so that it has imported all when the first function is called."""
        with self._asking:
            if self._process is None:
                self._start()

    def _start(self) -> None:
        self._socket, theirs = socket.socketpair()
        # A child in the emulator's own group, so that it ends with it; it ends by itself when the socket closes, too.
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno())], stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
        )
        theirs.close()

    def close(self) -> None:
        """End the process that is forked; those that were forked from it live on."""
        if self._socket and self._process:
            self._socket.close()
            self._process.wait()

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def Popen(self, arguments: list[str], **options: Any) -> Any:  # noqa: N802 - the name it has in `subprocess`
        """A fork that runs this script, or whatever else is asked for as `subprocess` would start it."""
        if arguments[:-1] != [sys.executable] or not options.get("text"):
            return subprocess.Popen(arguments, **options)
        self.prepare()
        try:
            return self._fork(arguments[-1], options["cwd"], options["env"])
        except OSError:
            return subprocess.Popen(arguments, **options)  # It has ended: then as if it had never been.

    def _fork(self, script: str, folder: str, environment: dict[str, str]) -> "_Fork":
        if self._socket is None:
            raise OSError("not started")
        (read_in, write_in), (read_out, write_out), (read_error, write_error) = (os.pipe() for _ in range(3))
        theirs = [read_in, write_out, write_error]
        request = json.dumps({"script": script, "folder": folder, "environment": environment}).encode()
        try:
            with self._asking:
                socket.send_fds(self._socket, [_LENGTH.pack(len(request))], theirs)
                self._socket.sendall(request)
                pid, descriptors = _receive_descriptors(self._socket, 1)
                if pid is None:
                    raise OSError("the process that is forked has ended")
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        return _Fork(pid, descriptors[0], os.fdopen(write_in, "w", 1), os.fdopen(read_out), os.fdopen(read_error))


class _Fork:
    """A fork, as far as MiniStack looks at a process: the interface of `subprocess.Popen`."""

    def __init__(self, pid: int, pidfd: int, stdin: IO[str], stdout: IO[str], stderr: IO[str]) -> None:
        self.pid, self.stdin, self.stdout, self.stderr = pid, stdin, stdout, stderr
        self.returncode: int | None = None
        # Its id is given away as soon as it ends, since nobody waits for it; this stays the process that was forked.
        self._pidfd = pidfd
        self._close = weakref.finalize(self, os.close, pidfd)
        self._poll = select.poll()
        self._poll.register(pidfd, select.POLLIN)
        self._polling = threading.Lock()

    def poll(self) -> int | None:
        """None while it runs; how it ended is not known, only that it did."""
        with self._polling:
            # Readable once it has ended. Not by select, which takes no descriptor above 1023.
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
    """Let functions start as forks from here on, where that is safe, and start the process that is forked."""
    if sys.platform == "linux" and has_pidfd():
        from ministack.core import lambda_runtime

        forks = Forks()
        forks.prepare()
        lambda_runtime.subprocess = forks  # ty: ignore[invalid-assignment]


def _serve(asked: socket.socket) -> None:
    for name in _IMPORTED:
        importlib.import_module(name)
    _read_models()
    # The system takes forks that ended off its table by itself.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        size, descriptors = _receive_descriptors(asked, 3)
        if size is None:
            return
        request = json.loads(_exactly(asked, size))
        may_begin, begin = os.pipe()
        pid = os.fork()
        if pid == 0:
            asked.close()
            os.close(begin)
            # Not over before it has a descriptor: its id would be free for another process.
            os.read(may_begin, 1)
            os.close(may_begin)
            _become(request, descriptors)
        pidfd = os.pidfd_open(pid)
        socket.send_fds(asked, [_LENGTH.pack(pid)], [pidfd])
        for descriptor in (*descriptors, pidfd, may_begin, begin):
            os.close(descriptor)


def _read_models() -> None:
    """Let the session that forks inherit know the services; each asks its own environment for keys and Region."""
    boto3 = sys.modules["boto3"]
    boto3.setup_default_session()
    for service in _READ:
        boto3.client(service, region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none")  # noqa: S106


def _become(request: dict[str, Any], descriptors: list[int]) -> None:
    """Be the process that was asked for: never returns."""
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
        # As for any script: its own folder in the place of the one this process was started in.
        sys.path[0] = os.path.dirname(script)  # noqa: PTH120
        with open(script, encoding="utf-8") as source:  # noqa: PTH123
            program = compile(source.read(), script, "exec")
        exec(program, {"__name__": "__main__", "__builtins__": __builtins__})  # noqa: S102
        code = 0
    except SystemExit as end:
        code = _exit_code(end)
    except BaseException as error:  # noqa: BLE001 - this is the end of the process, and its last words
        # As Python does at the end of any script; without the lines of this file.
        print_exception(type(error), error, _below_this_file(error.__traceback__))
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _exit_code(end: SystemExit) -> int:
    """As Python takes it: what is no number is a message, and a failure."""
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    sys.stderr.write(f"{end.code}\n")
    return 1


def _below_this_file(trace: TracebackType | None) -> TracebackType | None:
    below = trace
    while below is not None and below.tb_frame.f_code.co_filename == __file__:
        below = below.tb_next
    return below


def _receive_descriptors(asked: socket.socket, count: int) -> tuple[int | None, list[int]]:
    data, descriptors, _, _ = socket.recv_fds(asked, _LENGTH.size, count)
    return (_LENGTH.unpack(data)[0] if data else None), descriptors


def _exactly(source: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        part = source.recv(size - len(content))
        if not part:
            raise ConnectionError("the other side has gone")
        content += part
    return content


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
