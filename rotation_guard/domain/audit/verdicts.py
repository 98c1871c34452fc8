"""The verdict on a secret: the first row of a table whose condition holds."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from ..ownership import describe_owner, is_replica, is_rotated_by_owner
from ..secret import LONGEST_PERIOD, ListedSecret, VersionDates, may_have_replaced_others
from .age_limits import Limit, find_limit
from .audit_settings import AuditSettings
from .exemptions import Exemption, read_exemption

OK, NEEDS_ROTATION, UNKNOWN = "ok", "needs_rotation", "unknown"
_MAX_PERIODS = 4
"""Age, in rotation periods, above which a value that its owner rotates is late whatever NextRotationDate says: the
schedule may have changed since, but not by that much."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of the audit for one secret."""

    secret: ListedSecret
    dates: VersionDates
    verdict: str
    status: str
    """`ok`, `needs_rotation` or `unknown`."""
    reason: str
    """The reason for the verdict, in one or more sentences."""
    attention: bool
    """Whether the secret needs attention."""
    age_days: int | None
    """Age of the value in use in whole days."""
    limit_days: int
    without_exemption: str
    """The verdict that an invalid exemption hides; otherwise the verdict itself."""
    exemption: Exemption | None = None
    """The exemption that its tags ask for, valid or not."""

    @property
    def due_at(self) -> datetime | None:
        """When the value reaches its limit."""
        created_at = self.dates.value_created_at
        return None if created_at is None else created_at + timedelta(days=self.limit_days)


@dataclass(frozen=True, slots=True)
class Case:
    """One secret with everything that a verdict may depend on."""

    secret: ListedSecret
    dates: VersionDates
    settings: AuditSettings
    now: datetime
    limit: Limit
    exemption: Exemption | None
    age: timedelta | None
    is_over_limit: bool
    is_uncertain: bool
    """Whether the age is only known as a range that includes the limit."""

    @property
    def next_rotation_at(self) -> datetime | None:
        """When AWS plans to rotate it; None if AWS does not say, or gives a date that no schedule allows."""
        due = self.secret.next_rotation_at
        return None if due is None or due - self.now > LONGEST_PERIOD else due

    def explain(self, cause: str = "") -> str:
        """The reason: the cause of the verdict, the owner, the age and its limit, and what the age is based on."""
        limit = f"{self.limit.days}{f' ({self.limit.source})' if self.limit.source else ''}"
        if self.age is None:
            age = self.dates.problem or "The age of the value in use is unknown."
        elif self.is_uncertain:
            age = f"It is unknown whether the value in use is older than the limit of {limit}."
        elif self.is_over_limit:
            age = f"The value in use is {self._format_age(self.age)} old; the limit is {limit}."
        else:
            age = f"The value in use is {self._format_age(self.age)} old, within the limit of {limit}."
        owner = "" if is_rotated_by_owner(self.secret) else describe_owner(self.secret)
        return " ".join(sentence for sentence in (cause, owner, age, self.dates.basis) if sentence)

    def _format_age(self, age: timedelta) -> str:
        # Avoids "30 days old; the limit is 30".
        hours = f" and {age - timedelta(days=age.days)}" if self.is_over_limit and age.days == self.limit.days else ""
        return f"{age.days} day{'' if age.days == 1 else 's'}{hours}"


def judge(secret: ListedSecret, dates: VersionDates, settings: AuditSettings, now: datetime) -> Finding:
    """The finding for one secret. An age equal to the limit is within it.

    The age is that of the value in use, not of the last change: any edit counts as a change, even of a tag.
    """
    case = _gather_case(secret, dates, settings, now)
    verdict, reason, status, attention = _first_match(case, VERDICTS)
    if case.limit.problem and verdict not in _IGNORES_LIMIT:
        reason, attention = f"{reason} {case.limit.problem}", True
    age_days = None if case.age is None or case.age < timedelta(0) else case.age.days
    without_exemption = _first_match(case, _WITHOUT_EXEMPTION)[0] if verdict == "exemption_invalid" else verdict
    return Finding(
        secret, dates, verdict, status, reason, attention, age_days, case.limit.days, without_exemption, case.exemption
    )


