"""Incidents: one open per secret, however many failures belong to it, and however late and often they are told."""

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
"""Grace period after which an execution that has not been heard of when it should have been is presumed dead: longer
than the state machine waits for a throttled Lambda between two steps that write into the incident."""
_ROTATION_WINDOW = timedelta(days=1)
"""No rotation window is longer, as it ends with its day at the latest
(https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotationRulesType.html)."""
_REMINDER_INTERVAL = timedelta(hours=23)
"""At least so long between two notices about one unresolved incident: once a day, though audits are an hour apart."""
_STUCK_REMINDER_INTERVAL = timedelta(hours=13)
"""The same where the audit says that it is stuck, which it says once a day by itself: the first time may be less than a
day after the escalation, and the next one is a day later."""


class Outcome(StrEnum):
    """How an incident ended."""

    RECOVERED_BY_AWS = "recovered by AWS"
    RECOVERED_BY_RETRY = "recovered by retry"
    ROLLED_FORWARD = "rolled forward"
    FALLEN_BACK = "fallen back"
    ESCALATED = "escalated"
    HELD = "held"
    RESOLVED = "resolved"
    """It was escalated or held, and its secret has a new value since."""
    RESTARTED = "restarted"
    """No rotation had failed: its dependents were restarted after one that succeeded."""


UNTRIED = ("notify", "untouchable", "stopped", "held", "test only", "orphaned")
"""Rules of `decisions` by which an incident ends without a try."""
UNRESOLVED = (Outcome.ESCALATED, Outcome.HELD)
"""How an incident ends that needs somebody until the secret has a new value."""
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
    rule: str = ""
    """The rule of `decisions` that was applied last."""
    closed_at: str = ""
    resolved_at: str = ""
    """When its secret got a new value after it was escalated or held."""
    notified_at: str = ""
    """When people were last told that it needs somebody."""
    event_type: str = ""
    """What kind of failure opened it."""
    last_failure_at: str = ""
    """When the latest of its failures happened, ISO 8601."""
    alive_until: int = 0
    """Until when its execution has said that it would be heard of again, epoch seconds."""
    attempts: int = 0
    """RotateSecret calls that it made."""
    failures: int = 0
    moved: Mapping[str, Any] | None = None
    """How it moved AWSCURRENT, or was about to."""
    current_version_id: str | None = None
    """The version that held AWSCURRENT when it was looked at last."""
    pending_version_id: str | None = None
    """The version that held AWSPENDING then."""
    is_looked_at: bool = field(default=True, compare=False)
    """Whether its labels are known."""
    is_verified: bool | None = field(default=None, compare=False)
    """Whether a probe, or a rotation that AWS completed, proved what it ended with; None where nobody has said."""
    event_ids: frozenset[str] = frozenset()
    rotation_ids: frozenset[str] = frozenset()

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Incident":
        """The incident that this row holds."""
        versions = row.get("versions") or {}
        notices = [action for action in row.get("actions", ()) if action.get("turn") in ("escalated", "reminder")]
        return cls(
            secret_arn=row["secret_arn"],
            opened_at=row["opened_at"],
            state=row.get("state", OPEN),
            outcome=row.get("outcome", ""),
            rule=row.get("rule", ""),
            closed_at=row.get("closed_at", ""),
            resolved_at=row.get("resolved_at", ""),
            notified_at=max((action.get("at", "") for action in notices), default=row.get("closed_at", "")),
            event_type=row.get("event_type", ""),
            last_failure_at=row.get("last_failure_at", ""),
            alive_until=int(row.get("alive_until", 0)),
            attempts=int(row.get("attempts", 0)),
            failures=int(row.get("failures", 0)),
            moved=row.get("moved"),
            current_version_id=_holder(versions, CURRENT) or row.get("current_version_id"),
            pending_version_id=_holder(versions, PENDING),
            is_looked_at=bool(versions),
            is_verified=row.get("verified"),
            event_ids=frozenset(row.get("event_ids", ())),
            rotation_ids=frozenset(row.get("rotation_ids", ())),
        )

    @property
    def is_unresolved(self) -> bool:
        """Whether it ended with people, and its secret had no new value since."""
        return self.state == CLOSED and self.outcome in UNRESOLVED

    @property
    def is_about_rotation(self) -> bool:
        """Whether a rotation had failed: not only a test of one, or a restart after one that succeeded."""
        return self.failures > 0 and self.event_type != TEST_ROTATION_FAILED

    @property
    def is_failed_repair(self) -> bool:
        """Whether something was tried in vain, or without a proof: the circuit breaker counts these in a row."""
        was_escalated = self.outcome in (Outcome.ESCALATED, Outcome.RESOLVED)
        is_unproven = self.outcome in (Outcome.ROLLED_FORWARD, Outcome.FALLEN_BACK) and self.is_verified is False
        # Without a rule nothing was decided: a step failed before.
        return (was_escalated or is_unproven) and self.failures > 0 and self.rule not in ("", *UNTRIED)

    def is_repeat(self, failure: RotationSignal) -> bool:
        """Whether this failure is in it already, is older than one that is, or repeats its rotation.

        A rotation that is asked for anew may go by its old id, for as long as it is unfinished: what comes after the
        window in which AWS repeats it by itself is news, unless the incident was escalated and nothing has been
        resolved since. So is whatever fails after people were told that all is well, by whatever repair, or that it was
        held. What failed before somebody was paged is what that was for.
        """
        if failure.identity in self.event_ids:
            return True
        # A restart that failed says nothing of a rotation, and neither does a test of one.
        if not self.last_failure_at or (
            self.event_type == TEST_ROTATION_FAILED and failure.kind != TEST_ROTATION_FAILED
        ):
            return False
        if failure.occurred_at < max(self.last_failure_at, self.resolved_at):
            return True
        if self.outcome == Outcome.ESCALATED and failure.occurred_at < self.closed_at:
            return True
        if not self._is_same_rotation(failure) or self.outcome in (*_BY_A_NEW_VALUE, Outcome.HELD, Outcome.RESOLVED):
            return False
        # Repairs that were stopped by hand may be allowed again.
        if self.outcome == Outcome.ESCALATED and self.rule != "stopped":
            return True
        if self.outcome in RECOVERIES and self.state == CLOSED and failure.occurred_at > self.closed_at:
            return False
        return failure.occurred_at < to_iso(datetime.fromisoformat(self.last_failure_at) + _ROTATION_WINDOW)

    def _is_same_rotation(self, failure: RotationSignal) -> bool:
        if failure.kind == ROTATION_STUCK:
            is_same = failure.pending_version_id is not None and failure.pending_version_id == self.pending_version_id
            # What could not be looked at may be the same: it is not told anew each day.
            return is_same or not self.is_looked_at
        return failure.rotation_id in self.rotation_ids

    def is_released_for(self, failure: RotationSignal, released_at: str) -> bool:
        """Whether an operator released the secret after the circuit breaker ended this, and before the failure.

        Repairs may go on then, though it is the same rotation.
        """
        return self.rule == "orphaned" and self.closed_at < released_at < failure.occurred_at

    def is_reminder_due(self, failure: RotationSignal, now: datetime) -> bool:
        """Whether people are to be told again that it needs somebody, now that its rotation has failed once more."""
        if self.outcome != Outcome.ESCALATED or not self._is_same_rotation(failure):
            return False
        interval = _STUCK_REMINDER_INTERVAL if failure.kind == ROTATION_STUCK else _REMINDER_INTERVAL
        return failure.occurred_at > self.notified_at <= to_iso(now - interval)

    def is_resolved_by(self, success: RotationSignal, current_version_id: str | None) -> bool:
        """Whether this news of a new value resolves it; `current_version_id` holds AWSCURRENT now, if that is known.

        A rotation that AWS completes after its end does, though AWSCURRENT may have moved before that rotation failed.
        The news of this incident's own move resolves nothing, however late it comes, and neither does what was true
        when the incident was looked at last.
        """
        if not self.is_unresolved:
            return False
        if success.kind == "RotationSucceeded" and success.occurred_at > max(self.last_failure_at, self.closed_at):
            return True
        version = current_version_id or success.current_version_id
        is_late = current_version_id is None and success.occurred_at <= self.last_failure_at
        if version is None or is_late:
            return False
        return version not in (self.current_version_id, (self.moved or {}).get("to"))


