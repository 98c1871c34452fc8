"""Events about rotations, and the signals that remediation takes from them."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DRILL = "rotation-guard.drill"
"""The source of drills, which imitate AWS: PutEvents refuses every source that begins with `aws.`."""
SECRETS_MANAGER_SOURCES = ("aws.secretsmanager", DRILL)
ROTATION_GUARD = "rotation-guard"
"""The source of the events that this product puts on the bus."""
SOURCES = (*SECRETS_MANAGER_SOURCES, ROTATION_GUARD)
"""Accepted sources of events: AWS, a drill that imitates it, and this product."""
SERVICE_EVENT = "AWS Service Event via CloudTrail"
"""The detail-type of what Secrets Manager reports of rotations
(https://docs.aws.amazon.com/secretsmanager/latest/userguide/cloudtrail_log_entries.html)."""
CLOCK_SKEW = timedelta(minutes=5)
"""How far an event's time may be in the future: the sender sets it, and clocks differ."""
RECENT_PERIOD = timedelta(minutes=45)
"""Maximum age of an event that is noted for the next audit run. Older events are in the audit trail only."""
_SUFFIX = re.compile(r"-[0-9A-Za-z]{6}\Z")
"""The suffix that Secrets Manager appends to a secret's name in its ARN."""


@dataclass(frozen=True)
class RotationEvent:
    """One event, from any source."""

    kind: str
    """CloudTrail's event name, or else EventBridge's detail-type."""
    source: str
    """Its sender, such as `aws.secretsmanager`."""
    identity: str
    """The id that every copy of it has."""
    occurred_at: str
    """When it happened, ISO 8601; to the second, so several events may share it."""
    region: str
    """The Region of the event."""
    secret_arn: str | None
    """The secret's ARN, if the event has one."""
    subject: str
    """The key of its record: the secret's ARN, or the best available name."""
    rotation_id: str | None
    """The id that all events of one rotation have."""
    failed_step: str | None
    """Which of the four steps failed, if AWS says so."""
    error_message: str | None
    """AWS's message: it names the step but not the cause."""
    current_version_id: str | None = None
    """The version that AWSCURRENT moved to, if the event says so."""
    pending_version_id: str | None = None
    """The version that a stuck rotation creates, if the event says so."""
    opened_at: str | None = None
    """The opening time of the incident that an event about a stalled incident names."""
    without_effect: str | None = None
    """Why it neither moved AWSCURRENT nor deleted a secret: FAILED_CALL or OTHER_LABELS."""
    account: str | None = None
    """The account that sent it, where events of several accounts arrive; None elsewhere."""


FAILED_CALL, OTHER_LABELS = "failed call", "other labels"
"""Why an event changed no value: CloudTrail also reports failed calls, and moves of other labels than AWSCURRENT."""
TEST_ROTATION_FAILED = "TestRotationFailed"
ROTATION_STUCK = "Rotation Stuck"
"""The audit detected a rotation that has been unfinished for too long."""
INCIDENT_STALLED = "Rotation Incident Stalled"
"""An incident is unfinished and its workflow is overdue."""
FAILURES = ("RotationFailed", "RotationAbandoned", TEST_ROTATION_FAILED, ROTATION_STUCK)
"""Events that open an incident or join one."""
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
"""The four steps of a rotation (https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda.html)."""


@dataclass(frozen=True)
class RotationSignal:
    """The part of an event that remediation uses: validated fields, and no free text.

    Only this enters an execution's history, which everyone with access to the console can read.
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
        """Whether it opens an incident or joins one."""
        return self.kind in FAILURES


def reports_new_value(event: RotationEvent | RotationSignal) -> bool:
    """Whether AWSCURRENT is on another version after this event, by a rotation or any other call."""
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
    parsed = datetime.fromisoformat(time)
    if parsed.tzinfo is None:
        return parsed.replace(tzinfo=UTC)
    try:
        return parsed.astimezone(UTC)
    except OverflowError:
        limit = datetime.min if parsed.year == datetime.min.year else datetime.max
        return limit.replace(microsecond=0, tzinfo=UTC)


def date_recent_event(event: RotationEvent, now: datetime) -> datetime | None:
    """When an event happened, never later than now; None if it is too old, or its time is in the future.

    A future time would make every event until then look outdated.
    """
    at = to_utc(event.occurred_at)
    return min(at, now) if now - RECENT_PERIOD <= at <= now + CLOCK_SKEW else None
