"""The audit's tables of secrets: its history, and what is true now."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from rotation_guard.domain.audit.secret_status import seen_on
from rotation_guard.domain.rotation_event import secret_name_of
from rotation_guard.domain.timestamps import to_iso

from .batches import Batches
from .clients import client
from .items import from_item, to_item
from .row_updates import update_row

ACTIONS = frozenset({"dynamodb:BatchWriteItem", "dynamodb:BatchGetItem", "dynamodb:Scan", "dynamodb:UpdateItem"})
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

    def statuses(self, secret_names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """What was true of these secrets at the end of the last run, by name."""
        keys = [to_item({"secret_name": name}) for name in secret_names]
        found = (from_item(stored) for stored in self._batches.get(self._status, keys))
        return {known["secret_name"]: known for known in found}

    def write(self, history: Iterable[Row], statuses: Iterable[Row]) -> None:
        """Rows of history and of status, under their keys: a repeated run rewrites its rows.

        History first: a status that says of a row that it is there must not outlive a crash before it was.
        """
        self._batches.put((self._history, to_item(new)) for new in history)
        self._batches.put((self._status, to_item(new)) for new in statuses)

    def not_seen_on(self, day: str) -> Iterator[dict[str, Any]]:
        """What is on record of secrets that were there once, and not on this day. Reads the whole table."""
        for page in self._known():
            yield from (status for status in page if seen_on(status) != day)

    def without_history_of(self, run_id: str) -> Iterator[dict[str, Any]]:
        """What is on record of secrets that were there once, and not in this run, of which every secret has a row.

        Reads the whole table, and as many keys of the history.
        """
        for page in self._known():
            keys = [to_item({"secret_name": status["secret_name"], "run_id": run_id}) for status in page]
            seen = {from_item(stored)["secret_name"] for stored in self._batches.get(self._history, keys)}
            yield from (status for status in page if status["secret_name"] not in seen)

    def _known(self) -> Iterator[list[dict[str, Any]]]:
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._status, FilterExpression="attribute_not_exists(gone_since)", ConsistentRead=True
        )
        for page in pages:
            yield [from_item(stored) for stored in page["Items"]]

    def mark_gone(self, secret_name: str, since: str, expires_at: int | None) -> None:
        """Take a secret out of what is true now; its row stays, so that its history can be found."""
        changes = {"gone_since": since, "expires_at": expires_at}
        update_row(
            self._status, to_item({"secret_name": secret_name}), changes, remove=("attention", "attention_since")
        )


class HeardOfSecrets:
    """The same status table, for notes about events between two runs; these are optional, so timeouts are short."""

    def __init__(self, status: str) -> None:
        self._status = status

    def note(self, secret_arn: str, at: datetime, news: Row) -> bool:
        """Note an event about the secret with exactly this ARN, and when it happened.

        False if the audit does not know the secret, has accounted for a later state, or has a note of a later event.
        """
        condition = (
            "secret_arn = :arn AND attribute_not_exists(gone_since) "
            "AND (attribute_not_exists(accounted_at) OR accounted_at <= :at) "
            "AND (attribute_not_exists(heard_at) OR heard_at <= :at)"
        )
        values = {":arn": secret_arn, ":at": to_iso(at)}
        key = to_item({"secret_name": secret_name_of(secret_arn)})
        return bool(news) and update_row(self._status, key, news, condition=condition, values=values, answers_within=2)
