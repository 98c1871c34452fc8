"""A secret as the list of all secrets shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
DENIED = ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation")
THROTTLED = ("ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded")
"""AWS's codes for a caller who may not, and for one who asks too much."""
OWNER_TAG = "rotation-guard:owner"


@dataclass(frozen=True, slots=True)
class ListedSecret:
    """What one entry of ListSecrets says. Dates are in UTC, to the second.

    (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_SecretListEntry.html)
    """

    name: str
    arn: str
    tags: Mapping[str, str]
    current_version_id: str | None = None
    """The version that holds AWSCURRENT, if one does."""
    pending_version_id: str | None = None
    """The version that holds AWSPENDING, where that is not the one that holds AWSCURRENT."""
    previous_version_id: str | None = None
    """The version that holds AWSPREVIOUS, if one does."""
    primary_region: str | None = None
    owning_service: str | None = None
    type: str | None = None
    """The kind of an external secret, such as `SalesforceClientSecret`."""
    rotation_enabled: bool = False
    rotation_configured: bool = False
    """Whether a rotation is or once was set up: its function and rules stay when it is switched off."""
    last_rotated_at: datetime | None = None
    """When AWS last completed a rotation; a change by hand does not count, and with rotation off AWS may not say."""
    next_rotation_at: datetime | None = None
    deleted_at: datetime | None = None
    created_at: datetime | None = None
    changed_at: datetime | None = None
    """The last edit of anything, a tag included: never an age, only a bound of one."""

    @property
    def region(self) -> str:
        """Where it lies."""
        return self.arn.split(":")[3] if self.arn.count(":") >= 3 else ""

    @property
    def owner(self) -> str | None:
        """Who answers for it, by its tag."""
        return " ".join(self.tags.get(OWNER_TAG, "").split()) or None

    def carries(self, key: str, value: str) -> bool:
        """Whether it has exactly this tag: AWS's filters match prefixes, so the exact pair is checked here."""
        return self.tags.get(key) == value


def listed(entry: Mapping[str, Any]) -> ListedSecret:
    """The secret that this entry is about. Its dates are datetimes, as boto3 gives them."""
    current = pending = previous = None
    for version, labels in (entry.get("SecretVersionsToStages") or {}).items():
        if CURRENT in labels:
            current = version
        elif PENDING in labels:
            pending = version
        if PREVIOUS in labels:
            previous = version
    return ListedSecret(
        name=entry["Name"],
        arn=entry["ARN"],
        tags={tag["Key"]: tag.get("Value", "") for tag in entry.get("Tags") or ()},
        current_version_id=current,
        pending_version_id=pending,
        previous_version_id=previous,
        primary_region=entry.get("PrimaryRegion"),
        owning_service=entry.get("OwningService"),
        type=entry.get("Type"),
        rotation_enabled=bool(entry.get("RotationEnabled")),
        rotation_configured=bool(entry.get("RotationLambdaARN") or entry.get("RotationRules")),
        last_rotated_at=to_the_second(entry.get("LastRotatedDate")),
        next_rotation_at=to_the_second(entry.get("NextRotationDate")),
        deleted_at=to_the_second(entry.get("DeletedDate")),
        created_at=to_the_second(entry.get("CreatedDate")),
        changed_at=to_the_second(entry.get("LastChangedDate")),
    )


def to_the_second(moment: datetime | None) -> datetime | None:
    """In UTC, without the fraction: ages are exact to the second."""
    return None if moment is None else moment.astimezone(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class VersionDates:
    """When the versions of a secret that matter were made, or why that is not known."""

    value_created_at: datetime | None
    """The version that holds AWSCURRENT: the age of the value counts from here."""
    is_first: bool = False
    """Whether no version came before it."""
    pending_since: datetime | None = None
    """The version that holds AWSPENDING and not AWSCURRENT."""
    problem: str = ""
    """Why the first is not known, in a sentence."""
    basis: str = ""
    """What the first rests on where it is not the version's own date, in a sentence."""
    latest: datetime | None = None
    """Where it is only known between two dates: the later one, the first being the earlier one."""


def dated(secret: ListedSecret, created: Mapping[str, datetime]) -> VersionDates:
    """The dates out of ListSecretVersionIds, version id -> date of creation.

    (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecretVersionIds.html)
    """
    current = secret.current_version_id
    if current is None:
        return without_current()
    if current not in created:
        return VersionDates(None, problem=f"Version {current}, which holds AWSCURRENT, is not in the list of versions.")
    value = created[current].astimezone(UTC)
    older = any(date < value for version, date in created.items() if version != current)
    return VersionDates(
        to_the_second(value),
        is_first=_is_first(secret) and not older,
        pending_since=to_the_second(created.get(secret.pending_version_id or "")),
    )


def unreadable(code: str) -> str | None:
    """Why a secret's versions cannot be listed, by AWS's error code; None where that is no matter of the secret."""
    if code in DENIED:
        return "The secret's versions may not be listed: access denied."
    if code in THROTTLED:
        return "The secret's versions could not be listed: throttled to the end."
    return "The secret was gone when its versions were listed." if code == "ResourceNotFoundException" else None


def without_current() -> VersionDates:
    """What is known of a secret without a value in use."""
    return VersionDates(None, problem="No version holds AWSCURRENT.")


def estimated(secret: ListedSecret) -> VersionDates:
    """What the entry alone says of the dates, where the versions are not to be had: the oldest that they can be.

    A value is not older than its secret, nor than the last rotation that AWS completed (but for the minutes that one
    takes, and labels that were moved back by hand); it is not younger than the last edit. In between somebody may have
    changed it by hand. A rotation that is under way has been so at least since the last edit.
    """
    if secret.current_version_id is None:
        return without_current()
    pending = secret.changed_at if secret.pending_version_id else None
    if secret.last_rotated_at is not None:
        basis = "It rests on LastRotatedDate and LastChangedDate, for want of the version's own date."
        return VersionDates(secret.last_rotated_at, pending_since=pending, basis=basis, latest=secret.changed_at)
    if secret.created_at is None:
        return VersionDates(None, problem="Neither the date of the version nor that of the secret is known.")
    if _is_first(secret):
        basis = "It rests on CreatedDate, for want of the version's own date."
        return VersionDates(secret.created_at, is_first=True, pending_since=pending, basis=basis)
    basis = "It rests on CreatedDate and LastChangedDate, for want of the version's own date."
    return VersionDates(secret.created_at, pending_since=pending, basis=basis, latest=secret.changed_at)


def _is_first(secret: ListedSecret) -> bool:
    return secret.last_rotated_at is None and secret.previous_version_id in (None, secret.current_version_id)