def _gather_case(secret: ListedSecret, dates: VersionDates, settings: AuditSettings, now: datetime) -> Case:
    now = now.replace(microsecond=0)
    limit = find_limit(secret, settings.max_age_days, settings.classes)
    age = None if dates.value_created_at is None else now - dates.value_created_at
    max_age = timedelta(days=limit.days)
    is_over_limit = age is not None and age > max_age
    is_uncertain = is_over_limit and dates.latest is not None and now - dates.latest <= max_age
    return Case(secret, dates, settings, now, limit, read_exemption(secret, now), age, is_over_limit, is_uncertain)


def _first_match(case: Case, table: tuple["Verdict", ...]) -> tuple[str, str, str, bool]:
    for verdict in table:
        reason = verdict.holds(case)
        if reason is not None:
            return verdict.name, reason, verdict.status(case), verdict.attention
    raise AssertionError("the last verdict always holds")


# --- conditions: each returns the reason if its verdict holds; its docstring is the description in docs/audit.md -----


def _pending_deletion(case: Case) -> str | None:
    """It is scheduled for deletion."""
    deleted_at = case.secret.deleted_at
    return None if deleted_at is None else f"It is scheduled for deletion on {deleted_at:%Y-%m-%d}."


def _replica(case: Case) -> str | None:
    """Its primary is in another Region and is audited there; its own value is within the limit."""
    if not is_replica(case.secret) or case.age is None or case.age < timedelta(0) or case.is_over_limit:
        return None
    return case.explain(f"It is a replica; its primary is audited in {case.secret.primary_region}.")


def _outdated_replica(case: Case) -> str | None:
    """It is a replica with a value over the limit, and no valid exemption: replication may have failed."""
    # A replica has the tags of its primary, so an invalid exemption is reported there.
    if not is_replica(case.secret) or not case.is_over_limit or (case.exemption and not case.exemption.problem):
        return None
    primary = case.secret.primary_region
    return case.explain(f"It is a replica of a secret in {primary}; an old value may mean that replication failed.")


def _unknown(case: Case) -> str | None:
    """Its versions cannot be read, no version holds AWSCURRENT, or that version's date is in the future."""
    if case.age is None:
        if _is_stuck_with_unread_versions(case):
            return None
        replica = f"It is a replica of a secret in {case.secret.primary_region}." if is_replica(case.secret) else ""
        return " ".join(sentence for sentence in (replica, case.explain()) if sentence)
    if case.age < timedelta(0):
        return "The creation date of the value in use is in the future."
    return None


def _is_stuck_with_unread_versions(case: Case) -> bool:
    """Whether a rotation is stuck although AWS refused the dates; an exemption does not cover unreadable versions."""
    return bool(case.dates.refused) and not case.exemption and not is_replica(case.secret) and _is_stuck(case)


def _exempt(case: Case) -> str | None:
    """Its tags give a reason, an owner and an end date within a year."""
    exemption = case.exemption
    if exemption is None or exemption.problem:
        return None
    return f"Exempt until {exemption.until} by {exemption.owner}: {exemption.reason}"


def _exemption_invalid(case: Case) -> str | None:
    """Its exemption has ended, ends in more than a year, or lacks one of these; the reason names the other verdict."""
    if case.exemption is None:
        return None
    name, reason, _, _ = _first_match(case, _WITHOUT_EXEMPTION)
    return f"{case.exemption.problem} Without it: {name}. {reason}"


def _is_stuck(case: Case) -> bool:
    since = case.dates.pending_since
    return since is not None and case.now - since > timedelta(hours=case.settings.stuck_hours)


def _rotation_failing(case: Case) -> str | None:
    """AWSPENDING has been on a version without AWSCURRENT for more than `stuckHours`, by the version's date or, if AWS
    refuses it, since the audit first saw it."""
    if not _is_stuck(case):
        return None
    return case.explain(describe_stuck(case.secret, case.dates))


