"""The answer of a report or a scan before it is formatted: the secrets that match, and what that is based on.

An answer has a part for each deployment, or for each account and Region, that was asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rotation_guard.domain.audit.secret_rows import Change, SecretRow
from rotation_guard.domain.audit.tally import Tally, describe_last_complete

from .identity import Identity


@dataclass(frozen=True)
class Part:
    """What one deployment, account or file answered."""

    source: Mapping[str, Any]
    """Its `kind`, and a `description` for people."""
    identity: Identity = field(default_factory=Identity)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings that the secrets were evaluated with, as far as they are known."""
    tally: Tally | None = None
    """All of its secrets, whatever the filters; None if they could not be counted."""
    run: Mapping[str, Any] | None = None
    """The run of the audit that it is based on; None in a scan."""
    last_complete: datetime | None = None
    """When its last complete run ended."""
    has_runs: bool = True
    """Whether it is an audit's; a scan has no runs."""
    warnings: Sequence[str] = ()
    """Why it may be wrong or incomplete, one sentence each."""
    unreadable: Sequence[str] = ()
    """What of it could not be read, one sentence each."""

    @property
    def description(self) -> str:
        """Its source, for people."""
        return str(self.source["description"])


@dataclass(frozen=True)
class Reading:
    """A part, and its secrets before they are filtered."""

    part: Part
    rows: Sequence[SecretRow] = ()
    changes: Mapping[tuple[int, str], Change] | None = None


@dataclass(frozen=True)
class SecretAnswer:
    """The secrets that match, and what the answer is based on."""

    parts: Sequence[Part]
    generated_at: datetime
    at: datetime
    """The time that the report is about."""
    filters: Mapping[str, Any]
    rows: Sequence[SecretRow]
    warnings: Sequence[str] = ()
    """Warnings about the answer as a whole."""
    changes: Mapping[tuple[int, str], Change] | None = None
    """What changed, by the key of the row; None without `--since`."""
    since: datetime | None = None

    @property
    def has_several_parts(self) -> bool:
        """Whether it is about several deployments, accounts or Regions."""
        return len(self.parts) > 1

    @property
    def unreadable(self) -> list[str]:
        """What could not be read, one sentence each."""
        return [sentence for part in self.parts for sentence in part.unreadable]

    @property
    def warning_sentences(self) -> list[str]:
        """Why it may be wrong or incomplete, one sentence each; of several parts, each names its part."""
        sentences: list[str] = []
        for part in self.parts:
            prefix = f"{part.source['description']}: " if self.has_several_parts else ""
            sentences += [f"{prefix}{warning}" for warning in part.warnings]
        return [*sentences, *self.warnings]

    @property
    def tally(self) -> Tally | None:
        """The secrets of all parts that were counted; None if none was."""
        counted = [part.tally for part in self.parts if part.tally is not None]
        if not counted:
            return None
        total = Tally()
        for tally in counted:
            total.merge(tally)
        return total

    @property
    def headline(self) -> str:
        """The one sentence that answers; empty if nothing could be counted."""
        tally = self.tally
        if tally is None:
            return ""
        uncounted = sum(part.tally is None for part in self.parts)
        clauses = [tally.describe(self._describe_freshness())]
        if uncounted:
            clauses.append(f"{uncounted} of {len(self.parts)} accounts and Regions could not be counted")
        return "; ".join(clauses)

    def _describe_freshness(self) -> str:
        audited = [part for part in self.parts if part.has_runs and part.tally is not None]
        if not audited:
            return ""
        ends = [part.last_complete for part in audited]
        if len(ends) == 1:
            return describe_last_complete(ends[0], self.at)
        known = [end for end in ends if end is not None]
        if len(known) < len(ends):
            return f"{len(ends) - len(known)} of {len(ends)} accounts and Regions had no complete run yet"
        return f"oldest {describe_last_complete(min(known), self.at)}"
