"""A secret as ListSecrets describes it, and the dates of its versions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from .tags import OWNER_TAG

DATE_FIELDS = (
    "CreatedDate",
    "DeletedDate",
    "LastAccessedDate",
    "LastChangedDate",
    "LastRotatedDate",
    "NextRotationDate",
)
"""The dates in an entry of ListSecrets. Whatever reads such an entry without boto3 converts exactly these; a test
compares them with botocore's model."""
CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
DENIED = ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation")
THROTTLED = ("ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded")
"""Error codes of AWS for missing permissions, and for throttling."""
LAUNCHED_AT = datetime(2018, 4, 4, tzinfo=UTC)
"""Launch of Secrets Manager (https://aws.amazon.com/about-aws/whats-new/2018/04/introducing-aws-secrets-manager/). An
earlier date of a secret is a placeholder for none, such as year 1 of .NET or Unix time 0."""
_LAST_PLACEHOLDER = datetime(2006, 3, 14, tzinfo=UTC)
"""Launch of AWS. An earlier date of a version is a placeholder for none. One between the two launches still says that
the value is old, which is safer than no date."""
_NEVER = 9999
"""The last year of .NET and others, which stands for never."""
_FIRST_VALUE_WITHIN = timedelta(days=30)
"""Maximum time between the creation of a secret and of its first value. A later version replaced others, even if it is
the only one listed: AWS does not list versions without labels."""
_RATE = re.compile(r"rate\(([0-9]{1,5}) (hour|day)s?\)")
_EVERY_MONTH = re.compile(r"cron\(\S+ \S+ \S+ \* \S+ \S+\)")
LONGEST_PERIOD = timedelta(days=1000)
"""Maximum rotation period
(https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotationRulesType.html)."""
_LONGEST_GAP_OF_EVERY_MONTH = timedelta(days=124)
"""Four months: a fifth Monday, which not every month has, may be that long after the previous one."""


@dataclass(frozen=True, slots=True)
class ListedSecret:
    """One entry of ListSecrets. Dates are in UTC, to the second.

    (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_SecretListEntry.html)
    """

    name: str
    arn: str
    tags: Mapping[str, str]
    current_version_id: str | None = None
    """The version that holds AWSCURRENT."""
    pending_version_id: str | None = None
    """The version that holds AWSPENDING and not AWSCURRENT."""
    previous_version_id: str | None = None
    """The version that holds AWSPREVIOUS."""
    primary_region: str | None = None
    owning_service: str | None = None
    type: str | None = None
    """The type of a managed external secret, such as `SalesforceClientSecret`."""
    rotation_enabled: bool = False
    rotation_configured: bool = False
    """Whether rotation is or was configured: its function and rules stay when it is turned off."""
    rotation_period: timedelta | None = None
    """Time between two scheduled rotations; None for a cron expression or without a schedule."""
    longest_gap: timedelta = LONGEST_PERIOD
    """Maximum time between two rotations if the period is unknown: four months for a cron expression that runs every
    month, else the maximum that AWS allows."""
    last_rotated_at: datetime | None = None
    """When AWS last completed a rotation. Manual changes do not count; with rotation off AWS may omit it."""
    next_rotation_at: datetime | None = None
    deleted_at: datetime | None = None
    created_at: datetime | None = None
    changed_at: datetime | None = None
    """The last edit of anything, including tags: no age, but a lower bound of one."""

    @property
    def region(self) -> str:
        """The Region in its ARN."""
        return self.arn.split(":")[3] if self.arn.count(":") >= 3 else ""

    @property
    def owner(self) -> str | None:
        """The owner in its tag."""
        return " ".join(self.tags.get(OWNER_TAG, "").split()) or None

    def carries(self, key: str, value: str) -> bool:
        """Whether it has exactly this tag; ListSecrets' own filters match prefixes."""
        return self.tags.get(key) == value


