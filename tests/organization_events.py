"""Events of a member as they arrive at the hub, in the form that EventBridge documents.

(https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html)
"""

import json
import uuid
from typing import Any

from rotation_guard.domain.remediation.transition_events import DETAIL_TYPES
from tests.handlers.remediation.transitions import incident, notification, repaired, resolved

MEMBER, OTHER = "123456789012", "444455556666"
"""The account of the recorded incidents, and another one."""
ROWS = {
    "opened": incident(),
    "retried": incident(attempts=1),
    "recovered": repaired(),
    "escalated": incident(state="closed", outcome="escalated", reason="So it is.", closed_at="2026-03-01T01:20:00Z"),
    "held": incident(state="closed", outcome="held", reason="So it is.", closed_at="2026-03-01T01:20:00Z"),
    "resolved": resolved(),
}
"""The incident's row at each transition that has an event."""
TIMES = {
    "opened": "2026-03-01T00:51:30Z",
    "retried": "2026-03-01T01:06:03Z",
    "escalated": "2026-03-01T01:20:01Z",
    "held": "2026-03-01T01:20:01Z",
    "recovered": "2026-03-01T01:20:01Z",
    "resolved": "2026-03-01T09:01:00Z",
}


def envelope(detail_type: str, detail: Any, source: str = "rotation-guard", **changes: Any) -> dict[str, Any]:
    """An event of the member."""
    event = {
        "version": "0",
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([detail_type, detail, changes]))),
        "detail-type": detail_type,
        "source": source,
        "account": MEMBER,
        "time": "2026-03-01T01:20:01Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": json.loads(json.dumps(detail)),
    }
    return {**event, **changes}


def transition_event(
    name: str, row: dict[str, Any] | None = None, *, error: str | None = None, **changes: Any
) -> dict[str, Any]:
    """The event of an incident's transition, as the member's notify step publishes it."""
    payload = notification(name, ROWS[name] if row is None else row, error=error).payload
    number = [payload["attempts"]] if name == "retried" else []
    key = json.dumps([payload["secret_arn"], payload["opened_at"], name, *number])
    detail = {**payload, "eventID": str(uuid.uuid5(uuid.NAMESPACE_URL, key))}
    event = envelope(DETAIL_TYPES[name], detail, time=TIMES[name], resources=[payload["secret_arn"]])
    return {**event, **changes}


def wrap(event: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The same event, delivered again by the member."""
    wrapping = envelope(event["detail-type"], event, "rotation-guard.redelivered", time=TIMES["resolved"])
    return {**wrapping, **changes}
