"""Reads the transitions of incidents of many accounts, and builds the hub's row and notification of each incident.

A transition's event has all facts about its incident so far, so that the row needs only the latest one. Events arrive
repeatedly and in any order: each has a position, and the highest one wins.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..event_parser import MalformedEvent
from ..plain_values import (
    ARN_LENGTH,
    read_count,
    read_list,
    read_mapping,
    read_text,
    read_time,
    read_version,
)
from ..remediation.incidents import CLOSED, OPEN
from ..remediation.notification_payload import (
    ESCALATED,
    OPENED,
    RATE_LIMITED,
    RECOVERED,
    RESOLVED,
    RETRIED,
    Payload,
    build_payload,
)
from ..remediation.notifications import Notification, build_notification
from ..remediation.transition_events import DETAIL_TYPES
from ..secret import CURRENT, PENDING, PREVIOUS
from .deliveries import Delivery, read_own_secret

_STAGES = {OPENED: 0, RETRIED: 1, RATE_LIMITED: 2, ESCALATED: 2, RECOVERED: 2, RESOLVED: 3}
"""Transition -> its place in the life of an incident; an incident that ended may still be resolved."""
_TRANSITIONS = {detail_type: transition for transition, detail_type in DETAIL_TYPES.items()}
_LABELS = {"current": CURRENT, "pending": PENDING, "previous": PREVIOUS}

Row = dict[str, Any]


@dataclass(frozen=True)
class Transition:
    """One transition of an incident, as its account reported it; every value has the expected form."""

    account: str
    region: str
    event_id: str
    """The same in every copy of the event."""
    position: str
    """Sorts the transitions of an incident."""
    occurred_at: str
    """When the account published it, ISO 8601."""
    payload: Payload
    """See `notification_payload.build_payload`."""

    @property
    def key(self) -> tuple[str, str]:
        """The incident: the secret's ARN, which names account and Region, and the opening time."""
        return self.payload["secret_arn"], self.payload["opened_at"]

    @property
    def name(self) -> str:
        """The transition: one of those in `transition_events`."""
        return self.payload["turn"]

    @property
    def ends_incident(self) -> bool:
        """Whether the incident is closed after it."""
        return _STAGES[self.name] > _STAGES[RETRIED]

    def build_row(self) -> Row:
        """The incident's row, with the attributes of a member's own; attributes that are None are unknown."""
        return {
            **build_incident(self.payload),
            "state": CLOSED if self.ends_incident else OPEN,
            "account": self.account,
            "region": self.region,
            "severity": self.payload["severity"],
            "transition": self.name,
            "position": self.position,
            "updated_at": self.occurred_at,
        }

    def build_notification(self) -> Notification:
        """The notification for people, in the words of the member's own."""
        return build_notification(self.payload)


def read_transition(delivery: Delivery, runbook_url: str) -> Transition:
    """Read the transition that an event reports; links lead to the hub's own runbook.

    Raises MalformedEvent if it names no incident, and UntrustedEvent for a secret of another account than the sender.
    """
    event, detail = delivery.event, read_mapping(delivery.event.get("detail"))
    name = _TRANSITIONS.get(str(event.get("detail-type")))
    if name is None:
        raise MalformedEvent("the event's detail-type is not that of a transition of an incident")
    incident = build_incident(detail)
    if name == OPENED:
        incident["untouchable"] = incident["reason"]
    secret_arn = incident["secret_arn"] = read_own_secret(delivery, detail.get("secret_arn"))
    execution = read_text(detail.get("execution"), ARN_LENGTH) or ""
    payload = build_payload(name, execution, incident, error=detail.get("error"), runbook_url=runbook_url)
    occurred_at = read_time(event.get("time"))
    event_id = read_version(detail.get("eventID")) or read_version(event.get("id"))
    if payload["opened_at"] is None or occurred_at is None or event_id is None:
        raise MalformedEvent("an incident's event must have an opening time, a time and an id")
    attempts = max(0, payload["attempts"] or 0)
    position = f"{_STAGES[name]}#{attempts:06d}#{occurred_at}#{event_id}"
    return Transition(delivery.account, secret_arn.split(":")[3], event_id, position, occurred_at, payload)


def build_incident(payload: Mapping[str, Any]) -> Row:
    """The row of the incident that a payload is about, so that `build_payload` builds the same payload of it.

    Values are as they are in the payload; `build_payload` replaces what has not the expected form.
    """
    now = read_mapping(payload.get("now"))
    versions: dict[str, list[str]] = {}
    for label, stage in _LABELS.items():
        if version := read_version(now.get(label)):
            versions.setdefault(version, []).append(stage)
    # Without a probe's evidence the labels may be those of a new value, which no probe has tested.
    return {
        "secret_arn": payload.get("secret_arn"),
        "opened_at": payload.get("opened_at"),
        "secret_name": payload.get("secret_name"),
        "owner": payload.get("owner"),
        "execution": payload.get("execution"),
        "outcome": payload.get("outcome"),
        "reason": payload.get("reason"),
        "closed_at": payload.get("closed_at"),
        "event_type": payload.get("kind"),
        "occurred_at": payload.get("occurred_at"),
        "failed_step": payload.get("failed_step"),
        "failed_steps": read_list(payload.get("failed_steps")),
        "failures": read_count(payload.get("failures")),
        "last_failure_at": payload.get("last_failure_at"),
        "rotation_function": payload.get("function"),
        "rotation_on": payload.get("is_rotation_enabled"),
        "unreadable": payload.get("unreadable"),
        "mode": payload.get("mode"),
        "attempts": read_count(payload.get("attempts")),
        "actions": read_list(payload.get("actions")),
        "versions": versions,
        "new_value_versions": {} if now.get("evidence") else versions,
        "evidence": now.get("evidence"),
        "restarts": read_list(payload.get("restarts")),
    }
