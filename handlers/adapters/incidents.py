"""The incidents: at most one open per secret, held by a row of its own that only one writer can put there.

The table is keyed by secret and opening time, so a condition on the incident's own row could not see another one. The
row that holds the claim has the key `open#<secret arn>`, and is written in the same transaction as the incident.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..domain.history import iso
from ..domain.incidents import CLOSED, OPEN, RECOVERED, OpenIncident
from ..domain.rotation import RotationEvent, SecretState, name_of
from .clients import client
from .items import item, row

CLAIMING_ACTIONS = frozenset({"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"})
LOOKING_ACTIONS = frozenset({"dynamodb:GetItem"})
NOTING_ACTIONS = frozenset({"dynamodb:UpdateItem"})
_CLAIM = "claim"


class LostRace(RuntimeError):
    """Another execution claimed, closed or extended the incident in between: look again."""


class Incidents:
    """The table of this name."""

    def __init__(self, table_name: str) -> None:
        self._table_name = table_name
        self._dynamodb = client("dynamodb")

    def is_open_for(self, secret_arn: str) -> bool:
        """Whether an incident is open for this secret."""
        return self._claim_on(secret_arn) is not None

    def open_for(self, secret_arn: str) -> OpenIncident | None:
        """The incident that is open for this secret."""
        held = self._claim_on(secret_arn)
        if held is None:
            return None
        answer = self._dynamodb.get_item(
            TableName=self._table_name,
            Key=item({"secret_arn": secret_arn, "opened_at": held["incident_opened_at"]}),
            ConsistentRead=True,
            ProjectionExpression="event_ids, rotation_ids",
        )
        incident = row(answer.get("Item", {}))
        return OpenIncident(
            opened_at=held["incident_opened_at"],
            execution=held["execution"],
            current_version_id=held.get("current_version_id"),
            event_ids=frozenset(incident.get("event_ids", ())),
            rotation_ids=frozenset(incident.get("rotation_ids", ())),
        )

    def open(self, failure: RotationEvent, secret: SecretState | None, execution: str, opened_at: str) -> None:
        """Opens an incident. Raises LostRace when one is open by now."""
        self._transact(*self._opening(failure, secret, execution, opened_at))

    def supersede(
        self,
        before: OpenIncident,
        failure: RotationEvent,
        secret: SecretState | None,
        execution: str,
        opened_at: str,
        now: datetime,
        expires_at: int | None,
    ) -> None:
        """Closes the open incident as recovered and opens another, both or neither. Raises LostRace."""
        arn = failure.secret_arn or failure.subject
        closing = {
            "Update": {
                "TableName": self._table_name,
                "Key": item({"secret_arn": arn, "opened_at": before.opened_at}),
                "UpdateExpression": "SET #state = :closed, outcome = :outcome, closed_at = :now"
                + (", expires_at = :expires" if expires_at else ""),
                "ConditionExpression": "#state = :open",
                "ExpressionAttributeNames": {"#state": "state"},
                "ExpressionAttributeValues": item(
                    {":closed": CLOSED, ":open": OPEN, ":outcome": RECOVERED, ":now": iso(now), ":expires": expires_at}
                ),
            }
        }
        put_claim, put_incident = self._opening(failure, secret, execution, opened_at)
        put_claim["Put"] |= {
            "ConditionExpression": "incident_opened_at = :before",
            "ExpressionAttributeValues": item({":before": before.opened_at}),
        }
        self._transact(closing, put_claim, put_incident)

    def add(self, before: OpenIncident, failure: RotationEvent) -> bool:
        """Counts another failure into the open incident. False when this very event is in it already.

        Raises LostRace when the incident was closed, or a copy of the event counted, since it was looked at.
        """
        if failure.identity in before.event_ids:
            return False
        ids = {":event": {failure.identity}, ":one": 1, ":open": OPEN, ":id": failure.identity}
        if failure.rotation_id:
            ids[":rotation"] = {failure.rotation_id}
        try:
            self._dynamodb.update_item(
                TableName=self._table_name,
                Key=item({"secret_arn": failure.secret_arn, "opened_at": before.opened_at}),
                UpdateExpression="ADD failures :one, event_ids :event"
                + (", rotation_ids :rotation" if failure.rotation_id else ""),
                ConditionExpression="#state = :open AND NOT contains(event_ids, :id)",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues=item(ids),
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            raise LostRace("another execution wrote this incident first") from error
        return True

    def note(self, secret_arn: str, opened_at: str, action: Mapping[str, Any]) -> None:
        """Writes an action and its outcome into an incident."""
        self._dynamodb.update_item(
            TableName=self._table_name,
            Key=item({"secret_arn": secret_arn, "opened_at": opened_at}),
            UpdateExpression="SET actions = list_append(if_not_exists(actions, :none), :action)",
            ConditionExpression="attribute_exists(secret_arn)",
            ExpressionAttributeValues=item({":none": [], ":action": [dict(action)]}),
        )

    def _claim_on(self, secret_arn: str) -> dict[str, Any] | None:
        answer = self._dynamodb.get_item(
            TableName=self._table_name, Key=item(_claim_key(secret_arn)), ConsistentRead=True
        )
        return row(answer["Item"]) if "Item" in answer else None

    def _opening(
        self, failure: RotationEvent, secret: SecretState | None, execution: str, opened_at: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        arn = failure.secret_arn or failure.subject
        current = secret.version_with("AWSCURRENT") if secret else None
        claim = {
            **_claim_key(arn),
            "incident_opened_at": opened_at,
            "execution": execution,
            "current_version_id": current,
        }
        incident = {
            "secret_arn": arn,
            "opened_at": opened_at,
            "state": OPEN,
            "secret_name": secret.name if secret else name_of(arn),
            "execution": execution,
            "event_type": failure.kind,
            "occurred_at": failure.occurred_at,
            "failed_step": failure.failed_step,
            "error_message": failure.error_message,
            "current_version_id": current,
            "versions": {version: list(labels) for version, labels in secret.versions.items()} if secret else None,
            "failures": 1,
            "attempts": 0,
            "event_ids": {failure.identity},
            "rotation_ids": {failure.rotation_id} if failure.rotation_id else None,
            "actions": [],
        }
        return self._put(claim), self._put(incident)

    def _put(self, new: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "Put": {
                "TableName": self._table_name,
                "Item": item(new),
                "ConditionExpression": "attribute_not_exists(secret_arn)",
            }
        }

    def _transact(self, *writes: dict[str, Any]) -> None:
        try:
            self._dynamodb.transact_write_items(TransactItems=list(writes))
        except self._dynamodb.exceptions.TransactionCanceledException as error:
            codes = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
            if codes & {"ConditionalCheckFailed", "TransactionConflict"}:
                raise LostRace("another execution wrote this incident first") from error
            raise


def _claim_key(secret_arn: str) -> dict[str, str]:
    return {"secret_arn": f"open#{secret_arn}", "opened_at": _CLAIM}
