"""One row of a report for each secret, of an audit or a scan, and what changed between two of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..plain_values import read_account, read_region, read_string
from ..secret import read_version_date
from ..timestamps import add_days, read_timestamp, to_iso
from .recorded_rows import find_damaged_attribute
from .verdicts import UNKNOWN, Finding

COLUMNS = (
    "secret_name",
    "status",
    "verdict",
    "attention",
    "reason",
    "age_days",
    "limit_days",
    "value_created_at",
    "due_at",
    "since",
    "owner",
    "secret_arn",
    "current_version_id",
    "checked_at",
    "account_id",
    "region",
    "exempt_until",
    "exempt_reason",
)
PROVENANCE_COLUMNS = ("account_alias", "run_id", "settings", "product_version", "caller_arn", "generated_at")
"""Further columns of CSV, which has no other place for what a report is based on."""

_SHOWN_LENGTH = 40
"""Of a damaged attribute."""


@dataclass(frozen=True, slots=True)
class SecretRow:
    """What a report shows of one secret."""

    secret_name: str
    secret_arn: str
    status: str
    verdict: str
    attention: bool
    reason: str
    age_days: int | None
    """Whole days since the current value was created, at the time of the report."""
    limit_days: int | None
    value_created_at: datetime | None
    due_at: datetime | None
    """When the value reaches its age limit."""
    since: datetime | None
    """When this verdict began; None in a scan."""
    owner: str | None
    current_version_id: str | None = None
    checked_at: datetime | None = None
    """When an audit last recorded it; None in a scan."""
    exempt_until: str | None = None
    """The end of the exemption that its tags ask for, valid or not, as it is written there."""
    exempt_reason: str | None = None
    part: int = 0
    """Which part of a report on several accounts and Regions it is from."""

    @property
    def account_id(self) -> str:
        """The account in its ARN; empty if it has none."""
        return read_account(self.secret_arn) or ""

    @property
    def region(self) -> str:
        """The Region in its ARN; empty if it has none."""
        return read_region(self.secret_arn) or ""

    @property
    def key(self) -> tuple[int, str]:
        """Identifies the secret in this report: names repeat between accounts."""
        return self.part, self.secret_name


@dataclass(frozen=True, slots=True)
class Change:
    """One secret at two times; None if it did not exist."""

    before: SecretRow | None
    after: SecretRow | None

    @property
    def row(self) -> SecretRow:
        """The secret now, or its last row if it is gone."""
        row = self.after or self.before
        if row is None:
            raise ValueError("before and after are both None")
        return row

    @property
    def kinds(self) -> tuple[str, ...]:
        """What changed: `appeared`, `vanished`, or some of `verdict`, `attention` and `value`; empty if nothing did."""
        if self.before is None:
            return ("appeared",)
        if self.after is None:
            return ("vanished",)
        compared = {"verdict": "verdict", "attention": "attention", "value": "current_version_id"}
        return tuple(kind for kind, name in compared.items() if getattr(self.before, name) != getattr(self.after, name))


def sort_rows(rows: Iterable[SecretRow]) -> list[SecretRow]:
    """Secrets that need attention first, then the oldest value first."""
    return sorted(
        rows, key=lambda row: (not row.attention, -1 if row.age_days is None else -row.age_days, row.secret_name)
    )


def from_finding(finding: Finding, part: int = 0) -> SecretRow:
    """The row of a secret that was just evaluated."""
    secret, created_at = finding.secret, finding.dates.value_created_at
    return SecretRow(
        secret_name=secret.name,
        secret_arn=secret.arn,
        status=finding.status,
        verdict=finding.verdict,
        attention=finding.attention,
        reason=finding.reason,
        age_days=finding.age_days,
        limit_days=finding.limit_days,
        value_created_at=created_at,
        due_at=add_days(created_at, finding.limit_days),
        since=None,
        owner=secret.owner,
        current_version_id=secret.current_version_id,
        exempt_until=finding.exemption.until if finding.exemption else None,
        exempt_reason=finding.exemption.reason if finding.exemption else None,
        part=part,
    )


def from_record(record: Mapping[str, Any], at: datetime, part: int = 0) -> SecretRow:
    """The row of a secret that an audit recorded, with the age of its value at this time.

    A secret whose row is damaged is unknown, and needs attention.
    """
    if damaged := find_damaged_attribute(record):
        return _build_damaged_row(record, damaged, part)
    # An old row may contain a placeholder date.
    created_at, limit = read_version_date(read_timestamp(record.get("value_created_at"))), record.get("limit_days")
    days = None if created_at is None else (at - created_at).days
    return SecretRow(
        secret_name=record["secret_name"],
        secret_arn=record.get("secret_arn", ""),
        status=record.get("status", UNKNOWN),
        verdict=record.get("verdict", UNKNOWN),
        attention=record.get("attention") in (True, "yes"),
        reason=record.get("reason", ""),
        age_days=days if days is not None and days >= 0 else None,
        limit_days=limit,
        value_created_at=created_at,
        due_at=read_timestamp(record.get("due_at")) or add_days(created_at, limit),
        since=read_timestamp(record.get("since")),
        owner=record.get("owner"),
        current_version_id=record.get("current_version_id"),
        checked_at=read_timestamp(record.get("checked_at")),
        exempt_until=record.get("exempt_until"),
        exempt_reason=record.get("exempt_reason"),
        part=part,
    )


def _build_damaged_row(record: Mapping[str, Any], damaged: str, part: int) -> SecretRow:
    return SecretRow(
        secret_name=record["secret_name"],
        secret_arn=read_string(record.get("secret_arn")) or "",
        status=UNKNOWN,
        verdict=UNKNOWN,
        attention=True,
        reason=f"The row that the audit recorded is damaged: {damaged} is {str(record[damaged])[:_SHOWN_LENGTH]}.",
        age_days=None,
        limit_days=None,
        value_created_at=None,
        due_at=None,
        since=None,
        owner=read_string(record.get("owner")),
        part=part,
    )


def to_json(row: SecretRow) -> dict[str, Any]:
    """The row in JSON and CSV."""
    return {name: to_iso(value) if isinstance(value := getattr(row, name), datetime) else value for name in COLUMNS}
