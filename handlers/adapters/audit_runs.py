"""The table of audit runs: the lease on each, its progress, and its result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rotation_guard.domain.audit.recorded_rows import restore_runs
from rotation_guard.domain.audit.run import (
    AUDIT,
    UNKNOWN_WHEN_COMPLETE,
    Progress,
    restore_discrepancies,
    restore_progress,
)
from rotation_guard.domain.timestamps import to_iso

from .clients import client
from .items import from_item, to_item, with_plain_numbers
from .row_updates import update_row

ACTIONS = frozenset({"dynamodb:UpdateItem", "dynamodb:GetItem", "dynamodb:Query"})
READING_ACTIONS = frozenset({"dynamodb:Query"})
_IS_HOLDER = "holder = :me"
_CAN_START = "attribute_not_exists(run_id) OR attribute_exists(finished_at) OR holder = :me OR lease_until < :now"
_CAN_CONTINUE = (
    "part = :expected AND attribute_not_exists(finished_at) AND "
    "(attribute_not_exists(holder) OR holder = :me OR lease_until < :now)"
)
_IS_LOST = "attribute_not_exists(finished_at) AND lease_until < :now"
_LEASE_FIELDS = ("holder", "lease_until", "next_token", "answered")
_OUTCOME_FIELDS = (
    "finished_at",
    "complete",
    "lost",
    "incomplete_because",
    UNKNOWN_WHEN_COMPLETE,
    "counted",
    "shortfall",
    "refused",
    "next_token",
)
"""Attributes that a restarted run removes. Its discrepancies stay, because it cannot find them again."""
_MIN_SCHEDULED_RUNS = 10
"""Minimum number of earlier scheduled runs to read: some may be unfinished or incomplete."""
_RUNS_OF_REPORT = 50
"""Runs among which the last complete one is searched for."""
_RETRY_WINDOW = timedelta(hours=1)
"""How long after its end a run that starts again is a retry by Lambda, and not a new run."""
_SCHEDULED_IDS = ("20", "21")
"""Range of the ids that begin with a year."""
_MANUAL_IDS = (("0", "2"), ("21", "~"))
"""Ranges of the ids of invocations, which begin with a hexadecimal digit."""


@dataclass
class Lease:
    """The exclusive right to work on a run until it expires."""

    run_id: str
    holder: str
    part: int
    started_at: datetime
    token: str | None
    """Token of the next page; None for the first."""
    progress: Progress


class AuditRuns:
    """The table of this name."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._dynamodb = client("dynamodb")

    def acquire_lease(self, run_id: str, part: int, holder: str, now: datetime, until: datetime) -> Lease | None:
        """The lease to start a run, or to continue one that was handed over; None if another invocation has it.

        The first part may be restarted by its own invocation, by any other once the lease has expired, and after the
        run finished: its invocation may have failed before it could respond. Its discrepancies stay.
        """
        stored = self.read(run_id) or {}
        is_finished = part == 0 and "finished_at" in stored
        is_new = part == 0 and ("started_at" not in stored or (is_finished and _ended_before_retry_window(stored, now)))
        changes: dict[str, Any] = {"holder": holder, "lease_until": to_iso(until), "part": part}
        if is_new:
            changes["started_at"] = to_iso(now)
        condition = _CAN_CONTINUE if part else _CAN_START
        values = {":me": holder, ":now": to_iso(now), **({":expected": part} if part else {})}
        if not self._update(
            run_id, changes, condition, values, remove=_OUTCOME_FIELDS if is_new or is_finished else ()
        ):
            return None
        started_at = now.replace(microsecond=0) if is_new else datetime.fromisoformat(stored["started_at"])
        if part:
            return Lease(run_id, holder, part, started_at, stored["next_token"], restore_progress(stored))
        return Lease(run_id, holder, 0, started_at, None, restore_discrepancies(Progress(), stored))

    def find_waiting_part(self, run_id: str) -> int | None:
        """The part of a run that was handed over and that no invocation has continued; None if there is none."""
        run = self.read(run_id) or {}
        is_waiting = "part" in run and "holder" not in run and "finished_at" not in run
        return int(run["part"]) if is_waiting else None

    def save_discrepancies(self, lease: Lease) -> bool:
        """Saves discrepancies and changed secrets, before the rows that revealed them are overwritten.

        Returns False, as the two methods below, if the lease has expired and another invocation has it.
        """
        progress = lease.progress.to_row()
        changes = {name: progress[name] for name in ("discrepancies", "findings", "recorded", "changed")}
        return self._update(lease.run_id, changes, _IS_HOLDER, {":me": lease.holder})

    def hand_over(self, lease: Lease, token: str, until: datetime) -> bool:
        """Releases the run for the next part to continue."""
        next_part = {"part": lease.part + 1, "next_token": token, "lease_until": to_iso(until)}
        changes = {**lease.progress.to_row(), "answered": lease.progress.answered, **next_part}
        return self._update(lease.run_id, changes, _IS_HOLDER, {":me": lease.holder}, remove=("holder",))

    def finish(self, lease: Lease, finished_at: datetime, outcome: Mapping[str, Any]) -> bool:
        """Records the end of a run and its result."""
        changes = {**lease.progress.to_row(), **outcome, "finished_at": to_iso(finished_at)}
        remove = _LEASE_FIELDS if lease.progress.refused else (*_LEASE_FIELDS, "refused")
        return self._update(lease.run_id, changes, _IS_HOLDER, {":me": lease.holder}, remove=remove)

    def list_earlier(self, run_id: str, started_at: datetime, scheduled: int = 0) -> list[dict[str, Any]]:
        """Other runs that did not start later, newest first: at least this many `scheduled` ones, and all manual ones.

        The ids of scheduled runs sort by time. Those of manual runs do not, but these are few.
        """
        runs = self._query_between(*_SCHEDULED_IDS, Limit=max(_MIN_SCHEDULED_RUNS, scheduled))
        for first, last in _MANUAL_IDS:
            runs += self._query_between(first, last)
        earlier = [run for run in runs if run["run_id"] != run_id and run["started_at"] <= to_iso(started_at)]
        return sorted(earlier, key=lambda run: run["started_at"], reverse=True)

    def list_recent(self, now: datetime) -> list[dict[str, Any]]:
        """The runs that a report is based on, newest first, with plain numbers."""
        return with_plain_numbers(self.list_earlier("", now, scheduled=_RUNS_OF_REPORT))

    def find_last_complete(self, first: datetime, last: datetime) -> dict[str, Any] | None:
        """The last complete scheduled run of a span of time, with plain numbers; None if its newest few have none."""
        runs = self._query_between(to_iso(first), to_iso(last), Limit=_MIN_SCHEDULED_RUNS)
        complete = (run for run in runs if run.get("complete") and run.get("finished_at"))
        return with_plain_numbers(next(complete, None))

    def _query_between(self, first: str, last: str, **options: Any) -> list[dict[str, Any]]:
        position: dict[str, Any] = {}
        runs: list[dict[str, Any]] = []
        while True:
            answer = self._dynamodb.query(
                TableName=self._table,
                KeyConditionExpression="audit = :audit AND run_id BETWEEN :first AND :last",
                ExpressionAttributeValues=to_item({":audit": AUDIT, ":first": first, ":last": last}),
                ScanIndexForward=False,
                ConsistentRead=True,
                **position,
                **options,
            )
            runs += restore_runs(from_item(stored) for stored in answer["Items"])
            if options or "LastEvaluatedKey" not in answer:
                return runs
            position = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def mark_lost(self, run_id: str, now: datetime, because: str) -> bool:
        """Ends a run whose lease has expired. False if the run has finished, or is still in progress."""
        changes = {"finished_at": to_iso(now), "complete": False, "lost": True, "incomplete_because": [because]}
        return self._update(run_id, changes, _IS_LOST, {":now": to_iso(now)}, remove=_LEASE_FIELDS)

    def read(self, run_id: str) -> dict[str, Any] | None:
        """A run's row."""
        answer = self._dynamodb.get_item(TableName=self._table, Key=_key(run_id), ConsistentRead=True)
        return from_item(answer["Item"]) if "Item" in answer else None

    def _update(
        self,
        run_id: str,
        changes: Mapping[str, Any],
        condition: str,
        values: Mapping[str, Any],
        remove: Sequence[str] = (),
    ) -> bool:
        return update_row(self._table, _key(run_id), changes, remove=remove, condition=condition, values=values)


def lease_until(now: datetime, remaining_milliseconds: int) -> datetime:
    """When the lease of an invocation with this remaining time expires."""
    return now + timedelta(milliseconds=remaining_milliseconds, seconds=60)


def _ended_before_retry_window(run: Mapping[str, Any], now: datetime) -> bool:
    return now - datetime.fromisoformat(run["finished_at"]) > _RETRY_WINDOW


def _key(run_id: str) -> dict[str, Any]:
    return to_item({"audit": AUDIT, "run_id": run_id})
