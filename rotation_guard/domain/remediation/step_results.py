"""Results of the workflow's steps: each handler returns one of these, converted by `to_payload`.

Waiting executions keep the definition and the data of an earlier release, so keys and words do not change: where they
differ from a name in this module, the field or the member says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import StrEnum
from typing import Any


class ClaimOutcome(StrEnum):
    """What the claim step did with an event."""

    OPENED = "opened"
    JOINED = "known"
    """The event belongs to an incident that is open."""
    STALE = "late"
    """The event is about a failure that is over."""
    REMINDER = "reminder"
    """An escalated incident still fails."""
    RECOVERED = "recovered"
    """A new value ends the open incident."""
    RESTART = "moved"
    """The secret has a new value, and its dependents are restarted."""
    NO_OP = "quiet"
    """Nothing is to be done."""
    RESUMED = "resumed"
    """This execution takes over an unfinished incident."""
    UNIDENTIFIED = "unidentified"
    """The event names no secret."""


class ResumeAt(StrEnum):
    """Where the workflow continues an unfinished incident."""

    DIAGNOSE = "diagnose"
    RESTART = "restart"
    NOTIFY = "tell"


class DiagnoseState(StrEnum):
    """Whether this execution works on the incident."""

    OWNED = "mine"
    NOT_OPEN = "over"
    """The incident is closed, or another execution owns it."""


class RetriedRotation(StrEnum):
    """What became of the last retry."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RUNNING = "under way"
    """Neither success nor failure is known."""


class NextAction(StrEnum):
    """What the workflow does after a decision."""

    END = "end"
    RETRY = "retry"
    MOVE = "move"
    WAIT = "wait"
    BACK_OFF = "back off"
    NOT_OPEN = "over"
    """Nothing: the incident is closed, or another execution owns it."""


class RetryOutcome(StrEnum):
    """What the retry step did."""

    STARTED = "asked"
    REFUSED = "refused"
    RECOVERED = "recovered"
    """AWS completed the rotation after the decision."""
    NOT_OPEN = "over"


class MoveOutcome(StrEnum):
    """What the move step did."""

    MOVED = "moved"
    LOST_RACE = "lost"
    """AWSCURRENT was on another version than expected."""
    REFUSED = "refused"
    NOT_OPEN = "over"


class EndState(StrEnum):
    """Whether this execution ended the incident."""

    OWNED = "mine"
    NOT_OPEN = "over"
    STALE = "stale"
    """A failure arrived after the decision to end it: decide again."""


class RestartsState(StrEnum):
    """The combined state of an incident's restarts."""

    WANTED = "wanted"
    WAITING = "waiting"
    SETTLED = "settled"
    FAILED = "failed"
    NOT_OWNED = "not_owned"
    """Another execution has taken the restarts over."""


@dataclass(frozen=True)
class IncidentKey:
    """The key of an incident's row."""

    secret_arn: str
    opened_at: str


@dataclass(frozen=True)
class Ending:
    """How an incident ends, as the end step takes it."""

    outcome: str
    reason: str
    restarts: Sequence[Mapping[str, Any]]
    version: str | None
    """The version that dependents are restarted for."""


@dataclass(frozen=True)
class ClaimStepResult:
    """Result of the claim step."""

    outcome: ClaimOutcome
    incident: IncidentKey | None = None
    wait_seconds: int = 0
    """How long AWS is given to recover by itself."""
    ending: Ending | Mapping[str, Any] = field(default_factory=dict)
    """Empty if the incident does not end."""
    resume_at: ResumeAt | None = field(default=None, metadata={"optional": True})
    missing: IncidentKey | None = field(default=None, metadata={"optional": True})
    """An incident whose row is missing."""


@dataclass(frozen=True)
class DiagnoseStepResult:
    """Result of the diagnose step."""

    state: DiagnoseState
    recovered: bool = False
    rotation: RetriedRotation = RetriedRotation.RUNNING
    probe: str = ""
    """The ARN of the probe to call, or empty."""
    diagnosis: Mapping[str, Any] = field(default_factory=dict)
    """`Diagnosis.to_payload`, for the following steps."""


@dataclass(frozen=True)
class ProbeStepResult:
    """Result of the probe step: `works`, `broken`, `unknown` or `absent` for each label."""

    current: str
    pending: str
    previous: str
    notes: Sequence[str]
    """Why a version is unknown, as sentences."""


@dataclass(frozen=True)
class DecideStepResult:
    """Result of the decide step."""

    action: NextAction
    outcome: str = ""
    """How the incident ends, if it does."""
    reason: str = ""
    number: int = 0
    """Which retry this is, counted from 1."""
    move: str = field(default="", metadata={"key": "how"})
    """The outcome of a move: `rolled forward` or `fallen back`."""
    move_from: str | None = field(default="", metadata={"key": "from"})
    move_to: str | None = field(default="", metadata={"key": "to"})
    wait_seconds: int = 0
    """How long to wait before the next diagnosis."""
    backoff_seconds: int = 0
    """How long to back off if this retry fails."""
    restarts: Sequence[Mapping[str, Any]] = ()
    version: str = ""


@dataclass(frozen=True)
class RetryStepResult:
    """Result of the retry step."""

    outcome: RetryOutcome
    reason: str = ""


@dataclass(frozen=True)
class MoveStepResult:
    """Result of the move step."""

    outcome: MoveOutcome
    reason: str = ""


@dataclass(frozen=True)
class EndStepResult:
    """Result of the end step."""

    state: EndState
    restarts: bool = False
    """Whether dependents are restarted before the incident is closed."""


@dataclass(frozen=True)
class RestartStepResult:
    """Result of the restart step and of the watch step."""

    state: RestartsState


@dataclass(frozen=True)
class NotifyStepResult:
    """Result of the notify step."""

    owns_digest: bool = field(default=False, metadata={"key": "teller"})
    """Whether this execution publishes the digest of rate-limited incidents."""


def to_payload(result: Any) -> dict[str, Any]:
    """The JSON object that the workflow sees: every field under its key, without optional fields that are None."""
    return {
        key_of(each): _convert(value)
        for each in fields(result)
        if (value := getattr(result, each.name)) is not None or not each.metadata.get("optional")
    }


def key_of(each: Any) -> str:
    """The key of a field in the workflow's data."""
    return each.metadata.get("key", each.name)


def _convert(value: Any) -> Any:
    return to_payload(value) if is_dataclass(value) else [*value] if isinstance(value, tuple) else value
