"""Which secrets a report lists: the criteria that its options give."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rotation_guard.domain.audit.secret_rows import SecretRow, sort_rows
from rotation_guard.domain.audit.verdicts import UNKNOWN, VERDICT_NAMES

from .errors import UsageError
from .parsing import parse_span

_WITHOUT_LIMIT = frozenset({"pending_deletion", "replica", "exempt", "managed_elsewhere"})
"""Verdicts of secrets that are never due, or not in this account and Region."""


@dataclass(frozen=True)
class SecretFilter:
    """The criteria of a report; a secret must meet all of them."""

    verdicts: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    older_than: timedelta | None = None
    due_within: timedelta | None = None
    attention: bool = False

    def matches(self, row: SecretRow, at: datetime) -> bool:
        """Whether a secret meets the criteria at this time."""
        return (
            (not self.verdicts or row.verdict in self.verdicts)
            and (not self.owners or row.owner in self.owners)
            and (not self.attention or row.attention)
            and (self.older_than is None or _is_older(row, self.older_than, at))
            and (self.due_within is None or _is_due(row, self.due_within, at))
        )

    def apply(self, rows: Sequence[SecretRow], at: datetime) -> list[SecretRow]:
        """The rows that match, sorted."""
        return sort_rows(row for row in rows if self.matches(row, at))

    def warnings(self, rows: Sequence[SecretRow], at: datetime) -> list[str]:
        """One sentence if secrets do not match only because the age of their value is unknown."""
        return self.describe_omitted(sum(self.omits_for_unknown_age(row, at) for row in rows))

    def omits_for_unknown_age(self, row: SecretRow, at: datetime) -> bool:
        """Whether a secret would match if the age of its value were no criterion, and that age is unknown."""
        if row.status != UNKNOWN or (self.older_than is None and self.due_within is None):
            return False
        without_ages = SecretFilter(self.verdicts, self.owners, attention=self.attention)
        return without_ages.matches(row, at) and not self.matches(row, at)

    def describe_omitted(self, omitted: int) -> list[str]:
        """One sentence about as many secrets that do not match because their age is unknown; none without any."""
        if not omitted:
            return []
        secrets = "The age of 1 secret is" if omitted == 1 else f"The ages of {omitted} secrets are"
        return [f"{secrets} unknown, so the report may be incomplete: --verdict unknown lists them."]

    def to_json(self) -> dict[str, Any]:
        """The `filters` of the JSON."""
        return {
            "verdict": list(self.verdicts),
            "owner": list(self.owners),
            "attention": self.attention,
            "older_than_days": _days(self.older_than),
            "due_within_days": _days(self.due_within),
        }


def parse_filter(
    verdicts: Sequence[str],
    owners: Sequence[str],
    older_than: str | None,
    due_within: str | None,
    attention: bool = False,
) -> SecretFilter:
    """The filter that these options describe."""
    for verdict in verdicts:
        if verdict not in VERDICT_NAMES:
            raise UsageError(f"--verdict must be one of {', '.join(VERDICT_NAMES)}, got {verdict!r}.")
    return SecretFilter(
        tuple(verdicts),
        tuple(owners),
        None if older_than is None else parse_span("--older-than", older_than),
        None if due_within is None else parse_span("--due-within", due_within),
        attention,
    )


def _is_older(row: SecretRow, limit: timedelta, at: datetime) -> bool:
    return row.value_created_at is not None and at - row.value_created_at > limit


def _is_due(row: SecretRow, within: timedelta, at: datetime) -> bool:
    if row.verdict in _WITHOUT_LIMIT or row.due_at is None:
        return False
    return timedelta(0) <= row.due_at - at <= within


def _days(span: timedelta | None) -> float | None:
    if span is None:
        return None
    return span.days if span == timedelta(days=span.days) else span / timedelta(days=1)
