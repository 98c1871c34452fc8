"""The rows that the audit writes for one secret: its current status, and a history row."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ..secret import ListedSecret, VersionDates, has_replaced_others, read_version_date
from ..timestamps import to_iso
from .reconciliation import ReconciledState
from .verdicts import Finding

Row = Mapping[str, Any]
_SIGNIFICANT_FIELDS = (
    "verdict",
    "status",
    "attention",
    "current_version_id",
    "value_created_at",
    "pending_version_id",
    "pending_since",
    "limit_days",
    "owner",
    "exempt_until",
    "exempt_reason",
    "accounted_version_id",
    "accounted_at",
    "heard_version_id",
    "heard_at",
    "told_stuck_version_id",
)
"""Attributes whose change makes a status worth writing; the time of the check is not among them."""
_AGE_FIELDS = ("age_days",)
"""Attributes that change once a day without any event."""
_HISTORY_FIELDS = (
    "secret_name",
    "secret_arn",
    "status",
    "verdict",
    "reason",
    "checked_at",
    "age_days",
    "limit_days",
    "current_version_id",
    "value_created_at",
    "owner",
    "exempt_until",
    "exempt_reason",
)
"""Attributes that a history row copies from the status."""


def belongs_to_other_secret(row: Row, secret: ListedSecret) -> bool:
    """Whether the row belongs to a deleted secret that had the same name.

    The ARN is the identity: it ends in six characters that differ for each secret of a name.
    """
    return row.get("secret_arn", secret.arn) != secret.arn


def find_previous_status(row: Row | None, secret: ListedSecret) -> Row:
    """The previous status of this very secret; empty if it is new, was gone, or another secret had its name."""
    return {} if row is None or "gone_since" in row or belongs_to_other_secret(row, secret) else row


def add_pending_since(dates: VersionDates, secret: ListedSecret, previous: Row, now: datetime) -> VersionDates:
    """The dates; if AWS does not give the pending version's date, with the time at which the audit first saw it."""
    if secret.pending_version_id is None or dates.pending_since is not None:
        return dates
    is_same = previous.get("pending_version_id") == secret.pending_version_id
    since = previous.get("pending_since") if is_same else None
    return replace(dates, pending_since=datetime.fromisoformat(since) if since else now.replace(microsecond=0))


def build_history_row(run_id: str, status: Row, expires_at: int | None) -> dict[str, Any]:
    """One secret in one run."""
    return {
        **{name: status[name] for name in _HISTORY_FIELDS},
        "run_id": run_id,
        "attention": status["attention"] is not None,
        "expires_at": expires_at,
    }


def build_status_row(
    finding: Finding, previous: Row, state: ReconciledState, started_at: datetime, announced_stuck: str | None
) -> dict[str, Any]:
    """A secret's current status, and since when it has its verdict."""
    now = to_iso(started_at)
    secret, dates = finding.secret, finding.dates
    is_same_verdict = previous.get("verdict") == finding.verdict
    return {
        "secret_name": secret.name,
        "secret_arn": secret.arn,
        "status": finding.status,
        "verdict": finding.verdict,
        "reason": finding.reason,
        "checked_at": now,
        "age_days": finding.age_days,
        "limit_days": finding.limit_days,
        "current_version_id": secret.current_version_id,
        "value_created_at": to_iso_or_none(dates.value_created_at),
        "owner": secret.owner,
        # Of an invalid exemption too: the register of exemptions lists those that have ended.
        "exempt_until": finding.exemption.until if finding.exemption else None,
        "exempt_reason": finding.exemption.reason if finding.exemption else None,
        **state.to_row(),
        "due_at": to_iso_or_none(finding.due_at),
        "since": previous["since"] if is_same_verdict else now,
        "first_seen": previous.get("first_seen", now),
        "is_first_version": dates.is_first,
        "pending_version_id": secret.pending_version_id,
        "pending_since": to_iso_or_none(dates.pending_since),
        "told_stuck_version_id": announced_stuck,
        # A sparse index on these two attributes contains only secrets that need attention.
        "attention": "yes" if finding.attention else None,
        "attention_since": previous.get("attention_since", now) if finding.attention else None,
    }


def has_significant_change(row: Row, previous: Row, *, ages: bool) -> bool:
    """Whether a status must be written: something other than the time of the check changed, or it is a new day.

    With `ages`, a change of the age in days counts too.
    """
    names = (*_SIGNIFICANT_FIELDS, *(_AGE_FIELDS if ages else ()))
    return last_checked_day(row) != last_checked_day(previous) or any(
        row.get(name) != previous.get(name) for name in names
    )


def belongs_in_history(row: Row, previous: Row) -> bool:
    """Whether a history of changes gets a row: for a new verdict or version, and once a day."""
    return last_checked_day(row) != last_checked_day(previous) or any(
        row.get(name) != previous.get(name) for name in ("verdict", "current_version_id")
    )


def last_checked_day(status: Row) -> str:
    """The day of the check that wrote the status; a status is written at least once a day."""
    return status.get("checked_at", "")[:10]


def read_cached_dates(previous: Row, secret: ListedSecret) -> VersionDates | None:
    """The dates in the previous status if it is about the same versions; a version's date never changes.

    They were read by an earlier run, or prefetched when an event reported the new value.
    """
    current, pending = secret.current_version_id, secret.pending_version_id
    if previous.get("current_version_id") == current and previous.get("pending_version_id") == pending:
        return _read_dates(
            secret, previous, "value_created_at", "is_first_version", pending_since=previous.get("pending_since")
        )
    if previous.get("fed_version_id") == current and pending is None:
        return _read_dates(secret, previous, "fed_value_created_at", "fed_is_first_version", pending_since=None)
    return None


def _read_dates(
    secret: ListedSecret, row: Row, created_at_field: str, is_first_field: str, *, pending_since: str | None
) -> VersionDates | None:
    # A row of an older release may contain a date that read_version_date rejects.
    created_at = row.get(created_at_field)
    value_created_at = read_version_date(datetime.fromisoformat(created_at)) if created_at else None
    if value_created_at is None:
        return None
    return VersionDates(
        value_created_at,
        # The prefetch did not know when the secret was created.
        is_first=bool(row.get(is_first_field, False)) and not has_replaced_others(secret, value_created_at),
        pending_since=read_version_date(datetime.fromisoformat(pending_since)) if pending_since else None,
    )


def build_report_fields(at: datetime, version_id: str | None) -> dict[str, Any]:
    """The status attributes that note an event about a new value, and the version that it names, if any."""
    return {"heard_at": to_iso(at), **({"heard_version_id": version_id} if version_id else {})}


def build_prefetched_fields(current_version_id: str | None, dates: VersionDates) -> dict[str, Any]:
    """The status attributes with the new value's dates, which save the next run a call; empty if they are unknown."""
    if current_version_id is None or dates.value_created_at is None:
        return {}
    return {
        "fed_version_id": current_version_id,
        "fed_value_created_at": to_iso(dates.value_created_at),
        "fed_is_first_version": dates.is_first,
    }


def to_iso_or_none(date: datetime | None) -> str | None:
    """A date as rows store it."""
    return to_iso(date) if date else None
