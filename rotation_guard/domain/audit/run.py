"""A run of the audit: what it has counted, what it may hand over, and whether it saw everything."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from ..secret import VersionDates
from .reconciliation import Discrepancy
from .verdicts import NEEDS_ROTATION, UNKNOWN, Finding

AUDIT = "rotation"
"""Key of the runs of this audit."""
EVERY_RUN, CHANGES = "everyRun", "changes"
"""What the history keeps: each run, or a row when a verdict or a version changes, and one a day."""
SHOWN = 100
"""Discrepancies, and secrets with a row of history, that a run's row lists at most; all of them are counted."""

UNKNOWN_WHEN_COMPLETE = "unknown_when_complete"
"""Attribute of an incomplete run in which AWS refused something: how many secrets were unknown in the last complete
one. It is handed on from run to run, or what is refused for long would be taken for usual."""
BUSY = ("throttled", "no answer")
"""Why AWS does not answer where that is no matter of any one secret."""
_REFUSED_PART = 3
"""A run in which one in so many secrets was refused has not seen everything."""
_UNKNOWN_PART = 20
"""By more than one in so many, and more than one, the secrets that are unknown may not grow."""

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
    answered: int = 0
    """Secrets whose versions AWS listed when they were asked for, for as long as the run lasts."""
    refused: dict[str, int] = field(default_factory=dict)
    """Those whose versions it did not list, by the reason."""
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

    def count_answer(self, dates: VersionDates) -> None:
        """Add whether AWS answered for the versions of one secret."""
        if dates.refused:
            self.refused[dates.refused] = self.refused.get(dates.refused, 0) + 1
        else:
            self.answered += 1

    def note(self, found: Iterable[Discrepancy]) -> bool:
        """Add discrepancies, each once; whether there was a new one."""
        new = False
        known = {(one["kind"], one["secret_name"]) for one in self.findings}
        for one in found:
            # The detail may tell an age, which differs when a run that died is started again.
            if (one.kind, one.secret_name) in known:
                continue
            new = True
            known.add((one.kind, one.secret_name))
            self.discrepancies[one.kind] = self.discrepancies.get(one.kind, 0) + 1
            if len(self.findings) < SHOWN:
                self.findings.append(asdict(one))
        return new

    def record(self, secret_names: Iterable[str]) -> bool:
        """Add secrets that get a row of a history of changes, each once; whether the list of them has grown."""
        new = [name for name in secret_names if name not in self.changed]
        self.recorded += len(new)
        grown = new[: SHOWN - len(self.changed)]
        self.changed += grown
        return bool(grown)

    def written(self) -> dict[str, Any]:
        """As a row holds it; without what only the next part of the run needs."""
        written = asdict(self) | {"seconds": Decimal(str(round(self.seconds, 3))), "refused": self.refused or None}
        del written["answered"]
        return written


def resume(row: Mapping[str, Any]) -> Progress:
    """The progress that a run's row holds."""
    progress = Progress()
    for name in ("checked", "flagged", "unknown", "listed", "added", "pages", "calls", "answered"):
        setattr(progress, name, int(row.get(name, 0)))
    progress.seconds = float(row.get("seconds", 0))
    progress.verdicts = {name: int(count) for name, count in row.get("verdicts", {}).items()}
    progress.refused = {name: int(count) for name, count in (row.get("refused") or {}).items()}
    return with_findings(progress, row)


def with_findings(progress: Progress, row: Mapping[str, Any]) -> Progress:
    """The same with what a run's row holds for good, whatever was begun anew: discrepancies, and what has a row."""
    progress.discrepancies = {name: int(count) for name, count in row.get("discrepancies", {}).items()}
    progress.findings = [dict(one) for one in row.get("findings", [])]
    progress.recorded, progress.changed = int(row.get("recorded", 0)), list(row.get("changed", []))
    return progress


def incomplete_because(
    progress: Progress,
    counted: int | None,
    before: Mapping[str, Any] | None,
    *,
    complete_before: Mapping[str, Any] | None = None,
    listed_lately: int = 0,
) -> list[str]:
    """Why a run that came to its end cannot have seen everything, a sentence each; empty where it can.

    `before` is the run before, `complete_before` the last that was complete, or that knows of it, and `listed_lately`
    the most secrets that a run has listed in the hours for which CloudWatch may still count what was purged since.
    """
    reasons = []
    if counted is not None and counted > max(progress.listed, listed_lately):
        reasons.append(f"CloudWatch counts {counted} secrets in the account, and {progress.listed} were listed.")
    checked_before = int(before.get("checked", 0)) if before else 0
    if progress.checked * 2 < checked_before:
        reasons.append(f"The run before checked {checked_before} secrets, and this one {progress.checked}.")
    return reasons + _unread(progress, complete_before)


def _unread(progress: Progress, complete_before: Mapping[str, Any] | None) -> list[str]:
    """Why a run cannot have judged what it listed.

    A secret whose own policy denies its versions is unknown and nothing more. What one policy does not explain is that
    AWS answered for none, that it refused a good part of all, or that it was too busy to answer for several.
    """
    refused, busy = sum(progress.refused.values()), sum(progress.refused.get(reason, 0) for reason in BUSY)
    by_reason = ", ".join(f"{reason} {count}" for reason, count in sorted(progress.refused.items()))
    if refused and not progress.answered:
        return [f"AWS listed the versions of none of the {refused} secrets that it was asked for: {by_reason}."]
    if busy > 1 or (refused > 1 and refused * _REFUSED_PART >= progress.checked):
        return [f"AWS did not list the versions of {refused} of {progress.checked} secrets: {by_reason}."]
    unknown = unknown_when_complete(complete_before)
    if unknown is not None and progress.unknown - unknown > max(1, progress.checked // _UNKNOWN_PART):
        now = f"{progress.unknown} of {progress.checked} secrets are unknown"
        return [f"{now}; in the last complete run {unknown} were."]
    return []


def unknown_when_complete(run: Mapping[str, Any] | None) -> int | None:
    """How many secrets were unknown in the last complete run, as this run's row has it; None without a row."""
    return None if run is None else int(run.get(UNKNOWN_WHEN_COMPLETE, run.get("unknown", 0)))


def vanished(progress: Progress, before: Mapping[str, Any] | None) -> bool:
    """Whether some secret of the run before cannot be among those of this run; yes where that run does not tell."""
    if before is None:
        return False
    # Nothing was taken out by a run that listed fewer secrets than CloudWatch counted.
    return (
        not before.get("complete")
        or "shortfall" in before
        or progress.checked < int(before.get("checked", 0)) + progress.added
    )
