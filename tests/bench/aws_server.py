"""A server on this machine that answers as AWS does, from generated secrets, after a fixed delay per call.

It is a process of its own: its processor time is not part of what is measured. It does as little as possible, because
on a machine with few processors it competes with its clients. `python -m tests.bench.aws_server SECRETS MILLISECONDS`
prints its URL; for each line of standard input it prints the calls since the last one, as JSON, and it ends with it.
"""

import asyncio
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, Any, cast

from tests.paths import ROOT

from .aws_answers import Answers

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TARGET = re.compile(rb"\r\nx-amz-target: *[\w.]*\.(\w+)", re.IGNORECASE)
_ACTION = re.compile(rb"Action=(\w+)")
"""The operation, in a request of AWS's JSON protocol and of its query protocol."""


@dataclass(frozen=True)
class Server:
    """The running server."""

    url: str
    _process: subprocess.Popen[str]

    def take_calls(self) -> Counter[str]:
        """How often each operation was called since this was asked last."""
        cast("IO[str]", self._process.stdin).write("\n")
        cast("IO[str]", self._process.stdin).flush()
        return Counter(json.loads(cast("IO[str]", self._process.stdout).readline()))


@contextmanager
def serve(secrets: int, delay_milliseconds: float = 0) -> Generator[Server]:
    """A server of an account with so many secrets, for as long as this context lasts."""
    command = [sys.executable, "-m", "tests.bench.aws_server", str(secrets), str(delay_milliseconds)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        url = cast("IO[str]", process.stdout).readline().strip()
        if not url:
            raise RuntimeError("the server must print its URL, it ended")
        yield Server(url, process)


@dataclass
class _Shared:
    """What all connections share."""

    answer: Callable[[str, Mapping[str, Any]], str]
    delay_seconds: float
    calls: Counter[str] = field(default_factory=Counter)


class _Connection(asyncio.Protocol):
    """One connection of HTTP/1.1, which its client keeps open."""

    def __init__(self, shared: _Shared) -> None:
        self._shared, self._received = shared, b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        length = int(match[1]) if (match := _LENGTH.search(head)) else 0
        # A client of AWS waits for the response before it sends the next request.
        if separator and len(body) >= length:
            self._received = b""
            self._respond(head, body)

    def _respond(self, head: bytes, body: bytes) -> None:
        target = _TARGET.search(head)
        operation = _read_operation(target, body)
        self._shared.calls[operation] += 1
        content = self._shared.answer(operation, json.loads(body) if target else {}).encode()
        kind = b"application/x-amz-json-1.0" if target else b"text/xml"
        response = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (
            kind,
            len(content),
            content,
        )
        asyncio.get_running_loop().call_later(self._shared.delay_seconds, self._transport.write, response)


def _read_operation(target: re.Match[bytes] | None, body: bytes) -> str:
    match = target or _ACTION.search(body)
    return match[1].decode() if match else "none"


async def _serve(secrets: int, delay_milliseconds: float) -> None:
    loop = asyncio.get_running_loop()
    shared = _Shared(Answers(secrets, datetime.now(UTC).replace(microsecond=0)).answer, delay_milliseconds / 1000)
    server = await loop.create_server(lambda: _Connection(shared), "127.0.0.1", 0)
    _print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    while await loop.run_in_executor(None, sys.stdin.readline):
        _print(json.dumps(shared.calls))
        shared.calls.clear()


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
