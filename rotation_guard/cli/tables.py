"""The tables of a deployment, read as plain rows: each question with its own access path.

docs/reports.md says what each of them costs.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

from rotation_guard.domain.audit.recorded_rows import read_row_time, restore_runs
from rotation_guard.domain.audit.run import AUDIT
from rotation_guard.domain.timestamps import to_iso

from .aws import CONNECTIONS
from .deployment import Deployment
from .dynamodb import DynamoDB, Record, unexpired_rows
from .errors import Unreachable

SEGMENTS = 4
"""Segments of the status table that are scanned in parallel."""
_ROWS_PER_SECRET = 4
"""Rows of one secret that are read to find its last one until a time: a run may be scheduled before and start after."""
_RUNS_PER_PAGE = 25
_RETENTION_YEARS = 10
"""Rows are not kept longer."""
_BATCH_SIZE = 100
_BATCH_ATTEMPTS = 8
_NAMES_ONLY = {"ProjectionExpression": "secret_name, gone_since, expires_at"}
_RUN_COUNTS = {
    "ProjectionExpression": "started_at, finished_at, complete, checked, flagged, #unknown",
    "ExpressionAttributeNames": {"#unknown": "unknown"},  # a reserved word of DynamoDB
}

_Key = TypeVar("_Key")
_Answer = TypeVar("_Answer")


class HubTables:
    """The tables of a hub with the statuses and the runs of all accounts: each is a Scan."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._dynamodb = DynamoDB(deployment)

    def statuses(self) -> Iterator[Record]:
        """The current status of every secret of every account."""
        return self._dynamodb.pages("scan", TableName=self._deployment.output("status_table_name"))

    def needing_attention(self) -> Iterator[Record]:
        """The current status of the secrets that need attention: one Query of the sparse index."""
        return self._dynamodb.needing_attention(self._deployment.output("status_table_name"))

    def runs(self) -> Iterator[Record]:
        """The runs of all audits."""
        return restore_runs(self._dynamodb.pages("scan", TableName=self._deployment.output("runs_table_name")))


