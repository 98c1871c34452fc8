"""The terminal: sentences, tables that fit its width, and progress while a command waits; colour only in a terminal.

Rich's own Table takes ten times as long for 5 000 secrets (2.5 s against 0.25 s of CPU time), and cannot put a reason
below a row or a long name on a line of its own.
"""

import os
import sys
import textwrap
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Lock, Thread

from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from rotation_guard.domain.control_characters import escape_control_characters

PLAIN = Style()
BOLD, FAINT = Style(bold=True), Style(dim=True)
BANNER = Style(color="white", bgcolor="red", bold=True)
RED, YELLOW, GREEN = Style(color="red"), Style(color="yellow"), Style(color="green")
_MIN_WIDTH = 40
_MIN_NAME_WIDTH = 12
_PROGRESS_SECONDS = 1.0
"""A wait that takes longer shows progress, which is then updated as often."""

Line = list[Segment]


@dataclass(frozen=True)
class Column:
    """One column of a table, as wide as its widest cell."""

    header: str
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its name, a text and its style for each other column, and notes on the lines below."""

    name: str
    cells: Sequence[tuple[str, Style]]
    notes: str = ""


class Progress:
    """One line on standard error while a command waits: what it waits for, and for how long; only in a terminal."""

    def __init__(self) -> None:
        self._message = ""
        self._lock = Lock()
        self._ended = Event()
        self._ended.set()
        self._is_visible = False
        self._shown_from = 0.0

    @contextmanager
    def shown(self) -> Generator[None]:
        """Show it while this context lasts, or until `end`."""
        if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
            yield
            return
        self._message, self._shown_from = "Working", time.monotonic()
        self._ended.clear()
        thread = Thread(target=self._run, args=(time.monotonic(),), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.end()

    def update(self, message: str) -> None:
        """Say what the command waits for now."""
        self._message = message

    def clear(self) -> None:
        """Erase the line before a sentence is printed; it returns after the next second of waiting."""
        with self._lock:
            self._erase()
            self._shown_from = time.monotonic()

    def end(self) -> None:
        """Erase the line for good, because the answer is about to be printed."""
        self._ended.set()
        with self._lock:
            self._erase()

    def _run(self, started: float) -> None:
        while not self._ended.wait(_PROGRESS_SECONDS):
            with self._lock:
                now = time.monotonic()
                if self._ended.is_set() or now - self._shown_from < _PROGRESS_SECONDS:
                    continue
                text = f"{escape_control_characters(self._message)} ({now - started:.0f} s) ..."
                # A longer line would wrap, and could not be erased.
                line = chop_cells(text, _stderr_width() - 1)[0]
                self._write(f"\r\x1b[2K{line}")
                self._is_visible = True

    def _erase(self) -> None:
        if self._is_visible:
            self._write("\r\x1b[2K")
            self._is_visible = False

    def _write(self, text: str) -> None:
        # A terminal that was closed must not end the command.
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:
            self._ended.set()


def _stderr_width() -> int:
    try:
        return max(os.get_terminal_size(sys.stderr.fileno()).columns, _MIN_WIDTH)
    except OSError:
        return _MIN_WIDTH


progress = Progress()
"""The progress of the command of this process."""


def echo(sentence: str) -> None:
    """Print one or more sentences on standard output; the terminal wraps them."""
    progress.clear()
    sys.stdout.write(f"{escape_control_characters(sentence)}\n")
    # Before whatever follows, such as a write that fails.
    sys.stdout.flush()


def print_error(sentence: str) -> None:
    """Print one sentence on standard error."""
    progress.clear()
    sys.stderr.write(f"{escape_control_characters(sentence)}\n")


def write_stdout(parts: Iterable[str], warnings: Iterable[str] = ()) -> None:
    """Write to standard output what programs read, and to standard error the warnings that it cannot contain."""
    progress.end()
    for warning in warnings:
        print_error(f"Warning: {warning}")
    sys.stdout.flush()
    for text in parts:
        # Programs read this, so it is UTF-8 whatever the terminal's encoding.
        sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.buffer.flush()


def discard_output() -> None:
    """Drop what standard output cannot take: Python would fail again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_lines(render: Callable[[int], Iterator[Line]]) -> None:
    """Print the lines that this function renders for the width of the terminal."""
    progress.end()
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    # The terminal itself wraps what is wider, such as a link, so that it can be copied.
    console.print(_Layout(render), end="", crop=False)


