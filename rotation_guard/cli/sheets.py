"""A sheet: an answer that is some facts and a table, in whatever format."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

import typer

from rotation_guard.domain.timestamps import to_iso

from .deployment import Deployment
from .lines import FAINT, HEAD, PLAIN, Column, Line, Row, banner, show, table, wrapped
from .problems import NEEDS_SOMEONE
from .writing import VERSION, Format, escaped, in_csv, in_json, in_markdown, linked, put


@dataclass(frozen=True)
class Sheet:
    """What a command has to say."""

    headline: str
    """Where it is from."""
    name: str
    """Of the first column."""
    columns: Sequence[Column]
    """Those after the first; what the rows say below themselves is one more of them in Markdown."""
    rows: Sequence[Row]
    totals: str
    """The rows, counted, in a sentence."""
    body: Mapping[str, Any]
    """The JSON."""
    csv_columns: Sequence[str]
    csv_rows: Iterable[Iterable[object]]
    title: str = ""
    facts: Sequence[tuple[str, str]] = ()
    """What is said before the table: a word, and what there is to it."""
    links: Sequence[tuple[str, str]] = ()
    """Where more of it is: addresses and ARNs, each in one line, however long, so that it can be followed or copied."""
    advice: str = ""
    """What to do next."""
    warnings: Sequence[str] = ()
    """Why it may be wrong or lack something, a sentence each."""
    attention: bool = False
    """Whether anything in it needs someone."""


def give(sheet: Sheet, chosen: Format, exit_code: bool) -> NoReturn:
    """Write a sheet down, and end the command."""
    if chosen is Format.TABLE:
        show(lambda width: _lines(sheet, width))
    elif chosen is Format.JSON:
        put(in_json(sheet.body))
    elif chosen is Format.CSV:
        put(in_csv(sheet.csv_columns, sheet.csv_rows), sheet.warnings)
    else:
        put("\n".join(_markdown(sheet)) + "\n")
    raise typer.Exit(NEEDS_SOMEONE if exit_code and (sheet.attention or sheet.warnings) else 0)


def body(deployment: Deployment, now: datetime, warnings: Sequence[str], **more: Any) -> dict[str, Any]:
    """JSON that begins as that of every answer does."""
    return {
        "version": VERSION,
        "generated_at": to_iso(now),
        "source": dict(deployment.source),
        "warnings": list(warnings),
        **more,
    }


def _lines(sheet: Sheet, width: int) -> Iterator[Line]:
    yield from wrapped(sheet.headline, width, FAINT)
    yield from banner(sheet.warnings, width)
    if sheet.title:
        yield []
        yield from wrapped(sheet.title, width, HEAD)
    for word, text in sheet.facts:
        yield from wrapped(f"{word}: {text}", width, PLAIN, "  ")
    for word, link in sheet.links:
        yield from wrapped(f"{word}: {link}", len(word) + len(link) + 4, PLAIN, "  ")
    if sheet.rows:
        yield []
        yield from table(sheet.name, sheet.columns, sheet.rows, width)
    yield []
    yield from wrapped(sheet.totals, width, HEAD)
    if sheet.advice:
        yield from wrapped(f"Next: {sheet.advice}", width, HEAD)


def _markdown(sheet: Sheet) -> Iterator[str]:
    yield f"**{escaped(sheet.headline)}**"
    yield ""
    for warning in sheet.warnings:
        yield f"> **Warning:** {escaped(warning)}"
        yield ""
    if sheet.title:
        yield f"**{escaped(sheet.title)}**"
        yield ""
    for word, text in sheet.facts:
        yield f"- {word}: {escaped(text)}"
    for word, link in sheet.links:
        yield f"- {word}: {linked(link)}"
    if sheet.facts or sheet.links:
        yield ""
    yield escaped(f"{sheet.totals} Next: {sheet.advice}" if sheet.advice else sheet.totals)
    if not sheet.rows:
        return
    yield ""
    heads = [sheet.name, *(column.head for column in sheet.columns), "REASON"]
    rows = ([row.name, *(text for text, _ in row.cells), row.notes] for row in sheet.rows)
    yield from in_markdown([head.lower() for head in heads], rows)
