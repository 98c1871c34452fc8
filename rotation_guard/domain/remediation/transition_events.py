"""The events about transitions of an incident: their detail-types."""

from collections.abc import Mapping

from .notification_payload import ESCALATED, OPENED, RATE_LIMITED, RECOVERED, RESOLVED, RETRIED

DETAIL_TYPES: Mapping[str, str] = {
    OPENED: "Rotation Incident Opened",
    RETRIED: "Rotation Incident Retried",
    RECOVERED: "Rotation Incident Recovered",
    ESCALATED: "Rotation Incident Escalated",
    RATE_LIMITED: "Rotation Incident Held",
    RESOLVED: "Rotation Incident Resolved",
}
"""Transition of an incident -> the detail-type of its event."""
