"""The audit of any number of secrets through generated clients, which keep none of them: in a process of its own.

`python -m tests.bench.generated SIZE` answers in JSON, in the environment that `audit` gives it. What the generated
clients take themselves is not counted.
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
from rotation_guard.domain.audit.reconciliation import read_reconciled_state
from rotation_guard.domain.audit.secret_status import build_status_row
from rotation_guard.domain.audit.verdicts import AuditSettings, judge
from rotation_guard.domain.secret import date_versions, parse_secret
from tests.handlers.conftest import ENVIRONMENT, Context

from . import population

PAGE = 100
LIMIT_MILLISECONDS = 900_000
PAGE_MILLISECONDS = 4_000
"""What a page is said to take, so that the time limit forces some hand-overs."""
CLASSIFIED = 20_000
_KINDS = 10
"""Secrets whose numbers end alike are alike."""


class Generator:
    """What the clients have in common: how many secrets there are, and what making them up has cost."""

    def __init__(self, size: int, now: datetime) -> None:
        self.size, self.now = size, now
        self.cpu_seconds = 0.0
        self.calls: dict[str, int] = {}
        self.most_megabytes = 0.0
        self.handed_over: list[dict[str, Any]] = []
        self.written = {ENVIRONMENT[name]: Rows(size) for name in ("TABLE_NAME", "STATUS_TABLE_NAME")}
        self.lock = threading.Lock()

    def client(self, service: str, **_: Any) -> Any:
        """In place of boto3's."""
        return {"secretsmanager": Secrets, "dynamodb": Tables, "lambda": Functions, "cloudwatch": Metrics}[service](
            self
        )


class Rows:
    """Which secrets have a row in a table, a bit each."""

    def __init__(self, size: int) -> None:
        self._bits = bytearray(size // 8 + 1)
        self.written = self.again = 0

    def add(self, number: int) -> None:
        """Another row of this secret."""
        bit = 1 << number % 8
        self.again += bool(self._bits[number // 8] & bit)
        self._bits[number // 8] |= bit
        self.written += 1


def _generated(answer: Callable[..., Any]) -> Callable[..., Any]:
    """Counts a call, and what it took."""
    call = getattr(answer, "__name__", "")

    @functools.wraps(answer)
    def counted(self: Any, **asked: Any) -> Any:
        began = time.thread_time()
        answered = answer(self, **asked)
        with self.generator.lock:
            self.generator.calls[call] = self.generator.calls.get(call, 0) + 1
            self.generator.cpu_seconds += time.thread_time() - began
        return answered

    return counted


@dataclass
class Secrets:
    """Secrets Manager: pages of entries, made when they are asked for."""

    generator: Generator

    def __getattr__(self, name: str) -> Any:
        return getattr(_moto("secretsmanager"), name)

    @_generated
    def list_secrets(self, **asked: Any) -> dict[str, Any]:
        """A page."""
        size, now = self.generator.size, self.generator.now
        start = int(asked.get("NextToken", 0))
        end = min(size, start + asked["MaxResults"])
        entries = [population.entry(number, now) for number in range(start, end)]
        self.generator.most_megabytes = max(self.generator.most_megabytes, _megabytes())
        return {"SecretList": entries, **({"NextToken": str(end)} if end < size else {})}


class Tables:
    """DynamoDB: moto's for the runs; statuses as the run before left them, and of what is written only that it was."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator
        self._like = [_status_before(kind, generator.now) for kind in range(_KINDS)]

    def __getattr__(self, name: str) -> Any:
        return getattr(_moto("dynamodb"), name)

    @_generated
    def batch_get_item(self, **asked: Any) -> dict[str, Any]:
        """The statuses that the run before wrote."""
        [(table, wanted)] = asked["RequestItems"].items()
        return {"Responses": {table: [self._status(key["secret_name"]["S"]) for key in wanted["Keys"]]}}

    def _status(self, name: str) -> dict[str, Any]:
        number = population.number_of(name)
        current = {"S": population.version_id(number, "AWSCURRENT")}
        own = {"current_version_id": current, "accounted_version_id": current}
        return (
            self._like[number % _KINDS]
            | own
            | {"secret_name": {"S": name}, "secret_arn": {"S": population.arn(number)}}
        )

    @_generated
    def batch_write_item(self, **asked: Any) -> dict[str, Any]:
        """Whose rows they are is remembered."""
        with self.generator.lock:
            for table, requests in asked["RequestItems"].items():
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
    """Lambda: whoever is invoked comes next."""

    generator: Generator

    @property
    def meta(self) -> Any:
        """Where the deadline is kept, as moto's client has it."""
        return _moto("lambda").meta

    def invoke(self, **asked: Any) -> dict[str, Any]:
        """Wait for the turn."""
        self.generator.handed_over.append(json.loads(asked["Payload"]))
        return {}


@dataclass
class Metrics:
    """CloudWatch: counts them all."""

    generator: Generator

    @property
    def meta(self) -> Any:
        """Where the deadline is kept, as moto's client has it."""
        return _moto("cloudwatch").meta

    def get_metric_statistics(self, **_: Any) -> dict[str, Any]:
        """As many as there are."""
        return {"Datapoints": [{"Minimum": float(self.generator.size)}]}


@dataclass
class Hurried(Context):
    """An invocation whose time falls by that of a page whenever it is asked for, first of all for the deadline."""

    remaining: int = LIMIT_MILLISECONDS + PAGE_MILLISECONDS

    def get_remaining_time_in_millis(self) -> int:
        """What is left."""
        left = self.remaining
        self.remaining -= PAGE_MILLISECONDS
        return left


def audited(size: int) -> dict[str, Any]:
    """A whole run: its counts, its processor time a secret in microseconds, and its memory in megabytes."""
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
        "rows": {table: [rows.written, rows.again] for table, rows in generator.written.items()},
        "cpu_microseconds": cpu * 1e6 / size,
        "megabytes": generator.most_megabytes,
    }


def forced_hand_overs(size: int) -> int:
    """How many more invocations than one it takes at so many milliseconds a page, one to end a run that is late."""
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
        context: Any = Hurried(f"invocation-{number}")
        yield check.handler(generator.handed_over.pop(0), context)


def classification_microseconds() -> float:
    """Processor time that it takes to read an entry and to judge it, the best of three."""
    now = datetime.now(UTC)
    entries = [population.entry(number, now) for number in range(CLASSIFIED)]
    dates = [
        date_versions(parse_secret(entry), population.version_dates(number, now))
        for number, entry in enumerate(entries)
    ]
    settings, took = AuditSettings(), []
    for _ in range(3):
        began = time.process_time()
        for entry, known in zip(entries, dates, strict=True):
            judge(parse_secret(entry), known, settings, now)
        took.append(time.process_time() - began)
    return min(took) * 1e6 / CLASSIFIED


def _create_runs_table() -> None:
    keys = {"audit": "HASH", "run_id": "RANGE"}
    _moto("dynamodb").create_table(
        TableName=ENVIRONMENT["RUNS_TABLE_NAME"],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        BillingMode="PAY_PER_REQUEST",
    )


def _megabytes() -> float:
    """What this process has in memory now; where the system does not say, the most that it has had."""
    told = Path("/proc/self/statm")
    if told.exists():
        return int(told.read_text().split()[1]) * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    told = {"microseconds": classification_microseconds()} if sys.argv[1] == "classify" else audited(int(sys.argv[1]))
    sys.stdout.write(json.dumps(told) + "\n")
