"""Incidents: at most one is open per secret, whatever the number and order of its failures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from ..rotation_event import ROTATION_STUCK, TEST_ROTATION_FAILED, RotationSignal
from ..secret import CURRENT, PENDING
from ..timestamps import to_iso

OPEN, RESTARTING, CLOSED = "open", "restarting", "closed"
ALIVE_SECONDS = 7200
"""Grace period before an overdue workflow is presumed dead: longer than the state machine retries a throttled Lambda
between two steps that update the incident."""
_ROTATION_WINDOW = timedelta(days=1)
"""Maximum length of a rotation window, which ends with its day at the latest
(https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotationRulesType.html)."""
_REMINDER_INTERVAL = timedelta(hours=23)
"""Minimum interval between two notifications about an unresolved incident: about once a day."""
_STUCK_REMINDER_INTERVAL = timedelta(hours=13)
"""The same for a stuck rotation, which the audit reports once a day: its first report may be less than a day after the
escalation, and the next one is a day later."""


class Outcome(StrEnum):
    """How an incident ended. The strings are stored in rows: `fallen back` is rolled back, `held` is rate limited."""

    RECOVERED_BY_AWS = "recovered by AWS"
    RECOVERED_BY_RETRY = "recovered by retry"
    ROLLED_FORWARD = "rolled forward"
    ROLLED_BACK = "fallen back"
    ESCALATED = "escalated"
    RATE_LIMITED = "held"
    RESOLVED = "resolved"
    """It was escalated or rate limited, and its secret has a new value since."""
    RESTARTED = "restarted"
    """No rotation failed: dependents were restarted after a rotation that succeeded."""


RULES_WITHOUT_REPAIR = ("notify", "untouchable", "stopped", "held", "test only", "orphaned")
"""Rules of `decisions` that end an incident without a repair."""
UNRESOLVED = (Outcome.ESCALATED, Outcome.RATE_LIMITED)
"""Outcomes that need attention until the secret has a new value."""
_RECOVERED_BY_NEW_VALUE = (Outcome.RECOVERED_BY_AWS, Outcome.RECOVERED_BY_RETRY)
"""The secret has a new value, whatever its source: the failed rotation may still be unfinished."""
RECOVERIES = (*_RECOVERED_BY_NEW_VALUE, Outcome.ROLLED_FORWARD, Outcome.ROLLED_BACK)


@dataclass(frozen=True)
class Incident:
    """The fields of an incident's row that decide what an event does."""

    secret_arn: str
    opened_at: str
    state: str = OPEN
    outcome: str = ""
    """How it ended; empty while it has not."""
    rule: str = ""
    """The rule of `decisions` that applied last."""
    closed_at: str = ""
    resolved_at: str = ""
    """When its secret got a new value after it was escalated or rate limited."""
    notified_at: str = ""
    """When the on-call engineer was last notified that it needs attention."""
    acknowledged_until: str = ""
    """Until when somebody is working on it: ISO 8601; empty if nobody has said so."""
    event_type: str = ""
    """The kind of failure that opened it."""
    last_failure_at: str = ""
    """The time of its latest failure, ISO 8601."""
    alive_until: int = 0
    """By when its execution will have updated it again, epoch seconds."""
    attempts: int = 0
    """Its RotateSecret calls."""
    failures: int = 0
    move: Mapping[str, Any] | None = None
    """Its move of AWSCURRENT, begun or done; the attribute `moved`."""
    current_version_id: str | None = None
    """The version that had AWSCURRENT when the secret was last described."""
    pending_version_id: str | None = None
    """The version that had AWSPENDING then."""
    has_known_labels: bool = field(default=True, compare=False)
    """Whether the secret's labels could be read."""
    is_verified: bool | None = field(default=None, compare=False)
    """Whether a probe, or a rotation that AWS completed, verified the value that it ended with; None if unknown."""
    event_ids: frozenset[str] = frozenset()
    rotation_ids: frozenset[str] = frozenset()

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Incident":
        """Parse a row of the Incidents table."""
        versions = row.get("versions") or {}
        # The attribute `turn` names the transition.
        notifications = [entry for entry in row.get("actions", ()) if entry.get("turn") in ("escalated", "reminder")]
        return cls(
            secret_arn=row["secret_arn"],
            opened_at=row["opened_at"],
            state=row.get("state", OPEN),
            outcome=row.get("outcome", ""),
            rule=row.get("rule", ""),
            closed_at=row.get("closed_at", ""),
            resolved_at=row.get("resolved_at", ""),
            notified_at=max((entry.get("at", "") for entry in notifications), default=row.get("closed_at", "")),
            acknowledged_until=row.get("acknowledged_until", ""),
            event_type=row.get("event_type", ""),
            last_failure_at=row.get("last_failure_at", ""),
            alive_until=int(row.get("alive_until", 0)),
            attempts=int(row.get("attempts", 0)),
            failures=int(row.get("failures", 0)),
            move=row.get("moved"),
            current_version_id=_find_version(versions, CURRENT) or row.get("current_version_id"),
            pending_version_id=_find_version(versions, PENDING),
            has_known_labels=bool(versions),
            is_verified=row.get("verified"),
            event_ids=frozenset(row.get("event_ids", ())),
            rotation_ids=frozenset(row.get("rotation_ids", ())),
        )

    @property
    def is_unresolved(self) -> bool:
        """Whether it still needs attention: its secret has had no new value since it ended."""
        return self.state == CLOSED and self.outcome in UNRESOLVED

    @property
    def is_about_rotation(self) -> bool:
        """Whether a rotation failed, and not only its test or a restart."""
        return self.failures > 0 and self.event_type != TEST_ROTATION_FAILED

    @property
    def is_failed_repair(self) -> bool:
        """Whether a repair failed or is unverified: the circuit breaker counts these in a row."""
        was_escalated = self.outcome in (Outcome.ESCALATED, Outcome.RESOLVED)
        is_unproven = self.outcome in (Outcome.ROLLED_FORWARD, Outcome.ROLLED_BACK) and self.is_verified is False
        # Without a rule there was no decision: an earlier step failed.
        return (was_escalated or is_unproven) and self.failures > 0 and self.rule not in ("", *RULES_WITHOUT_REPAIR)

    def is_repeat(self, failure: RotationSignal) -> bool:
        """Whether this failure is already in the incident, is older than one that is, or repeats its rotation.

        A rotation that is retried keeps its id while it is unfinished. A failure after the window in which AWS retries
        by itself is new, unless the incident was escalated and is unresolved. A failure after a notification that the
        secret recovered or was rate limited is also new. A failure from before an escalation belongs to it.
        """
        if failure.identity in self.event_ids:
            return True
        # A failed restart or a failed test says nothing about the rotation.
        if not self.last_failure_at or (
            self.event_type == TEST_ROTATION_FAILED and failure.kind != TEST_ROTATION_FAILED
        ):
            return False
        if failure.occurred_at < max(self.last_failure_at, self.resolved_at):
            return True
        if self.outcome == Outcome.ESCALATED and failure.occurred_at < self.closed_at:
            return True
        if not self._is_same_rotation(failure) or self.outcome in (
            *_RECOVERED_BY_NEW_VALUE,
            Outcome.RATE_LIMITED,
            Outcome.RESOLVED,
        ):
            return False
        # An operator who stopped repairs may have allowed them again.
        if self.outcome == Outcome.ESCALATED and self.rule != "stopped":
            return True
        if self.outcome in RECOVERIES and self.state == CLOSED and failure.occurred_at > self.closed_at:
            return False
        return failure.occurred_at < to_iso(datetime.fromisoformat(self.last_failure_at) + _ROTATION_WINDOW)

    def _is_same_rotation(self, failure: RotationSignal) -> bool:
        if failure.kind == ROTATION_STUCK:
            is_same = failure.pending_version_id is not None and failure.pending_version_id == self.pending_version_id
            # With unknown labels it may be the same rotation: do not open an incident every day.
            return is_same or not self.has_known_labels
        return failure.rotation_id in self.rotation_ids

    def is_released_for(self, failure: RotationSignal, released_at: str) -> bool:
        """Whether an operator released the secret after the circuit breaker ended this incident, before the failure.

        Repairs then continue, even for the same rotation.
        """
        return self.rule == "orphaned" and self.closed_at < released_at < failure.occurred_at

    def is_reminder_due(self, failure: RotationSignal, now: datetime) -> bool:
        """Whether the on-call engineer is notified again, now that the incident's rotation has failed once more.

        Not while somebody has acknowledged it.
        """
        if self.outcome != Outcome.ESCALATED or not self._is_same_rotation(failure):
            return False
        if to_iso(now) < self.acknowledged_until:
            return False
        interval = _STUCK_REMINDER_INTERVAL if failure.kind == ROTATION_STUCK else _REMINDER_INTERVAL
        return failure.occurred_at > self.notified_at <= to_iso(now - interval)

    def is_resolved_by(self, success: RotationSignal, current_version_id: str | None) -> bool:
        """Whether this event of a new value resolves it; `current_version_id` has AWSCURRENT now, if that is known.

        A rotation that AWS completes after the incident ended resolves it, even if AWSCURRENT moved before that
        rotation failed. An event of this incident's own move does not, and neither does a version that the incident
        already knew as AWSCURRENT.
        """
        if not self.is_unresolved:
            return False
        if success.kind == "RotationSucceeded" and success.occurred_at > max(self.last_failure_at, self.closed_at):
            return True
        version = current_version_id or success.current_version_id
        is_late = current_version_id is None and success.occurred_at <= self.last_failure_at
        if version is None or is_late:
            return False
        return version not in (self.current_version_id, (self.move or {}).get("to"))


