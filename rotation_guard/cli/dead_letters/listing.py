"""The Reports of what is in the dead-letter queues: all of them, and the causes that occur."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rotation_guard.domain.dead_letters.causes import Cause
from rotation_guard.domain.dead_letters.dead_letter import DeadLetter
from rotation_guard.domain.dead_letters.subjects import find_subject
from rotation_guard.domain.timestamps import to_iso

from ..deployment import Deployment
from ..incident_report import headline, report_body
from ..report import Records, Report, row_records
from ..terminal import PLAIN, RED, YELLOW, Column, Row
from .selection import Selection
from .survey import QueueReading, Survey

MESSAGE_COLUMNS = (
    "queue",
    "cause",
    "sent_at",
    "secret_name",
    "event",
    "sender",
    "target_arn",
    "error_message",
    "receives",
    "message_id",
    "secret_arn",
    "occurred_at",
)
CAUSE_COLUMNS = ("cause", "count", "queues", "oldest_at", "explanation", "remedy", "source")
_TABLE_COLUMNS = (Column("QUEUE, CAUSE"), Column("COUNT", is_number=True), Column("OLDEST, UTC"))
_CAUSE_TABLE_COLUMNS = (Column("CAUSE"), Column("COUNT", is_number=True), Column("OLDEST, UTC"))
_SHOWN_IDS = 3
"""Ids of messages that a row of the table lists."""


@dataclass(frozen=True)
class CauseGroup:
    """The messages of one or more queues that are there for the same reason."""

    cause: Cause
    letters: Sequence[DeadLetter]

    @property
    def oldest_at(self) -> datetime | None:
        """When the oldest of them was sent."""
        return min((letter.sent_at for letter in self.letters if letter.sent_at), default=None)


def group_by_cause(letters: Sequence[DeadLetter]) -> list[CauseGroup]:
    """The messages by cause, the most frequent one first."""
    groups: dict[Cause, list[DeadLetter]] = {}
    for letter in letters:
        groups.setdefault(letter.cause, []).append(letter)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0].code))
    return [CauseGroup(cause, group) for cause, group in ordered]


def build_list(survey: Survey, selection: Selection, deployment: Deployment, now: datetime) -> Report:
    """The Report of the queues, grouped by cause."""
    rows = [row for reading in survey.readings for row in _queue_rows(reading)]
    total = sum(reading.total for reading in survey.readings)
    messages = [to_json(letter) for letter in survey.letters]
    return Report(
        headline=f"{headline(deployment, now)}, dead letters.",
        columns=_TABLE_COLUMNS,
        rows=rows,
        summary=_summarize(survey, selection, total),
        next_steps="`rotation-guard dead-letters explain` says what to do." if messages else "",
        body=report_body(
            deployment,
            now,
            filters=selection.to_json(),
            summary={"total": total, "shown": len(messages)},
            queues=[_queue_json(reading) for reading in survey.readings],
            messages=messages,
        )
        | {"warnings": [*survey.warnings]},
        csv=Records(MESSAGE_COLUMNS, [[message[name] for name in MESSAGE_COLUMNS] for message in messages]),
        markdown=row_records(_TABLE_COLUMNS, rows),
        warnings=survey.warnings,
        has_attention=total > 0 if selection.is_empty else bool(messages),
    )


def build_explanation(survey: Survey, selection: Selection, deployment: Deployment, now: datetime) -> Report:
    """The Report of the causes that occur."""
    groups = group_by_cause(survey.letters)
    causes = [_cause_json(group) | {"queues": _queues_of(group)} for group in groups]
    rows = [
        Row(
            group.cause.code,
            [(str(len(group.letters)), RED), (format_time(group.oldest_at), PLAIN)],
            " ".join(_explain(group)),
        )
        for group in groups
    ]
    count = len(survey.letters)
    noun = "dead letter has" if count == 1 else "dead letters have"
    kinds = "1 cause" if len(groups) == 1 else f"{len(groups)} causes"
    return Report(
        headline=f"{headline(deployment, now)}, causes of dead letters.",
        columns=_CAUSE_TABLE_COLUMNS,
        rows=rows,
        summary=f"{count} {noun} {kinds}." if count else _summarize(survey, selection, 0),
        body=report_body(deployment, now, filters=selection.to_json(), causes=causes)
        | {"warnings": [*survey.warnings]},
        csv=Records(
            CAUSE_COLUMNS,
            [[" ".join(cause[n]) if n == "queues" else cause[n] for n in CAUSE_COLUMNS] for cause in causes],
        ),
        markdown=row_records(_CAUSE_TABLE_COLUMNS, rows),
        warnings=survey.warnings,
        has_attention=bool(groups),
    )


def to_json(letter: DeadLetter) -> dict[str, Any]:
    """A message in JSON and CSV, without its body."""
    subject = find_subject(letter)
    return {
        "message_id": letter.message_id,
        "queue": letter.queue,
        "sent_at": format_iso(letter.sent_at),
        "receives": letter.receives,
        "sender": str(letter.sender),
        "cause": letter.cause.code,
        "error_message": letter.error_message or None,
        "origin_arn": letter.origin_arn or None,
        "target_arn": letter.target_arn or None,
        "retries": letter.retries,
        "exhausted_condition": letter.exhausted_condition,
        "secret_name": subject.secret_name,
        "secret_arn": subject.secret_arn,
        "event": subject.event,
        "occurred_at": subject.occurred_at,
    }


def format_time(time: datetime | None) -> str:
    """A time for people, to the minute, in UTC."""
    return f"{time:%Y-%m-%d %H:%M}" if time else ""


def format_iso(time: datetime | None) -> str | None:
    """A time for programs."""
    return to_iso(time) if time else None


def _queue_rows(reading: QueueReading) -> Iterator[Row]:
    """One row for each cause; the cause is part of the name, whose column gives way in a narrow terminal."""
    name, state = reading.queue.name, reading.state
    if state is None:
        yield Row(f"{name}, unreadable", [("", PLAIN), ("", PLAIN)])
        return
    groups = group_by_cause(reading.letters)
    for group in groups:
        cells = [(str(len(group.letters)), RED), (format_time(group.oldest_at), PLAIN)]
        notes = f"{group.cause.explanation} {_list_ids(group.letters)}"
        yield Row(f"{name}, {group.cause.code}", cells, notes)
    if state.in_flight:
        notes = "Somebody has received them, so they are hidden for now."
        yield Row(f"{name}, in flight", [(str(state.in_flight), YELLOW), ("", PLAIN)], notes)
    if state.delayed:
        yield Row(f"{name}, delayed", [(str(state.delayed), YELLOW), ("", PLAIN)])
    if not (groups or state.in_flight or state.delayed):
        yield Row(name, [("0", PLAIN), ("", PLAIN)])


def _queue_json(reading: QueueReading) -> dict[str, Any]:
    state = reading.state
    return {
        "queue": reading.queue.name,
        "holds": reading.queue.purpose.holds,
        "url": reading.queue.url,
        "visible": state.visible if state else None,
        "in_flight": state.in_flight if state else None,
        "delayed": state.delayed if state else None,
        "read": reading.read,
        "oldest_at": format_iso(reading.oldest_at),
        "expires_at": format_iso(reading.expires_at(reading.oldest_at)),
        "error": reading.error or None,
        "causes": [_cause_json(group) for group in group_by_cause(reading.letters)],
    }


def _cause_json(group: CauseGroup) -> dict[str, Any]:
    return {
        "cause": group.cause.code,
        "count": len(group.letters),
        "oldest_at": format_iso(group.oldest_at),
        "explanation": group.cause.explanation,
        "remedy": group.cause.remedy,
        "source": group.cause.source or None,
    }


def _queues_of(group: CauseGroup) -> list[str]:
    return [*dict.fromkeys(letter.queue for letter in group.letters)]


def _explain(group: CauseGroup) -> Iterator[str]:
    yield f"In {', '.join(_queues_of(group))}."
    yield group.cause.explanation
    yield group.cause.remedy
    if messages := [*dict.fromkeys(letter.error_message for letter in group.letters if letter.error_message)]:
        more = f" and {len(messages) - 1} others" if len(messages) > 1 else ""
        yield f"Error message: {messages[0].rstrip('.')}{more}."
    if group.cause.source:
        yield f"Source: {group.cause.source}"


def _list_ids(letters: Sequence[DeadLetter]) -> str:
    ids = ", ".join(letter.message_id for letter in letters[:_SHOWN_IDS])
    more = f", and {len(letters) - _SHOWN_IDS} more: --format json lists all" if len(letters) > _SHOWN_IDS else ""
    return f"{'Message' if len(letters) == 1 else 'Messages'} {ids}{more}."


def _summarize(survey: Survey, selection: Selection, total: int) -> str:
    shown, queues = len(survey.letters), len(survey.readings)
    where = "1 queue" if queues == 1 else f"{queues} queues"
    unreadable = sum(reading.state is None for reading in survey.readings)
    missing = f" {unreadable} of {where} could not be read." if unreadable else ""
    if not selection.is_empty and not shown:
        return f"No dead letters match.{missing}"
    if not total:
        return f"No dead letters in {where}." if not unreadable else f"No dead letters are known.{missing}"
    noun = "dead letter" if total == 1 else "dead letters"
    matching = "" if shown == total else f"; {shown} {'is' if shown == 1 else 'are'} shown"
    return f"About {total} {noun} in {where}{matching}.{missing}"
