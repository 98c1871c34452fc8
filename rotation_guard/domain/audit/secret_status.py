"""What the audit writes down of one secret: a row of history, and what is true now."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ..secret import ListedSecret, VersionDates, has_replaced_others, read_version_date
from ..timestamps import to_iso
from .reconciliation import ReconciledState
from .verdicts import Finding

Row = Mapping[str, Any]
_MEANT_ANEW = (
    "verdict",
    "status",
    "attention",
    "current_version_id",
    "value_created_at",
    "pending_version_id",
    "pending_since",
    "limit_days",
    "owner",
    "accounted_version_id",
    "accounted_at",
    "heard_version_id",
    "heard_at",
    "told_stuck_version_id",
)
"""Attributes of a status that say something new when they change; the hour at which it was looked at does not."""
_AGES = ("age_days",)
"""Those that change by themselves, once a day."""
_TOLD = (
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
)
"""Attributes that a row of history repeats."""


def is_of_another(row: Row, secret: ListedSecret) -> bool:
    """Whether what is on record under this secret's name is of another: one that was deleted, and had the name before.

    The ARN is the identity, which ends in six characters that no two secrets of a name share.
    """
    return row.get("secret_arn", secret.arn) != secret.arn


def known_of(row: Row | None, secret: ListedSecret) -> Row:
    """What is on record of this very secret; nothing where it is new, was gone, or another had its name."""
    return {} if row is None or "gone_since" in row or is_of_another(row, secret) else row


def with_pending_since(dates: VersionDates, secret: ListedSecret, before: Row, now: datetime) -> VersionDates:
    """The dates, and where AWS does not tell that of the pending version, since when the audit sees it."""
    if secret.pending_version_id is None or dates.pending_since is not None:
        return dates
    same = before.get("pending_version_id") == secret.pending_version_id and before.get("pending_since")
    return replace(dates, pending_since=datetime.fromisoformat(same) if same else now.replace(microsecond=0))


def history_row(run_id: str, status: Row, expires_at: int | None) -> dict[str, Any]:
    """One secret in one run, of what is true of it then."""
    return {
        **{name: status[name] for name in _TOLD},
        "run_id": run_id,
        "attention": status["attention"] is not None,
        "expires_at": expires_at,
    }


def status_row(
    finding: Finding, before: Row, account: ReconciledState, started_at: datetime, told_stuck: str | None
) -> dict[str, Any]:
    """What is true of a secret now, and since when."""
    now = to_iso(started_at)
    secret, dates = finding.secret, finding.dates
    same = before.get("verdict") == finding.verdict
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
        "value_created_at": when(dates.value_created_at),
        "owner": secret.owner,
        **account.row(),
        "due_at": when(finding.due_at),
        "since": before["since"] if same else now,
        "first_seen": before.get("first_seen", now),
        "is_first_version": dates.is_first,
        "pending_version_id": secret.pending_version_id,
        "pending_since": when(dates.pending_since),
        "told_stuck_version_id": told_stuck,
        # The index on these two is sparse: it holds what needs someone, and nothing else.
        "attention": "yes" if finding.attention else None,
        "attention_since": before.get("attention_since", now) if finding.attention else None,
    }


def says_something_new(row: Row, before: Row, *, ages: bool) -> bool:
    """Whether a status differs from the one before in more than the hour at which it was looked at.

    It is written down once a day in any case. With `ages` a value that has become a day older is something new as well.
    """
    names = (*_MEANT_ANEW, *(_AGES if ages else ()))
    return seen_on(row) != seen_on(before) or any(row.get(name) != before.get(name) for name in names)


def belongs_in_history(row: Row, before: Row) -> bool:
    """Whether a history of changes gets a row: for another verdict or version, and the first time in a day."""
    return seen_on(row) != seen_on(before) or any(
        row.get(name) != before.get(name) for name in ("verdict", "current_version_id")
    )


def seen_on(status: Row) -> str:
    """The day on which a status was written down last; every secret that is there is seen once a day."""
    return status.get("checked_at", "")[:10]


def cached_dates(before: Row, secret: ListedSecret) -> VersionDates | None:
    """The dates that an earlier reading found, where it was of the same versions: a version's date never changes.

    That reading was a run's, or that of whoever heard that the value moved.
    """
    current = secret.current_version_id
    if before.get("current_version_id") == current and before.get("pending_version_id") == secret.pending_version_id:
        return _dates(secret, before, "value_created_at", "is_first_version", before.get("pending_since"))
    if before.get("fed_version_id") == current and secret.pending_version_id is None:
        return _dates(secret, before, "fed_value_created_at", "fed_is_first_version", None)
    return None


def _dates(secret: ListedSecret, row: Row, created: str, first: str, pending: str | None) -> VersionDates | None:
    # A row of before such dates were known to stand for none may hold one.
    made = read_version_date(datetime.fromisoformat(row[created])) if row.get(created) else None
    if made is None:
        return None
    return VersionDates(
        made,
        # Who noted it may not have known when the secret was made.
        is_first=bool(row.get(first, False)) and not has_replaced_others(secret, made),
        pending_since=read_version_date(datetime.fromisoformat(pending)) if pending else None,
    )


def announcement(at: datetime, version_id: str | None) -> dict[str, Any]:
    """What is noted when an event tells that the value of a secret moved, perhaps to this version."""
    return {"heard_at": to_iso(at), **({"heard_version_id": version_id} if version_id else {})}


def as_fed(current: str | None, dates: VersionDates) -> dict[str, Any]:
    """What is noted of the new value, so that the next run need not read it; nothing where it could not be read."""
    if current is None or dates.value_created_at is None:
        return {}
    return {
        "fed_version_id": current,
        "fed_value_created_at": to_iso(dates.value_created_at),
        "fed_is_first_version": dates.is_first,
    }


def when(moment: datetime | None) -> str | None:
    """A moment as rows hold it, where there is one."""
    return to_iso(moment) if moment else None
