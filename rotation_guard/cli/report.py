"""A report: what a command answers, before it is written in a format.

The pipeline is rows -> Report -> table, JSON, CSV or Markdown: `secret_report`, `incident_report` and
`incident_timeline` make a Report of rows, and `formats` has a function for each format.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .terminal import Column, Row

JSON_VERSION = 1
"""Version of the JSON shapes: within a version fields are added, and none is changed or removed."""


@dataclass(frozen=True)
class Records:
    """Rows of plain values under named columns."""

    columns: Sequence[str]
    rows: Iterable[Iterable[object]]


@dataclass(frozen=True)
class Section:
    """A table below the report's own."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    note: str = ""


@dataclass(frozen=True)
class Report:
    """What a command answers."""

    headline: str
    """The source, and the time that the report is about."""
    columns: Sequence[Column]
    """Columns of the table; the first one is that of the rows' names."""
    rows: Sequence[Row]
    summary: str
    """The rows, counted, in a sentence."""
    body: Mapping[str, Any]
    """The JSON."""
    csv: Records
    markdown: Records
    provenance: Sequence[tuple[str, str]] = ()
    """What the report is based on and who made it: a label and its text."""
    answer: str = ""
    """The one sentence that answers the question."""
    title: str = ""
    facts: Sequence[tuple[str, str]] = ()
    """Lines before the table: a label and its text."""
    links: Sequence[tuple[str, str]] = ()
    """A label and its address or ARN: each on one line, however long, so that it can be followed or copied."""
    sections: Sequence[Section] = ()
    """Tables below the rows, in the terminal."""
    markdown_sections: Sequence[Section] = ()
    """The same in Markdown, which has the room for more."""
    next_steps: str = ""
    warnings: Sequence[str] = ()
    """Why the report may be wrong or incomplete, one sentence each."""
    has_attention: bool = False
    """Whether any row needs attention."""

    unreadable: Sequence[str] = ()
    """What of that which was asked for could not be read, one sentence each; they are not among the warnings."""

    @property
    def is_incomplete(self) -> bool:
        """Whether a part of what was asked for could not be read."""
        return bool(self.unreadable)

    @property
    def needs_attention(self) -> bool:
        """Whether a row needs attention, or the report is unreliable."""
        return self.has_attention or bool(self.warnings) or self.is_incomplete


def row_records(columns: Sequence[Column], rows: Sequence[Row]) -> Records:
    """The rows of a table as Markdown has them, with the notes, if there are any, as the last column."""
    headers = [column.label for column in columns]
    if rows and not any(row.notes for row in rows):
        return Records(headers, ([row.name, *(text for text, _ in row.cells)] for row in rows))
    return Records([*headers, "reason"], ([row.name, *(text for text, _ in row.cells), row.notes] for row in rows))
