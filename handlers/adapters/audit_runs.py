"""The table of runs: who works on one, up to where, and how it ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rotation_guard.domain.audit.run import AUDIT, UNKNOWN_WHEN_COMPLETE, Progress, resume, with_findings
from rotation_guard.domain.timestamps import to_iso

from .clients import client
from .items import from_item, to_item
from .row_updates import update_row

ACTIONS = frozenset({"dynamodb:UpdateItem", "dynamodb:GetItem", "dynamodb:Query"})
_HELD = "holder = :me"
_STARTABLE = "attribute_not_exists(run_id) OR attribute_exists(finished_at) OR holder = :me OR lease_until < :now"
_FREE = (
    "part = :expected AND attribute_not_exists(finished_at) AND "
    "(attribute_not_exists(holder) OR holder = :me OR lease_until < :now)"
)
_LOST = "attribute_not_exists(finished_at) AND lease_until < :now"
_PLACE = ("holder", "lease_until", "next_token", "answered")
_OUTCOME = (
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
"""What a run that is started again has not come to yet. What it found is not among it: nobody finds that again."""
_LOOKED_AT = 10
"""Scheduled runs before this one that are looked at in any case: some may never have been finished, or not complete."""
_SAME_RUN = timedelta(hours=1)
"""For so long after its end, as long as Lambda retries, a run that is started again is the same one."""
_SCHEDULED = ("20", "21")
"""Between these are the ids that begin with a year."""
_BY_HAND = (("0", "2"), ("21", "~"))
"""Between these are the ids of invocations, which begin with a digit or a letter from a to f."""


@dataclass
class Lease:
    """The right to work on a run, which nobody else has until it is over."""

    run_id: str
    holder: str
    part: int
    started_at: datetime
    token: str | None
    """Where the list of secrets goes on; None for its beginning."""
    progress: Progress


class AuditRuns:
    """The table of this name."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._dynamodb = client("dynamodb")

    def take(self, run_id: str, part: int, holder: str, now: datetime, until: datetime) -> Lease | None:
        """Start a run, or go on with a part that was handed over; None while or where somebody else does.

        The first part may be started again by the invocation that began it, by anyone once its time is up, and where
        the run was finished: the invocation may have died before it told so. The discrepancies that it found stay.
        """
        before = self.read(run_id) or {}
        again = part == 0 and "finished_at" in before
        anew = part == 0 and ("started_at" not in before or (again and _ended_long_before(before, now)))
        changes: dict[str, Any] = {"holder": holder, "lease_until": to_iso(until), "part": part}
        if anew:
            changes["started_at"] = to_iso(now)
        condition = _FREE if part else _STARTABLE
        values = {":me": holder, ":now": to_iso(now), **({":expected": part} if part else {})}
        if not self._update(run_id, changes, condition, values, remove=_OUTCOME if anew or again else ()):
            return None
        started_at = now.replace(microsecond=0) if anew else datetime.fromisoformat(before["started_at"])
        if part:
            return Lease(run_id, holder, part, started_at, before["next_token"], resume(before))
        return Lease(run_id, holder, 0, started_at, None, with_findings(Progress(), before))

    def waiting_part(self, run_id: str) -> int | None:
        """The part of a run that was handed over and that nobody has taken up; None where there is none."""
        known = self.read(run_id) or {}
        waits = "part" in known and "holder" not in known and "finished_at" not in known
        return int(known["part"]) if waits else None

    def note(self, lease: Lease) -> bool:
        """Write down the discrepancies and the changes so far, before what they were found by is written over.

        Like the two below False where the run is no longer the holder's: its time was up, and another took it.
        """
        written = lease.progress.written()
        changes = {name: written[name] for name in ("discrepancies", "findings", "recorded", "changed")}
        return self._update(lease.run_id, changes, _HELD, {":me": lease.holder})

    def hand_over(self, lease: Lease, token: str, until: datetime) -> bool:
        """Leave the rest of the run to whoever takes the next part."""
        place = {"part": lease.part + 1, "next_token": token, "lease_until": to_iso(until)}
        changes = {**lease.progress.written(), "answered": lease.progress.answered, **place}
        return self._update(lease.run_id, changes, _HELD, {":me": lease.holder}, remove=("holder",))

    def finish(self, lease: Lease, finished_at: datetime, outcome: Mapping[str, Any]) -> bool:
        """The end of a run, and how it went."""
        changes = {**lease.progress.written(), **outcome, "finished_at": to_iso(finished_at)}
        remove = _PLACE if lease.progress.refused else (*_PLACE, "refused")
        return self._update(lease.run_id, changes, _HELD, {":me": lease.holder}, remove=remove)

    def before(self, run_id: str, started_at: datetime, scheduled: int = 0) -> list[dict[str, Any]]:
        """The last runs but this one that began no later, newest first: so many `scheduled` ones, or some more.

        Scheduled runs are in the order of their ids. Those by hand are in none, so all of these, which are few, are
        looked through.
        """
        found = self._between(*_SCHEDULED, Limit=max(_LOOKED_AT, scheduled))
        for first, last in _BY_HAND:
            found += self._between(first, last)
        earlier = [one for one in found if one["run_id"] != run_id and one["started_at"] <= to_iso(started_at)]
        return sorted(earlier, key=lambda one: one["started_at"], reverse=True)

    def _between(self, first: str, last: str, **more: Any) -> list[dict[str, Any]]:
        position: dict[str, Any] = {}
        found: list[dict[str, Any]] = []
        while True:
            answer = self._dynamodb.query(
                TableName=self._table,
                KeyConditionExpression="audit = :audit AND run_id BETWEEN :first AND :last",
                ExpressionAttributeValues=to_item({":audit": AUDIT, ":first": first, ":last": last}),
                ScanIndexForward=False,
                ConsistentRead=True,
                **position,
                **more,
            )
            found += [from_item(stored) for stored in answer["Items"]]
            if more or "LastEvaluatedKey" not in answer:
                return found
            position = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def give_up(self, run_id: str, now: datetime, because: str) -> bool:
        """End a run that was lost; False where it is not: finished after all, or at work."""
        changes = {"finished_at": to_iso(now), "complete": False, "lost": True, "incomplete_because": [because]}
        return self._update(run_id, changes, _LOST, {":now": to_iso(now)}, remove=_PLACE)

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
    """When an invocation that has so long to live can be taken for dead."""
    return now + timedelta(milliseconds=remaining_milliseconds, seconds=60)


def _ended_long_before(run: Mapping[str, Any], now: datetime) -> bool:
    return now - datetime.fromisoformat(run["finished_at"]) > _SAME_RUN


def _key(run_id: str) -> dict[str, Any]:
    return to_item({"audit": AUDIT, "run_id": run_id})
