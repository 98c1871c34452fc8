"""The incidents of a deployment, and what remediation keeps of each secret between them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from rotation_guard.domain.remediation.incident_scan import INCIDENT_PREFIX, find_since, read_state, separate
from rotation_guard.domain.remediation.incidents import OPEN
from rotation_guard.domain.remediation.recorded_incident import restore_types
from rotation_guard.domain.remediation.remediation_state import KEY_PREFIX, RemediationState, build_key
from rotation_guard.domain.timestamps import to_iso

from .deployment import Deployment
from .dynamodb import ConditionFailed, DynamoDB, Record

_INCIDENTS_PER_PAGE = 25
"""Incidents of one secret in one page: the newest is usually the one that is needed."""


class IncidentTable:
    """The incidents of one deployment, and the remediation state of each secret between its incidents.

    The table has no index: open incidents are found by a Scan, which is small because rows expire.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._name = deployment.output("incidents_table_name")
        self._dynamodb = DynamoDB(deployment)

    def incidents_since(self, since: datetime | None) -> tuple[list[Record], dict[str, RemediationState]]:
        """The incidents that are open or were opened, closed or resolved since; and the remediation states, by ARN.

        All incidents if `since` is None.
        """
        return separate(self._scan(*find_since(since)))

    def incidents_of(self, secret_arn: str) -> Iterator[Record]:
        """The incidents of one secret, newest first; a page is read only when it is needed."""
        rows = self._dynamodb.pages(
            "query",
            TableName=self._name,
            KeyConditionExpression="secret_arn = :arn",
            ExpressionAttributeValues=_to_item({":arn": secret_arn}),
            ScanIndexForward=False,
            Limit=_INCIDENTS_PER_PAGE,
            ConsistentRead=True,
        )
        return map(restore_types, rows)

    def arns_of(self, secret_name: str) -> list[str]:
        """The secrets that had this name when they had an incident: several if it was deleted and created again."""
        rows = self._scan(
            "begins_with(secret_arn, :incident) AND secret_name = :name",
            {":incident": INCIDENT_PREFIX, ":name": secret_name},
        )
        return sorted({row["secret_arn"] for row in rows})

    def remediation_state(self, secret_arn: str) -> RemediationState:
        """The remediation state of one secret."""
        response = self._dynamodb.call(
            self._name, "get_item", TableName=self._name, Key=_to_item(build_key(secret_arn)), ConsistentRead=True
        )
        texts = {name: value.get("S", "") for name, value in response.get("Item", {}).items()}
        return read_state({**texts, "secret_arn": f"{KEY_PREFIX}{secret_arn}"})

    def suspended_states(self) -> list[RemediationState]:
        """The states of the secrets whose repairs are suspended, the longest suspended first."""
        rows = self._scan("begins_with(secret_arn, :secret) AND attribute_exists(orphaned_at)", {":secret": KEY_PREFIX})
        states = [state for row in rows if (state := read_state(row)).is_suspended]
        return sorted(states, key=lambda state: (state.suspended_at, state.secret_arn))

    def release(self, state: RemediationState, now: datetime, caller_arn: str, reason: str) -> RemediationState:
        """Resume repairs of a secret, restart the count of its incidents, and record who released it and why.

        Both are recorded in its newest incident, whose timeline shows them, and with the release itself, because the
        incident expires.
        """
        # Not before the suspension: this machine's clock may be behind.
        at = max(to_iso(now), state.suspended_at)
        if newest := next(self.incidents_of(state.secret_arn), None):
            action = {"action": "release", "at": at, "outcome": "released", "reason": reason, "by": caller_arn}
            self._update(
                {"secret_arn": state.secret_arn, "opened_at": newest["opened_at"]},
                "SET actions = list_append(if_not_exists(actions, :none), :actions)",
                {":none": {"L": []}, ":actions": {"L": [{"M": _to_item(action)}]}},
                # Do not create the row again if it has expired or was deleted meanwhile.
                ConditionExpression="attribute_exists(secret_arn)",
            )
        self._update(
            build_key(state.secret_arn),
            "SET released_at = :at, released_by = :by, release_reason = :why",
            _to_item({":at": at, ":by": caller_arn, ":why": reason}),
        )
        return replace(state, released_at=at)

    def acknowledge(self, incident: Record, now: datetime, until: datetime, caller_arn: str, reason: str) -> bool:
        """Record who works on an incident, why, and until when; False if it has ended or was resolved meanwhile.

        One write of attributes that nothing else writes, and of an action of its timeline: the workflow is not
        disturbed.
        """
        by = {":by": caller_arn, ":why": reason, ":at": to_iso(now), ":until": to_iso(until)}
        action = {"action": "acknowledge", "at": by[":at"], "outcome": "acknowledged", "reason": reason}
        action |= {"by": caller_arn, "until": by[":until"]}
        condition = "attribute_exists(secret_arn) AND #state = :state"
        values = by | {":state": incident.get("state", OPEN)}
        names = {"#state": "state"}
        if incident.get("outcome"):
            condition += " AND #outcome = :outcome"
            values, names = values | {":outcome": incident["outcome"]}, names | {"#outcome": "outcome"}
        try:
            self._update(
                {"secret_arn": incident["secret_arn"], "opened_at": incident["opened_at"]},
                "SET acknowledged_at = :at, acknowledged_by = :by, acknowledged_until = :until, "
                "acknowledged_reason = :why, actions = list_append(if_not_exists(actions, :none), :actions)",
                {**_to_item(values), ":none": {"L": []}, ":actions": {"L": [{"M": _to_item(action)}]}},
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
            )
        except ConditionFailed:
            return False
        return True

    def _update(self, key: Mapping[str, str], expression: str, values: Mapping[str, Any], **more: Any) -> None:
        self._dynamodb.call(
            self._name,
            "update_item",
            TableName=self._name,
            Key=_to_item(key),
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
            ExpressionAttributeValues=_to_item(values),
            **({"ExpressionAttributeNames": dict(names)} if names else {}),
        )


def _to_item(values: Mapping[str, str]) -> dict[str, Any]:
    return {name: {"S": value} for name, value in values.items()}