def describe_stuck(secret: ListedSecret, dates: VersionDates) -> str:
    """Which rotation is stuck and since when, in a sentence that does not depend on the current time."""
    if dates.pending_since is None:
        return f"A rotation is stuck: version {secret.pending_version_id} holds AWSPENDING."
    since = _format_minute(dates.pending_since)
    return f"A rotation has been stuck since {since}: version {secret.pending_version_id} holds AWSPENDING."


def _rotation_missed(case: Case) -> str | None:
    """Rotation is on and NextRotationDate passed more than `stuckHours` ago; or its owner rotates it, and its value is
    older than the schedule allows."""
    secret, due, grace = case.secret, case.next_rotation_at, timedelta(hours=case.settings.missed_hours)
    if not secret.rotation_enabled:
        return None
    if due is not None and case.now - due > grace:
        return case.explain(f"AWS should have rotated it by {_format_minute(due)}.")
    # Other secrets have their age limit; for one that its owner rotates, there is only the schedule.
    if not is_rotated_by_owner(secret) or case.age is None or case.is_uncertain:
        return None
    period = secret.rotation_period
    if period is None:
        # If there is no NextRotationDate either, the age limit applies.
        is_late = due is not None and case.age - grace > secret.longest_gap
        return case.explain(f"{describe_owner(secret)} No schedule allows a value this old.") if is_late else None
    if case.age - grace <= (period if due is None else _MAX_PERIODS * period):
        return None
    return case.explain(f"{describe_owner(secret)} Its schedule rotates it every {_format_period(period)}.")


def _managed_elsewhere(case: Case) -> str | None:
    """Its owner rotates it (see below), and it is on schedule."""
    if not is_rotated_by_owner(case.secret):
        return None
    due, period = case.next_rotation_at, case.secret.rotation_period
    if due is None and (case.is_uncertain or (case.is_over_limit and period is None)):
        # No schedule is known, so the age limit applies.
        return None
    next_rotation = "" if due is None else f" The next rotation is due by {_format_minute(due)}."
    return case.explain(f"{describe_owner(case.secret)}{next_rotation}")


def _possibly_stuck(case: Case) -> str | None:
    """A rotation is in progress and the date of its version is unknown."""
    # The last edit does not date the rotation: a tag may be edited every day.
    if case.secret.pending_version_id is None or not case.dates.basis:
        return None
    return case.explain("A rotation is in progress; it is unknown whether it is stuck.")


def _possibly_over_limit(case: Case) -> str | None:
    """The age is only known as a range that includes the limit."""
    return case.explain() if case.is_uncertain else None


def _never_rotated(case: Case) -> str | None:
    """It has its first value, which is over the limit."""
    if not case.is_over_limit or not case.dates.is_first or case.secret.last_rotated_at is not None:
        return None
    return case.explain("It has its first value and was never rotated.")


def _overdue(case: Case) -> str | None:
    """Its value is over the limit."""
    return case.explain() if case.is_over_limit else None


def _rotation_disabled(case: Case) -> str | None:
    """Within the limit; AWS rotated it before, or may have, and rotation is off."""
    secret, dates = case.secret, case.dates
    if secret.rotation_enabled:
        return None
    if secret.last_rotated_at is not None or (secret.rotation_configured and not dates.is_first):
        return case.explain("AWS rotated it before, but rotation is now off.")
    if secret.rotation_configured and dates.basis and may_have_replaced_others(secret):
        return case.explain("Rotation was configured and is now off; it is unknown whether AWS ever rotated it.")
    return None


def _due_soon(case: Case) -> str | None:
    """Within `warnDays` of the limit."""
    if case.age is None or timedelta(days=case.limit.days) - case.age > timedelta(days=case.settings.warn_days):
        return None
    return case.explain()


