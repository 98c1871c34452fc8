"""Incidents: one open per secret, however many failures belong to it, and however late and often they are told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from .history import iso
from .rotation import TESTED, Heard

OPEN, RESTARTING, CLOSED = "open", "restarting", "closed"
_ROTATION_WINDOW = timedelta(days=1)
"""No rotation window is longer, as it ends with its day at the latest
(https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotationRulesType.html)."""


class Outcome(StrEnum):
    """How an incident ended."""

    RECOVERED_BY_AWS = "recovered by AWS"
    RECOVERED_BY_RETRY = "recovered by retry"
    ROLLED_FORWARD = "rolled forward"
    FALLEN_BACK = "fallen back"
    ESCALATED = "escalated"
    HELD = "held"
    RESTARTED = "restarted"
    """No rotation had failed: its dependents were restarted after one that succeeded."""


UNTRIED = ("notify", "untouchable", "stopped", "held", "test only")
"""Rules of `decisions` by which an incident ends without a try."""
_BY_A_NEW_VALUE = (Outcome.RECOVERED_BY_AWS, Outcome.RECOVERED_BY_RETRY)
"""A new value that came from wherever: the rotation that had failed may be unfinished still."""
RECOVERIES = (*_BY_A_NEW_VALUE, Outcome.ROLLED_FORWARD, Outcome.FALLEN_BACK)


@dataclass(frozen=True)
class Incident:
    """What of an incident's row the claim rests on."""

    secret_arn: str
    opened_at: str
    state: str = OPEN
    outcome: str = ""
    """How it ended, once it has."""
    closed_at: str = ""
    event_type: str = ""
    """What kind of failure opened it."""
    replaces: str = ""
    """When the incident was opened in whose place this one is, because its workflow had died."""
    last_failure_at: str = ""
    """When the latest of its failures happened, ISO 8601."""
    alive_until: int = 0
    """Until when its workflow has said that it would be heard of again, epoch seconds."""
    attempts: int = 0
    """RotateSecret calls that it made."""
    moved: Mapping[str, Any] | None = None
    """How it moved AWSCURRENT, or was about to."""
    current_version_id: str | None = None
    """The version that held AWSCURRENT when it was opened."""
    event_ids: frozenset[str] = frozenset()
    rotation_ids: frozenset[str] = frozenset()

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Incident":
        """The incident that this row holds."""
        return cls(
            secret_arn=row["secret_arn"],
            opened_at=row["opened_at"],
            state=row.get("state", OPEN),
            outcome=row.get("outcome", ""),
            closed_at=row.get("closed_at", ""),
            event_type=row.get("event_type", ""),
            replaces=row.get("replaces", ""),
            last_failure_at=row.get("last_failure_at", ""),
            alive_until=int(row.get("alive_until", 0)),
            attempts=int(row.get("attempts", 0)),
            moved=row.get("moved"),
            current_version_id=row.get("current_version_id"),
            event_ids=frozenset(row.get("event_ids", ())),
            rotation_ids=frozenset(row.get("rotation_ids", ())),
        )

    def covers(self, failure: Heard) -> bool:
        """Whether this failure is in it already, is older than one that is, or is a repeat of its rotation.

        A rotation that is asked for anew may go by its old id, for as long as it is unfinished: what comes after the
        window in which AWS repeats it by itself is news. So is whatever fails after people were told that all is well,
        or that it was held. What failed before somebody was paged is what that was for.
        """
        if failure.identity in self.event_ids:
            return True
        # A restart that failed says nothing of a rotation, and neither does a test of one.
        if not self.last_failure_at or (self.event_type == TESTED and failure.kind != TESTED):
            return False
        if failure.occurred_at < self.last_failure_at:
            return True
        if self.outcome == Outcome.ESCALATED and failure.occurred_at < self.closed_at:
            return True
        if failure.rotation_id not in self.rotation_ids or self.outcome in (*_BY_A_NEW_VALUE, Outcome.HELD):
            return False
        return failure.occurred_at < iso(datetime.fromisoformat(self.last_failure_at) + _ROTATION_WINDOW)


class Does(StrEnum):
    """What an event does."""

    OPENS = "opens"
    """Nothing is open: a new incident."""
    REPLACES = "replaces"
    """One is open whose workflow has died without a word: it is closed, and another opened."""
    JOINS = "joins"
    """An incident is open, and this belongs to it."""
    IS_LATE = "is late"
    """It tells of what is over: nothing is done twice."""
    ENDS = "ends"
    """The secret has a new value: the open incident is over."""
    PASSES = "passes"
    """The secret has a new value, and no incident was open."""


@dataclass(frozen=True)
class Claimed:
    """What an event does to the incidents of its secret."""

    does: Does
    incident: Incident | None = None
    """The one that it is about."""
    outcome: Outcome | None = None
    """How that one ends, if it does."""


def claim_failure(
    incident: Incident | None,
    latest: Incident | None,
    failure: Heard,
    new_value_at: str,
    now: int,
) -> Claimed:
    """What a failure does, given the open incident, the latest one of any state, and when the secret got a new value.

    `new_value_at` is ISO 8601, empty where it is not known; `now` is in epoch seconds. Event times have whole seconds:
    a failure of the same second as the new value counts as later, since nothing may be lost.
    """
    if incident is not None:
        if incident.alive_until < now:
            return Claimed(Does.REPLACES, incident)
        return Claimed(Does.JOINS, incident)
    if latest is not None and latest.covers(failure):
        return Claimed(Does.IS_LATE, latest)
    if failure.occurred_at < new_value_at:
        return Claimed(Does.IS_LATE, latest)
    return Claimed(Does.OPENS)


def claim_success(incident: Incident | None, success: Heard, is_stuck: bool, now: int) -> Claimed:
    """What a new value does to the open incident; `is_stuck` says that a rotation is unfinished.

    `now` is in epoch seconds. What moves AWSCURRENT in the middle of our own move is that move: its incident ends
    itself, after a proof.
    """
    if incident is None:
        return Claimed(Does.PASSES)
    older = success.occurred_at < incident.last_failure_at
    as_old = success.occurred_at == incident.last_failure_at
    is_moving = incident.moved is not None and incident.alive_until >= now
    if older or (as_old and is_stuck) or is_moving:
        return Claimed(Does.JOINS, incident)
    outcome = Outcome.RECOVERED_BY_RETRY if incident.attempts else Outcome.RECOVERED_BY_AWS
    return Claimed(Does.ENDS, incident, outcome)