def _find_version(versions: Mapping[str, Any], label: str) -> str | None:
    return next((str(version) for version, labels in versions.items() if label in labels), None)


class ClaimEffect(StrEnum):
    """The effect of an event on its secret's incidents."""

    OPEN = "open"
    """No incident is open: open one."""
    JOIN = "join"
    """The event belongs to the open incident."""
    IGNORE_STALE = "ignore stale"
    """The event is about a failure that is over."""
    REMIND = "remind"
    """The event is about an incident that was escalated a day ago and is still unresolved."""
    END = "end"
    """The secret has a new value: the open incident ends."""
    NO_INCIDENT = "no incident"
    """The secret has a new value, and no incident was open."""


@dataclass(frozen=True)
class ClaimResult:
    """The effect of an event, and the incident that it concerns."""

    effect: ClaimEffect
    incident: Incident | None = None
    outcome: Outcome | None = None
    """How the incident ends, if it does."""


def claim_failure(
    incident: Incident | None,
    latest: Incident | None,
    failure: RotationSignal,
    new_value_at: str,
    now: datetime,
) -> ClaimResult:
    """The effect of a failure, given the open incident, the latest one, and when the secret got a new value.

    `new_value_at` is ISO 8601, or empty if unknown. All times are AWS's. Event times are whole seconds: a failure in
    the same second as the new value counts as later, so that no failure is lost.
    """
    if incident is not None:
        return ClaimResult(ClaimEffect.JOIN, incident)
    if latest is not None and latest.is_repeat(failure):
        return ClaimResult(
            ClaimEffect.REMIND if latest.is_reminder_due(failure, now) else ClaimEffect.IGNORE_STALE, latest
        )
    if failure.occurred_at < new_value_at:
        return ClaimResult(ClaimEffect.IGNORE_STALE, latest)
    return ClaimResult(ClaimEffect.OPEN)


def claim_success(incident: Incident | None, success: RotationSignal, is_stuck: bool) -> ClaimResult:
    """The effect of a new value on the open incident; `is_stuck` says that a rotation is, or may be, unfinished.

    Once the incident has recorded its own move, a move of AWSCURRENT is taken for that one. The incident then ends by
    itself, after the probe, and restarts dependents.
    """
    if incident is None:
        return ClaimResult(ClaimEffect.NO_INCIDENT)
    is_older = success.occurred_at < incident.last_failure_at
    is_simultaneous = success.occurred_at == incident.last_failure_at
    if is_older or (is_simultaneous and is_stuck) or incident.move is not None:
        return ClaimResult(ClaimEffect.JOIN, incident)
    outcome = Outcome.RECOVERED_BY_RETRY if incident.attempts else Outcome.RECOVERED_BY_AWS
    return ClaimResult(ClaimEffect.END, incident, outcome)
