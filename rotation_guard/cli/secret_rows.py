"""One secret as a report shows it, wherever the verdict is from: our tables, an account, or a file."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rotation_guard.domain.audit.verdicts import NEEDS_ROTATION, OK, UNKNOWN, VERDICT_NAMES, Finding
from rotation_guard.domain.secret import read_version_date

from .moments import later, read


@dataclass(frozen=True, slots=True)
class SecretRow:
    """What is said of one secret."""

    secret_name: str
    secret_arn: str
    status: str
    verdict: str
    attention: bool
    reason: str
    age_days: int | None
    """Whole days since the value in use was made, at the moment that is reported on."""
    limit_days: int | None
    value_created_at: datetime | None
    due_at: datetime | None
    """When the value reaches its limit."""
    since: datetime | None
    """When this verdict began; a scan does not know."""
    owner: str | None
    current_version_id: str | None = None
    checked_at: datetime | None = None
    """When an audit last wrote it down; None for a scan."""


@dataclass(frozen=True, slots=True)
class Change:
    """One secret at two moments: None where it was not there."""

    before: SecretRow | None
    after: SecretRow | None

    @property
    def row(self) -> SecretRow:
        """As it is, or was last."""
        row = self.after or self.before
        if row is None:
            raise ValueError("a secret that was never there has not changed")
        return row

    @property
    def kinds(self) -> tuple[str, ...]:
        """What changed: `appeared`, `vanished`, or `verdict`, `attention` and `value`; nothing where it is empty."""
        if self.before is None:
            return ("appeared",)
        if self.after is None:
            return ("vanished",)
        looked_at = {"verdict": "verdict", "attention": "attention", "value": "current_version_id"}
        return tuple(
            kind for kind, name in looked_at.items() if getattr(self.before, name) != getattr(self.after, name)
        )


@dataclass(frozen=True)
class Summary:
    """Rows, counted."""

    total: int = 0
    attention: int = 0
    status: Mapping[str, int] = field(default_factory=dict)
    verdicts: Mapping[str, int] = field(default_factory=dict)
    """Those that occur, in the order of the table of verdicts."""


def summary(rows: Sequence[SecretRow]) -> Summary:
    """How many there are of each kind."""
    verdicts = Counter(row.verdict for row in rows)
    status = Counter(row.status for row in rows)
    named = [*VERDICT_NAMES, *sorted(verdicts.keys() - set(VERDICT_NAMES))]
    return Summary(
        len(rows),
        sum(row.attention for row in rows),
        {name: status[name] for name in (OK, NEEDS_ROTATION, UNKNOWN)},
        {name: verdicts[name] for name in named if verdicts[name]},
    )


def urgent_first(rows: Iterable[SecretRow]) -> list[SecretRow]:
    """What needs someone before the rest, and of both the oldest value first."""
    return sorted(
        rows, key=lambda row: (not row.attention, -1 if row.age_days is None else -row.age_days, row.secret_name)
    )


def of_finding(finding: Finding) -> SecretRow:
    """What a judgement just said."""
    secret, made = finding.secret, finding.dates.value_created_at
    return SecretRow(
        secret_name=secret.name,
        secret_arn=secret.arn,
        status=finding.status,
        verdict=finding.verdict,
        attention=finding.attention,
        reason=finding.reason,
        age_days=finding.age_days,
        limit_days=finding.limit_days,
        value_created_at=made,
        due_at=later(made, finding.limit_days),
        since=None,
        owner=secret.owner,
        current_version_id=secret.current_version_id,
    )


def of_record(record: Mapping[str, Any], at: datetime) -> SecretRow:
    """What an audit wrote down, the age being that of the value at this moment."""
    # A row of before such dates were known to stand for none may hold one.
    made, limit = read_version_date(_moment(record, "value_created_at")), record.get("limit_days")
    days = None if made is None else (at - made).days
    return SecretRow(
        secret_name=record["secret_name"],
        secret_arn=record.get("secret_arn", ""),
        status=record.get("status", UNKNOWN),
        verdict=record.get("verdict", UNKNOWN),
        attention=record.get("attention") in (True, "yes"),
        reason=record.get("reason", ""),
        age_days=days if days is not None and days >= 0 else None,
        limit_days=limit,
        value_created_at=made,
        due_at=_moment(record, "due_at") or later(made, limit),
        since=_moment(record, "since"),
        owner=record.get("owner"),
        current_version_id=record.get("current_version_id"),
        checked_at=_moment(record, "checked_at"),
    )


def _moment(record: Mapping[str, Any], name: str) -> datetime | None:
    text = record.get(name)
    return read(text) if text else None
