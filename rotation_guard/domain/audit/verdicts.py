"""What the audit says of one secret: one verdict, the first in a table that holds."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from ..ownership import describe_owner, is_replica, is_rotated_by_owner
from ..secret import LONGEST_PERIOD, ListedSecret, VersionDates, may_have_replaced_others
from .age_limits import AgeClass, Limit, find_limit
from .exemptions import Exemption, read_exemption

OK, NEEDS_ROTATION, UNKNOWN = "ok", "needs_rotation", "unknown"
_SKIPPED_PERIODS = 4
"""Periods after which a value that its owner should rotate is not on schedule, whatever date AWS names for the next
rotation: a schedule may have been changed since, but not that much."""


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """What is too old, and what is too late."""

    max_age_days: int = 30
    warn_days: int = 7
    """Days before the limit from which on a value is due soon."""
    stuck_hours: int = 24
    """Hours that a rotation may be under way."""
    missed_hours: int = 24
    """Hours that a rotation may be late."""
    classes: tuple[AgeClass, ...] = ()
    """Limits of their own; the first that takes a secret in holds."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the audit says of one secret."""

    secret: ListedSecret
    dates: VersionDates
    verdict: str
    status: str
    """`ok`, `needs_rotation`, or `unknown`, which is never counted as ok."""
    reason: str
    """Why, in a sentence or more."""
    attention: bool
    """Whether someone should look."""
    age_days: int | None
    """Whole days since the value in use was made."""
    limit_days: int
    without_exemption: str
    """The verdict, or what it would be without an exemption that does not hold."""

    @property
    def due_at(self) -> datetime | None:
        """When the value reaches its limit."""
        made = self.dates.value_created_at
        return None if made is None else made + timedelta(days=self.limit_days)


@dataclass(frozen=True, slots=True)
class Case:
    """One secret with all that a verdict may rest on."""

    secret: ListedSecret
    dates: VersionDates
    settings: AuditSettings
    now: datetime
    limit: Limit
    exemption: Exemption | None
    age: timedelta | None
    overdue: bool
    uncertain: bool
    """Whether the value may be over the limit or within it: of its date only bounds are known, one on either side."""

    @property
    def next_rotation_at(self) -> datetime | None:
        """When AWS says that it will rotate it; None where it does not, or names a date that no schedule has."""
        due = self.secret.next_rotation_at
        return None if due is None or due - self.now > LONGEST_PERIOD else due

    def of_age(self, more: str = "") -> str:
        """The age of the value and its limit, as a sentence."""
        limit = f"{self.limit.days}{f' by {self.limit.source}' if self.limit.source else ''}"
        if self.age is None:
            said = self.dates.problem or "The date of the value in use is not known."
        elif self.uncertain:
            said = f"The value in use may be older than the limit of {limit}, or not."
        elif self.overdue:
            said = f"The value in use is {self._age()} old; the limit is {limit}."
        else:
            said = f"The value in use is {self._age()} old, within the limit of {limit}."
        owner = "" if is_rotated_by_owner(self.secret) else describe_owner(self.secret)
        return " ".join(part for part in (more, owner, said, self.dates.basis) if part)

    def _age(self) -> str:
        if self.age is None:
            raise AssertionError("an age that is not known is not told")
        beyond = self.age - timedelta(days=self.age.days)
        # "30 days old; the limit is 30" would be a riddle.
        exact = f" and {beyond}" if self.overdue and self.age.days == self.limit.days else ""
        return f"{self.age.days} day{'' if self.age.days == 1 else 's'}{exact}"


def judge(secret: ListedSecret, dates: VersionDates, settings: AuditSettings, now: datetime) -> Finding:
    """The finding for one secret: every secret gets one. An age equal to the limit is still within it.

    Age is that of the value in use. The date of the last change would not do: any edit moves it, a tag included.
    """
    case = _case(secret, dates, settings, now)
    verdict, reason, status, attention = _first(case, VERDICTS)
    if case.limit.problem and verdict not in _LIMIT_IS_NO_MATTER:
        reason, attention = f"{reason} {case.limit.problem}", True
    age_days = None if case.age is None or case.age < timedelta(0) else case.age.days
    without_exemption = _first(case, _WITHOUT_EXEMPTION)[0] if verdict == "exemption_invalid" else verdict
    return Finding(secret, dates, verdict, status, reason, attention, age_days, case.limit.days, without_exemption)


def _case(secret: ListedSecret, dates: VersionDates, settings: AuditSettings, now: datetime) -> Case:
    now = now.replace(microsecond=0)
    limit = find_limit(secret, settings.max_age_days, settings.classes)
    age = None if dates.value_created_at is None else now - dates.value_created_at
    allowed = timedelta(days=limit.days)
    overdue = age is not None and age > allowed
    uncertain = overdue and dates.latest is not None and now - dates.latest <= allowed
    return Case(secret, dates, settings, now, limit, read_exemption(secret, now), age, overdue, uncertain)


