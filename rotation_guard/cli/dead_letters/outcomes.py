"""What a command did with each dead letter, and the Report of it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from rotation_guard.domain.dead_letters.dead_letter import DeadLetter
from rotation_guard.domain.dead_letters.subjects import find_subject

from ..deployment import Deployment
from ..incident_report import headline, report_body
from ..report import Records, Report, row_records
from ..terminal import GREEN, PLAIN, RED, YELLOW, Column, Row
from .listing import format_iso
from .selection import Selection

COLUMNS = ("message_id", "queue", "result", "destination", "reason", "cause", "secret_name", "sent_at")
_TABLE_COLUMNS = (Column("QUEUE"), Column("RESULT"), Column("COUNT", is_number=True))
_SHOWN_IDS = 3


class Result(StrEnum):
    """What happened to one message."""

    WOULD_SEND = "would send"
    SENT = "sent"
    WOULD_DISCARD = "would discard"
    DISCARDED = "discarded"
    KEPT = "kept"
    """It is in the queue as before, and the reason says why."""
    UNCLEAR = "sent, not deleted"
    """Its destination has accepted it, and it is still in the queue."""


_STYLES = {Result.SENT: GREEN, Result.DISCARDED: GREEN, Result.KEPT: RED, Result.UNCLEAR: RED}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to one message; without its body, since there may be many."""

    message_id: str
    queue: str
    result: Result
    destination: str
    reason: str
    """Why it was kept, in a sentence; otherwise empty."""
    cause: str
    secret_name: str | None
    sent_at: str | None

    @classmethod
    def of(cls, letter: DeadLetter, result: Result, destination: str = "", reason: str = "") -> "Outcome":
        """The outcome of this message."""
        return cls(
            letter.message_id,
            letter.queue,
            result,
            destination,
            reason,
            letter.cause.code,
            find_subject(letter).secret_name,
            format_iso(letter.sent_at),
        )

    def to_json(self) -> dict[str, Any]:
        """The outcome in JSON and CSV."""
        return {name: getattr(self, name) for name in COLUMNS} | {"result": str(self.result)}


@dataclass
class Outcomes:
    """What a command did."""

    is_dry_run: bool
    outcomes: list[Outcome] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    is_incomplete: bool = False
    """Whether a queue could not be read to its end, or AWS refused something."""
    is_interrupted: bool = False
    """Whether the operator interrupted it: what is listed was done, and all else is as before."""
    record: Mapping[str, str] = field(default_factory=dict)
    """Who did it, why, and where it was saved."""

    def add(self, outcome: Outcome) -> None:
        """Add what happened to one message."""
        self.outcomes.append(outcome)

    def count(self, *results: Result) -> int:
        """How many messages have one of these results."""
        return sum(outcome.result in results for outcome in self.outcomes)


def build_outcomes(
    outcomes: Outcomes, selection: Selection, deployment: Deployment, now: datetime, *, hint: str
) -> Report:
    """The Report of a redrive or a discard; `hint` says how to do it, after a dry run."""
    counts = Counter(str(outcome.result) for outcome in outcomes.outcomes)
    rows = [*_rows(outcomes.outcomes)]
    messages = [outcome.to_json() for outcome in outcomes.outcomes]
    what = "dry run" if outcomes.is_dry_run else "dead letters"
    kept = outcomes.count(Result.KEPT, Result.UNCLEAR, Result.WOULD_SEND, Result.WOULD_DISCARD)
    return Report(
        headline=f"{headline(deployment, now)}, {what}.",
        columns=_TABLE_COLUMNS,
        rows=rows,
        summary=_summarize(counts, outcomes),
        next_steps=hint if outcomes.is_dry_run and counts.keys() - {Result.KEPT} else "",
        body=report_body(
            deployment,
            now,
            filters=selection.to_json(),
            dry_run=outcomes.is_dry_run,
            **outcomes.record,
            summary=dict(counts),
            messages=messages,
        )
        | {"warnings": outcomes.warnings},
        csv=Records(COLUMNS, [message.values() for message in messages]),
        markdown=row_records(_TABLE_COLUMNS, rows),
        warnings=outcomes.warnings,
        has_attention=kept > 0,
    )


def _rows(outcomes: Sequence[Outcome]) -> Iterator[Row]:
    """One row for each queue, result, destination and reason."""
    groups: dict[tuple[str, Result, str, str], list[str]] = {}
    for outcome in outcomes:
        key = (outcome.queue, outcome.result, outcome.destination, outcome.reason)
        groups.setdefault(key, []).append(outcome.message_id)
    for (queue, result, destination, reason), ids in groups.items():
        more = f", and {len(ids) - _SHOWN_IDS} more" if len(ids) > _SHOWN_IDS else ""
        notes = [destination and f"To {destination}.", reason, f"{', '.join(ids[:_SHOWN_IDS])}{more}."]
        style = _STYLES.get(result, YELLOW)
        yield Row(queue, [(result, style), (str(len(ids)), PLAIN)], " ".join(note for note in notes if note))


def _summarize(counts: Mapping[str, int], outcomes: Outcomes) -> str:
    if not counts:
        return (
            "Interrupted. Nothing was written."
            if outcomes.is_interrupted
            else "No dead letters match. Nothing was written."
        )
    counted = ", ".join(f"{result} {count}" for result, count in counts.items())
    ending = " Nothing was written: this is a dry run." if outcomes.is_dry_run else ""
    total = sum(counts.values())
    interruption = " Interrupted: the others are as before." if outcomes.is_interrupted else ""
    saved = f" Saved to {outcomes.record['saved_to']}." if "saved_to" in outcomes.record else ""
    return f"{total} dead {'letter' if total == 1 else 'letters'}: {counted}.{saved}{ending}{interruption}"
