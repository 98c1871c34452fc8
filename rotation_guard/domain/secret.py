"""A secret as the list of all secrets shows it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

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
"""AWS's codes for a caller who may not, and for one who asks too much."""
OWNER_TAG = "rotation-guard:owner"
LAUNCHED_AT = datetime(2018, 4, 4, tzinfo=UTC)
"""When Secrets Manager began (https://aws.amazon.com/about-aws/whats-new/2018/04/introducing-aws-secrets-manager/): an
earlier date is how some SDKs write that there is none, such as the year 1 of .NET or the 0 of 1970."""
_SENTINELS_UNTIL = datetime(2006, 3, 14, tzinfo=UTC)
"""When AWS began. A version's date is absent only before this: one between the two is as good as any to say that the
value is old, and what is absent says nothing."""
_NEVER = 9999
"""The year in which .NET and others end: a date in it says never."""
_FIRST_VALUE_WITHIN = timedelta(days=30)
"""How long after the secret its first value may have been put. A single listed version that is younger has replaced
others, which AWS no longer lists once they have no label."""
_RATE = re.compile(r"rate\(([0-9]{1,5}) (hour|day)s?\)")
_EVERY_MONTH = re.compile(r"cron\(\S+ \S+ \S+ \* \S+ \S+\)")
LONGEST_PERIOD = timedelta(days=1000)
"""The most that AWS takes as a rotation period
(https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotationRulesType.html)."""
_LONGEST_GAP_OF_EVERY_MONTH = timedelta(days=124)
"""Four months: the fifth Monday, which not every month has, may be further apart than the 31st."""


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
    rotation_period: timedelta | None = None
    """How far apart its rules put two rotations; None where they do not say, as in a cron expression."""
    longest_gap: timedelta = LONGEST_PERIOD
    """The most that can be between two rotations where the period is not known: that of every month of a cron
    expression, else what AWS takes at all."""
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


def parse_secret(entry: Mapping[str, Any]) -> ListedSecret:
    """The secret that this entry is about. Its dates are datetimes, as boto3 gives them."""
    current = pending = previous = None
    for version, labels in (entry.get("SecretVersionsToStages") or {}).items():
        if CURRENT in labels:
            current = version
        elif PENDING in labels:
            pending = version
        if PREVIOUS in labels:
            previous = version
    rules = entry.get("RotationRules") or {}
    rotates = _ask_for_rotation(rules)
    # A date that DATE_FIELDS lacks is a KeyError here, not a number that fails in production alone.
    dates = {field: read_date(entry.get(field)) for field in DATE_FIELDS}
    return ListedSecret(
        name=entry["Name"],
        arn=entry["ARN"],
        tags={tag["Key"]: tag.get("Value", "") for tag in entry.get("Tags") or ()},
        current_version_id=current,
        pending_version_id=pending,
        previous_version_id=previous,
        primary_region=entry.get("PrimaryRegion") or None,
        owning_service=entry.get("OwningService") or None,
        type=entry.get("Type") or None,
        rotation_enabled=bool(entry.get("RotationEnabled")) and rotates is not False,
        rotation_configured=bool(entry.get("RotationLambdaARN") or rotates),
        rotation_period=_read_period(rules),
        longest_gap=_read_longest_gap(rules),
        last_rotated_at=dates["LastRotatedDate"],
        next_rotation_at=dates["NextRotationDate"],
        deleted_at=dates["DeletedDate"],
        created_at=dates["CreatedDate"],
        changed_at=dates["LastChangedDate"],
    )


def read_date(moment: datetime | None, earliest: datetime = LAUNCHED_AT) -> datetime | None:
    """In UTC, without the fraction, as ages are exact to the second; None for a date that stands for none."""
    # By the year first: the first hours of year 1 and the last of 9999 cannot be brought to UTC from every time zone.
    if moment is None or not earliest.year - 1 <= moment.year < _NEVER:
        return None
    moment = moment.astimezone(UTC).replace(microsecond=0)
    return moment if moment >= earliest else None


def read_version_date(moment: datetime | None) -> datetime | None:
    """The same of a version."""
    return read_date(moment, _SENTINELS_UNTIL)


def _ask_for_rotation(rules: Mapping[str, Any]) -> bool | None:
    """Whether these rules ask for a rotation; None where there are none. 0 days are how some SDKs write that."""
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
    refused: str = ""
    """Why AWS did not answer for the versions, where that may be no matter of this secret alone: `access denied`,
    `throttled` or `no answer`."""


def date_versions(secret: ListedSecret, created: Mapping[str, datetime]) -> VersionDates:
    """The dates out of ListSecretVersionIds, version id -> date of creation.

    (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecretVersionIds.html)
    """
    current = secret.current_version_id
    if current is None:
        return without_current()
    if current not in created:
        return VersionDates(None, problem=f"Version {current}, which holds AWSCURRENT, is not in the list of versions.")
    value = read_version_date(created[current])
    if value is None:
        return VersionDates(None, problem=f"Version {current}, which holds AWSCURRENT, has no date.")
    older = any(
        date < created[current] for version, date in created.items() if version != current and read_version_date(date)
    )
    return VersionDates(
        value,
        is_first=_is_first(secret) and not older and not has_replaced_others(secret, value),
        pending_since=read_version_date(created.get(secret.pending_version_id or "")),
    )


def unreadable(code: str) -> str | None:
    """Why a secret's versions cannot be listed, by AWS's error code; None where that is no matter of the secret."""
    if code in DENIED:
        return "The secret's versions may not be listed: access denied."
    if code in THROTTLED:
        return "The secret's versions could not be listed: throttled to the end."
    return "The secret was gone when its versions were listed." if code == "ResourceNotFoundException" else None


def unreadable_dates(code: str) -> VersionDates | None:
    """What is known where AWS refused with this code to list a secret's versions; None where it is no refusal."""
    problem = unreadable(code)
    refused = "access denied" if code in DENIED else "throttled" if code in THROTTLED else ""
    return None if problem is None else VersionDates(None, problem=problem, refused=refused)


def unanswered_dates(trouble: str) -> VersionDates:
    """What is known where AWS could not be asked for a secret's versions, with the name of the trouble."""
    problem = f"The secret's versions could not be listed: AWS gave no answer ({trouble})."
    return VersionDates(None, problem=problem, refused="no answer")


def without_current() -> VersionDates:
    """What is known of a secret without a value in use."""
    return VersionDates(None, problem="No version holds AWSCURRENT.")


def estimate_dates(secret: ListedSecret) -> VersionDates:
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


def has_replaced_others(secret: ListedSecret, value_created_at: datetime) -> bool:
    """Whether the value in use is too much younger than its secret to be the first, whatever else is listed."""
    return secret.created_at is not None and value_created_at - secret.created_at > _FIRST_VALUE_WITHIN


def may_have_replaced_others(secret: ListedSecret) -> bool:
    """Whether a single listed version, of unknown date, may be too much younger than its secret to be the first."""
    if secret.created_at is None or secret.changed_at is None:
        return True
    return secret.changed_at - secret.created_at > _FIRST_VALUE_WITHIN


def _is_first(secret: ListedSecret) -> bool:
    return secret.last_rotated_at is None and secret.previous_version_id in (None, secret.current_version_id)