def _holder(versions: Mapping[str, Any], label: str) -> str | None:
    return next((str(version) for version, labels in versions.items() if label in labels), None)


class ClaimEffect(StrEnum):
    """What an event does."""

    OPENS = "opens"
    """Nothing is open: a new incident."""
    JOINS = "joins"
    """An incident is open, and this belongs to it."""
    IS_LATE = "is late"
    """It tells of what is over: nothing is done twice."""
    REMINDS = "reminds"
    """It tells of what was escalated a day ago, and is still so."""
    ENDS = "ends"
    """The secret has a new value: the open incident is over."""
    PASSES = "passes"
    """The secret has a new value, and no incident was open."""


@dataclass(frozen=True)
class ClaimResult:
    """What an event does to the incidents of its secret."""

    does: ClaimEffect
    incident: Incident | None = None
    """The one that it is about."""
    outcome: Outcome | None = None
    """How that one ends, if it does."""


def claim_failure(
    incident: Incident | None,
    latest: Incident | None,
    failure: RotationSignal,
    new_value_at: str,
    now: datetime,
) -> ClaimResult:
    """What a failure does, given the open incident, the latest one of any state, and when the secret got a new value.

    `new_value_at` is ISO 8601, empty where it is not known. All times are AWS's. Event times have whole seconds: a
    failure of the same second as the new value counts as later, since nothing may be lost.
    """
    if incident is not None:
        return ClaimResult(ClaimEffect.JOINS, incident)
    if latest is not None and latest.is_repeat(failure):
        return ClaimResult(ClaimEffect.REMINDS if latest.is_reminder_due(failure, now) else ClaimEffect.IS_LATE, latest)
    if failure.occurred_at < new_value_at:
        return ClaimResult(ClaimEffect.IS_LATE, latest)
    return ClaimResult(ClaimEffect.OPENS)


def claim_success(incident: Incident | None, success: RotationSignal, is_stuck: bool) -> ClaimResult:
    """What a new value does to the open incident; `is_stuck` says that a rotation is unfinished, or may be.

    What moves AWSCURRENT once our own move is written down is that move: its incident ends itself, after a proof, and
    restarts dependents.
    """
    if incident is None:
        return ClaimResult(ClaimEffect.PASSES)
    older = success.occurred_at < incident.last_failure_at
    as_old = success.occurred_at == incident.last_failure_at
    if older or (as_old and is_stuck) or incident.moved is not None:
        return ClaimResult(ClaimEffect.JOINS, incident)
    outcome = Outcome.RECOVERED_BY_RETRY if incident.attempts else Outcome.RECOVERED_BY_AWS
    return ClaimResult(ClaimEffect.ENDS, incident, outcome)
