"""Holds what the events told against what the labels say: events may be missed, doubled, late and out of order.

(https://docs.aws.amazon.com/eventbridge/latest/ref/event-delivery-level.html: CloudTrail delivers on a best effort.)
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from ..secret import ListedSecret
from ..timestamps import to_iso

MOVED_UNHEARD, HEARD_UNMOVED = "moved_unheard", "heard_unmoved"
STUCK_WITHOUT_INCIDENT, VANISHED = "stuck_without_incident", "vanished"
KINDS = (MOVED_UNHEARD, HEARD_UNMOVED, STUCK_WITHOUT_INCIDENT, VANISHED)
LATE = timedelta(minutes=15)
"""How late an event, or the list of all secrets, may be: AWS says minutes for both."""
_SAME_MOVE = timedelta(minutes=2)
"""How far apart the events of one move are at most: of the label, of the rotation and of the call."""
TELLS_OF_MOVE = frozenset(
    {
        "Secret Label Updated",
        "RotationSucceeded",
        "PutSecretValue",
        "UpdateSecret",
        "UpdateSecretVersionStage",
        "RestoreSecret",
    }
)
"""Events that go with a value that changes."""
TELLS_OF_END = frozenset({"DeleteSecret", "EndSecretVersionDelete"})
"""Events that go with a secret that is gone."""
_TAKES_END_BACK = frozenset({"RestoreSecret", "CancelSecretVersionDelete"})
"""Events that go with a secret that was deleted and is there again."""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Something that events and labels do not agree on."""

    kind: str
    secret_name: str
    detail: str


@dataclass(frozen=True, slots=True)
class ReconciledState:
    """Up to which version, and when, what a secret holds is accounted for, and what was heard since."""

    version_id: str | None
    at: str
    heard_version_id: str | None = None
    heard_at: str | None = None
    event_at: str | None = None
    """When the event happened that told of this version, where one was heard."""

    def row(self) -> dict[str, Any]:
        """As the status table keeps it."""
        return {
            "accounted_version_id": self.version_id,
            "accounted_at": self.at,
            "heard_version_id": self.heard_version_id,
            "heard_at": self.heard_at,
            "accounted_event_at": self.event_at,
        }


def read_reconciled_state(before: Mapping[str, Any], secret: ListedSecret, now: datetime) -> ReconciledState:
    """What is on record; a secret that is seen for the first time is accounted for as it is."""
    if "accounted_at" not in before:
        return ReconciledState(secret.current_version_id, to_iso(now))
    return ReconciledState(
        before.get("accounted_version_id"),
        before["accounted_at"],
        before.get("heard_version_id"),
        before.get("heard_at"),
        before.get("accounted_event_at"),
    )


def reports_deletion(heard: Mapping[str, str]) -> bool:
    """Whether a secret's events, each with its last time, tell that it was deleted, and not that it was restored since.

    Of two events in the same second the one that tells of the end holds.
    """
    end, back = (
        max((heard[kind] for kind in kinds & heard.keys()), default="") for kinds in (TELLS_OF_END, _TAKES_END_BACK)
    )
    return end != "" and end >= back


def settled(account: ReconciledState, secret: ListedSecret, now: datetime) -> ReconciledState:
    """The record once what the secret holds now is accounted for by what was heard."""
    return ReconciledState(secret.current_version_id, to_iso(now), event_at=account.heard_at)


def moved_on(
    account: ReconciledState, secret: ListedSecret, now: datetime, event_at: str | None = None
) -> ReconciledState:
    """The record once a move is accounted for that the row did not hear of, but perhaps the audit trail did."""
    return ReconciledState(secret.current_version_id, to_iso(now), account.heard_version_id, account.heard_at, event_at)


def without_old_news(account: ReconciledState, now: datetime) -> ReconciledState:
    """The record without what was heard so long ago that it has either come true or been told.

    Nor is there any use for what is said to happen later: its clock is wrong.
    """
    if account.heard_at is None or abs(now - datetime.fromisoformat(account.heard_at)) < LATE:
        return account
    return replace(account, heard_version_id=None, heard_at=None)


def has_moved(account: ReconciledState, secret: ListedSecret) -> bool:
    """Whether AWSCURRENT is on another version than was accounted for."""
    return secret.current_version_id != account.version_id


def news_begins_at(account: ReconciledState) -> datetime:
    """From when on an event can tell of a move that is not accounted for: what is older was delivered late, or again.

    A move is told by two events or more, seconds apart. The list that it was seen in may have been minutes old.
    """
    if account.event_at is not None:
        return datetime.fromisoformat(account.event_at) + _SAME_MOVE
    return datetime.fromisoformat(account.at) - LATE


def is_heard(account: ReconciledState, secret: ListedSecret, now: datetime) -> bool:
    """Whether the move was announced: to this version, or by a rotation, which does not name its version."""
    if account.heard_at is None or account.heard_version_id not in (None, secret.current_version_id):
        return False
    return news_begins_at(account) <= datetime.fromisoformat(account.heard_at) < now + LATE


def was_there_before(before: Mapping[str, Any], secret: ListedSecret, started_at: datetime) -> bool:
    """Whether a run before this one saw the move already: then its event is not late but missing."""
    return before.get("current_version_id") == secret.current_version_id and before["checked_at"] < to_iso(started_at)


def heard_in_vain(account: ReconciledState, secret: ListedSecret, now: datetime) -> str | None:
    """What was announced long enough ago and did not happen, as a sentence; None where all that was heard is true."""
    if account.heard_at is None:
        return None
    heard_at = datetime.fromisoformat(account.heard_at)
    # What happened before the secret was last accounted for has come true since, or was overtaken.
    if now - heard_at < LATE or heard_at < datetime.fromisoformat(account.at):
        return None
    if account.heard_version_id is not None:
        if account.heard_version_id == secret.current_version_id:
            return None
        return (
            f"An event of {account.heard_at} says that AWSCURRENT moved to version {account.heard_version_id}; it is "
            f"on {secret.current_version_id}."
        )
    rotated = secret.last_rotated_at is not None and secret.last_rotated_at >= heard_at - LATE
    if rotated or heard_at - datetime.fromisoformat(account.at) < LATE:
        return None
    return f"A rotation succeeded at {account.heard_at}, says an event; no version has changed since {account.at}."
