"""What the audit wrote down, in DynamoDB: each question with its own access path.

docs/reports.md has what each of them costs.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

from rotation_guard.domain.audit.run import AUDIT
from rotation_guard.domain.timestamps import to_iso

from .aws import CONNECTIONS
from .deployment import Deployment
from .dynamodb import DynamoDB, Record, kept
from .problems import Unreachable

SEGMENTS = 4
"""Parts of the status table that are read at the same time."""
_LAST = 4
"""Rows of one secret that are read to find the last until a moment: its run may be scheduled before and begin after."""
_RUNS = 25
"""Runs that are read at once to find the last one until a moment."""
_YEARS = 10
"""That rows are kept for, at the most."""
_BATCH = 100
_TRIES = 8
_WHEREABOUTS = {"ProjectionExpression": "secret_name, gone_since, expires_at"}

_Asked = TypeVar("_Asked")
_Answered = TypeVar("_Answered")


class Records:
    """The three tables of the audit."""

    def __init__(self, deployment: Deployment) -> None:
        self._history, self._status, self._runs = (
            deployment.named(output) for output in ("table_name", "status_table_name", "runs_table_name")
        )
        self._dynamodb = DynamoDB(deployment)

    def statuses(self) -> list[Record]:
        """What is true now of every secret, and was last of those that are gone: the whole status table."""
        return self._scan({})

    def whereabouts(self) -> list[Record]:
        """The name of every secret that is or was there, and since when it is gone: the same reading, less to carry."""
        return self._scan(_WHEREABOUTS)

    def needing_someone(self) -> list[Record]:
        """What is true now of the secrets that need someone: one Query of the sparse index."""
        return list(
            self._dynamodb.pages(
                "query",
                TableName=self._status,
                IndexName="attention",
                KeyConditionExpression="attention = :yes",
                ExpressionAttributeValues={":yes": {"S": "yes"}},
            )
        )

    def scheduled_runs(self, until: datetime) -> Iterator[Record]:
        """The runs of the schedule that began no later, newest first; read as far as they are looked at."""
        # A run never starts before the time in its id.
        found = self._dynamodb.pages(
            "query", Limit=_RUNS, ScanIndexForward=False, **self._run_keys("run_id <= :until", until=to_iso(until))
        )
        return (run for run in found if run.get("started_at", "9") <= to_iso(until))

    def runs_by_hand(self, since: datetime | None, until: datetime) -> list[Record]:
        """The runs that somebody started in between: their ids are UUIDs, which are in no order of time.

        They lie around the timestamps, as `2026-` stands before `20260` to `2026f`: below the first year, above this
        one, and a few between two years.
        """
        year, first = until.year, until.year - _YEARS
        ranges = [
            self._run_keys("run_id < :low", low=f"{first}-"),
            self._run_keys("run_id > :high", high=f"{year}-~"),
            *(
                self._run_keys("run_id BETWEEN :low AND :high", low=f"{one}0", high=f"{one}~")
                for one in range(first, year)
            ),
        ]
        between = {":first": {"S": to_iso(since) if since else ""}, ":last": {"S": to_iso(until)}}
        asked = [
            {
                **keys,
                "FilterExpression": "started_at BETWEEN :first AND :last",
                "ExpressionAttributeValues": keys["ExpressionAttributeValues"] | between,
            }
            for keys in ranges
        ]
        read = self._at_once(lambda keys: list(self._dynamodb.pages("query", **keys)), asked)
        return [run for part in read for run in part]

    def of_run(self, secret_names: Sequence[str], run_id: str) -> dict[str, Record]:
        """The rows that one run wrote of these secrets, by secret."""
        keys = [{"secret_name": {"S": name}, "run_id": {"S": run_id}} for name in secret_names]
        chunks = [keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH)]
        return {record["secret_name"]: record for part in self._at_once(self._batch, chunks) for record in part}

    def last_rows(self, secret_names: Sequence[str], until: datetime) -> dict[str, Record]:
        """The last row of each secret that a run of the schedule wrote until this moment, by secret."""

        def last(secret_name: str) -> Record | None:
            rows = self._dynamodb.pages(
                "query",
                TableName=self._history,
                KeyConditionExpression="secret_name = :name AND run_id <= :until",
                ExpressionAttributeValues={":name": {"S": secret_name}, ":until": {"S": to_iso(until)}},
                ScanIndexForward=False,
                Limit=_LAST,
            )
            return next((row for row in rows if row["checked_at"] <= to_iso(until)), None)

        return {row["secret_name"]: row for row in self._at_once(last, secret_names) if row is not None}

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
        def segment(number: int) -> list[Record]:
            position = {"Segment": number, "TotalSegments": SEGMENTS}
            return list(self._dynamodb.pages("scan", TableName=self._status, **position, **attributes))

        parts = self._at_once(segment, range(SEGMENTS))
        # By name: not every double of DynamoDB divides a table.
        return list({record["secret_name"]: record for part in parts for record in part}.values())

    def _batch(self, keys: list[dict[str, Any]]) -> list[Record]:
        records: list[Record] = []
        asked: dict[str, Any] = {self._history: {"Keys": keys}}
        for attempt in range(_TRIES):
            answer = self._dynamodb.ask(self._history, "batch_get_item", RequestItems=asked)
            records += kept(answer["Responses"].get(self._history, ()))
            asked = answer.get("UnprocessedKeys") or {}
            if not asked:
                return records
            time.sleep(random.uniform(0, 0.1 * 2**attempt))  # noqa: S311 - jitter
        raise Unreachable(f"DynamoDB throttles reads of {self._history}: {_TRIES} tries did not bring them to an end.")

    def _at_once(self, read: Callable[[_Asked], _Answered], asked: Iterable[_Asked]) -> list[_Answered]:
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            return list(threads.map(read, asked))
