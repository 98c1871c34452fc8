"""The audit's tables of secrets: their history, and their current status."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from rotation_guard.domain.audit.recorded_rows import is_damaged
from rotation_guard.domain.audit.secret_status import last_checked_day
from rotation_guard.domain.rotation_event import secret_name_of
from rotation_guard.domain.timestamps import to_iso

from . import scans
from .batches import Batches
from .clients import client
from .items import from_item, to_item
from .row_updates import update_row
from .scans import scan_rows

ACTIONS = frozenset({"dynamodb:BatchWriteItem", "dynamodb:BatchGetItem", "dynamodb:Scan", "dynamodb:UpdateItem"})
READING_ACTIONS = scans.ACTIONS
NOTING_ACTIONS = frozenset({"dynamodb:UpdateItem"})
NOTE_SECONDS = 3
"""Maximum duration of `note`: one attempt of 2 s to connect and 2 s to read."""

Row = Mapping[str, Any]


class AuditTables:
    """The tables of these names."""

    def __init__(self, history: str, status: str) -> None:
        self._history, self._status = history, status
        self._dynamodb = client("dynamodb")
        self._batches = Batches()

    def read_statuses(self, secret_names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The stored status of each of these secrets, by name; a damaged one is as good as none, and is overwritten."""
        keys = [to_item({"secret_name": name}) for name in secret_names]
        statuses = (from_item(stored) for stored in self._batches.get(self._status, keys))
        return {status["secret_name"]: status for status in statuses if not is_damaged(status)}

    def write(self, history: Iterable[Row], statuses: Iterable[Row]) -> None:
        """Writes history and status rows; a repeated run overwrites its own rows.

        History first: after a crash in between, the old status makes the retry write the history row again.
        """
        self._batches.put((self._history, to_item(row)) for row in history)
        self._batches.put((self._status, to_item(row)) for row in statuses)

    def find_not_checked_on(self, day: str) -> Iterator[dict[str, Any]]:
        """The statuses of secrets that were not checked on this day. Reads the whole table."""
        for page in self._scan_active():
            yield from (status for status in page if last_checked_day(status) != day)

    def find_missing_from_run(self, run_id: str) -> Iterator[dict[str, Any]]:
        """The statuses of secrets without a history row of this run, which wrote one for every secret.

        Reads the whole table, and as many keys of the history.
        """
        for page in self._scan_active():
            keys = [to_item({"secret_name": status["secret_name"], "run_id": run_id}) for status in page]
            checked = {from_item(stored)["secret_name"] for stored in self._batches.get(self._history, keys)}
            yield from (status for status in page if status["secret_name"] not in checked)

    def _scan_active(self) -> Iterator[list[dict[str, Any]]]:
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._status, FilterExpression="attribute_not_exists(gone_since)", ConsistentRead=True
        )
        for page in pages:
            statuses = (from_item(stored) for stored in page["Items"])
            # A damaged row of a secret that still exists is overwritten by the run before this is asked.
            yield [status for status in statuses if not is_damaged(status)]

    def mark_gone(self, secret_name: str, since: str, expires_at: int | None) -> None:
        """Marks a secret as gone; its row stays, so that its history can be found."""
        changes = {"gone_since": since, "expires_at": expires_at}
        update_row(
            self._status, to_item({"secret_name": secret_name}), changes, remove=("attention", "attention_since")
        )


class StatusTable:
    """The status table, for whoever reads all of it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def read_all(self) -> Iterator[dict[str, Any]]:
        """The current status of every secret that is still listed, a page at a time, with plain numbers."""
        return scan_rows(self._name, FilterExpression="attribute_not_exists(gone_since)")


class EventNotes:
    """The status table, for notes about events between two runs. Notes are optional, so timeouts are short."""

    def __init__(self, status: str) -> None:
        self._status = status

    def note(self, secret_arn: str, at: datetime, fields: Row) -> bool:
        """Adds these fields about an event to the status of the secret with this ARN.

        Returns False if the secret has no status, a later reconciliation, or a note of a later event.
        """
        condition = (
            "secret_arn = :arn AND attribute_not_exists(gone_since) "
            "AND (attribute_not_exists(accounted_at) OR accounted_at <= :at) "
            "AND (attribute_not_exists(heard_at) OR heard_at <= :at)"
        )
        values = {":arn": secret_arn, ":at": to_iso(at)}
        key = to_item({"secret_name": secret_name_of(secret_arn)})
        return bool(fields) and update_row(
            self._status, key, fields, condition=condition, values=values, answers_within=2
        )
