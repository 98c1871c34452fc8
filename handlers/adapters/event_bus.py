"""Publishes events on the default event bus: what the audit detects, and transitions of incidents."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rotation_guard.domain.remediation.notifications import Notification
from rotation_guard.domain.remediation.receiver_message import build_message
from rotation_guard.domain.remediation.transition_events import DETAIL_TYPES
from rotation_guard.domain.rotation_event import ROTATION_GUARD

from .clients import client

ACTIONS = frozenset({"events:PutEvents"})
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "rotation-guard:incident")
ENTRIES = 10
"""Maximum number of events of one call
(https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html)."""


@dataclass(frozen=True)
class Event:
    """One event to publish."""

    detail_type: str
    resources: Sequence[str]
    detail: Mapping[str, Any]


class EventRejected(RuntimeError):
    """EventBridge rejected an event."""


def publish_transition(notification: Notification, incidents_table: str) -> str:
    """Publish one incident transition and return its `eventID`. Raises EventRejected.

    The detail is the notification's payload, its `message` for chats and pagers, and that id: one per transition and
    per retry, the same when the step runs twice.
    """
    payload = notification.payload
    transition = payload["turn"]
    key = [payload["secret_arn"], payload["opened_at"], transition]
    number = [payload["attempts"]] if transition == "retried" else []
    event_id = str(uuid.uuid5(_NAMESPACE, json.dumps([*key, *number])))
    detail = {**payload, "message": build_message(notification), "eventID": event_id}
    publish_event(DETAIL_TYPES[transition], payload["secret_arn"], detail, incidents_table)
    return event_id


def publish_event(
    detail_type: str,
    secret_arn: str,
    detail: Mapping[str, Any],
    incidents_table: str,
    at: datetime | None = None,
) -> None:
    """Publish one event about a secret, at the given time or now. Raises EventRejected.

    The detail names the table of the stack's incidents: another stack of the account leaves the event to this one.
    """
    entry = _build_entry(Event(detail_type, [secret_arn], {**detail, "incidents_table": incidents_table}))
    response = client("events").put_events(Entries=[entry if at is None else {**entry, "Time": at}])
    if response["FailedEntryCount"]:
        [rejected] = response["Entries"]
        raise EventRejected(f"EventBridge rejected {detail_type}: {rejected.get('ErrorMessage', rejected)}")


def publish_all(events: Sequence[Event]) -> int:
    """Publish many small events, and return how many of them EventBridge rejected."""
    rejected = 0
    for start in range(0, len(events), ENTRIES):
        entries = [_build_entry(event) for event in events[start : start + ENTRIES]]
        rejected += client("events").put_events(Entries=entries)["FailedEntryCount"]
    return rejected


def _build_entry(event: Event) -> dict[str, Any]:
    return {
        "Source": ROTATION_GUARD,
        "DetailType": event.detail_type,
        "Resources": list(event.resources),
        "Detail": json.dumps(dict(event.detail)),
    }
