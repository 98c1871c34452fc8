"""The formats of a report, one function each; cells are safe where they are opened.

The page of a report on secrets has charts and more: `page_report` builds it.
"""

import json
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum

from rotation_guard.domain.control_characters import (
    escape_control_characters,
    escape_control_characters_in_json,
    has_control_characters,
)
from rotation_guard.domain.csv_format import render_csv

from .page_output import TO_STDOUT, PageTarget
from .parsing import utc_now
from .report import Report, row_records
from .terminal import (
    BOLD,
    FAINT,
    PLAIN,
    Line,
    echo,
    print_lines,
    render_banner,
    render_table,
    render_text,
    write_stdout,
)
from .whole_file import write_file_of

_MARKUP = re.compile(r"[\\`*\[\]<>|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_MANY_ROWS = 20
"""More rows than this, and the warnings are repeated below them, where the output ends."""


class Format(StrEnum):
    """The formats of a report."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    HTML = "html"


def write_report(report: Report, chosen: Format, target: PageTarget = TO_STDOUT) -> None:
    """Write a report to standard output, and as a page to its target.

    CSV cannot contain warnings, so they go to standard error.
    """
    if chosen is Format.TABLE:
        print_lines(lambda width: render_lines(report, width))
    elif chosen is Format.JSON:
        write_stdout([render_json(report)])
    elif chosen is Format.CSV:
        write_stdout(render_csv(report.csv.columns, report.csv.rows), report.warnings)
    elif chosen is Format.HTML:
        target.write(lambda: render_html(report), utc_now())
    else:
        write_stdout([render_markdown(report)])


def write_file(option: str, name: str, text: str) -> None:
    """Write a text, in UTF-8, to this file, or to standard output if it is `-`. Raises UsageError."""
    if name == "-":
        write_stdout([text])
        return
    write_file_of(option, name, text)
    echo(f"Wrote {name}.")


def render_lines(report: Report, width: int) -> Iterator[Line]:
    """The report for a terminal of this width."""
    yield from render_text(report.headline, width, FAINT)
    for label, text in report.provenance:
        yield from render_text(f"{label}: {text}", width, FAINT, "  ")
    yield from render_banner([*report.unreadable, *report.warnings], width)
    if report.answer:
        yield []
        yield from render_text(report.answer, width, BOLD)
    if report.title:
        yield []
        yield from render_text(report.title, width, BOLD)
    elif report.facts and not report.answer:
        # What is reported is apart from who reports it.
        yield []
    for label, text in report.facts:
        yield from render_text(f"{label}: {text}", width, PLAIN, "  ")
    for label, link in report.links:
        yield from render_text(f"{label}: {link}", len(label) + len(link) + 4, PLAIN, "  ")
    if report.rows:
        yield []
        yield from render_table(report.columns, report.rows, width)
    yield []
    yield from render_text(report.summary, width, BOLD)
    for section in report.sections:
        yield []
        yield from render_text(section.title, width, BOLD)
        yield from render_table(section.columns, section.rows, width)
        if section.note:
            yield from render_text(section.note, width, FAINT)
    if report.next_steps:
        yield from render_text(f"Next: {report.next_steps}", width, BOLD)
    if len(report.rows) > _MANY_ROWS:
        yield from render_banner([*report.unreadable, *report.warnings], width)


def render_json(report: Report) -> str:
    """The documented, versioned JSON."""
    return escape_control_characters_in_json(json.dumps(report.body, ensure_ascii=False, indent=2)) + "\n"


def render_markdown(report: Report) -> str:
    """Markdown for a ticket or a wiki."""
    return "\n".join(_markdown_lines(report)) + "\n"


def _markdown_lines(report: Report) -> Iterator[str]:
    yield f"**{_escape_markdown(report.headline)}**"
    yield ""
    for label, text in report.provenance:
        yield f"- {_escape_markdown(label)}: {_escape_markdown(text)}"
    if report.provenance:
        yield ""
    for warning in [*report.unreadable, *report.warnings]:
        yield f"> **Warning:** {_escape_markdown(warning)}"
        yield ""
    if report.answer:
        yield f"**{_escape_markdown(report.answer)}**"
        yield ""
    if report.title:
        yield f"**{_escape_markdown(report.title)}**"
        yield ""
    for label, text in report.facts:
        yield f"- {label}: {_escape_markdown(text)}"
    for label, link in report.links:
        yield f"- {label}: {_to_link(link)}"
    if report.facts or report.links:
        yield ""
    yield _escape_markdown(f"{report.summary} Next: {report.next_steps}" if report.next_steps else report.summary)
    if report.rows:
        yield ""
        yield from _markdown_table(report.markdown.columns, report.markdown.rows)
    for section in report.markdown_sections:
        records = row_records(section.columns, section.rows)
        yield ""
        yield f"**{_escape_markdown(section.title)}**"
        yield ""
        yield from _markdown_table(records.columns, records.rows)


def render_html(report: Report) -> str:
    """A page for people, with the tables that Markdown has."""
    # Templates take a quarter of a second to import, which the other formats need not wait for.
    from rotation_guard.html_report.document import Document, Table, render_document

    tables = [("", report.markdown)] if report.rows else []
    tables += [(section.title, row_records(section.columns, section.rows)) for section in report.markdown_sections]
    return render_document(
        Document(
            source=report.headline,
            answer=report.answer,
            summary=report.summary,
            title=report.title,
            facts=report.facts,
            links=report.links,
            tables=[Table(title, records.columns, [[*row] for row in records.rows]) for title, records in tables],
            next_steps=report.next_steps,
            warnings=[*report.unreadable, *report.warnings],
            provenance=report.provenance,
        )
    )


def _markdown_table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    headers = list(columns)
    yield f"| {' | '.join(headers)} |"
    yield f"|{' --- |' * len(headers)}"
    for row in rows:
        yield f"| {' | '.join(_escape_markdown(cell) for cell in row)} |"


def _escape_markdown(value: object) -> str:
    """A text in one line that becomes no markup; empty for None."""
    text = "" if value is None else escape_control_characters(" ".join(str(value).split()))
    return _MARKUP.sub(lambda match: f"\\{match[0]}", text)


def _to_link(address: str) -> str:
    """A Markdown link if the address is one and nothing in it ends the link; otherwise the escaped text."""
    is_address = "://" in address and not re.search(r"[\s<>]", address) and not has_control_characters(address)
    return f"<{address}>" if is_address else _escape_markdown(address)
