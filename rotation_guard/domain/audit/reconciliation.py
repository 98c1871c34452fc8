"""Compares a secret's labels with the events about it, which may be missing, repeated, late or out of order.

CloudTrail delivers events on a best-effort basis
(https://docs.aws.amazon.com/eventbridge/latest/ref/event-delivery-level.html).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from ..secret import ListedSecret
from ..timestamps import to_iso

MOVED_WITHOUT_EVENT, EVENT_WITHOUT_MOVE = "moved_unheard", "heard_unmoved"
STUCK_WITHOUT_INCIDENT, VANISHED = "stuck_without_incident", "vanished"
DISCREPANCY_KINDS = (MOVED_WITHOUT_EVENT, EVENT_WITHOUT_MOVE, STUCK_WITHOUT_INCIDENT, VANISHED)
MAX_EVENT_DELAY = timedelta(minutes=15)
"""Maximum delay of an event, and of ListSecrets: AWS documents minutes for both."""
_MAX_MOVE_DURATION = timedelta(minutes=2)
"""Maximum time between the events of one move: the label event, the rotation event and the API call."""
VALUE_EVENTS = frozenset(
    {
        "Secret Label Updated",
        "RotationSucceeded",
        "PutSecretValue",
        "UpdateSecret",
        "UpdateSecretVersionStage",
        "RestoreSecret",
    }
)
"""Events that explain a changed value."""
DELETION_EVENTS = frozenset({"DeleteSecret", "EndSecretVersionDelete"})
"""Events that explain a missing secret."""
_RESTORE_EVENTS = frozenset({"RestoreSecret", "CancelSecretVersionDelete"})
"""Events that undo a deletion."""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A contradiction between events and labels."""

    kind: str
    secret_name: str
    detail: str


@dataclass(frozen=True, slots=True)
class ReconciledState:
    """The version that events explain so far, and the last event since."""

    version_id: str | None
    at: str
    reported_version_id: str | None = None
    """The version that the last event names as AWSCURRENT, if it names one."""
    reported_at: str | None = None
    event_at: str | None = None
    """Time of the event that reported `version_id`, if there was one."""

    def to_row(self) -> dict[str, Any]:
        """The attributes of the status row."""
        return {
            "accounted_version_id": self.version_id,
            "accounted_at": self.at,
            "heard_version_id": self.reported_version_id,
            "heard_at": self.reported_at,
            "accounted_event_at": self.event_at,
        }


def read_reconciled_state(previous: Mapping[str, Any], secret: ListedSecret, now: datetime) -> ReconciledState:
    """The state in the previous status row; for a new secret, its current version is accepted as it is."""
    if "accounted_at" not in previous:
        return ReconciledState(secret.current_version_id, to_iso(now))
    return ReconciledState(
        previous.get("accounted_version_id"),
        previous["accounted_at"],
        previous.get("heard_version_id"),
        previous.get("heard_at"),
        previous.get("accounted_event_at"),
    )


def is_deletion_reported(last_event_times: Mapping[str, str]) -> bool:
    """Whether a secret's events (type -> time of the last one) report a deletion that was not undone since.

    If a deletion and a restore have the same second, the deletion wins.
    """
    deleted_at, restored_at = (
        max((last_event_times[kind] for kind in kinds & last_event_times.keys()), default="")
        for kinds in (DELETION_EVENTS, _RESTORE_EVENTS)
    )
    return deleted_at != "" and deleted_at >= restored_at


def accept_reported_move(state: ReconciledState, secret: ListedSecret, now: datetime) -> ReconciledState:
    """The state after a move that the noted event explains."""
    return ReconciledState(secret.current_version_id, to_iso(now), event_at=state.reported_at)


def accept_unreported_move(
    state: ReconciledState, secret: ListedSecret, now: datetime, event_at: str | None = None
) -> ReconciledState:
    """The state after a move that no noted event explains; `event_at` if the audit trail has its event."""
    return ReconciledState(
        secret.current_version_id, to_iso(now), state.reported_version_id, state.reported_at, event_at
    )


def drop_expired_report(state: ReconciledState, now: datetime) -> ReconciledState:
    """The state without its noted event, once it is too old to be waited for.

    An event that claims a later time than that is dropped too: its clock is wrong.
    """
    if state.reported_at is None or abs(now - datetime.fromisoformat(state.reported_at)) < MAX_EVENT_DELAY:
        return state
    return replace(state, reported_version_id=None, reported_at=None)


def has_moved(state: ReconciledState, secret: ListedSecret) -> bool:
    """Whether AWSCURRENT is on another version than the reconciled one."""
    return secret.current_version_id != state.version_id


def earliest_report_time(state: ReconciledState) -> datetime:
    """The earliest time of an event that can explain a new move; an older one was delivered late or repeatedly.

    A move causes two or more events, seconds apart, and the list that showed it may have been minutes old.
    """
    if state.event_at is not None:
        return datetime.fromisoformat(state.event_at) + _MAX_MOVE_DURATION
    return datetime.fromisoformat(state.at) - MAX_EVENT_DELAY


def is_move_reported(state: ReconciledState, secret: ListedSecret, now: datetime) -> bool:
    """Whether the noted event explains the move: it names this version, or is a rotation, which names none."""
    if state.reported_at is None or state.reported_version_id not in (None, secret.current_version_id):
        return False
    return earliest_report_time(state) <= datetime.fromisoformat(state.reported_at) < now + MAX_EVENT_DELAY


def was_seen_in_earlier_run(previous: Mapping[str, Any], secret: ListedSecret, started_at: datetime) -> bool:
    """Whether an earlier run saw the same move: then its event is missing and not just late."""
    return previous.get("current_version_id") == secret.current_version_id and previous["checked_at"] < to_iso(
        started_at
    )


def describe_missing_move(state: ReconciledState, secret: ListedSecret, now: datetime) -> str | None:
    """The move that an event reported and that did not happen in time, as a sentence; None if there is none."""
    if state.reported_at is None:
        return None
    reported_at = datetime.fromisoformat(state.reported_at)
    # An event from before the last reconciliation has come true since, or was superseded.
    if now - reported_at < MAX_EVENT_DELAY or reported_at < datetime.fromisoformat(state.at):
        return None
    if state.reported_version_id is not None:
        if state.reported_version_id == secret.current_version_id:
            return None
        return (
            f"An event of {state.reported_at} says that AWSCURRENT moved to version {state.reported_version_id}, but "
            f"it is on {secret.current_version_id}."
        )
    has_rotated = secret.last_rotated_at is not None and secret.last_rotated_at >= reported_at - MAX_EVENT_DELAY
    if has_rotated or reported_at - datetime.fromisoformat(state.at) < MAX_EVENT_DELAY:
        return None
    return (
        f"An event says that a rotation succeeded at {state.reported_at}, but no version has changed since {state.at}."
    )