def _first(case: Case, table: tuple["Verdict", ...]) -> tuple[str, str, str, bool]:
    for verdict in table:
        reason = verdict.holds(case)
        if reason is not None:
            return verdict.name, reason, verdict.status(case), verdict.attention
    raise AssertionError("the last verdict always holds")


# --- when each verdict holds: its reason, or None --------------------------------------------------------------------


def _pending_deletion(case: Case) -> str | None:
    deleted = case.secret.deleted_at
    return None if deleted is None else f"It is deleted, and gone for good some time after {deleted:%Y-%m-%d}."


def _replica(case: Case) -> str | None:
    if not is_replica(case.secret) or case.age is None or case.age < timedelta(0) or case.overdue:
        return None
    return case.of_age(f"It is a replica, and judged in {case.secret.primary_region}, where its primary is.")


def _old_replica(case: Case) -> str | None:
    # An exemption holds here as well: its tags are those of the primary. One that does not is told where that is.
    if not is_replica(case.secret) or not case.overdue or (case.exemption and not case.exemption.problem):
        return None
    primary = case.secret.primary_region
    return case.of_age(f"It is a replica of a secret in {primary}; a replication that failed leaves it an old value.")


def _unknown(case: Case) -> str | None:
    if case.age is None:
        if _is_known_to_be_stuck(case):
            return None
        replica = f"It is a replica of a secret in {case.secret.primary_region}." if is_replica(case.secret) else ""
        return " ".join(part for part in (replica, case.of_age()) if part)
    if case.age < timedelta(0):
        return "The value in use has a date in the future."
    return None


def _is_known_to_be_stuck(case: Case) -> bool:
    """Whether a rotation is stuck though AWS did not tell the dates: no exemption covers what cannot be read."""
    return bool(case.dates.refused) and not case.exemption and not is_replica(case.secret) and _is_stuck(case)


def _exempt(case: Case) -> str | None:
    exemption = case.exemption
    if exemption is None or exemption.problem:
        return None
    return f"Exempt until {exemption.until} by {exemption.owner}: {exemption.reason}"


def _exemption_invalid(case: Case) -> str | None:
    if case.exemption is None:
        return None
    name, reason, _, _ = _first(case, _WITHOUT_EXEMPTION)
    return f"{case.exemption.problem} Without it: {name}. {reason}"


def _is_stuck(case: Case) -> bool:
    since = case.dates.pending_since
    return since is not None and case.now - since > timedelta(hours=case.settings.stuck_hours)


def _rotation_failing(case: Case) -> str | None:
    if not _is_stuck(case):
        return None
    return case.of_age(describe_stuck(case.secret, case.dates))


def describe_stuck(secret: ListedSecret, dates: VersionDates) -> str:
    """Which rotation is under way and since when, in a sentence that is the same whenever it is asked for."""
    since = "" if dates.pending_since is None else f" since {_moment(dates.pending_since)}"
    return f"A rotation is stuck{since}: version {secret.pending_version_id} holds AWSPENDING."


def _rotation_missed(case: Case) -> str | None:
    secret, due, late = case.secret, case.next_rotation_at, timedelta(hours=case.settings.missed_hours)
    if not secret.rotation_enabled:
        return None
    if due is not None and case.now - due > late:
        return case.of_age(f"AWS should have rotated it by {_moment(due)}.")
    # A secret of the account's own has its limit as well; for one that its owner rotates, the schedule is all there is.
    if not is_rotated_by_owner(secret) or case.age is None or case.uncertain:
        return None
    period = secret.rotation_period
    if period is None:
        # Without a date for the next rotation either, the limit holds.
        is_late = due is not None and case.age - late > secret.longest_gap
        return (
            case.of_age(f"{describe_owner(secret)} No schedule of its kind leaves a value so old.") if is_late else None
        )
    if case.age - late <= (period if due is None else _SKIPPED_PERIODS * period):
        return None
    return case.of_age(f"{describe_owner(secret)} Its schedule rotates it every {_in_words(period)}.")


def _managed_elsewhere(case: Case) -> str | None:
    if not is_rotated_by_owner(case.secret):
        return None
    due, period = case.next_rotation_at, case.secret.rotation_period
    if due is None and (case.uncertain or (case.overdue and period is None)):
        # Nothing says that it is on schedule, so it is judged by its limit like any other.
        return None
    by = "" if due is None else f" The next rotation is due by {_moment(due)}."
    return case.of_age(f"{describe_owner(case.secret)}{by}")


