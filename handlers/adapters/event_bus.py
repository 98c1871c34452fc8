"""The default event bus, on which the product tells what it found out by itself, and what it does."""

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .clients import client

ACTIONS = frozenset({"events:PutEvents"})
SOURCE = "rotation-guard"
TURNS = {
    "opened": "Rotation Incident Opened",
    "retried": "Rotation Incident Retried",
    "recovered": "Rotation Incident Recovered",
    "escalated": "Rotation Incident Escalated",
    "held": "Rotation Incident Held",
    "resolved": "Rotation Incident Resolved",
}
"""A turn of an incident -> the detail-type of its event."""
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "rotation-guard:incident")


class NotTaken(RuntimeError):
    """EventBridge did not take an event."""


def put_turn(facts: Mapping[str, Any]) -> str:
    """Put the event of an incident's turn on the bus, and answer its `eventID`. Raises NotTaken.

    The detail is the facts, and that id, which a copy shares: one for each turn of an incident, and for each retry.
    """
    about = [facts["secret_arn"], facts["opened_at"], facts["turn"]]
    number = [facts["attempts"]] if facts["turn"] == "retried" else []
    event_id = str(uuid.uuid5(_NAMESPACE, json.dumps([*about, *number])))
    put(TURNS[facts["turn"]], facts["secret_arn"], {**facts, "eventID": event_id})
    return event_id


def put(detail_type: str, secret_arn: str, detail: Mapping[str, Any], at: datetime | None = None) -> None:
    """Put one event about a secret on the bus, as of this time, or else of now. Raises NotTaken."""
    entry = {"Source": SOURCE, "DetailType": detail_type, "Resources": [secret_arn], "Detail": json.dumps(dict(detail))}
    answer = client("events").put_events(Entries=[entry if at is None else {**entry, "Time": at}])
    if answer["FailedEntryCount"]:
        [refused] = answer["Entries"]
        raise NotTaken(f"EventBridge did not take {detail_type}: {refused.get('ErrorMessage', refused)}")
