"""Audits any number of secrets through generated clients, which store none of them, in a separate process.

`python -m tests.bench.generated SIZE` prints JSON; `audit` sets its environment. The time of
the generated clients is not counted.
"""

import functools
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
from moto import mock_aws

from handlers.adapters import clients
from handlers.adapters.items import to_item
from handlers.audit import check
from rotation_guard.domain.audit.audit_settings import AuditSettings
from rotation_guard.domain.audit.reconciliation import read_reconciled_state
from rotation_guard.domain.audit.secret_status import build_status_row
from rotation_guard.domain.audit.verdicts import judge
from rotation_guard.domain.secret import date_versions, parse_secret
from tests.handlers.conftest import ENVIRONMENT, Context

from . import population

PAGE = 100
LIMIT_MILLISECONDS = 900_000
PAGE_MILLISECONDS = 4_000
"""The simulated duration of a page, so that the time limit forces some hand-overs."""
CLASSIFIED = 20_000
_KINDS = 10
"""Secrets with the same last digit have the same properties."""


class Generator:
    """The state that the clients share: the number of secrets, and the cost of generating them."""

    def __init__(self, size: int, now: datetime) -> None:
        self.size, self.now = size, now
        self.cpu_seconds = 0.0
        self.calls: dict[str, int] = {}
        self.peak_megabytes = 0.0
        self.handed_over: list[dict[str, Any]] = []
        self.written = {ENVIRONMENT[name]: Rows(size) for name in ("TABLE_NAME", "STATUS_TABLE_NAME")}
        self.lock = threading.Lock()

    def client(self, service: str, **_: Any) -> Any:
        """Return a generated client, in place of boto3's."""
        return {"secretsmanager": Secrets, "dynamodb": Tables, "lambda": Functions, "cloudwatch": Metrics}[service](
            self
        )