def _perhaps_stuck(case: Case) -> str | None:
    # Without the version's own date only the last edit bounds it, and a tag that is edited every day is edited.
    if case.secret.pending_version_id is None or not case.dates.basis:
        return None
    return case.of_age("A rotation is under way; whether it is stuck is not known.")


def _perhaps_overdue(case: Case) -> str | None:
    return case.of_age() if case.uncertain else None


def _never_rotated(case: Case) -> str | None:
    if not case.overdue or not case.dates.is_first or case.secret.last_rotated_at is not None:
        return None
    return case.of_age("It has its first value, and was never rotated.")


def _overdue(case: Case) -> str | None:
    return case.of_age() if case.overdue else None


def _rotation_disabled(case: Case) -> str | None:
    secret, dates = case.secret, case.dates
    if secret.rotation_enabled:
        return None
    if secret.last_rotated_at is not None or (secret.rotation_configured and not dates.is_first):
        return case.of_age("AWS rotated it before, and rotation is off now.")
    if secret.rotation_configured and dates.basis and may_have_replaced_others(secret):
        return case.of_age("Rotation was set up, and is off now; whether AWS ever rotated it is not known.")
    return None


def _due_soon(case: Case) -> str | None:
    if case.age is None or timedelta(days=case.limit.days) - case.age > timedelta(days=case.settings.warn_days):
        return None
    return case.of_age()


def _in_grace(case: Case) -> str | None:
    if not case.dates.is_first or case.secret.last_rotated_at is not None:
        return None
    return case.of_age("It has its first value, and no rotation yet.")


def _manual_only(case: Case) -> str | None:
    if case.secret.rotation_enabled:
        return None
    return case.of_age("It is changed by hand, and rotation was never set up.")


def _fresh(case: Case) -> str | None:
    return case.of_age()


class Verdict(NamedTuple):
    """One row of the table."""

    name: str
    holds: Callable[[Case], str | None]
    """The reason where it holds."""
    status: Callable[[Case], str]
    attention: bool


def _ok(_: Case) -> str:
    return OK


def _not_known(_: Case) -> str:
    return UNKNOWN


def _ok_if_certain(case: Case) -> str:
    return UNKNOWN if case.uncertain else OK


def _by_age(case: Case) -> str:
    if case.uncertain or case.age is None:
        return UNKNOWN
    return NEEDS_ROTATION if case.overdue else OK


def _as_without_exemption(case: Case) -> str:
    return _first(case, _WITHOUT_EXEMPTION)[2]


_BEFORE_EXEMPTIONS = (
    Verdict("pending_deletion", _pending_deletion, _ok, False),
    Verdict("replica", _replica, _ok, False),
    # It is not rotated here, so that is not what it needs: somebody has to look at the replication.
    Verdict("replica", _old_replica, _ok_if_certain, True),
    Verdict("unknown", _unknown, _not_known, True),
)
_WITHOUT_EXEMPTION = (
    Verdict("rotation_failing", _rotation_failing, _by_age, True),
    Verdict("rotation_missed", _rotation_missed, _by_age, True),
    Verdict("unknown", _perhaps_stuck, _not_known, True),
    # Before those that go by age: the service that manages a secret rotates it when it sees fit.
    Verdict("managed_elsewhere", _managed_elsewhere, _ok, False),
    # Not above: what is exempt or managed elsewhere is so at any age.
    Verdict("unknown", _perhaps_overdue, _not_known, True),
    Verdict("never_rotated", _never_rotated, _by_age, True),
    Verdict("overdue", _overdue, _by_age, True),
    Verdict("rotation_disabled", _rotation_disabled, _ok, True),
    Verdict("due_soon", _due_soon, _ok, False),
    Verdict("in_grace", _in_grace, _ok, False),
    Verdict("manual_only", _manual_only, _ok, False),
    Verdict("fresh", _fresh, _ok, False),
)
VERDICTS = (
    *_BEFORE_EXEMPTIONS,
    Verdict("exempt", _exempt, _ok, False),
    Verdict("exemption_invalid", _exemption_invalid, _as_without_exemption, True),
    *_WITHOUT_EXEMPTION,
)
"""Every verdict, in the order in which they are tried: the first that holds is it."""
NAMES = tuple(dict.fromkeys(verdict.name for verdict in VERDICTS))
_LIMIT_IS_NO_MATTER = frozenset({"pending_deletion", "replica", "exempt"})
"""Verdicts in which no limit plays a part, a malformed one neither."""


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _in_words(period: timedelta) -> str:
    rest = period % timedelta(days=1)
    count, unit = (period // timedelta(hours=1), "hour") if rest else (period.days, "day")
    return f"{count} {unit}{'' if count == 1 else 's'}"
