"""An answer: the secrets that were asked for, and what it rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .secret_rows import Change, SecretRow, Summary, summary


@dataclass(frozen=True)
class Answer:
    """What a command has to say, in whatever format."""

    source: Mapping[str, Any]
    """Where it is from: its `kind`, and in `description` words for people."""
    generated_at: datetime
    at: datetime
    """The moment that it is about."""
    settings: Mapping[str, Any]
    """What the secrets were judged by, as far as it is known here."""
    filters: Mapping[str, Any]
    rows: Sequence[SecretRow]
    warnings: Sequence[str] = ()
    """Why it may be wrong or lack something, a sentence each."""
    run: Mapping[str, Any] | None = None
    """The run of the audit that it rests on; None where it rests on none."""
    changes: Mapping[str, Change] | None = None
    """By secret, what changed since a moment; None where that was not asked."""
    since: datetime | None = None
    """That moment."""

    @property
    def summary(self) -> Summary:
        """Its rows, counted."""
        return summary(self.rows)

    @property
    def needs_someone(self) -> bool:
        """Whether anything in it needs attention: an answer that cannot be relied upon does, too."""
        return bool(self.warnings) or any(row.attention for row in self.rows)
