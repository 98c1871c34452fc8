"""The Incidents table, as operators read it: incidents by secret, and what is remembered of each secret between them.

It has no index: what is open is found by reading all of it, which is small, as its rows expire. Helper rows, such as
the claim on a secret, have keys that are no ARN. docs/reports.md has what each question costs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from rotation_guard.domain.remediation.incidents import CLOSED
from rotation_guard.domain.remediation.remediation_state import RemediationState
from rotation_guard.domain.timestamps import to_iso

from .deployment import Deployment
from .dynamodb import DynamoDB, Record

_STANDING = "secret#"
_INCIDENT = "arn:"
_AT_ONCE = 25
"""Incidents of one secret that are read at once: mostly the newest is the one that was asked for."""


class IncidentTable:
    """The table of one deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self._name = deployment.named("incidents_table_name")
        self._dynamodb = DynamoDB(deployment)

    def since(self, moment: datetime) -> tuple[list[Record], dict[str, RemediationState]]:
        """The incidents that are open, or were opened, closed or resolved since; and what is remembered, by ARN."""
        rows = self._scan(
            "(begins_with(secret_arn, :incident) "
            "AND (#state <> :closed OR opened_at >= :since OR closed_at >= :since OR resolved_at >= :since)) "
            "OR begins_with(secret_arn, :standing)",
            {":incident": _INCIDENT, ":closed": CLOSED, ":since": to_iso(moment), ":standing": _STANDING},
            {"#state": "state"},
        )
        found: list[Record] = []
        standings: dict[str, RemediationState] = {}
        for row in rows:
            if row["secret_arn"].startswith(_STANDING):
                standing = _standing(row)
                standings[standing.secret_arn] = standing
            else:
                found.append(row)
        return found, standings

    def of(self, secret_arn: str) -> Iterator[Record]:
        """The incidents of one secret, newest first; read as far as they are looked at."""
        return self._dynamodb.pages(
            "query",
            TableName=self._name,
            KeyConditionExpression="secret_arn = :arn",
            ExpressionAttributeValues=_texts({":arn": secret_arn}),
            ScanIndexForward=False,
            Limit=_AT_ONCE,
            ConsistentRead=True,
        )

    def arns_of(self, secret_name: str) -> list[str]:
        """The secrets that had this name when they had an incident: more than one where it was made anew."""
        rows = self._scan(
            "begins_with(secret_arn, :incident) AND secret_name = :name",
            {":incident": _INCIDENT, ":name": secret_name},
        )
        return sorted({row["secret_arn"] for row in rows})

    def standing(self, secret_arn: str) -> RemediationState:
        """What is remembered of one secret."""
        answer = self._dynamodb.ask(
            self._name, "get_item", TableName=self._name, Key=_texts(_standing_key(secret_arn)), ConsistentRead=True
        )
        texts = {name: value.get("S", "") for name, value in answer.get("Item", {}).items()}
        return _standing({**texts, "secret_arn": f"{_STANDING}{secret_arn}"})

    def orphaned(self) -> list[RemediationState]:
        """The secrets that are told and not touched, the one that has been so for longest first."""
        rows = self._scan(
            "begins_with(secret_arn, :standing) AND attribute_exists(orphaned_at)", {":standing": _STANDING}
        )
        found = [standing for row in rows if (standing := _standing(row)).is_suspended]
        return sorted(found, key=lambda one: (one.suspended_at, one.secret_arn))

    def release(self, standing: RemediationState, now: datetime, caller_arn: str, reason: str) -> RemediationState:
        """Let repairs of a secret go on, and count its incidents anew from here on; who and why are written down.

        They are written into its newest incident, whose timeline shows them, and with the release itself, since the
        incident expires.
        """
        # Never before it was orphaned: this machine's clock may be behind the one that says so.
        at = max(to_iso(now), standing.suspended_at)
        if newest := next(self.of(standing.secret_arn), None):
            action = {"action": "release", "at": at, "outcome": "released", "reason": reason, "by": caller_arn}
            self._update(
                {"secret_arn": standing.secret_arn, "opened_at": newest["opened_at"]},
                "SET actions = list_append(if_not_exists(actions, :none), :actions)",
                {":none": {"L": []}, ":actions": {"L": [{"M": _texts(action)}]}},
                # Not made anew where it has expired or was deleted meanwhile.
                ConditionExpression="attribute_exists(secret_arn)",
            )
        self._update(
            _standing_key(standing.secret_arn),
            "SET released_at = :at, released_by = :by, release_reason = :why",
            _texts({":at": at, ":by": caller_arn, ":why": reason}),
        )
        return replace(standing, released_at=at)

    def _update(self, key: Mapping[str, str], expression: str, values: Mapping[str, Any], **more: Any) -> None:
        self._dynamodb.ask(
            self._name,
            "update_item",
            TableName=self._name,
            Key=_texts(key),
            UpdateExpression=expression,
            ExpressionAttributeValues=dict(values),
            **more,
        )

    def _scan(
        self, condition: str, values: Mapping[str, str], names: Mapping[str, str] | None = None
    ) -> Iterator[Record]:
        return self._dynamodb.pages(
            "scan",
            TableName=self._name,
            FilterExpression=condition,
            ExpressionAttributeValues=_texts(values),
            **({"ExpressionAttributeNames": dict(names)} if names else {}),
        )


def _standing(row: Record) -> RemediationState:
    return RemediationState.from_row(row["secret_arn"].removeprefix(_STANDING), row)


def _standing_key(secret_arn: str) -> dict[str, str]:
    return {"secret_arn": f"{_STANDING}{secret_arn}", "opened_at": "standing"}


def _texts(values: Mapping[str, str]) -> dict[str, Any]:
    return {name: {"S": value} for name, value in values.items()}