def parse_secret(entry: Mapping[str, Any]) -> ListedSecret:
    """The secret that an entry of ListSecrets describes, with datetimes as boto3 returns them."""
    current = pending = previous = None
    for version, labels in (entry.get("SecretVersionsToStages") or {}).items():
        if CURRENT in labels:
            current = version
        elif PENDING in labels:
            pending = version
        if PREVIOUS in labels:
            previous = version
    rules = entry.get("RotationRules") or {}
    is_requested = _requests_rotation(rules)
    # A date that DATE_FIELDS lacks is a KeyError here, not a number that fails in production alone.
    dates = {field: read_date(entry.get(field)) for field in DATE_FIELDS}
    return ListedSecret(
        name=entry["Name"],
        arn=entry["ARN"],
        tags={tag["Key"]: tag.get("Value") or "" for tag in entry.get("Tags") or ()},
        current_version_id=current,
        pending_version_id=pending,
        previous_version_id=previous,
        primary_region=entry.get("PrimaryRegion") or None,
        owning_service=entry.get("OwningService") or None,
        type=entry.get("Type") or None,
        rotation_enabled=bool(entry.get("RotationEnabled")) and is_requested is not False,
        rotation_configured=bool(entry.get("RotationLambdaARN") or is_requested),
        rotation_period=_read_period(rules),
        longest_gap=_read_longest_gap(rules),
        last_rotated_at=dates["LastRotatedDate"],
        next_rotation_at=dates["NextRotationDate"],
        deleted_at=dates["DeletedDate"],
        created_at=dates["CreatedDate"],
        changed_at=dates["LastChangedDate"],
    )


def read_date(date: datetime | None, earliest: datetime = LAUNCHED_AT) -> datetime | None:
    """A date of a secret in UTC, without fractions of a second; None for a placeholder."""
    # The year first: the first hours of year 1 and the last of 9999 cannot be converted to UTC from every time zone.
    if date is None or not earliest.year - 1 <= date.year < _NEVER:
        return None
    date = date.astimezone(UTC).replace(microsecond=0)
    return date if date >= earliest else None


def read_version_date(date: datetime | None) -> datetime | None:
    """A date of a version in UTC, without fractions of a second; None for a placeholder."""
    return read_date(date, _LAST_PLACEHOLDER)


def _requests_rotation(rules: Mapping[str, Any]) -> bool | None:
    """Whether these rules request a rotation; None without rules. Some SDKs write 0 days for none."""
    given = {name: value for name, value in rules.items() if value not in (None, "")}
    days, expression = given.get("AutomaticallyAfterDays", True), given.get("ScheduleExpression")
    return (_read_period(rules) != timedelta(0) if expression else bool(days)) if given else None


def _read_period(rules: Mapping[str, Any]) -> timedelta | None:
    days = rules.get("AutomaticallyAfterDays")
    if days:
        return timedelta(days=int(days))
    match = _RATE.fullmatch(str(rules.get("ScheduleExpression") or ""))
    return None if match is None else int(match[1]) * timedelta(**{f"{match[2]}s": 1})


def _read_longest_gap(rules: Mapping[str, Any]) -> timedelta:
    is_every_month = _EVERY_MONTH.fullmatch(str(rules.get("ScheduleExpression") or ""))
    return _LONGEST_GAP_OF_EVERY_MONTH if is_every_month else LONGEST_PERIOD


@dataclass(frozen=True, slots=True)
class VersionDates:
    """Creation dates of a secret's current and pending version, or why they are unknown."""

    value_created_at: datetime | None
    """The version that holds AWSCURRENT; the age of the value is measured from here."""
    is_first: bool = False
    """Whether it is the secret's first version."""
    pending_since: datetime | None = None
    """The version that holds AWSPENDING and not AWSCURRENT."""
    problem: str = ""
    """Why `value_created_at` is None, in a sentence."""
    basis: str = ""
    """What `value_created_at` is based on if it is not the version's own date, in a sentence."""
    latest: datetime | None = None
    """If only a range is known: its end; `value_created_at` is its beginning."""
    refused: str = ""
    """Why AWS did not list the versions, if other secrets may be affected too: `access denied`, `throttled` or
    `no answer`."""


