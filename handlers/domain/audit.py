"""A run of the audit: what it has counted, what it may hand over, and whether it saw everything."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from .reconciliation import Discrepancy
from .verdicts import NEEDS_ROTATION, UNKNOWN, Finding

AUDIT = "rotation"
"""Key of the runs of this audit."""
EVERY_RUN, CHANGES = "everyRun", "changes"
"""What the history keeps: each run, or a row when a verdict or a version changes, and one a day."""
SHOWN = 100
"""Discrepancies, and secrets with a row of history, that a run's row lists at most; all of them are counted."""

_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z")


def run_id(scheduled_time: object, request_id: str) -> str:
    """The time a run was scheduled for, the same for each retry of it; by hand, the id of the invocation."""
    if isinstance(scheduled_time, str) and _TIMESTAMP.fullmatch(scheduled_time):
        return scheduled_time
    return request_id


@dataclass
class Progress:
    """What a run has counted so far: plain values, so that it can be written down and taken up again."""

    checked: int = 0
    flagged: int = 0
    unknown: int = 0
    listed: int = 0
    """All secrets that were listed, under audit or not."""
    added: int = 0
    """Secrets that no run before had seen."""
    pages: int = 0
    calls: int = 0
    """Calls to Secrets Manager."""
    seconds: float = 0
    """Spent by the invocations before this one."""
    verdicts: dict[str, int] = field(default_factory=dict)
    discrepancies: dict[str, int] = field(default_factory=dict)
    """By kind."""
    findings: list[dict[str, str]] = field(default_factory=list)
    """The first of them."""
    recorded: int = 0
    """Rows that a history of changes got."""
    changed: list[str] = field(default_factory=list)
    """The secrets that got them, where these are few: whoever looks for a row need not ask every secret."""

    def count(self, findings: Iterable[Finding]) -> None:
        """Add what was found of some secrets."""
        for finding in findings:
            self.checked += 1
            self.flagged += finding.status == NEEDS_ROTATION
            self.unknown += finding.status == UNKNOWN
            self.verdicts[finding.verdict] = self.verdicts.get(finding.verdict, 0) + 1

    def note(self, found: Iterable[Discrepancy]) -> bool:
        """Add discrepancies, each once; whether there was a new one."""
        new = False
        for one in found:
            as_written = asdict(one)
            if as_written in self.findings:
                continue
            new = True
            self.discrepancies[one.kind] = self.discrepancies.get(one.kind, 0) + 1
            if len(self.findings) < SHOWN:
                self.findings.append(as_written)
        return new

    def record(self, secret_names: Iterable[str]) -> bool:
        """Add secrets that get a row of a history of changes, each once; whether the list of them has grown."""
        new = [name for name in secret_names if name not in self.changed]
        self.recorded += len(new)
        grown = new[: SHOWN - len(self.changed)]
        self.changed += grown
        return bool(grown)

    def written(self) -> dict[str, Any]:
        """As a row holds it."""
        return asdict(self) | {"seconds": Decimal(str(round(self.seconds, 3)))}


def resumed(row: Mapping[str, Any]) -> Progress:
    """The progress that a run's row holds."""
    progress = Progress()
    for name in ("checked", "flagged", "unknown", "listed", "added", "pages", "calls"):
        setattr(progress, name, int(row.get(name, 0)))
    progress.seconds = float(row.get("seconds", 0))
    progress.verdicts = {name: int(count) for name, count in row.get("verdicts", {}).items()}
    return with_findings(progress, row)


def with_findings(progress: Progress, row: Mapping[str, Any]) -> Progress:
    """The same with what a run's row holds for good, whatever was begun anew: discrepancies, and what has a row."""
    progress.discrepancies = {name: int(count) for name, count in row.get("discrepancies", {}).items()}
    progress.findings = [dict(one) for one in row.get("findings", [])]
    progress.recorded, progress.changed = int(row.get("recorded", 0)), list(row.get("changed", []))
    return progress


def incomplete_because(progress: Progress, counted: int | None, before: Mapping[str, Any] | None) -> list[str]:
    """Why a run that came to its end cannot have seen everything, a sentence each; empty where it can."""
    reasons = []
    if counted is not None and progress.listed < counted:
        reasons.append(f"CloudWatch counts {counted} secrets in the account, and {progress.listed} were listed.")
    checked_before = int(before.get("checked", 0)) if before else 0
    if progress.checked * 2 < checked_before:
        reasons.append(f"The run before checked {checked_before} secrets, and this one {progress.checked}.")
    return reasons


def vanished(progress: Progress, before: Mapping[str, Any] | None) -> bool:
    """Whether some secret of the run before cannot be among those of this run; yes where that run does not tell."""
    if before is None:
        return False
    return not before.get("complete") or progress.checked < int(before.get("checked", 0)) + progress.added
