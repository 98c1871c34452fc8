"""Rotations and what is heard of them."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SECRETS_MANAGER_SOURCES = ("aws.secretsmanager", "rotation-guard.drill")
SOURCES = (*SECRETS_MANAGER_SOURCES, "rotation-guard")
"""Who may be heard of rotations: AWS, what plays it in a drill, and the product itself."""
CLOCK_SKEW = timedelta(minutes=5)
"""How far an event's time may lie in the future. It is the sender's claim, and clocks differ a little."""
RECENT_PERIOD = timedelta(minutes=45)
"""Maximum age of an event that is noted for the next audit run. Older events are in the audit trail only."""
_SUFFIX = re.compile(r"-[0-9A-Za-z]{6}\Z")
"""What Secrets Manager appends to a secret's name in its ARN."""


@dataclass(frozen=True)
class RotationEvent:
    """One event, whichever way it came."""

    kind: str
    """CloudTrail's event name, or else EventBridge's detail-type."""
    source: str
    """Who sent it, such as `aws.secretsmanager`."""
    identity: str
    """What every copy of it shares."""
    occurred_at: str
    """When it happened, ISO 8601; to the second, so several events may share it."""
    region: str
    """Where it happened."""
    secret_arn: str | None
    """The secret, where one is named by its ARN."""
    subject: str
    """What it is recorded under: the secret's ARN, or else what comes closest."""
    rotation_id: str | None
    """What the events of one rotation share."""
    failed_step: str | None
    """Which of the four steps failed, where AWS says so."""
    error_message: str | None
    """AWS's words about the failure: the step, and nothing of the cause."""
    current_version_id: str | None = None
    """The version that AWSCURRENT moved to, where the event says so."""
    pending_version_id: str | None = None
    """The version that a stuck rotation is making, where the event says so."""
    opened_at: str | None = None
    """The incident that a stalled incident's event is about, by its opening time."""
    without_effect: str | None = None
    """Why it certainly neither moved AWSCURRENT nor deleted a secret: FAILED_CALL or OTHER_LABELS."""


FAILED_CALL, OTHER_LABELS = "failed call", "other labels"
"""Why an event changed no value: CloudTrail reports calls that failed as well, and labels are not only AWSCURRENT."""
TEST_ROTATION_FAILED = "TestRotationFailed"
ROTATION_STUCK = "Rotation Stuck"
"""The audit found a rotation that has been under way for too long."""
INCIDENT_STALLED = "Rotation Incident Stalled"
"""An incident is unfinished, and no execution that works on it has been heard of in time."""
FAILURES = ("RotationFailed", "RotationAbandoned", TEST_ROTATION_FAILED, ROTATION_STUCK)
"""What opens an incident, or belongs to one."""
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
"""The four steps of a rotation (https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda.html)."""


@dataclass(frozen=True)
class RotationSignal:
    """What remediation is told of an event: its own words, and none of the texts that others wrote into it.

    This is all that enters an execution's history, which anybody with the console may read.
    """

    kind: str
    source: str
    identity: str
    occurred_at: str
    secret_arn: str | None = None
    rotation_id: str | None = None
    failed_step: str | None = None
    current_version_id: str | None = None
    pending_version_id: str | None = None
    opened_at: str | None = None

    @property
    def is_failure(self) -> bool:
        """Whether it opens an incident, or belongs to one."""
        return self.kind in FAILURES


def reports_new_value(event: RotationEvent | RotationSignal) -> bool:
    """Whether AWSCURRENT is on another version after this event: moved by anybody, or by a rotation."""
    return event.kind == "RotationSucceeded" or event.current_version_id is not None


def is_complete_arn(secret_arn: str) -> bool:
    """Whether an ARN ends in a hyphen and six characters, which Secrets Manager appends. Callers may leave them out.

    A partial ARN of a secret whose own name ends like that is taken for complete, as AWS does
    (https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen).
    """
    return _SUFFIX.search(secret_arn) is not None


def secret_name_of(secret_arn: str) -> str:
    """The name in a secret's ARN, without the suffix that Secrets Manager appends; a plain name is returned unchanged.

    A name does not identify a secret: another Region or account may have one of the same name, and so may the past.
    """
    _, mark, name = secret_arn.partition(":secret:")
    return _SUFFIX.sub("", name) if mark else secret_arn


def to_utc(time: str) -> datetime:
    """A time in ISO 8601, in UTC. One without an offset is UTC; one beyond the years 1 to 9999 is clamped to them."""
    moment = datetime.fromisoformat(time)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        limit = datetime.min if moment.year == datetime.min.year else datetime.max
        return limit.replace(microsecond=0, tzinfo=UTC)


def date_recent_event(event: RotationEvent, now: datetime) -> datetime | None:
    """When an event happened, never later than now; None if it is too old to be news, or claims a future time.

    A future time would make every event until then look outdated.
    """
    at = to_utc(event.occurred_at)
    return min(at, now) if now - RECENT_PERIOD <= at <= now + CLOCK_SKEW else None
