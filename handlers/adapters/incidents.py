"""The incidents: at most one open per secret, held by a row of its own that only one writer can put there.

The table is keyed by secret and opening time, so a condition on the incident's own row could not see another one. The
row that holds the claim has the key `open#<secret arn>`, and is written and deleted in one transaction with the
incident's own row: what is open is claimed, and nothing else is. In the same transaction an incident is listed as
unfinished (`unfinished_incidents`), which it stays until people were told how it ended.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rotation_guard.domain.remediation.diagnosis import DescribedSecret, UnreadableSecret, find_unsupported_reason
from rotation_guard.domain.remediation.incidents import OPEN, RESTARTING, Incident, Outcome
from rotation_guard.domain.rotation_event import TEST_ROTATION_FAILED, RotationSignal, secret_name_of

from . import unfinished_incidents
from .clients import client
from .items import from_item, to_item
from .row_updates import update_row

LOOKING_ACTIONS = frozenset({"dynamodb:GetItem"})
NOTING_ACTIONS = frozenset({"dynamodb:UpdateItem"})
CLAIMING_ACTIONS = frozenset(
    {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:Query"}
)
ENDING_ACTIONS = frozenset({"dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"})
"""A transaction is authorised by the writes in it
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html)."""
LISTING_ACTIONS = frozenset({"dynamodb:Query"})
_CLAIM = "claim"
_PAGE = 10
"""Incidents of a secret that are read at once."""
_LOST = {"ConditionalCheckFailed", "TransactionConflict"}

Row = dict[str, Any]


class LostRace(RuntimeError):
    """Another execution wrote the incident in between: look again."""


class IncidentMissing(RuntimeError):
    """An incident that is worked on has no row, which says neither that it is open nor that it is over."""


class Incidents:
    """The table of this name."""

    def __init__(self, table_name: str) -> None:
        self._table_name = table_name
        self._dynamodb = client("dynamodb")

    def claimed_for(self, secret_arn: str) -> Incident | None:
        """The incident that is open for this secret, or was a moment ago, for those who only look."""
        claimed = self.claimed_at(secret_arn)
        known = self.row(secret_arn, claimed) if claimed else None
        return Incident.of(known) if known and known["state"] == OPEN else None

    def claimed_at(self, secret_arn: str) -> str | None:
        """The opening time of the incident that has the claim on this secret."""
        answer = self._dynamodb.get_item(
            TableName=self._table_name, Key=to_item(_claim_key(secret_arn)), ConsistentRead=True
        )
        return from_item(answer["Item"])["incident_opened_at"] if "Item" in answer else None

    def release_claim(self, secret_arn: str, opened_at: str) -> bool:
        """Deletes the claim of an incident that has no row; False where it is not its claim any more."""
        try:
            self._dynamodb.delete_item(**_release(self._table_name, secret_arn, opened_at))
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def restore_claim(self, secret_arn: str, opened_at: str, execution: str) -> None:
        """Puts the claim of an open incident that has none. Raises LostRace when there is one after all."""
        claim = {**_claim_key(secret_arn), "incident_opened_at": opened_at, "execution": execution}
        try:
            self._dynamodb.put_item(**self._new(claim)["Put"])
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            raise LostRace("another execution has claimed this secret") from error

    def existing(self, secret_arn: str, opened_at: str) -> Row:
        """The row of an incident that has one. Raises IncidentMissing: no answer is no reason to stop in silence."""
        known = self.row(secret_arn, opened_at)
        if known is None:
            raise IncidentMissing(f"the incident of {secret_arn} that was opened at {opened_at} has no row")
        return known

    def own(self, secret_arn: str, opened_at: str, execution: str) -> Row | None:
        """The open incident that this execution works on; None where it is over, or another execution works on it.

        Raises IncidentMissing.
        """
        known = self.existing(secret_arn, opened_at)
        return known if known["state"] == OPEN and known["execution"] == execution else None

    def row(self, secret_arn: str, opened_at: str) -> Row | None:
        """An incident with everything that is written in it."""
        answer = self._dynamodb.get_item(
            TableName=self._table_name, Key=_key(secret_arn, opened_at), ConsistentRead=True
        )
        return from_item(answer["Item"]) if "Item" in answer else None

    def latest(self, secret_arn: str) -> Incident | None:
        """The incident of this secret that was opened last, whatever its state."""
        answer = self._dynamodb.query(
            TableName=self._table_name,
            KeyConditionExpression="secret_arn = :arn",
            ExpressionAttributeValues=to_item({":arn": secret_arn}),
            ScanIndexForward=False,
            Limit=1,
            ConsistentRead=True,
        )
        return next((Incident.of(from_item(stored)) for stored in answer["Items"]), None)

    def of_secret(self, secret_arn: str) -> Iterator[Incident]:
        """The incidents of this secret, newest first; read as far as they are looked at."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression="secret_arn = :arn",
            ExpressionAttributeValues=to_item({":arn": secret_arn}),
            ScanIndexForward=False,
            ConsistentRead=True,
            PaginationConfig={"PageSize": _PAGE},
        )
        return (Incident.of(from_item(stored)) for page in pages for stored in page["Items"])

    def open(
        self,
        failure: RotationSignal,
        seen: DescribedSecret | UnreadableSecret,
        execution: str,
        opened_at: str,
        alive_until: int,
    ) -> None:
        """Opens an incident. Raises LostRace."""
        arn = failure.secret_arn or ""
        described = seen if isinstance(seen, DescribedSecret) else None
        current = described.secret.current_version_id if described else None
        claim = {**_claim_key(arn), "incident_opened_at": opened_at, "execution": execution}
        incident = {
            "secret_arn": arn,
            "opened_at": opened_at,
            "state": OPEN,
            "secret_name": described.secret.name if described else secret_name_of(arn),
            "execution": execution,
            "event_type": failure.kind,
            "source": failure.source,
            "occurred_at": failure.occurred_at,
            "last_failure_at": failure.occurred_at,
            "failed_step": failure.failed_step,
            "failed_steps": {failure.failed_step} if failure.failed_step else None,
            "unreadable": seen.reason if isinstance(seen, UnreadableSecret) else None,
            **(_describe(described) if described else {}),
            "untouchable": (find_unsupported_reason(described.secret) or None) if described else None,
            "current_version_id": current,
            "versions": list_labels(described) if described else None,
            "failures": 1,
            "attempts": 0,
            "rounds": 0,
            "alive_until": alive_until,
            "event_ids": {failure.identity},
            "rotation_ids": {failure.rotation_id} if failure.rotation_id else None,
            "actions": [],
        }
        self._transact(self._new(claim), self._new(incident), self._listed(arn, opened_at))

    def add(self, incident: Incident, heard: RotationSignal) -> bool:
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
        if counted and incident.event_type == TEST_ROTATION_FAILED:
            # A test that failed has rotated nothing; whatever joins it may have.
            values[":kind"] = heard.kind
            sets += ", event_type = :kind"
        if counted and heard.failed_step:
            values[":step"], values[":steps"] = heard.failed_step, {heard.failed_step}
            adds += ", failed_steps :steps"
            newest = latest == heard.occurred_at
            sets += f", failed_step = {':step' if newest else 'if_not_exists(failed_step, :step)'}"
        try:
            self._dynamodb.update_item(
                TableName=self._table_name,
                Key=_key(incident.secret_arn, incident.opened_at),
                UpdateExpression=f"SET {sets} ADD {adds}",
                ConditionExpression="#state = :open AND last_failure_at = :seen AND NOT contains(event_ids, :id)",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues=to_item(values),
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            raise LostRace("another execution wrote this incident first") from error
        return True

    def begin_restarts(
        self,
        heard: RotationSignal,
        described: DescribedSecret,
        execution: str,
        opened_at: str,
        restarts: Sequence[Mapping[str, Any]],
        wanted_at: int,
        alive_until: int,
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
            **_describe(described),
            "current_version_id": described.secret.current_version_id,
            "versions": list_labels(described),
            "failures": 0,
            "attempts": 0,
            "event_ids": {heard.identity},
            "restarts": [dict(entry) for entry in restarts],
            "restarts_wanted_at": wanted_at,
            "alive_until": alive_until,
            "actions": [],
        }
        self._transact(self._new(new), self._listed(described.secret.arn, opened_at))

    def resume(self, known: Row, execution: str, now: int, alive_until: int) -> bool:
        """Takes over an incident whose execution has not been heard of in time; False where it has, or is another's.

        Epoch seconds. What runs twice takes it over once.
        """
        role = "execution" if known["state"] == OPEN else "ended_by"
        return self.change(
            known["secret_arn"],
            known["opened_at"],
            {role: execution, "resumed_by": execution, "alive_until": alive_until},
            condition="#state = :state AND (attribute_not_exists(#alive_until) OR #alive_until < :now)",
            values={":state": known["state"], ":now": now},
            names=["state"],
        )

    def resolve(self, incident: Incident, at: str, by: str, described: DescribedSecret | None) -> None:
        """Marks an incident that was escalated or held as resolved, which is still to be told.

        `described` is the secret with its new value, None where it could not be read.
        Raises LostRace where it was written in between, perhaps by another who resolves it.
        """
        changes: Row = {"outcome": Outcome.RESOLVED, "resolved_outcome": incident.outcome, "resolved_at": at}
        changes |= {"resolved_by": by, "alive_until": 0}
        changes["new_value_versions"] = list_labels(described) if described else None
        resolving = self._change(
            incident.secret_arn, incident.opened_at, changes, "#outcome = :before", {":before": incident.outcome}
        )
        self._transact(resolving, self._listed(incident.secret_arn, incident.opened_at, is_resolved=True))

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
        return update_row(
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
        """Ends an open incident and releases the claim, both or neither; False when it is open no more, or has changed.

        What matters is a failure: one that joined it since it was read may be news. A claim that somebody has deleted
        is released already.
        """
        arn, opened_at, seen = incident["secret_arn"], incident["opened_at"], incident["last_failure_at"]
        ending = self._change(
            arn,
            opened_at,
            changes,
            "#state = :was_open AND last_failure_at = :seen",
            {":was_open": OPEN, ":seen": seen},
        )
        try:
            release = _release(self._table_name, arn, opened_at)
            release["ConditionExpression"] = f"attribute_not_exists(secret_arn) OR {release['ConditionExpression']}"
            self._transact(ending, {"Delete": release})
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
        return update_row(
            self._table_name,
            to_item({"secret_arn": f"restart#{secret_arn}", "opened_at": "latest"}),
            {"version": version, "holder": execution},
            condition="attribute_not_exists(#version) OR #version <> :version OR #holder = :mine",
            values={":mine": execution},
        )

    def _new(self, new: Mapping[str, Any]) -> Row:
        return {
            "Put": {
                "TableName": self._table_name,
                "Item": to_item(new),
                "ConditionExpression": "attribute_not_exists(secret_arn)",
            }
        }

    def _listed(self, secret_arn: str, opened_at: str, *, is_resolved: bool = False) -> Row:
        listing = unfinished_incidents.listing(secret_arn, opened_at, is_resolved=is_resolved)
        return {"Put": {"TableName": self._table_name, "Item": to_item(listing)}}

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
                "ExpressionAttributeValues": to_item({**values, **{f":{name}": given[name] for name in given}}),
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


def list_labels(described: DescribedSecret) -> dict[str, list[str]]:
    """Version id -> its labels, as rows hold them."""
    return {version: list(labels) for version, labels in described.versions.items()}


def _describe(described: DescribedSecret) -> Row:
    """What notices tell of the secret: whose it is, what rotates it, and whether that is switched on."""
    return {
        "owner": described.secret.owner,
        "rotation_function": described.rotation_function,
        "rotation_on": described.secret.rotation_enabled,
    }


def _key(secret_arn: str, opened_at: str) -> Row:
    return to_item({"secret_arn": secret_arn, "opened_at": opened_at})


def _release(table_name: str, secret_arn: str, opened_at: str) -> Row:
    return {
        "TableName": table_name,
        "Key": to_item(_claim_key(secret_arn)),
        "ConditionExpression": "incident_opened_at = :mine",
        "ExpressionAttributeValues": to_item({":mine": opened_at}),
    }


def _claim_key(secret_arn: str) -> dict[str, str]:
    return {"secret_arn": f"open#{secret_arn}", "opened_at": _CLAIM}
