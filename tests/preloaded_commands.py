"""Runs a command as a fork of a process that has imported it: imports are nine tenths of what `aws` costs.

Arguments, environment, folder and streams are the caller's, and so is the exit code. Where the start of Python itself
matters, as with encodings, time zones and closed streams, start a process instead.
"""

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Generator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.paths import ROOT

_CLIENT = """
import json, os, socket, sys

with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    socket.send_fds(server, [b"f"], [0, 1, 2])
    request = {"arguments": sys.argv[2:], "folder": os.getcwd(), "environment": dict(os.environ)}
    server.sendall(json.dumps(request).encode())
    server.shutdown(socket.SHUT_WR)
    sys.exit(server.recv(1)[0])
"""


def _preload_aws() -> Callable[[], Any]:
    import awscli.clidriver

    _keep_models()
    _try(awscli.clidriver.main, "aws", "sts", "get-caller-identity", "--generate-cli-skeleton")
    return awscli.clidriver.main


def _preload_rotation_guard() -> Callable[[], Any]:
    import boto3

    from rotation_guard.cli.__main__ import main

    _keep_models()
    for service in ("dynamodb", "secretsmanager", "ssm"):
        boto3.Session().client(service, region_name="eu-west-1")
    _try(main, "rotation-guard", "scan", "--from", os.devnull)
    return main


def _keep_models() -> None:
    """Let forks share what this process has read of AWS's models, such as the endpoints."""
    # The AWS CLI has a copy of botocore, which this name means once the CLI is imported.
    import botocore.session

    botocore.session.create_loader = cache(botocore.session.create_loader)  # ty: ignore[invalid-assignment]


def _try(run: Callable[[], Any], *arguments: str) -> None:
    """Run a command that calls nobody, so that whatever it imports late is imported."""
    sys.argv = [*arguments]
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output), contextlib.suppress(SystemExit):
        run()


_COMMANDS: Mapping[str, Callable[[], Callable[[], Any]]] = {
    "aws": _preload_aws,
    "rotation-guard": _preload_rotation_guard,
}


@contextlib.contextmanager
def preload(command: str) -> Generator[list[str]]:
    """Start a process that has imported `aws` or `rotation-guard`; yield what runs that, without its arguments."""
    # A short path: the address of a socket is limited to about a hundred characters.
    with tempfile.TemporaryDirectory() as folder:
        address, client = Path(folder) / "socket", Path(folder) / "client.py"
        client.write_text(_CLIENT)
        # Not with `-m`, which would show in the help.
        start = [sys.executable, "-c", f"from {__name__} import serve; serve()", command, str(address)]
        with subprocess.Popen(start, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as server:
            try:
                assert server.stdout is not None
                assert server.stdout.readline() == b"ready\n"
                # Isolated and without site packages, Python starts in a hundredth of a second.
                yield [sys.executable, "-IS", str(client), str(address), command]
            finally:
                server.kill()


def serve() -> None:
    """Import the command that the first argument names, and run it whenever a client asks for it."""
    command, address = sys.argv[1:]
    run = _COMMANDS[command]()
    # The system reaps the forks that talk to clients.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _respond(connection, run)
            connection.close()


def _respond(connection: socket.socket, run: Callable[[], Any]) -> None:
    """Run the command in another fork, and send its exit code; never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, descriptors, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as received:
        request = json.load(received)
    pid = os.fork()
    if pid == 0:
        connection.close()
        _run(request, descriptors, run)
    _, status = os.waitpid(pid, 0)
    connection.send(bytes([os.waitstatus_to_exitcode(status) & 0xFF]))
    os._exit(0)


def _run(request: dict[str, Any], descriptors: list[int], run: Callable[[], Any]) -> None:
    """Run the command in this process with the caller's streams; never returns."""
    code: Any = 1
    try:
        for target, descriptor in enumerate(descriptors):
            os.dup2(descriptor, target)
            os.close(descriptor)
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w", 1)
        # The AWS CLI sets this one when it is imported.
        models = {name: value for name, value in os.environ.items() if name == "AWS_DATA_PATH"}
        os.environ.clear()
        os.environ.update(request["environment"] | models)
        os.chdir(request["folder"])
        sys.argv = request["arguments"]
        code = run()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else bool(end.code)
    except BaseException:  # noqa: BLE001 - the process ends here
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code or 0)
