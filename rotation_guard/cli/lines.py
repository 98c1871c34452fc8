"""Lines for people: a table that fits a terminal, in colour only there.

Rich's own table measures and wraps every cell, two seconds for 5 000 secrets: lines as plain as these we lay out.
"""

import os
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from rotation_guard.domain.control_characters import escape_control_characters

PLAIN = Style()
HEAD, FAINT = Style(bold=True), Style(dim=True)
BANNER = Style(color="white", bgcolor="red", bold=True)
RED, YELLOW, GREEN = Style(color="red"), Style(color="yellow"), Style(color="green")
_NARROWEST = 40
_NARROWEST_NAME = 12

Line = list[Segment]


@dataclass(frozen=True)
class Column:
    """One column of a table, as wide as its widest cell."""

    head: str
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its name, which may be long, a text and its style for each other column, and what is said below them."""

    name: str
    cells: Sequence[tuple[str, Style]]
    notes: str = ""


def say(sentence: str) -> None:
    """Prints one sentence or some, and leaves their breaking to the terminal."""
    sys.stdout.write(f"{escape_control_characters(sentence)}\n")
    # Before what follows it, such as a write that fails.
    sys.stdout.flush()


def complain(sentence: str) -> None:
    """Prints one sentence on standard error."""
    sys.stderr.write(f"{escape_control_characters(sentence)}\n")


def discard_output() -> None:
    """Drop what standard output could not take: Python would fail once more when it flushes that at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def show(lines: Callable[[int], Iterator[Line]]) -> None:
    """Prints the lines of the width that there is."""
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    # What is wider than the terminal, such as a link, is the terminal's to break: so it can be copied.
    console.print(_Layout(lines), end="", crop=False)


class _Layout:
    """The lines, once their width is known."""

    def __init__(self, lines: Callable[[int], Iterator[Line]]) -> None:
        self._lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self._lines(max(options.max_width, _NARROWEST)):
            # Most is escaped before it is measured; what comes this far unescaped would steer the terminal.
            yield from (Segment(escape_control_characters(part.text), part.style) for part in line)
            yield Segment.line()


def banner(warnings: Iterable[str], width: int) -> Iterator[Line]:
    """What must not be overlooked."""
    for warning in warnings:
        for line in textwrap.wrap(f"WARNING: {escape_control_characters(warning)}", width - 2) or [""]:
            yield [Segment(f" {line.ljust(width - 2)} ", BANNER)]


def table(name: str, columns: Sequence[Column], rows: Sequence[Row], width: int) -> Iterator[Line]:
    """A table whose first column, of this name, has what the others leave; a space stands between two."""
    rows = [_escaped(row) for row in rows]
    widths = [
        max(len(column.head), *(cell_len(row.cells[index][0]) for row in rows)) if rows else len(column.head)
        for index, column in enumerate(columns)
    ]
    longest = max(len(name), *(cell_len(row.name) for row in rows)) if rows else len(name)
    name_width = min(longest, max(width - sum(widths) - len(widths), _NARROWEST_NAME))
    yield _trimmed(
        [
            Segment(f"{name.ljust(name_width)} ", HEAD),
            *(
                Segment(f"{_padded(column.head, size, column)} ", HEAD)
                for column, size in zip(columns, widths, strict=True)
            ),
        ]
    )
    for row in rows:
        yield from _row(row, columns, widths, name_width, width)


def wrapped(text: str, width: int, style: Style, indent: str = "") -> Iterator[Line]:
    """A text in as many lines as it takes."""
    text = escape_control_characters(text)
    if len(indent) + len(text) <= width and text.isascii():
        yield [Segment(indent + text, style)]
        return
    # Not at hyphens: a version or an ARN that is cut there cannot be copied.
    for line in textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False):
        # textwrap counts characters, and some take two cells.
        for part in chop_cells(line, width):
            yield [Segment(part, style)]


def _escaped(row: Row) -> Row:
    """As it is printed, so that it is measured as that."""
    cells = [(escape_control_characters(text), style) for text, style in row.cells]
    return Row(escape_control_characters(row.name), cells, row.notes)


def _row(row: Row, columns: Sequence[Column], widths: Sequence[int], name_width: int, width: int) -> Iterator[Line]:
    name, taken = row.name, cell_len(row.name)
    if taken > name_width:
        # A long name has lines of its own, whole: so it can be found and copied.
        for part in chop_cells(name, width):
            yield [Segment(part, PLAIN)]
        name, taken = "", 0
    yield _trimmed(
        [
            Segment(f"{name}{' ' * (name_width - taken)} ", PLAIN),
            *(
                Segment(f"{_padded(text, size, column)} ", style)
                for (text, style), size, column in zip(row.cells, widths, columns, strict=True)
            ),
        ]
    )
    if row.notes:
        yield from wrapped(row.notes, width, FAINT, "  ")


def _padded(text: str, width: int, column: Column) -> str:
    return text.rjust(width) if column.is_number else text.ljust(width)


def _trimmed(line: Line) -> Line:
    """Without the spaces at its end."""
    while line and not line[-1].text.strip():
        line.pop()
    if line:
        line[-1] = Segment(line[-1].text.rstrip(), line[-1].style)
    return line
