"""Holds what the events told against what the labels say: events may be missed, doubled, late and out of order.

(https://docs.aws.amazon.com/eventbridge/latest/ref/event-delivery-level.html: CloudTrail delivers on a best effort.)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .history import iso
from .secrets import ListedSecret

MOVED_UNHEARD, HEARD_UNMOVED = "moved_unheard", "heard_unmoved"
STUCK_WITHOUT_INCIDENT, VANISHED = "stuck_without_incident", "vanished"
KINDS = (MOVED_UNHEARD, HEARD_UNMOVED, STUCK_WITHOUT_INCIDENT, VANISHED)
LATE = timedelta(minutes=15)
"""How late an event, or the list of all secrets, may be: AWS says minutes for both."""
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


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Something that events and labels do not agree on."""

    kind: str
    secret_name: str
    detail: str


@dataclass(frozen=True, slots=True)
class Account:
    """Up to which version, and when, what a secret holds is accounted for, and what was heard since."""

    version_id: str | None
    at: str
    heard_version_id: str | None = None
    heard_at: str | None = None

    def row(self) -> dict[str, Any]:
        """As the status table keeps it."""
        return {
            "accounted_version_id": self.version_id,
            "accounted_at": self.at,
            "heard_version_id": self.heard_version_id,
            "heard_at": self.heard_at,
        }


def account_of(before: Mapping[str, Any], secret: ListedSecret, now: datetime) -> Account:
    """What is on record; a secret that is seen for the first time is accounted for as it is."""
    if "accounted_at" not in before:
        return Account(secret.current_version_id, iso(now))
    return Account(
        before.get("accounted_version_id"),
        before["accounted_at"],
        before.get("heard_version_id"),
        before.get("heard_at"),
    )


def settled(secret: ListedSecret, now: datetime) -> Account:
    """The record once what the secret holds now is accounted for."""
    return Account(secret.current_version_id, iso(now))


def moved_on(account: Account, secret: ListedSecret, now: datetime) -> Account:
    """The record once a move that nobody announced is accounted for: what was heard before still stands."""
    return Account(secret.current_version_id, iso(now), account.heard_version_id, account.heard_at)


def without_old_news(account: Account, now: datetime) -> Account:
    """The record without what was heard so long ago that it has either come true or been told."""
    if account.heard_at is None or now - datetime.fromisoformat(account.heard_at) < LATE:
        return account
    return Account(account.version_id, account.at)


def has_moved(account: Account, secret: ListedSecret) -> bool:
    """Whether AWSCURRENT is on another version than was accounted for."""
    return secret.current_version_id != account.version_id


def is_heard(account: Account, secret: ListedSecret) -> bool:
    """Whether the move was announced: to this version, or by a rotation, which does not name its version."""
    return account.heard_at is not None and account.heard_version_id in (None, secret.current_version_id)


def was_there_before(before: Mapping[str, Any], secret: ListedSecret, started_at: datetime) -> bool:
    """Whether a run before this one saw the move already: then its event is not late but missing."""
    return before.get("current_version_id") == secret.current_version_id and before["checked_at"] < iso(started_at)


def heard_in_vain(account: Account, secret: ListedSecret, now: datetime) -> str | None:
    """What was announced long enough ago and did not happen, as a sentence; None where all that was heard is true."""
    if account.heard_at is None:
        return None
    heard_at = datetime.fromisoformat(account.heard_at)
    if now - heard_at < LATE:
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
