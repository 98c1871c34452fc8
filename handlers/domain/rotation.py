"""Rotations and what is heard of them."""

from dataclasses import dataclass

SECRETS_MANAGER_SOURCES = ("aws.secretsmanager", "rotation-guard.drill")


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


@dataclass(frozen=True)
class SecretState:
    """A secret's labels at one moment; never its value."""

    name: str
    versions: dict[str, tuple[str, ...]]
    """Version id -> its staging labels."""

    def version_with(self, label: str) -> str | None:
        """The version that holds this staging label, if one does."""
        return next((version for version, labels in self.versions.items() if label in labels), None)


def tells_of_new_value(event: RotationEvent) -> bool:
    """Whether AWSCURRENT is on another version after this event: moved by anybody, or by a rotation."""
    return event.kind == "RotationSucceeded" or event.current_version_id is not None


def name_of(secret_arn: str) -> str:
    """A secret's name out of its ARN, without the six characters that Secrets Manager puts behind it."""
    name = secret_arn.split(":secret:", 1)[-1]
    stem, dash, suffix = name.rpartition("-")
    return stem if dash and len(suffix) == 6 else name
