"""Drill events: what an operator puts on the bus to see that the stack hears AWS's events.

Each has the shape that AWS documents for the real event
(https://docs.aws.amazon.com/secretsmanager/latest/userguide/cloudtrail_log_entries.html), with a source of its own,
because PutEvents refuses those that begin with `aws.`, and with the stack's table of incidents, so that no other stack
of the account acts on it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from .audit_trail import build_trail_row
from .canary import CANARY, build_canary_detail
from .event_parser import parse
from .rotation_event import DRILL, SERVICE_EVENT
from .timestamps import to_iso

MADE_UP_NAME = "rotation-guard-drill-000000"
"""Name and suffix of a secret that does not exist, for a drill that is about no secret."""


class DrillKind(StrEnum):
    """What a drill pretends to be."""

    ROTATION_SUCCEEDED = "rotation-succeeded"
    ROTATION_FAILED = "rotation-failed"
    CANARY = "canary"


_EVENT_NAMES = {DrillKind.ROTATION_SUCCEEDED: "RotationSucceeded", DrillKind.ROTATION_FAILED: "RotationFailed"}


@dataclass(frozen=True)
class Place:
    """Where the stack is."""

    partition: str
    region: str
    account: str

    def build_secret_arn(self, name: str) -> str:
        """The ARN of the secret with this name and suffix."""
        return f"arn:{self.partition}:secretsmanager:{self.region}:{self.account}:secret:{name}"


@dataclass(frozen=True)
class DrillEvent:
    """One drill event, and where its traces will be."""

    kind: DrillKind
    event_id: str
    """Identifies it: in the audit trail, and among the events of an incident."""
    occurred_at: str
    secret_arn: str | None
    """The secret that it is about; None of a canary."""
    source: str
    detail: Mapping[str, Any]
    trail_key: Mapping[str, str]
    """The key of its row in the audit trail."""

    def to_entry(self, bus: str) -> dict[str, Any]:
        """The entry of PutEvents for this bus
        (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html)."""
        detail = json.dumps(self.detail)
        return {"Source": self.source, "DetailType": SERVICE_EVENT, "Detail": detail, "EventBusName": bus}


def build_drill_event(
    kind: DrillKind,
    place: Place,
    incidents_table: str,
    now: datetime,
    event_id: str,
    *,
    secret_arn: str | None = None,
    note: Mapping[str, str] | None = None,
) -> DrillEvent:
    """A drill event for the stack with this table of incidents.

    `event_id` is a UUID that no other event has. Without `secret_arn`, a rotation is that of a secret that does not
    exist. `note` says who drills and why; it is recorded with the event.
    """
    at = to_iso(now)
    if kind is DrillKind.CANARY:
        subject, source = None, CANARY
        detail = {**build_canary_detail(incidents_table, at), "eventID": event_id}
    else:
        subject, source = secret_arn or place.build_secret_arn(MADE_UP_NAME), DRILL
        detail = {**_build_rotation_detail(kind, place, subject, at, event_id), "incidents_table": incidents_table}
    detail["drill"] = dict(note or {})
    parsed = parse({"source": source, "detail-type": SERVICE_EVENT, "detail": detail})
    row = build_trail_row(parsed, "", now, None)
    trail_key = {name: row[name] for name in ("secret_arn", "recorded")}
    return DrillEvent(kind, event_id, at, subject, source, detail, trail_key)


def _build_rotation_detail(kind: DrillKind, place: Place, arn: str, at: str, event_id: str) -> dict[str, Any]:
    """The detail of a rotation that ended like this. The id of the rotation is that of the event: AWS's is a UUID."""
    by_aws = "secretsmanager.amazonaws.com"
    failed = kind is DrillKind.ROTATION_FAILED
    function = f"arn:{place.partition}:lambda:{place.region}:{place.account}:function:rotation-guard-drill"
    return {
        "eventVersion": "1.08",
        "userIdentity": {"accountId": place.account, "invokedBy": by_aws},
        "eventTime": at,
        "eventSource": by_aws,
        "eventName": _EVENT_NAMES[kind],
        "awsRegion": place.region,
        "sourceIPAddress": by_aws,
        "userAgent": by_aws,
        **({"errorMessage": f"Error when executing lambda {function} during testSecret step"} if failed else {}),
        "requestParameters": None,
        "responseElements": None,
        "additionalEventData": {"SecretId": arn},
        "requestID": f"Rotation-{arn}-{event_id}",
        "eventID": event_id,
        "readOnly": False,
        "eventType": "AwsServiceEvent",
        "managementEvent": True,
        "recipientAccountId": place.account,
        "eventCategory": "Management",
    }
