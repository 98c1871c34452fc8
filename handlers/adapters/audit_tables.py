"""The audit's three tables: its history, what is true now, and its runs."""

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from ..domain.audit import AUDIT, Finding, ValueDate
from ..domain.history import iso
from .clients import client
from .items import Item, item, row

ACTIONS = frozenset({"dynamodb:BatchWriteItem", "dynamodb:BatchGetItem", "dynamodb:PutItem"})
WRITE_BATCH = 25
READ_BATCH = 100
"""The most that one call takes (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html)."""
ATTEMPTS = 8
_LONGEST_PAUSE_SECONDS = 5.0


class Throttled(RuntimeError):
    """DynamoDB did not take or give every row, however often it was asked."""


class AuditTables:
    """The tables of these names."""

    def __init__(self, history: str, status: str, runs: str) -> None:
        self._history, self._status, self._runs = history, status, runs
        self._dynamodb = client("dynamodb")

    def statuses(self, secret_names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """What was true of these secrets at the end of the last run, by name."""
        found: dict[str, dict[str, Any]] = {}
        for names in _batches(list(secret_names), READ_BATCH):
            keys = [item({"secret_name": name}) for name in names]
            for stored in self._all(keys):
                known = row(stored)
                found[known["secret_name"]] = known
        return found

    def write(
        self,
        run_id: str,
        checked_at: datetime,
        findings: Sequence[Finding],
        before: Mapping[str, Mapping[str, Any]],
        expires_at: int | None,
    ) -> None:
        """A row of history and one of status per finding, under the run's keys: a repeated run rewrites its rows."""
        history = [_history_row(run_id, checked_at, finding, expires_at) for finding in findings]
        status = [_status_row(checked_at, finding, before.get(finding.secret.name, {})) for finding in findings]
        requests = [
            *((self._history, {"PutRequest": {"Item": item(new)}}) for new in history),
            *((self._status, {"PutRequest": {"Item": item(new)}}) for new in status),
        ]
        for batch in _batches(requests, WRITE_BATCH):
            self._write_all(batch)

    def finish(
        self,
        run_id: str,
        started_at: datetime,
        finished_at: datetime,
        counts: Mapping[str, int],
        expires_at: int | None,
    ) -> None:
        """The row of a run that came to its end."""
        run = {
            "audit": AUDIT,
            "run_id": run_id,
            "started_at": iso(started_at),
            "finished_at": iso(finished_at),
            **counts,
            "complete": True,
            "expires_at": expires_at,
        }
        self._dynamodb.put_item(TableName=self._runs, Item=item(run))

    def _write_all(self, requests: Sequence[tuple[str, Item]]) -> None:
        pending: dict[str, list[Item]] = {}
        for table, request in requests:
            pending.setdefault(table, []).append(request)
        for attempt in range(ATTEMPTS):
            pending = self._dynamodb.batch_write_item(RequestItems=pending).get("UnprocessedItems", {})
            if not pending:
                return
            _pause(attempt)
        raise Throttled(f"DynamoDB left rows of {', '.join(pending)} unwritten after {ATTEMPTS} attempts")

    def _all(self, keys: list[Item]) -> Iterator[Item]:
        pending: dict[str, Any] = {self._status: {"Keys": keys}}
        for attempt in range(ATTEMPTS):
            answer = self._dynamodb.batch_get_item(RequestItems=pending)
            yield from answer["Responses"].get(self._status, [])
            pending = answer.get("UnprocessedKeys", {})
            if not pending:
                return
            _pause(attempt)
        raise Throttled(f"DynamoDB left rows of {self._status} unread after {ATTEMPTS} attempts")


def cached_value_date(finding_before: Mapping[str, Any], current_version_id: str | None) -> ValueDate | None:
    """The date of the value in use, where the last run has read it already: a version's date never changes."""
    created_at = finding_before.get("value_created_at")
    if created_at is None or finding_before.get("current_version_id") != current_version_id:
        return None
    return ValueDate(datetime.fromisoformat(created_at))


def _history_row(run_id: str, checked_at: datetime, finding: Finding, expires_at: int | None) -> dict[str, Any]:
    return {
        "secret_name": finding.secret.name,
        "run_id": run_id,
        "secret_arn": finding.secret.arn,
        "status": finding.status,
        "reason": finding.reason,
        "checked_at": iso(checked_at),
        "age_days": finding.age_days,
        "value_created_at": _when(finding.value_created_at),
        "expires_at": expires_at,
    }


def _status_row(checked_at: datetime, finding: Finding, before: Mapping[str, Any]) -> dict[str, Any]:
    now = iso(checked_at)
    same = before.get("status") == finding.status
    return {
        "secret_name": finding.secret.name,
        "secret_arn": finding.secret.arn,
        "status": finding.status,
        "reason": finding.reason,
        "since": before["since"] if same else now,
        "checked_at": now,
        "current_version_id": finding.secret.current_version_id,
        "value_created_at": _when(finding.value_created_at),
        # The index on these two is sparse: it holds what needs someone, and nothing else.
        "attention": "yes" if finding.attention else None,
        "attention_since": before.get("attention_since", now) if finding.attention else None,
    }


def _when(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None


def _batches(entries: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(entries), size):
        yield entries[start : start + size]


def _pause(attempt: int) -> None:
    """Full jitter, doubling, up to some seconds: what DynamoDB advises for rows it did not take."""
    time.sleep(random.uniform(0, min(_LONGEST_PAUSE_SECONDS, 0.05 * 2**attempt)))  # noqa: S311
