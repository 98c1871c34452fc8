"""The incidents: at most one open per secret, held by a row of its own that only one writer can put there.

The table is keyed by secret and opening time, so a condition on the incident's own row could not see another one. The
row that holds the claim has the key `open#<secret arn>`, and is written and deleted in one transaction with the
incident's own row: what is open is claimed, and nothing else is.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ..domain.diagnosis import Described
from ..domain.history import iso
from ..domain.incidents import CLOSED, OPEN, RECOVERIES, RESTARTING, UNTRIED, Incident, Outcome
from ..domain.rotation import TESTED, Heard, name_of
from .clients import client
from .items import item, row
from .updates import update

LOOKING_ACTIONS = frozenset({"dynamodb:GetItem"})
NOTING_ACTIONS = frozenset({"dynamodb:UpdateItem"})
CLAIMING_ACTIONS = frozenset({"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query"})
ENDING_ACTIONS = frozenset({"dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"})
"""A transaction is authorised by the writes in it
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html)."""
COUNTING_ACTIONS = frozenset({"dynamodb:Query"})
_CLAIM = "claim"
_LOST = {"ConditionalCheckFailed", "TransactionConflict"}

Row = dict[str, Any]


class LostRace(RuntimeError):
    """Another execution wrote the incident in between: look again."""


class Incidents:
    """The table of this name."""

    def __init__(self, table_name: str) -> None:
        self._table_name = table_name
        self._dynamodb = client("dynamodb")

    def claimed_for(self, secret_arn: str) -> Incident | None:
        """The incident that is open for this secret, or was a moment ago, for those who only look."""
        try:
            return self.open_for(secret_arn)
        except LostRace:
            return None

    def open_for(self, secret_arn: str) -> Incident | None:
        """The incident that is open for this secret. Raises LostRace when it was closed while it was looked up."""
        held = self._claim_on(secret_arn)
        if held is None:
            return None
        found = self.row(secret_arn, held["incident_opened_at"])
        if found is None or found["state"] != OPEN:
            raise LostRace("the incident was closed in between")
        return Incident.of(found)

    def row(self, secret_arn: str, opened_at: str) -> Row | None:
        """An incident with everything that is written in it."""
        answer = self._dynamodb.get_item(
            TableName=self._table_name, Key=_key(secret_arn, opened_at), ConsistentRead=True
        )
        return row(answer["Item"]) if "Item" in answer else None

    def latest(self, secret_arn: str) -> Incident | None:
        """The incident of this secret that was opened last, whatever its state."""
        answer = self._dynamodb.query(
            TableName=self._table_name,
            KeyConditionExpression="secret_arn = :arn",
            ExpressionAttributeValues=item({":arn": secret_arn}),
            ScanIndexForward=False,
            Limit=1,
            ConsistentRead=True,
        )
        return next((Incident.of(row(stored)) for stored in answer["Items"]), None)

    def count_since(self, secret_arn: str, since: str, but: str) -> int:
        """How many incidents this secret has had after this moment, ISO 8601, but for one, that did not recover.

        One in which nothing could be tried says nothing of whether a repair holds.
        """
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression="secret_arn = :arn AND opened_at > :since",
            FilterExpression="failures > :none",
            ExpressionAttributeValues=item({":arn": secret_arn, ":since": since, ":none": 0}),
            ConsistentRead=True,
        )
        found = [row(stored) for page in pages for stored in page["Items"]]
        return sum(
            one["opened_at"] != but and one.get("outcome") not in RECOVERIES and one.get("rule") not in UNTRIED
            for one in found
        )

    def open(
        self,
        failure: Heard,
        described: Described | None,
        execution: str,
        opened_at: str,
        alive_until: int,
        *,
        replaced: Incident | None = None,
        now: datetime | None = None,
        keep_until: int | None = None,
    ) -> None:
        """Opens an incident, and closes in its place one whose workflow has died. Raises LostRace.

        What is closed is so since `now`, and kept until then, in epoch seconds.
        """
        arn = failure.secret_arn or ""
        current = described.secret.current_version_id if described else None
        claim = {**_claim_key(arn), "incident_opened_at": opened_at, "execution": execution}
        incident = {
            "secret_arn": arn,
            "opened_at": opened_at,
            "state": OPEN,
            "secret_name": described.secret.name if described else name_of(arn),
            "execution": execution,
            "event_type": failure.kind,
            "source": failure.source,
            "occurred_at": failure.occurred_at,
            "last_failure_at": failure.occurred_at,
            "failed_step": failure.failed_step,
            "current_version_id": current,
            "versions": {version: list(labels) for version, labels in described.versions.items()}
            if described
            else None,
            "failures": 1,
            "attempts": 0,
            "rounds": 0,
            "alive_until": alive_until,
            "event_ids": {failure.identity},
            "rotation_ids": {failure.rotation_id} if failure.rotation_id else None,
            "replaces": replaced.opened_at if replaced else None,
            "actions": [],
        }
        if replaced is None:
            self._transact(self._new(claim), self._new(incident))
            return
        closing = self._change(
            arn,
            replaced.opened_at,
            {
                "state": CLOSED,
                "outcome": Outcome.ESCALATED,
                "closed_at": iso(now) if now else None,
                "expires_at": keep_until,
                "reason": "Its workflow ended without a word, and a new failure opened another incident.",
            },
            "#state = :open",
            {":open": OPEN},
        )
        taking = self._new(claim)
        taking["Put"] |= {
            "ConditionExpression": "incident_opened_at = :before",
            "ExpressionAttributeValues": item({":before": replaced.opened_at}),
        }
        self._transact(closing, taking, self._new(incident))

    def add(self, incident: Incident, heard: Heard) -> bool:
        """Puts another event into the open incident, and counts it if it is a failure. False when it is in it already.

        Raises LostRace when the incident was closed, or another event put into it, since it was looked at.
        """
        if heard.identity in incident.event_ids:
            return False
        seen, counted = incident.last_failure_at, heard.is_failure
        latest = max(seen, heard.occurred_at) if counted else seen
        values: Row = {":event": {heard.identity}, ":one": int(counted), ":open": OPEN, ":id": heard.identity}
        values |= {":latest": latest, ":seen": seen}
        sets, adds = "last_failure_at = :latest", "failures :one, event_ids :event"
        if counted and heard.rotation_id:
            values[":rotation"] = {heard.rotation_id}
            adds += ", rotation_ids :rotation"
        if counted and incident.event_type == TESTED:
            # A test that failed has rotated nothing; whatever joins it may have.
            values[":kind"] = heard.kind
            sets += ", event_type = :kind"
        if counted and heard.failed_step:
            values[":step"] = heard.failed_step
            newest = latest == heard.occurred_at
            sets += f", failed_step = {':step' if newest else 'if_not_exists(failed_step, :step)'}"
        try:
            self._dynamodb.update_item(
                TableName=self._table_name,
                Key=_key(incident.secret_arn, incident.opened_at),
                UpdateExpression=f"SET {sets} ADD {adds}",
                ConditionExpression="#state = :open AND last_failure_at = :seen AND NOT contains(event_ids, :id)",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues=item(values),
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            raise LostRace("another execution wrote this incident first") from error
        return True

    def begin_restarts(
        self,
        heard: Heard,
        described: Described,
        execution: str,
        opened_at: str,
        restarts: Sequence[Mapping[str, Any]],
        wanted_at: int,
    ) -> None:
        """Writes the row under which dependents are restarted after a rotation that succeeded; nothing is claimed.

        Raises LostRace when another execution opened an incident in the same instant.
        """
        new = {
            "secret_arn": described.secret.arn,
            "opened_at": opened_at,
            "state": RESTARTING,
            "outcome": Outcome.RESTARTED,
            "secret_name": described.secret.name,
            "execution": execution,
            "ended_by": execution,
            "event_type": heard.kind,
            "source": heard.source,
            "occurred_at": heard.occurred_at,
            "current_version_id": described.secret.current_version_id,
            "versions": {version: list(labels) for version, labels in described.versions.items()},
            "failures": 0,
            "attempts": 0,
            "event_ids": {heard.identity},
            "restarts": [dict(entry) for entry in restarts],
            "restarts_wanted_at": wanted_at,
            "actions": [],
        }
        try:
            self._dynamodb.put_item(
                TableName=self._table_name,
                Item=item(new),
                ConditionExpression="attribute_not_exists(secret_arn) OR execution = :mine",
                ExpressionAttributeValues=item({":mine": execution}),
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            raise LostRace("another execution wrote this incident first") from error

    def change(
        self,
        secret_arn: str,
        opened_at: str,
        changes: Mapping[str, Any],
        *actions: Mapping[str, Any],
        condition: str = "attribute_exists(secret_arn)",
        values: Mapping[str, Any] | None = None,
        remove: Sequence[str] = (),
        names: Sequence[str] = (),
    ) -> bool:
        """Changes an incident and writes down these actions in one write, as `updates.update` does it."""
        return update(
            self._table_name,
            _key(secret_arn, opened_at),
            changes,
            append={"actions": [dict(action) for action in actions]} if actions else None,
            remove=remove,
            condition=condition,
            values=values,
            names=names,
        )

    def end(self, incident: Row, changes: Mapping[str, Any]) -> bool:
        """Ends an open incident and releases the claim, both or neither; False when it is open no more."""
        arn, opened_at = incident["secret_arn"], incident["opened_at"]
        ending = self._change(arn, opened_at, changes, "#state = :was_open", {":was_open": OPEN})
        releasing = {
            "Delete": {
                "TableName": self._table_name,
                "Key": item(_claim_key(arn)),
                "ConditionExpression": "incident_opened_at = :mine",
                "ExpressionAttributeValues": item({":mine": opened_at}),
            }
        }
        try:
            self._transact(ending, releasing)
        except LostRace:
            return False
        return True

    def note(self, secret_arn: str, opened_at: str, *actions: Mapping[str, Any]) -> None:
        """Writes actions and their outcomes into an incident."""
        self.change(secret_arn, opened_at, {}, *actions)

    def take_version(self, secret_arn: str, version: str, execution: str) -> bool:
        """Whether this execution is the one that restarts the dependents, now that this version is in use.

        One row remembers for which version that was done last: a version that comes back needs it again.
        """
        return update(
            self._table_name,
            item({"secret_arn": f"restart#{secret_arn}", "opened_at": "latest"}),
            {"version": version, "holder": execution},
            condition="attribute_not_exists(#version) OR #version <> :version OR #holder = :mine",
            values={":mine": execution},
        )

    def _claim_on(self, secret_arn: str) -> Row | None:
        answer = self._dynamodb.get_item(
            TableName=self._table_name, Key=item(_claim_key(secret_arn)), ConsistentRead=True
        )
        return row(answer["Item"]) if "Item" in answer else None

    def _new(self, new: Mapping[str, Any]) -> Row:
        return {
            "Put": {
                "TableName": self._table_name,
                "Item": item(new),
                "ConditionExpression": "attribute_not_exists(secret_arn)",
            }
        }

    def _change(
        self, secret_arn: str, opened_at: str, changes: Mapping[str, Any], condition: str, values: Mapping[str, Any]
    ) -> Row:
        given = {name: value for name, value in changes.items() if value is not None}
        return {
            "Update": {
                "TableName": self._table_name,
                "Key": _key(secret_arn, opened_at),
                "UpdateExpression": f"SET {', '.join(f'#{name} = :{name}' for name in given)}",
                "ConditionExpression": condition,
                "ExpressionAttributeNames": {f"#{name}": name for name in given},
                "ExpressionAttributeValues": item({**values, **{f":{name}": given[name] for name in given}}),
            }
        }

    def _transact(self, *writes: Row) -> None:
        try:
            self._dynamodb.transact_write_items(TransactItems=list(writes))
        except self._dynamodb.exceptions.TransactionCanceledException as error:
            codes = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
            if codes & _LOST:
                raise LostRace("another execution wrote this incident first") from error
            raise


def _key(secret_arn: str, opened_at: str) -> Row:
    return item({"secret_arn": secret_arn, "opened_at": opened_at})


def _claim_key(secret_arn: str) -> dict[str, str]:
    return {"secret_arn": f"open#{secret_arn}", "opened_at": _CLAIM}
