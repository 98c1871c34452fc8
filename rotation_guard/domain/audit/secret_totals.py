"""What a report says of many secrets at once: totals by owner, and the register of exemptions."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ..timestamps import to_iso
from .exemptions import parse_end
from .secret_rows import SecretRow
from .tally import Tally, tally


@dataclass(frozen=True)
class OwnerTotal:
    """The secrets of one owner."""

    owner: str | None
    """None for those without an owner tag."""
    tally: Tally
    attention: int

    def to_json(self) -> dict[str, Any]:
        """The owner, its `attention`, and each class of the tally."""
        return {"owner": self.owner, "attention": self.attention, **self.tally.to_json()}


@dataclass(frozen=True)
class Exemption:
    """One entry of the register: which secret is exempt, who is responsible, why, and until when."""

    row: SecretRow
    until: str | None
    """As the tag says it; None in a table of an older release."""
    days_left: int | None
    """Whole days until it ends, on its last day 0, and negative once it has ended; None if the end is no date."""
    reason: str

    @property
    def is_valid(self) -> bool:
        """Whether the audit accepts it."""
        return self.row.verdict == "exempt"

    @property
    def state(self) -> str:
        """`valid`, `invalid`, or `not applied` where another verdict comes first, such as that of a deleted secret."""
        if self.is_valid:
            return "valid"
        return "invalid" if self.row.verdict == "exemption_invalid" else "not applied"

    def to_json(self) -> dict[str, Any]:
        """Its fields."""
        return {
            "secret_name": self.row.secret_name,
            "account_id": self.row.account_id or None,
            "region": self.row.region or None,
            "state": self.state,
            "owner": self.row.owner,
            "reason": self.reason,
            "until": self.until,
            "days_left": self.days_left,
            "verdict": self.row.verdict,
            "since": to_iso(self.row.since) if self.row.since else None,
            "secret_arn": self.row.secret_arn,
        }


def total_by_owner(rows: Iterable[SecretRow]) -> list[OwnerTotal]:
    """The owners of these secrets: who has most that are over their limit or not judged first, then by name."""
    by_owner: dict[str | None, list[SecretRow]] = {}
    for row in rows:
        by_owner.setdefault(row.owner or None, []).append(row)
    totals = [
        OwnerTotal(owner, tally_rows(of_owner), sum(row.attention for row in of_owner))
        for owner, of_owner in by_owner.items()
    ]
    return sorted(
        totals,
        key=lambda total: (-total.tally.over_limit, -total.tally.unknown, -total.attention, total.owner or "\uffff"),
    )


def list_exemptions(rows: Iterable[SecretRow], at: datetime) -> list[Exemption]:
    """The register of exemptions: those that end first, or have ended, before the others."""
    entries = [_read_entry(row, at) for row in rows if row.exempt_until or row.exempt_reason or _is_exemption(row)]
    return sorted(
        entries,
        key=lambda entry: (entry.days_left is not None, entry.days_left or 0, entry.row.secret_name, entry.row.part),
    )


def tally_rows(rows: Iterable[SecretRow]) -> Tally:
    """These secrets, each in one class."""
    return tally((row.status, row.verdict, row.attention) for row in rows)


def describe_accepted(rows: Sequence[SecretRow]) -> str:
    """A sentence that says how many of these secrets the limit does not apply to; empty if it applies to all."""
    accepted = tally_rows(rows).describe_accepted()
    return "" if accepted.startswith("0 ") else f"{accepted}."


def _is_exemption(row: SecretRow) -> bool:
    return row.verdict in ("exempt", "exemption_invalid")


def _read_entry(row: SecretRow, at: datetime) -> Exemption:
    days_left = None
    if row.exempt_until:
        with suppress(ValueError):
            days_left = (parse_end(row.exempt_until) - at) // timedelta(days=1)
    # A row of an older release has the reason within its sentence alone.
    return Exemption(row, row.exempt_until or None, days_left, row.exempt_reason or row.reason)