def _in_grace(case: Case) -> str | None:
    """It has its first value, within the limit, and has not been rotated yet."""
    if not case.dates.is_first or case.secret.last_rotated_at is not None:
        return None
    return case.explain("It has its first value and has not been rotated yet.")


def _manual_only(case: Case) -> str | None:
    """Within the limit; it is changed manually, and rotation was never configured."""
    if case.secret.rotation_enabled:
        return None
    return case.explain("It is changed manually; rotation was never configured.")


def _fresh(case: Case) -> str | None:
    """Rotation is on, and its value is within the limit."""
    return case.explain()


# --- statuses: each docstring is the status in docs/audit.md ---------------------------------------------------------


def _always_ok(_: Case) -> str:
    """ok"""
    return OK


def _always_unknown(_: Case) -> str:
    """unknown"""
    return UNKNOWN


def _ok_if_certain(case: Case) -> str:
    """ok; unknown if the age is uncertain"""
    return UNKNOWN if case.is_uncertain else OK


def _by_limit(case: Case) -> str:
    """ok within the limit, else needs_rotation; unknown if the age is unknown or uncertain"""
    if case.is_uncertain or case.age is None:
        return UNKNOWN
    return NEEDS_ROTATION if case.is_over_limit else OK


def _over_limit(_: Case) -> str:
    """needs_rotation"""
    return NEEDS_ROTATION


def _as_without_exemption(case: Case) -> str:
    """that of the other verdict"""
    return _first_match(case, _WITHOUT_EXEMPTION)[2]


class Verdict(NamedTuple):
    """One row of the table."""

    name: str
    holds: Callable[[Case], str | None]
    """Returns the reason if the verdict holds."""
    status: Callable[[Case], str]
    attention: bool


_BEFORE_EXEMPTIONS = (
    Verdict("pending_deletion", _pending_deletion, _always_ok, False),
    Verdict("replica", _replica, _always_ok, False),
    # It cannot be rotated here, so it never needs rotation; the replication needs attention.
    Verdict("replica", _outdated_replica, _ok_if_certain, True),
    Verdict("unknown", _unknown, _always_unknown, True),
)
_WITHOUT_EXEMPTION = (
    Verdict("rotation_failing", _rotation_failing, _by_limit, True),
    Verdict("rotation_missed", _rotation_missed, _by_limit, True),
    Verdict("unknown", _possibly_stuck, _always_unknown, True),
    # Before the verdicts that depend on age: the owner decides when to rotate.
    Verdict("managed_elsewhere", _managed_elsewhere, _always_ok, False),
    # After `exempt` and `managed_elsewhere`, which hold at any age.
    Verdict("unknown", _possibly_over_limit, _always_unknown, True),
    Verdict("never_rotated", _never_rotated, _over_limit, True),
    Verdict("overdue", _overdue, _over_limit, True),
    Verdict("rotation_disabled", _rotation_disabled, _always_ok, True),
    Verdict("due_soon", _due_soon, _always_ok, False),
    Verdict("in_grace", _in_grace, _always_ok, False),
    Verdict("manual_only", _manual_only, _always_ok, False),
    Verdict("fresh", _fresh, _always_ok, False),
)
VERDICTS = (
    *_BEFORE_EXEMPTIONS,
    Verdict("exempt", _exempt, _always_ok, False),
    Verdict("exemption_invalid", _exemption_invalid, _as_without_exemption, True),
    *_WITHOUT_EXEMPTION,
)
"""All verdicts in the order of evaluation: the first whose condition holds applies."""
VERDICT_NAMES = tuple(dict.fromkeys(verdict.name for verdict in VERDICTS))
_IGNORES_LIMIT = frozenset({"pending_deletion", "replica", "exempt"})
"""Verdicts that do not depend on the age limit, so a malformed limit tag does not matter."""


def _format_minute(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _format_period(period: timedelta) -> str:
    has_hours = period % timedelta(days=1)
    count, unit = (period // timedelta(hours=1), "hour") if has_hours else (period.days, "day")
    return f"{count} {unit}{'' if count == 1 else 's'}"
