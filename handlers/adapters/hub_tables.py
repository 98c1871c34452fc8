"""The hub's tables: incidents of all accounts, the status of their secrets, and the runs of their audits."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from rotation_guard.domain.organization.incidents import Transition
from rotation_guard.domain.timestamps import to_iso

from .clients import client
from .items import Item, from_item, to_item
from .row_updates import update_row

INCIDENT_ACTIONS = frozenset({"dynamodb:GetItem", "dynamodb:UpdateItem"})
AUDIT_ACTIONS = frozenset({"dynamodb:PutItem"})
_IS_LATER = "attribute_not_exists(#position) OR #position < :position"
_IS_NEW_NOTICE = "attribute_not_exists(#notices) OR NOT contains(#notices, :notice)"


class HubIncidents:
    """The table of incidents."""

    def __init__(self, table_name: str) -> None:
        self._table = table_name

    def record(self, transition: Transition, expires_at: int | None) -> bool:
        """Write the facts of a transition, unless a later one is recorded. Whether it, or a copy, is the latest."""
        row = {**transition.build_row(), "expires_at": expires_at if transition.ends_incident else None}
        key = {name: row.pop(name) for name in ("secret_arn", "opened_at")}
        is_later = update_row(
            self._table,
            to_item(key),
            row,
            # What the latest transition no longer says is no longer true.
            remove=[name for name, value in row.items() if value is None],
            condition=_IS_LATER,
        )
        return is_later or self.read(*transition.key).get("position") == transition.position

    def read(self, secret_arn: str, opened_at: str) -> dict[str, Any]:
        """An incident's row, empty without one."""
        response = client("dynamodb").get_item(
            TableName=self._table, Key=_key(secret_arn, opened_at), ConsistentRead=True
        )
        return from_item(response["Item"]) if "Item" in response else {}

    def is_settled(self, transition: Transition, channel: str) -> bool:
        """Whether the notification of a transition is published there, or need not be."""
        return _name_notice(transition, channel) in self.read(*transition.key).get("notices", [])

    def mark_settled(self, transition: Transition, channel: str) -> None:
        """Record that the notification of a transition is published there, or need not be."""
        notice = _name_notice(transition, channel)
        update_row(
            self._table,
            _key(*transition.key),
            {},
            append={"notices": [notice]},
            condition=_IS_NEW_NOTICE,
            values={":notice": notice},
        )

    def claim_hour(self, transition: Transition, now: datetime) -> bool:
        """Whether this transition is the one of its account that pages in this hour; the same answer for its copies."""
        key = _key(f"hour#{transition.account}", to_iso(now)[:13])
        changes = {"claimed_by": transition.event_id, "expires_at": int((now + timedelta(days=1)).timestamp())}
        condition = "attribute_not_exists(#claimed_by) OR #claimed_by = :claimed_by"
        return update_row(self._table, key, changes, condition=condition)


class HubAudits:
    """The tables of statuses and of runs."""

    def __init__(self, status_table_name: str, runs_table_name: str) -> None:
        self._statuses, self._runs = status_table_name, runs_table_name

    def put_status(self, row: Mapping[str, Any], expires_at: int | None) -> bool:
        """Write a secret's status, unless a later one is recorded; a secret that is gone expires."""
        expiry = expires_at if row["gone_since"] else None
        return _put_latest(self._statuses, {**row, "expires_at": expiry}, "updated_at")

    def put_run(self, row: Mapping[str, Any], expires_at: int | None) -> bool:
        """Write a finished run, unless a later end of the same run is recorded."""
        return _put_latest(self._runs, {**row, "expires_at": expires_at}, "finished_at")


def _put_latest(table: str, row: Mapping[str, Any], date: str) -> bool:
    dynamodb = client("dynamodb")
    try:
        dynamodb.put_item(
            TableName=table,
            Item=to_item(row),
            ConditionExpression="attribute_not_exists(#date) OR #date <= :date",
            ExpressionAttributeNames={"#date": date},
            ExpressionAttributeValues=to_item({":date": row[date]}),
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return False
    return True


def _key(secret_arn: str, opened_at: str) -> Item:
    return to_item({"secret_arn": secret_arn, "opened_at": opened_at})


def _name_notice(transition: Transition, channel: str) -> str:
    return f"{transition.event_id} {channel}"