class AuditTables:
    """The three tables of the audit: history, status and runs."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._dynamodb = DynamoDB(deployment)

    # When it is read, and not before: half a stack still answers half of the question.
    @property
    def _history(self) -> str:
        return self._deployment.output("table_name")

    @property
    def _status(self) -> str:
        return self._deployment.output("status_table_name")

    @property
    def _runs(self) -> str:
        return self._deployment.output("runs_table_name")

    def statuses(self) -> list[Record]:
        """The current status of every secret, and the last one of secrets that are gone: a Scan of the status table."""
        return self._scan({})

    def each_status(self) -> Iterator[Record]:
        """The same, one page of a Scan after the other, so that memory does not grow with the table."""
        return self._dynamodb.pages("scan", TableName=self._status)

    def each_needing_attention(self) -> Iterator[Record]:
        """The same of those that need attention."""
        return self._dynamodb.needing_attention(self._status)

    def secret_names(self) -> list[Record]:
        """The name of every secret, and since when it is gone: the same Scan with fewer attributes."""
        return self._scan(_NAMES_ONLY)

    def needing_attention(self) -> list[Record]:
        """The current status of the secrets that need attention: one Query of the sparse index."""
        return list(self.each_needing_attention())

    def scheduled_runs(self, until: datetime, since: datetime | None = None) -> Iterator[Record]:
        """The scheduled runs that started until this time, newest first; a page is read only when it is needed.

        With `since`, those whose scheduled time is before it are left out.
        """
        # A run never starts before the time in its id.
        runs = self._dynamodb.pages(
            "query",
            Limit=_RUNS_PER_PAGE,
            ScanIndexForward=False,
            **(
                self._run_keys("run_id <= :until", until=to_iso(until))
                if since is None
                else self._run_keys("run_id BETWEEN :since AND :until", since=to_iso(since), until=to_iso(until))
            ),
        )
        return (run for run in restore_runs(runs) if run["started_at"] <= to_iso(until))

    def run(self, run_id: str) -> Record | None:
        """The row of one run; None if it has not started."""
        key = {"audit": {"S": AUDIT}, "run_id": {"S": run_id}}
        response = self._dynamodb.call(self._runs, "get_item", TableName=self._runs, Key=key, ConsistentRead=True)
        return next(restore_runs(unexpired_rows([response["Item"]])), None) if response.get("Item") else None

    def last_complete_runs(self, spans: Sequence[tuple[datetime, datetime]]) -> list[Record]:
        """The last complete scheduled run of each span of time, as far as it has one: usually one call for each."""

        def read_last_run(span: tuple[datetime, datetime]) -> Record | None:
            first, last = map(to_iso, span)
            keys = self._run_keys("run_id BETWEEN :first AND :last", first=first, last=last)
            runs = self._dynamodb.pages("query", Limit=_RUNS_PER_PAGE, ScanIndexForward=False, **keys, **_RUN_COUNTS)
            return next((run for run in restore_runs(runs) if run.get("complete") and run.get("finished_at")), None)

        return [run for run in self._in_parallel(read_last_run, spans) if run is not None]

    def manual_runs(self, since: datetime | None, until: datetime) -> list[Record]:
        """The runs that an operator started in between: their ids are UUIDs, which do not sort by time.

        They sort around the timestamps (`2026-` precedes `20260` to `2026f`): before the first year, after this one,
        and a few between two years.
        """
        year, first = until.year, until.year - _RETENTION_YEARS
        ranges = [
            self._run_keys("run_id < :low", low=f"{first}-"),
            self._run_keys("run_id > :high", high=f"{year}-~"),
            *(
                self._run_keys("run_id BETWEEN :low AND :high", low=f"{each_year}0", high=f"{each_year}~")
                for each_year in range(first, year)
            ),
        ]
        between = {":first": {"S": to_iso(since) if since else ""}, ":last": {"S": to_iso(until)}}
        queries = [
            {
                **keys,
                "FilterExpression": "started_at BETWEEN :first AND :last",
                "ExpressionAttributeValues": keys["ExpressionAttributeValues"] | between,
            }
            for keys in ranges
        ]
        parts = self._in_parallel(lambda keys: list(restore_runs(self._dynamodb.pages("query", **keys))), queries)
        return [run for part in parts for run in part]

    def rows_of_run(self, secret_names: Sequence[str], run_id: str) -> dict[str, Record]:
        """The rows that one run wrote about these secrets, by secret name."""
        keys = [{"secret_name": {"S": name}, "run_id": {"S": run_id}} for name in secret_names]
        chunks = [keys[start : start + _BATCH_SIZE] for start in range(0, len(keys), _BATCH_SIZE)]
        return {record["secret_name"]: record for part in self._in_parallel(self._get_batch, chunks) for record in part}

    def last_rows(self, secret_names: Sequence[str], until: datetime) -> dict[str, Record]:
        """The last row about each secret that a scheduled run wrote until this time, by secret name."""

        def read_last_row(secret_name: str) -> Record | None:
            rows = self._dynamodb.pages(
                "query",
                TableName=self._history,
                KeyConditionExpression="secret_name = :name AND run_id <= :until",
                ExpressionAttributeValues={":name": {"S": secret_name}, ":until": {"S": to_iso(until)}},
                ScanIndexForward=False,
                Limit=_ROWS_PER_SECRET,
            )
            return next((row for row in rows if (read_row_time(row.get("checked_at")) or "9") <= to_iso(until)), None)

        return {row["secret_name"]: row for row in self._in_parallel(read_last_row, secret_names) if row is not None}

    def _run_keys(self, condition: str, **values: str) -> dict[str, Any]:
        return {
            "TableName": self._runs,
            "KeyConditionExpression": f"audit = :audit AND {condition}",
            "ExpressionAttributeValues": {
                ":audit": {"S": AUDIT},
                **{f":{name}": {"S": value} for name, value in values.items()},
            },
        }

    def _scan(self, attributes: Mapping[str, Any]) -> list[Record]:
        def scan_segment(number: int) -> list[Record]:
            position = {"Segment": number, "TotalSegments": SEGMENTS}
            return list(self._dynamodb.pages("scan", TableName=self._status, **position, **attributes))

        parts = self._in_parallel(scan_segment, range(SEGMENTS))
        # By name: some DynamoDB emulators ignore segments.
        return list({record["secret_name"]: record for part in parts for record in part}.values())

    def _get_batch(self, keys: list[dict[str, Any]]) -> list[Record]:
        records: list[Record] = []
        request: dict[str, Any] = {self._history: {"Keys": keys}}
        for attempt in range(_BATCH_ATTEMPTS):
            response = self._dynamodb.call(self._history, "batch_get_item", RequestItems=request)
            records += unexpired_rows(response["Responses"].get(self._history, ()))
            request = response.get("UnprocessedKeys") or {}
            if not request:
                return records
            time.sleep(random.uniform(0, 0.1 * 2**attempt))  # noqa: S311 - jitter
        raise Unreachable(
            f"DynamoDB throttles reads of {self._history}: they did not complete in {_BATCH_ATTEMPTS} attempts."
        )

    def _in_parallel(self, read: Callable[[_Key], _Answer], keys: Iterable[_Key]) -> list[_Answer]:
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            return list(threads.map(read, keys))
