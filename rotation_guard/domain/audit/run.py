"""One run of the audit: its counts, and whether it saw every secret."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from ..secret import VersionDates
from .reconciliation import Discrepancy
from .tally import Tally, tally
from .verdicts import Finding

AUDIT = "rotation"
"""Partition key of the runs table."""
EVERY_RUN, CHANGES = "everyRun", "changes"
"""History modes: one row per secret and run, or one when a verdict or version changes and one a day."""
MAX_LISTED = 100
"""Maximum number of discrepancies, and of changed secrets, that a run's row lists; all are counted."""

UNKNOWN_WHEN_COMPLETE = "unknown_when_complete"
"""Attribute of an incomplete run in which AWS refused calls: how many secrets were unknown in the last complete run.
Each run copies it, so that refusals which last for long do not become the norm."""
BUSY_REASONS = ("throttled", "no answer")
"""Refusals that do not depend on the secret."""
_REFUSED_FRACTION = 3
"""A run is incomplete if AWS refused one in this many secrets."""
_UNKNOWN_FRACTION = 20
"""A run is incomplete if the number of unknown secrets grew by more than one in this many, and by more than one."""

_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z")


def choose_run_id(scheduled_time: object, request_id: str) -> str:
    """The scheduled time, which every retry of a run has in common; for a manual run, the id of the invocation."""
    if isinstance(scheduled_time, str) and _TIMESTAMP.fullmatch(scheduled_time):
        return scheduled_time
    return request_id


@dataclass
class Progress:
    """The counts of a run so far, in plain values that a row can store."""

    checked: int = 0
    flagged: int = 0
    unknown: int = 0
    outdated_replicas: int = 0
    accepted: dict[str, int] = field(default_factory=dict)
    """Secrets that the limit does not apply to, by verdict."""
    listed: int = 0
    """Secrets listed, audited or not."""
    added: int = 0
    """Secrets that no earlier run saw."""
    pages: int = 0
    calls: int = 0
    """Calls to Secrets Manager."""
    answered: int = 0
    """Secrets whose versions AWS listed on request. Stored only until the run ends."""
    refused: dict[str, int] = field(default_factory=dict)
    """Number of secrets whose versions AWS did not list, by reason."""
    seconds: float = 0
    """Duration of the earlier invocations of this run."""
    verdicts: dict[str, int] = field(default_factory=dict)
    discrepancies: dict[str, int] = field(default_factory=dict)
    """Number of discrepancies by kind."""
    findings: list[dict[str, str]] = field(default_factory=list)
    """The first discrepancies."""
    recorded: int = 0
    """Number of rows added to a history of changes."""
    changed: list[str] = field(default_factory=list)
    """The first secrets that got such a row, so that a reader need not query every secret."""

    @property
    def tally(self) -> Tally:
        """The secrets so far, each in one class."""
        return Tally(self.checked, self.flagged, self.unknown, self.outdated_replicas, dict(self.accepted))

    def count_findings(self, findings: Iterable[Finding]) -> None:
        """Adds findings to the counts."""
        new = list(findings)
        counted = tally((finding.status, finding.verdict, finding.attention) for finding in new)
        self.checked += counted.total
        self.flagged += counted.over_limit
        self.unknown += counted.unknown
        self.outdated_replicas += counted.outdated_replicas
        self.accepted = dict(Counter(self.accepted) + Counter(counted.accepted))
        self.verdicts = dict(Counter(self.verdicts) + Counter(finding.verdict for finding in new))

    def count_response(self, dates: VersionDates) -> None:
        """Counts whether AWS listed the versions of one secret."""
        if dates.refused:
            self.refused[dates.refused] = self.refused.get(dates.refused, 0) + 1
        else:
            self.answered += 1

    def add_discrepancies(self, discrepancies: Iterable[Discrepancy]) -> bool:
        """Adds each discrepancy once. Whether any is new."""
        has_new = False
        counted = {(finding["kind"], finding["secret_name"]) for finding in self.findings}
        for discrepancy in discrepancies:
            # Not by the detail: it may contain an age, which differs when a failed run is restarted.
            key = (discrepancy.kind, discrepancy.secret_name)
            if key in counted:
                continue
            has_new = True
            counted.add(key)
            self.discrepancies[discrepancy.kind] = self.discrepancies.get(discrepancy.kind, 0) + 1
            if len(self.findings) < MAX_LISTED:
                self.findings.append(asdict(discrepancy))
        return has_new

    def add_changed(self, secret_names: Iterable[str]) -> bool:
        """Adds each secret with a new row in a history of changes once. Whether the list has grown."""
        new = [name for name in secret_names if name not in self.changed]
        self.recorded += len(new)
        listed = new[: MAX_LISTED - len(self.changed)]
        self.changed += listed
        return bool(listed)

    def to_row(self) -> dict[str, Any]:
        """The attributes of the run's row, without `answered`, which only the next part of the run needs."""
        row = asdict(self) | {"seconds": Decimal(str(round(self.seconds, 3))), "refused": self.refused or None}
        del row["answered"]
        return row


