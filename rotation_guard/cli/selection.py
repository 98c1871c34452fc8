"""Which secrets a report is about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rotation_guard.domain.audit.verdicts import UNKNOWN, VERDICT_NAMES

from .moments import span
from .problems import Misused
from .secret_rows import SecretRow

_WITHOUT_LIMIT = frozenset({"pending_deletion", "replica", "exempt", "managed_elsewhere"})
"""Verdicts of secrets that fall due nowhere, or not here."""


@dataclass(frozen=True)
class Selection:
    """Secrets that meet every criterion that is given."""

    verdicts: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    older_than: timedelta | None = None
    due_within: timedelta | None = None
    attention: bool = False

    def takes(self, row: SecretRow, at: datetime) -> bool:
        """Whether a secret is one of them at this moment."""
        return (
            (not self.verdicts or row.verdict in self.verdicts)
            and (not self.owners or row.owner in self.owners)
            and (not self.attention or row.attention)
            and (self.older_than is None or _older(row, self.older_than, at))
            and (self.due_within is None or _due(row, self.due_within, at))
        )

    def of(self, rows: Sequence[SecretRow], at: datetime) -> list[SecretRow]:
        """Those among these rows."""
        return [row for row in rows if self.takes(row, at)]

    def cannot_tell(self, rows: Sequence[SecretRow], at: datetime) -> str:
        """In a sentence, how many are left out only because the age of their value is not known; empty for none."""
        if self.older_than is None and self.due_within is None:
            return ""
        anyhow = Selection(self.verdicts, self.owners, attention=self.attention)
        left_out = sum(row.status == UNKNOWN and anyhow.takes(row, at) and not self.takes(row, at) for row in rows)
        if not left_out:
            return ""
        secrets = "The age of 1 secret is" if left_out == 1 else f"The ages of {left_out} secrets are"
        return f"{secrets} not known, so the answer may lack some: --verdict unknown shows them."

    def written(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "verdict": list(self.verdicts),
            "owner": list(self.owners),
            "attention": self.attention,
            "older_than_days": _days(self.older_than),
            "due_within_days": _days(self.due_within),
        }


def selection(
    verdicts: Sequence[str],
    owners: Sequence[str],
    older_than: str | None,
    due_within: str | None,
    attention: bool = False,
) -> Selection:
    """The selection that these options ask for."""
    for verdict in verdicts:
        if verdict not in VERDICT_NAMES:
            raise Misused(f"--verdict must be one of {', '.join(VERDICT_NAMES)}, got {verdict!r}.")
    return Selection(
        tuple(verdicts),
        tuple(owners),
        None if older_than is None else span("--older-than", older_than),
        None if due_within is None else span("--due-within", due_within),
        attention,
    )


def _older(row: SecretRow, limit: timedelta, at: datetime) -> bool:
    return row.value_created_at is not None and at - row.value_created_at > limit


def _due(row: SecretRow, within: timedelta, at: datetime) -> bool:
    if row.verdict in _WITHOUT_LIMIT or row.due_at is None:
        return False
    return timedelta(0) <= row.due_at - at <= within


def _days(given: timedelta | None) -> float | None:
    if given is None:
        return None
    return given.days if given == timedelta(days=given.days) else given / timedelta(days=1)