def date_versions(secret: ListedSecret, created: Mapping[str, datetime]) -> VersionDates:
    """The dates from ListSecretVersionIds: version id -> creation date.

    (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecretVersionIds.html)
    """
    current = secret.current_version_id
    if current is None:
        return no_current_version()
    if current not in created:
        return VersionDates(None, problem=f"Version {current}, which holds AWSCURRENT, is not in the list of versions.")
    value_created_at = read_version_date(created[current])
    if value_created_at is None:
        return VersionDates(None, problem=f"Version {current}, which holds AWSCURRENT, has no date.")
    has_older_version = any(
        date < created[current] for version, date in created.items() if version != current and read_version_date(date)
    )
    return VersionDates(
        value_created_at,
        is_first=_is_first(secret) and not has_older_version and not has_replaced_others(secret, value_created_at),
        pending_since=read_version_date(created.get(secret.pending_version_id or "")),
    )


def explain_refusal(code: str) -> str | None:
    """Why AWS did not list a secret's versions, from its error code; None for an unrelated error."""
    if code in DENIED:
        return "The secret's versions could not be listed: access denied."
    if code in THROTTLED:
        return "The secret's versions could not be listed: throttled."
    return "The secret was deleted before its versions were listed." if code == "ResourceNotFoundException" else None


def refused_dates(code: str) -> VersionDates | None:
    """The unknown dates after AWS refused to list a secret's versions with this code; None for an unrelated error."""
    problem = explain_refusal(code)
    refused = "access denied" if code in DENIED else "throttled" if code in THROTTLED else ""
    return None if problem is None else VersionDates(None, problem=problem, refused=refused)


def unanswered_dates(error: str) -> VersionDates:
    """The unknown dates after AWS did not respond, with the name of the error."""
    problem = f"The secret's versions could not be listed: AWS did not respond ({error})."
    return VersionDates(None, problem=problem, refused="no answer")


def no_current_version() -> VersionDates:
    """The unknown dates of a secret without a value in use."""
    return VersionDates(None, problem="No version holds AWSCURRENT.")


def estimate_dates(secret: ListedSecret) -> VersionDates:
    """The dates estimated from the entry alone, if the versions are unavailable: the earliest possible ones.

    A value is not older than its secret, nor than the last completed rotation (apart from the minutes that one takes,
    and labels moved back manually), and not younger than the last edit. It may have been changed manually in between.
    A rotation in progress began no later than the last edit.
    """
    if secret.current_version_id is None:
        return no_current_version()
    pending = secret.changed_at if secret.pending_version_id else None
    if secret.last_rotated_at is not None:
        basis = "Based on LastRotatedDate and LastChangedDate; the version's own date is unknown."
        return VersionDates(secret.last_rotated_at, pending_since=pending, basis=basis, latest=secret.changed_at)
    if secret.created_at is None:
        return VersionDates(None, problem="The creation dates of the version and of the secret are unknown.")
    if _is_first(secret):
        basis = "Based on CreatedDate; the version's own date is unknown."
        return VersionDates(secret.created_at, is_first=True, pending_since=pending, basis=basis)
    basis = "Based on CreatedDate and LastChangedDate; the version's own date is unknown."
    return VersionDates(secret.created_at, pending_since=pending, basis=basis, latest=secret.changed_at)


def has_replaced_others(secret: ListedSecret, value_created_at: datetime) -> bool:
    """Whether the value in use is too young to be the secret's first, even if no other version is listed."""
    return secret.created_at is not None and value_created_at - secret.created_at > _FIRST_VALUE_WITHIN


def may_have_replaced_others(secret: ListedSecret) -> bool:
    """Whether a version of unknown date may be too young to be the secret's first."""
    if secret.created_at is None or secret.changed_at is None:
        return True
    return secret.changed_at - secret.created_at > _FIRST_VALUE_WITHIN


def _is_first(secret: ListedSecret) -> bool:
    return secret.last_rotated_at is None and secret.previous_version_id in (None, secret.current_version_id)