class Rows:
    """The secrets with a row in a table, as a bit each."""

    def __init__(self, size: int) -> None:
        self._bits = bytearray(size // 8 + 1)
        self.written = self.repeated = 0

    def add(self, number: int) -> None:
        """Count a row of this secret."""
        bit = 1 << number % 8
        self.repeated += bool(self._bits[number // 8] & bit)
        self._bits[number // 8] |= bit
        self.written += 1


def _generated(answer: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a call, counting it and its CPU time."""
    call = getattr(answer, "__name__", "")

    @functools.wraps(answer)
    def counted(self: Any, **request: Any) -> Any:
        began = time.thread_time()
        response = answer(self, **request)
        with self.generator.lock:
            self.generator.calls[call] = self.generator.calls.get(call, 0) + 1
            self.generator.cpu_seconds += time.thread_time() - began
        return response

    return counted


@dataclass
class Secrets:
    """Secrets Manager: pages of entries, generated on request."""

    generator: Generator

    def __getattr__(self, name: str) -> Any:
        return getattr(_moto("secretsmanager"), name)

    @_generated
    def list_secrets(self, **request: Any) -> dict[str, Any]:
        """Return a page."""
        size, now = self.generator.size, self.generator.now
        start = int(request.get("NextToken", 0))
        end = min(size, start + request["MaxResults"])
        entries = [population.entry(number, now) for number in range(start, end)]
        self.generator.peak_megabytes = max(self.generator.peak_megabytes, _megabytes())
        return {"SecretList": entries, **({"NextToken": str(end)} if end < size else {})}


class Tables:
    """DynamoDB: moto for the runs; statuses as of the previous run; writes are only counted."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator
        self._statuses = [_status_before(kind, generator.now) for kind in range(_KINDS)]

    def __getattr__(self, name: str) -> Any:
        return getattr(_moto("dynamodb"), name)

    @_generated
    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        """Return the statuses of the previous run."""
        [(table, wanted)] = request["RequestItems"].items()
        return {"Responses": {table: [self._status(key["secret_name"]["S"]) for key in wanted["Keys"]]}}

    def _status(self, name: str) -> dict[str, Any]:
        number = population.number_of(name)
        current = {"S": population.version_id(number, "AWSCURRENT")}
        own = {"current_version_id": current, "accounted_version_id": current}
        return (
            self._statuses[number % _KINDS]
            | own
            | {"secret_name": {"S": name}, "secret_arn": {"S": population.arn(number)}}
        )

    @_generated
    def batch_write_item(self, **request: Any) -> dict[str, Any]:
        """Record which secrets the rows are about."""
        with self.generator.lock:
            for table, requests in request["RequestItems"].items():
                for request in requests:
                    number = population.number_of(request["PutRequest"]["Item"]["secret_name"]["S"])
                    self.generator.written[table].add(number)
        return {}


@functools.cache
def _moto(service: str) -> Any:
    return _boto3_client(service)


_boto3_client = boto3.client


def _status_before(number: int, now: datetime) -> dict[str, Any]:
    before = now - timedelta(hours=1)
    secret = parse_secret(population.entry(number, now))
    finding = judge(secret, date_versions(secret, population.version_dates(number, now)), AuditSettings(), before)
    return to_item(build_status_row(finding, {}, read_reconciled_state({}, secret, before), before, None))


@dataclass
class Functions:
    """Lambda: invocations are queued."""

    generator: Generator

    @property
    def meta(self) -> Any:
        """The metadata of moto's client, which holds the deadline."""
        return _moto("lambda").meta

    def invoke(self, **request: Any) -> dict[str, Any]:
        """Queue the invocation."""
        self.generator.handed_over.append(json.loads(request["Payload"]))
        return {}


@dataclass
class Metrics:
    """CloudWatch: returns the number of secrets."""

    generator: Generator

    @property
    def meta(self) -> Any:
        """The metadata of moto's client, which holds the deadline."""
        return _moto("cloudwatch").meta

    def get_metric_statistics(self, **_: Any) -> dict[str, Any]:
        """Return the number of secrets."""
        return {"Datapoints": [{"Minimum": float(self.generator.size)}]}


@dataclass
class ShortInvocation(Context):
    """An invocation whose remaining time decreases by a page's duration at every read."""

    remaining: int = LIMIT_MILLISECONDS + PAGE_MILLISECONDS

    def get_remaining_time_in_millis(self) -> int:
        """Return the remaining time."""
        left = self.remaining
        self.remaining -= PAGE_MILLISECONDS
        return left


def run_audit(size: int) -> dict[str, Any]:
    """Run a whole audit; return its counts, CPU microseconds per secret, and memory in megabytes."""
    generator = Generator(size, datetime.now(UTC).replace(microsecond=0))
    with mock_aws(), patch.dict(os.environ, ENVIRONMENT), patch.object(clients.boto3, "client", generator.client):
        _create_runs_table()
        began = time.process_time()
        [answer, *_] = reversed(list(_invocations(generator)))
        cpu = time.process_time() - began - generator.cpu_seconds
        run = _moto("dynamodb").scan(TableName=ENVIRONMENT["RUNS_TABLE_NAME"])["Items"][0]
    return {
        "size": size,
        "checked": answer["checked"],
        "complete": run["complete"]["BOOL"],
        "hand_overs": int(run["part"]["N"]),
        "forced": forced_hand_overs(size),
        "calls": generator.calls,
        "rows": {table: [rows.written, rows.repeated] for table, rows in generator.written.items()},
        "cpu_microseconds": cpu * 1e6 / size,
        "megabytes": generator.peak_megabytes,
    }


def forced_hand_overs(size: int) -> int:
    """Return the number of further invocations that the duration of pages and of the run's end requires."""
    pages = -(-size // PAGE)
    pages_in_time = -(-(LIMIT_MILLISECONDS - check.SPARE_MILLISECONDS) // PAGE_MILLISECONDS)
    hand_overs = -(-pages // pages_in_time) - 1
    left = LIMIT_MILLISECONDS - (pages - hand_overs * pages_in_time) * PAGE_MILLISECONDS
    return hand_overs + (left < check.COMPLETION_MILLISECONDS and size > check.MANY_SECRETS)


def _invocations(generator: Generator) -> Iterator[dict[str, Any]]:
    generator.handed_over.append({"scheduled_time": generator.now.strftime("%Y-%m-%dT%H:%M:%SZ")})
    number = 0
    while generator.handed_over:
        number += 1
        context: Any = ShortInvocation(f"invocation-{number}")
        yield check.handler(generator.handed_over.pop(0), context)


def classification_microseconds() -> float:
    """Return the CPU microseconds to parse and judge an entry, as the best of three runs."""
    now = datetime.now(UTC)
    entries = [population.entry(number, now) for number in range(CLASSIFIED)]
    dates = [
        date_versions(parse_secret(entry), population.version_dates(number, now))
        for number, entry in enumerate(entries)
    ]
    settings, durations = AuditSettings(), []
    for _ in range(3):
        began = time.process_time()
        for entry, known in zip(entries, dates, strict=True):
            judge(parse_secret(entry), known, settings, now)
        durations.append(time.process_time() - began)
    return min(durations) * 1e6 / CLASSIFIED


def _create_runs_table() -> None:
    keys = {"audit": "HASH", "run_id": "RANGE"}
    _moto("dynamodb").create_table(
        TableName=ENVIRONMENT["RUNS_TABLE_NAME"],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        BillingMode="PAY_PER_REQUEST",
    )


def _megabytes() -> float:
    """Return this process's current memory, or its peak memory where /proc is missing."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    result = (
        {"microseconds": classification_microseconds()} if sys.argv[1] == "classify" else run_audit(int(sys.argv[1]))
    )
    sys.stdout.write(json.dumps(result) + "\n")