class _Layout:
    """Lines that are rendered once the width is known."""

    def __init__(self, render: Callable[[int], Iterator[Line]]) -> None:
        self._render = render

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self._render(max(options.max_width, _MIN_WIDTH)):
            # Most text was escaped before it was measured; the rest must not control the terminal either.
            yield from (Segment(escape_control_characters(part.text), part.style) for part in line)
            yield Segment.line()


def render_banner(warnings: Iterable[str], width: int) -> Iterator[Line]:
    """Warnings in white on red."""
    for warning in warnings:
        for line in textwrap.wrap(f"WARNING: {escape_control_characters(warning)}", width - 2) or [""]:
            yield [Segment(f" {line.ljust(width - 2)} ", BANNER)]


def render_table(columns: Sequence[Column], rows: Sequence[Row], width: int) -> Iterator[Line]:
    """A table whose first column gets the width that the others leave; one space separates columns."""
    first, *others = columns
    rows = [_escape(row) for row in rows]
    widths = [
        max(len(column.header), *(cell_len(row.cells[index][0]) for row in rows)) if rows else len(column.header)
        for index, column in enumerate(others)
    ]
    longest = max(len(first.header), *(cell_len(row.name) for row in rows)) if rows else len(first.header)
    name_width = min(longest, max(width - sum(widths) - len(widths), _MIN_NAME_WIDTH))
    yield _trim(
        [
            Segment(f"{first.header.ljust(name_width)} ", BOLD),
            *(
                Segment(f"{_pad(column.header, size, column)} ", BOLD)
                for column, size in zip(others, widths, strict=True)
            ),
        ]
    )
    for row in rows:
        yield from _render_row(row, others, widths, name_width, width)


def render_text(text: str, width: int, style: Style, indent: str = "") -> Iterator[Line]:
    """A text, wrapped."""
    text = escape_control_characters(text)
    if len(indent) + len(text) <= width and text.isascii():
        yield [Segment(indent + text, style)]
        return
    # Not at hyphens: a version or an ARN that is broken there cannot be copied.
    for line in textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False):
        # textwrap counts characters, and some take two cells.
        for part in chop_cells(line, width):
            yield [Segment(part, style)]


def _escape(row: Row) -> Row:
    """The row as it is printed, so that its width is measured correctly."""
    cells = [(escape_control_characters(text), style) for text, style in row.cells]
    return Row(escape_control_characters(row.name), cells, row.notes)


def _render_row(
    row: Row, columns: Sequence[Column], widths: Sequence[int], name_width: int, width: int
) -> Iterator[Line]:
    name, used = row.name, cell_len(row.name)
    if used > name_width:
        # A long name gets lines of its own, so that it can be searched and copied.
        for part in chop_cells(name, width):
            yield [Segment(part, PLAIN)]
        name, used = "", 0
    yield _trim(
        [
            Segment(f"{name}{' ' * (name_width - used)} ", PLAIN),
            *(
                Segment(f"{_pad(text, size, column)} ", style)
                for (text, style), size, column in zip(row.cells, widths, columns, strict=True)
            ),
        ]
    )
    if row.notes:
        yield from render_text(row.notes, width, FAINT, "  ")


def _pad(text: str, width: int, column: Column) -> str:
    return text.rjust(width) if column.is_number else text.ljust(width)


def _trim(line: Line) -> Line:
    """Remove the spaces at the end of a line."""
    while line and not line[-1].text.strip():
        line.pop()
    if line:
        line[-1] = Segment(line[-1].text.rstrip(), line[-1].style)
    return line
