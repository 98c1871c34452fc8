"""The Incidents table: at most one incident is open per secret, enforced by a claim row.

The table is keyed by secret and opening time, so a condition on an incident's own row cannot see another incident. The
claim row has the key `open#<secret arn>`. It is written and deleted in one transaction with the incident's own row, so
a claim exists exactly while an incident is open. The same transaction lists the incident as unfinished
(`unfinished_incidents`) until the notification of its end is published.
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

READING_ACTIONS = frozenset({"dynamodb:GetItem"})
WRITING_ACTIONS = frozenset({"dynamodb:UpdateItem"})
CLAIMING_ACTIONS = frozenset(
    {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:Query"}
)
ENDING_ACTIONS = frozenset({"dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"})
"""A transaction is authorised by the writes in it
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html)."""
LISTING_ACTIONS = frozenset({"dynamodb:Query"})
_CLAIM = "claim"
_PAGE = 10
"""Incidents per page of a query."""
_LOST_RACE_CODES = {"ConditionalCheckFailed", "TransactionConflict"}

Row = dict[str, Any]


class LostRace(RuntimeError):
    """Another execution updated the incident first: read it again."""


class IncidentMissing(RuntimeError):
    """An incident that an execution works on has no row, so it is neither known to be open nor to be closed."""


class Incidents:
    """The Incidents table of this name."""

    def __init__(self, table_name: str) -> None:
        self._table_name = table_name
        self._dynamodb = client("dynamodb")

    def find_open(self, secret_arn: str) -> Incident | None:
        """Find the open incident of a secret; it may be closed a moment later."""
        opened_at = self.read_claim_time(secret_arn)
        row = self.read(secret_arn, opened_at) if opened_at else None
        return Incident.from_row(row) if row and row["state"] == OPEN else None

    def read_claim_time(self, secret_arn: str) -> str | None:
        """The opening time of the incident that has the claim on this secret."""
        response = self._dynamodb.get_item(
            TableName=self._table_name, Key=to_item(_claim_key(secret_arn)), ConsistentRead=True
        )
        return from_item(response["Item"])["incident_opened_at"] if "Item" in response else None

    def release_claim(self, secret_arn: str, opened_at: str) -> bool:
        """Delete the claim of an incident that has no row; False if another incident has the claim."""
        try:
            self._dynamodb.delete_item(**_release(self._table_name, secret_arn, opened_at))
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def restore_claim(self, secret_arn: str, opened_at: str, execution: str) -> None:
        """Restore the missing claim of an open incident. Raises LostRace if the secret has a claim."""
        claim = {**_claim_key(secret_arn), "incident_opened_at": opened_at, "execution": execution}
        try:
            self._dynamodb.put_item(**self._put_new(claim)["Put"])
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            raise LostRace("another execution has claimed this secret") from error

    def read_existing(self, secret_arn: str, opened_at: str) -> Row:
        """Read an incident's row. Raises IncidentMissing, so that a lost row does not end a workflow silently."""
        row = self.read(secret_arn, opened_at)
        if row is None:
            raise IncidentMissing(f"the incident of {secret_arn} that was opened at {opened_at} has no row")
        return row

    def read_owned(self, secret_arn: str, opened_at: str, execution: str) -> Row | None:
        """Read the open incident that this execution works on; None if it is closed or another execution works on it.

        Raises IncidentMissing.
        """
        row = self.read_existing(secret_arn, opened_at)
        return row if row["state"] == OPEN and row["execution"] == execution else None

    def read(self, secret_arn: str, opened_at: str) -> Row | None:
        """Read an incident's row."""
        response = self._dynamodb.get_item(
            TableName=self._table_name, Key=_key(secret_arn, opened_at), ConsistentRead=True
        )
        return from_item(response["Item"]) if "Item" in response else None

    def latest(self, secret_arn: str) -> Incident | None:
        """The incident of this secret that was opened last, whatever its state."""
        response = self._dynamodb.query(
            TableName=self._table_name,
            KeyConditionExpression="secret_arn = :arn",
            ExpressionAttributeValues=to_item({":arn": secret_arn}),
            ScanIndexForward=False,
            Limit=1,
            ConsistentRead=True,
        )
        return next((Incident.from_row(from_item(stored)) for stored in response["Items"]), None)

    def list_for_secret(self, secret_arn: str) -> Iterator[Incident]:
        """Iterate over the incidents of this secret, newest first; pages are read on demand."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression="secret_arn = :arn",
            ExpressionAttributeValues=to_item({":arn": secret_arn}),
            ScanIndexForward=False,
            ConsistentRead=True,
            PaginationConfig={"PageSize": _PAGE},
        )
        return (Incident.from_row(from_item(item)) for page in pages for item in page["Items"])

    def open(
        self,
        failure: RotationSignal,
        secret: DescribedSecret | UnreadableSecret,
        execution: str,
        opened_at: str,
        alive_until: int,
    ) -> None:
        """Open an incident. Raises LostRace."""
        arn = failure.secret_arn or ""
        described = secret if isinstance(secret, DescribedSecret) else None
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
            "unreadable": secret.reason if isinstance(secret, UnreadableSecret) else None,
            **(_build_secret_attributes(described) if described else {}),
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
        self._transact(self._put_new(claim), self._put_new(incident), self._list_as_unfinished(arn, opened_at))

    def add_event(self, incident: Incident, signal: RotationSignal) -> bool:
        """Add an event to the open incident, and count it if it is a failure; False if it was added before.

        Raises LostRace if the incident was closed, or another event was added, after it was read.
        """
        if signal.identity in incident.event_ids:
            return False
        previous, is_failure = incident.last_failure_at, signal.is_failure
        latest = max(previous, signal.occurred_at) if is_failure else previous
        values: Row = {":event": {signal.identity}, ":failures": int(is_failure), ":open": OPEN, ":id": signal.identity}
        values |= {":latest": latest, ":previous": previous}
        sets, adds = "last_failure_at = :latest", "failures :failures, event_ids :event"
        if is_failure and signal.rotation_id:
            values[":rotation"] = {signal.rotation_id}
            adds += ", rotation_ids :rotation"
        if is_failure and incident.event_type == TEST_ROTATION_FAILED:
            # A failed test rotated nothing, but the rotation that joins it may have.
            values[":kind"] = signal.kind
            sets += ", event_type = :kind"
        if is_failure and signal.failed_step:
            values[":step"], values[":steps"] = signal.failed_step, {signal.failed_step}
            adds += ", failed_steps :steps"
            is_newest = latest == signal.occurred_at
            sets += f", failed_step = {':step' if is_newest else 'if_not_exists(failed_step, :step)'}"
        try:
            self._dynamodb.update_item(
                TableName=self._table_name,
                Key=_key(incident.secret_arn, incident.opened_at),
                UpdateExpression=f"SET {sets} ADD {adds}",
                ConditionExpression="#state = :open AND last_failure_at = :previous AND NOT contains(event_ids, :id)",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues=to_item(values),
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            raise LostRace("another execution updated this incident first") from error
        return True

    def begin_restarts(
        self,
        signal: RotationSignal,
        described: DescribedSecret,
        execution: str,
        opened_at: str,
        restarts: Sequence[Mapping[str, Any]],
        wanted_at: int,
        alive_until: int,
    ) -> None:
        """Create the row for restarts after a rotation that succeeded; it does not claim the secret.

        Raises LostRace if another execution opened an incident in the same instant.
        """
        row = {
            "secret_arn": described.secret.arn,
            "opened_at": opened_at,
            "state": RESTARTING,
            "outcome": Outcome.RESTARTED,
            "secret_name": described.secret.name,
            "execution": execution,
            "ended_by": execution,
            "event_type": signal.kind,
            "source": signal.source,
            "occurred_at": signal.occurred_at,
            **_build_secret_attributes(described),
            "current_version_id": described.secret.current_version_id,
            "versions": list_labels(described),
            "failures": 0,
            "attempts": 0,
            "event_ids": {signal.identity},
            "restarts": [dict(entry) for entry in restarts],
            "restarts_wanted_at": wanted_at,
            "alive_until": alive_until,
            "actions": [],
        }
        self._transact(self._put_new(row), self._list_as_unfinished(described.secret.arn, opened_at))

    def resume(self, row: Row, execution: str, now: int, alive_until: int) -> bool:
        """Take over an incident whose workflow is overdue; False if it is not overdue or already taken over.

        Times are in epoch seconds.
        """
        role = "execution" if row["state"] == OPEN else "ended_by"
        return self.update(
            row["secret_arn"],
            row["opened_at"],
            {role: execution, "resumed_by": execution, "alive_until": alive_until},
            condition="#state = :state AND (attribute_not_exists(#alive_until) OR #alive_until < :now)",
            values={":state": row["state"], ":now": now},
            names=["state"],
        )

    def resolve(self, incident: Incident, at: str, by: str, described: DescribedSecret | None) -> None:
        """Mark an escalated or rate-limited incident as resolved, and list it until that is published.

        `described` is the secret with its new value, None if it could not be read. Raises LostRace if the incident was
        updated in between, for example resolved by another execution.
        """
        changes: Row = {"outcome": Outcome.RESOLVED, "resolved_outcome": incident.outcome, "resolved_at": at}
        changes |= {"resolved_by": by, "alive_until": 0}
        changes["new_value_versions"] = list_labels(described) if described else None
        update = self._build_update(
            incident.secret_arn, incident.opened_at, changes, "#outcome = :before", {":before": incident.outcome}
        )
        self._transact(update, self._list_as_unfinished(incident.secret_arn, incident.opened_at, is_resolved=True))

    def update(
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
        """Update an incident and append actions in one write; see `row_updates.update_row`."""
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
        """Close an open incident and release its claim in one transaction; False if it is closed or has a new failure.

        A failure that joined after the incident was read may be new. A claim that somebody deleted counts as released.
        """
        arn, opened_at, last_failure_at = incident["secret_arn"], incident["opened_at"], incident["last_failure_at"]
        update = self._build_update(
            arn,
            opened_at,
            changes,
            "#state = :was_open AND last_failure_at = :last_failure_at",
            {":was_open": OPEN, ":last_failure_at": last_failure_at},
        )
        try:
            release = _release(self._table_name, arn, opened_at)
            release["ConditionExpression"] = f"attribute_not_exists(secret_arn) OR {release['ConditionExpression']}"
            self._transact(update, {"Delete": release})
        except LostRace:
            return False
        return True

    def append_actions(self, secret_arn: str, opened_at: str, *actions: Mapping[str, Any]) -> None:
        """Append actions with their outcomes to an incident."""
        self.update(secret_arn, opened_at, {}, *actions)

    def claim_version(self, secret_arn: str, version: str, execution: str) -> bool:
        """Whether this execution restarts the dependents for this version.

        One row stores the last version that was claimed: a version that is used again needs another restart.
        """
        return update_row(
            self._table_name,
            to_item({"secret_arn": f"restart#{secret_arn}", "opened_at": "latest"}),
            {"version": version, "holder": execution},
            condition="attribute_not_exists(#version) OR #version <> :version OR #holder = :mine",
            values={":mine": execution},
        )

    def _put_new(self, row: Mapping[str, Any]) -> Row:
        return {
            "Put": {
                "TableName": self._table_name,
                "Item": to_item(row),
                "ConditionExpression": "attribute_not_exists(secret_arn)",
            }
        }

    def _list_as_unfinished(self, secret_arn: str, opened_at: str, *, is_resolved: bool = False) -> Row:
        row = unfinished_incidents.build_row(secret_arn, opened_at, is_resolved=is_resolved)
        return {"Put": {"TableName": self._table_name, "Item": to_item(row)}}

    def _build_update(
        self, secret_arn: str, opened_at: str, changes: Mapping[str, Any], condition: str, values: Mapping[str, Any]
    ) -> Row:
        present = {name: value for name, value in changes.items() if value is not None}
        return {
            "Update": {
                "TableName": self._table_name,
                "Key": _key(secret_arn, opened_at),
                "UpdateExpression": f"SET {', '.join(f'#{name} = :{name}' for name in present)}",
                "ConditionExpression": condition,
                "ExpressionAttributeNames": {f"#{name}": name for name in present},
                "ExpressionAttributeValues": to_item({**values, **{f":{name}": present[name] for name in present}}),
            }
        }

    def _transact(self, *writes: Row) -> None:
        try:
            self._dynamodb.transact_write_items(TransactItems=list(writes))
        except self._dynamodb.exceptions.TransactionCanceledException as error:
            codes = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
            if codes & _LOST_RACE_CODES:
                raise LostRace("another execution updated this incident first") from error
            raise


def list_labels(described: DescribedSecret) -> dict[str, list[str]]:
    """Version id -> its labels, as stored in rows."""
    return {version: list(labels) for version, labels in described.versions.items()}


def _build_secret_attributes(described: DescribedSecret) -> Row:
    """The attributes of the secret that notifications use."""
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
