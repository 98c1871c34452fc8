"""The one answer to "how many secrets are overdue?": every secret counted once, and the sentence that says so.

The audit's log, its dashboard and every report count by these rules, so that they give the same numbers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from .verdicts import NEEDS_ROTATION, OK

ACCEPTED: Mapping[str, tuple[str, str]] = {
    "exempt": ("exempt", "exempt"),
    "replica": ("replica", "replicas"),
    "managed_elsewhere": ("rotated by AWS", "rotated by AWS"),
    "pending_deletion": ("scheduled for deletion", "scheduled for deletion"),
}
"""The verdicts of secrets that the limit does not apply to, with the words for one and for several of them."""
_REPLICA = "replica"
_SPANS = (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1)))


class Part(StrEnum):
    """The class that a secret is counted in."""

    OVER_LIMIT = "over"
    UNKNOWN = "unknown"
    OUTDATED_REPLICA = "outdated"
    ACCEPTED = "accepted"
    WITHIN_LIMIT = "within"


@dataclass
class Tally:
    """Secrets, each counted in one class: the classes add up to `total`."""

    total: int = 0
    over_limit: int = 0
    """Those with the status `needs_rotation`, whatever their verdict."""
    unknown: int = 0
    """Those that could not be judged."""
    outdated_replicas: int = 0
    """Replicas with a value over the limit: nobody accepted it, and they cannot be rotated here."""
    accepted: dict[str, int] = field(default_factory=dict)
    """Those that the limit does not apply to, by verdict: see ACCEPTED."""

    @property
    def within_limit(self) -> int:
        """The others: their value is within the limit."""
        return self.total - self.over_limit - self.unknown - self.outdated_replicas - self.total_accepted

    @property
    def total_accepted(self) -> int:
        """Those that the limit does not apply to."""
        return sum(self.accepted.values())

    def add(self, status: str, verdict: str, attention: bool) -> None:
        """Count one secret."""
        self.total += 1
        match classify(status, verdict, attention):
            case Part.OVER_LIMIT:
                self.over_limit += 1
            case Part.UNKNOWN:
                self.unknown += 1
            case Part.OUTDATED_REPLICA:
                self.outdated_replicas += 1
            case Part.ACCEPTED:
                self.accepted[verdict] = self.accepted.get(verdict, 0) + 1

    def merge(self, other: "Tally") -> None:
        """Add the secrets of another account or Region."""
        for name in ("total", "over_limit", "unknown", "outdated_replicas"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for verdict, count in other.accepted.items():
            self.accepted[verdict] = self.accepted.get(verdict, 0) + count

    def describe(self, freshness: str = "") -> str:
        """The headline, such as `17 of 214 secrets are over their limit; 4 could not be judged; 16 are accepted (...)`.

        `freshness` is the last clause, such as that of `describe_last_complete`.
        """
        clauses = [
            f"{self.over_limit} of {self.total} {_choose(self.total, 'secret', 'secrets')} "
            f"{_choose(self.over_limit, 'is over its limit', 'are over their limit')}",
            f"{self.unknown} could not be judged",
            _choose(
                self.outdated_replicas,
                "1 replica is older than its limit",
                f"{self.outdated_replicas} replicas are older than their limit",
            )
            if self.outdated_replicas
            else "",
            self.describe_accepted(),
            freshness,
        ]
        return "; ".join(clause for clause in clauses if clause)

    def to_json(self) -> dict[str, Any]:
        """Every class, with `within_limit`; all but `total` add up to it."""
        accepted = {verdict: self.accepted.get(verdict, 0) for verdict in ACCEPTED}
        return {
            "total": self.total,
            "within_limit": self.within_limit,
            "over_limit": self.over_limit,
            "unknown": self.unknown,
            "outdated_replicas": self.outdated_replicas,
            "accepted": {"total": sum(accepted.values()), **accepted},
        }

    def describe_accepted(self) -> str:
        """The clause that says how many the limit does not apply to, such as `2 are accepted (1 exempt, 1 replica)`."""
        count = self.total_accepted
        parts = [
            f"{self.accepted[verdict]} {_choose(self.accepted[verdict], *words)}"
            for verdict, words in ACCEPTED.items()
            if self.accepted.get(verdict)
        ]
        listed = f" ({', '.join(parts)})" if parts else ""
        return f"{count} {_choose(count, 'is', 'are')} accepted{listed}"


def classify(status: str, verdict: str, attention: bool) -> Part:
    """The class of one secret. A status that is not known here never counts as ok."""
    if status == NEEDS_ROTATION:
        return Part.OVER_LIMIT
    if status != OK:
        return Part.UNKNOWN
    if verdict == _REPLICA and attention:
        return Part.OUTDATED_REPLICA
    return Part.ACCEPTED if verdict in ACCEPTED else Part.WITHIN_LIMIT


def tally_run(run: Mapping[str, Any]) -> Tally | None:
    """What a finished run counted, from its row; None for a run of a release that did not count the accepted ones."""
    if "accepted" not in run:
        return None
    counts = (run.get(name) for name in ("checked", "flagged", "unknown", "outdated_replicas"))
    return Tally(
        *(int(count or 0) for count in counts),
        accepted={verdict: int(count) for verdict, count in run["accepted"].items()},
    )


def describe_last_complete(finished_at: datetime | None, at: datetime) -> str:
    """The clause that says how fresh the answer is, such as `last complete run 12 minutes ago`."""
    if finished_at is None:
        return "no run was complete yet"
    return f"last complete run {_describe_age(at - finished_at)} ago"


def tally(secrets: Iterable[tuple[str, str, bool]]) -> Tally:
    """Count secrets by status, verdict and need for attention."""
    counted = Tally()
    for status, verdict, attention in secrets:
        counted.add(status, verdict, attention)
    return counted


def _describe_age(age: timedelta) -> str:
    for unit, size in _SPANS:
        # Two units are more exact than one: 36 hours, and not 1 day.
        if age >= 2 * size or (unit == "minute" and age >= size):
            count = age // size
            return f"{count} {_choose(count, unit, f'{unit}s')}"
    return "less than a minute"


def _choose(count: int, one: str, many: str) -> str:
    return one if count == 1 else many