def restore_progress(row: Mapping[str, Any]) -> Progress:
    """The progress that a run's row stores."""
    progress = Progress()
    for name in ("checked", "flagged", "unknown", "outdated_replicas", "listed", "added", "pages", "calls", "answered"):
        setattr(progress, name, int(row.get(name, 0)))
    progress.seconds = float(row.get("seconds", 0))
    progress.verdicts = {name: int(count) for name, count in row.get("verdicts", {}).items()}
    progress.accepted = {name: int(count) for name, count in row.get("accepted", {}).items()}
    progress.refused = {name: int(count) for name, count in (row.get("refused") or {}).items()}
    return restore_discrepancies(progress, row)


def restore_discrepancies(progress: Progress, row: Mapping[str, Any]) -> Progress:
    """The progress with what a restarted run keeps of its row: the discrepancies and the changed secrets."""
    progress.discrepancies = {name: int(count) for name, count in row.get("discrepancies", {}).items()}
    progress.findings = [dict(finding) for finding in row.get("findings", [])]
    progress.recorded, progress.changed = int(row.get("recorded", 0)), list(row.get("changed", []))
    return progress


def find_incomplete_reasons(
    progress: Progress,
    counted: int | None,
    previous: Mapping[str, Any] | None,
    *,
    last_complete: Mapping[str, Any] | None = None,
    max_listed_recently: int = 0,
) -> list[str]:
    """Why a run has not seen every secret, a sentence each; empty if it has.

    `previous` is the run before this one; `last_complete` is the last complete run, or a later one that stores its
    number of unknown secrets; `max_listed_recently` is the highest number of secrets that any run listed in the hours
    for which CloudWatch may still count deleted secrets.
    """
    reasons = []
    if counted is not None and counted > max(progress.listed, max_listed_recently):
        reasons.append(f"CloudWatch counts {counted} secrets in the account, but only {progress.listed} were listed.")
    previously_checked = int(previous.get("checked", 0)) if previous else 0
    if progress.checked * 2 < previously_checked:
        reasons.append(
            f"The previous run checked {previously_checked} secrets, but this one checked only {progress.checked}."
        )
    return reasons + _find_unread_reasons(progress, last_complete)


def _find_unread_reasons(progress: Progress, last_complete: Mapping[str, Any] | None) -> list[str]:
    """Why a run could not audit the secrets that it listed.

    One secret whose own policy denies access is just unknown. The run is incomplete if AWS listed the versions of no
    secret, refused a large fraction of them, or throttled or did not respond for several.
    """
    refused, busy = sum(progress.refused.values()), sum(progress.refused.get(reason, 0) for reason in BUSY_REASONS)
    by_reason = ", ".join(f"{reason} {count}" for reason, count in sorted(progress.refused.items()))
    if refused and not progress.answered:
        return [f"AWS listed the versions of none of the {refused} secrets requested: {by_reason}."]
    if busy > 1 or (refused > 1 and refused * _REFUSED_FRACTION >= progress.checked):
        return [f"AWS did not list the versions of {refused} of {progress.checked} secrets: {by_reason}."]
    unknown = read_unknown_when_complete(last_complete)
    if unknown is not None and progress.unknown - unknown > max(1, progress.checked // _UNKNOWN_FRACTION):
        now = f"{progress.unknown} of {progress.checked} secrets are unknown"
        return [f"{now}; the last complete run had {unknown} unknown."]
    return []


def read_unknown_when_complete(run: Mapping[str, Any] | None) -> int | None:
    """The number of unknown secrets in the last complete run, from this run's row; None without a row."""
    return None if run is None else int(run.get(UNKNOWN_WHEN_COMPLETE, run.get("unknown", 0)))


def may_have_vanished(progress: Progress, previous: Mapping[str, Any] | None) -> bool:
    """Whether a secret of the previous run is missing from this one; True if the previous run cannot rule it out."""
    if previous is None:
        return False
    # A run with a shortfall does not mark any secret as gone.
    return (
        not previous.get("complete")
        or "shortfall" in previous
        or progress.checked < int(previous.get("checked", 0)) + progress.added
    )
