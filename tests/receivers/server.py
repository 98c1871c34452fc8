"""A server on this machine that answers like Slack, Teams, PagerDuty and a webhook, or fails as they do."""

import json
import threading
import time
from collections import defaultdict, deque
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.receivers.rules import complain

ACCEPTED: Mapping[str, tuple[int, str]] = {
    "slack": (200, "ok"),
    "teams": (202, ""),
    "pagerduty": (202, '{"status": "success", "message": "Event processed"}'),
    "webhook": (204, ""),
}
"""Receiver -> status and body of what it accepts."""


@dataclass(frozen=True)
class Request:
    """A request as it arrived."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: str
    status: int
    """What it was answered with."""
    complaints: list[str]
    """Which rules of the receiver it breaks."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """An answer instead of the receiver's usual one."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    """How long it waits before it answers."""


class Receivers:
    """What the receivers got, and what they answer next."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._lock = threading.Lock()
        self._requests: dict[str, list[Request]] = defaultdict(list)
        self._answers: dict[str, deque[Answer]] = defaultdict(deque)

    def url(self, receiver: str) -> str:
        """The address that a receiver has here."""
        return f"http://127.0.0.1:{self.port}/{receiver}"

    def requests(self, receiver: str) -> list[Request]:
        """The requests so far."""
        with self._lock:
            return [*self._requests[receiver]]

    def answer(self, receiver: str, *answers: Answer) -> None:
        """Have a receiver answer its next requests like this."""
        with self._lock:
            self._answers[receiver].extend(answers)

    def receive(self, path: str, headers: Mapping[str, str], body: str) -> tuple[Answer, str]:
        """Take a request; returns the answer and its body."""
        parts = urlsplit(path)
        receiver = parts.path.split("/")[1]
        with self._lock:
            forced = self._answers[receiver].popleft() if self._answers[receiver] else None
        complaints = complain(receiver, body)
        status, text = (400, complaints[0]) if complaints else ACCEPTED[receiver]
        answer = forced or Answer(status)
        request = Request(parts.path, dict(parse_qsl(parts.query)), headers, body, answer.status, complaints)
        with self._lock:
            self._requests[receiver].append(request)
        time.sleep(answer.seconds)
        return answer, "" if forced else text


@contextmanager
def serve() -> Generator[Receivers]:
    """Serve on any free port of loopback until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            answer, text = receivers.receive(self.path, dict(self.headers.items()), body)
            self.send_response(answer.status)
            for name, value in {**answer.headers, "Content-Length": str(len(text.encode()))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *_: Any) -> None:  # noqa: A002 - the name in the base class
            """Nothing: tests read the requests."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Nothing: a client that has given up is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    receivers = Receivers(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receivers
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
