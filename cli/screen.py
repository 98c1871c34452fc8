"""An answer for people: a table that fits a terminal, in colour only there.

Rich's own table measures and wraps every cell, two seconds for 5 000 secrets: lines as plain as these we lay out.
"""

import re
import sys
import textwrap
from collections.abc import Iterator

from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from .answers import Answer
from .secret_rows import Change, SecretRow

_PLAIN = Style()
_HEAD, _FAINT = Style(bold=True), Style(dim=True)
_BANNER = Style(color="white", bgcolor="red", bold=True)
_RED, _YELLOW, _GREEN = Style(color="red"), Style(color="yellow"), Style(color="green")
_LONG = 20
"""Rows above which the warnings are said once more below them, where the eye is when the output stops."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_NARROWEST = 40


def show(answer: Answer) -> None:
    """Print it."""
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    console.print(_Layout(answer), end="")


def headline(answer: Answer) -> str:
    """Where the answer is from, and the run that it rests on."""
    said = f"{answer.source['description']}, as of {answer.at:%Y-%m-%d %H:%M:%S} UTC"
    if answer.since is not None:
        said += f", changes since {answer.since:%Y-%m-%d %H:%M:%S} UTC"
    if answer.run is not None:
        said += f"; rests on the run {answer.run['run_id']}, which checked {answer.run['checked']}"
    return f"{said}."


def totals(answer: Answer) -> str:
    """The rows, counted, in a sentence."""
    counts = answer.summary
    if not counts.total:
        return "No secret answers to this."
    verdicts = ", ".join(f"{name} {count}" for name, count in counts.verdicts.items())
    needs = "needs" if counts.attention == 1 else "need"
    secrets = "secret" if counts.total == 1 else "secrets"
    return f"{counts.total} {secrets}: {verdicts}. {counts.attention} {needs} someone."


def changed(change: Change) -> str:
    """What changed, in a word or some."""
    if change.before is None or change.after is None:
        return change.kinds[0]
    said = {
        "verdict": f"was {change.before.verdict}",
        "value": "new value",
        "attention": "needs someone" if change.after.attention else "needs no one",
    }
    return ", ".join(said[kind] for kind in change.kinds if kind != "attention" or "verdict" not in change.kinds)


class _Layout:
    """The whole of it, as lines of the width that there is."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(options.max_width, _NARROWEST)
        for line in self._lines(width):
            yield from line
            yield Segment.line()

    def _lines(self, width: int) -> Iterator[list[Segment]]:
        answer = self._answer
        yield from _wrapped(headline(answer), width, _FAINT)
        yield from self._banner(width)
        if answer.rows:
            yield []
            yield from self._table(width)
            yield []
        yield from _wrapped(totals(answer), width, _HEAD)
        if len(answer.rows) > _LONG:
            yield from self._banner(width)

    def _banner(self, width: int) -> Iterator[list[Segment]]:
        for warning in self._answer.warnings:
            for line in textwrap.wrap(f"WARNING: {_printable(warning)}", width - 2) or [""]:
                yield [Segment(f" {line.ljust(width - 2)} ", _BANNER)]

    def _table(self, width: int) -> Iterator[list[Segment]]:
        answer = self._answer
        verdict_width = max(7, *(len(row.verdict) for row in answer.rows))
        # Age, limit and due have 6, 6 and 12; a space stands before each column.
        name_width = max(width - verdict_width - 25, 12)
        longest = max(6, *(cell_len(row.secret_name) for row in answer.rows))
        name_width = min(name_width, longest)
        head = f"{'SECRET'.ljust(name_width)} {'VERDICT'.ljust(verdict_width)} {'AGE':>5} {'LIMIT':>5} {'DUE':<10}"
        yield [Segment(head.rstrip(), _HEAD)]
        for row in answer.rows:
            yield from self._row(row, name_width, verdict_width, width)

    def _row(self, row: SecretRow, name_width: int, verdict_width: int, width: int) -> Iterator[list[Segment]]:
        name = _printable(row.secret_name)
        taken = cell_len(name)
        if taken > name_width:
            # A long name has lines of its own, whole: so it can be found and copied.
            for part in chop_cells(name, width):
                yield [Segment(part, _PLAIN)]
            name, taken = "", 0
        age = "?" if row.age_days is None else str(row.age_days)
        limit = "?" if row.limit_days is None else str(row.limit_days)
        due = f"{row.due_at:%Y-%m-%d}" if row.due_at else ""
        yield [
            Segment(f"{name}{' ' * (name_width - taken)} ", _PLAIN),
            Segment(row.verdict.ljust(verdict_width), _colour(row)),
            Segment(f" {age:>5} {limit:>5} {due}".rstrip(), _PLAIN),
        ]
        changes = self._answer.changes
        said = [f"({changed(changes[row.secret_name])})"] if changes is not None else []
        said += [row.reason] if row.attention else []
        said += [f"Owner: {row.owner}."] if row.owner and row.attention else []
        if said:
            yield from _wrapped(" ".join(said), width, _FAINT, "  ")


def _wrapped(text: str, width: int, style: Style, indent: str = "") -> Iterator[list[Segment]]:
    text = _printable(text)
    if len(indent) + len(text) <= width and text.isascii():
        yield [Segment(indent + text, style)]
        return
    for line in textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent):
        # textwrap counts characters, and some take two cells.
        for part in chop_cells(line, width):
            yield [Segment(part, style)]


def _printable(text: str) -> str:
    """Without what would steer the terminal: tags and files may hold anything."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode(), text)


def _colour(row: SecretRow) -> Style:
    if row.status == "ok":
        return _YELLOW if row.attention else _GREEN
    return _RED
