"""The terminal: sentences, tables that fit its width, and progress while a command waits; colour only in a terminal.

Rich's own Table takes ten times as long for 5 000 secrets (2.5 s against 0.25 s of CPU time), and cannot put a reason
below a row or a long name on a line of its own.
"""

import os
import shutil
import sys
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
_INDENT = "  "
_PROGRESS_SECONDS = 1.0
"""A wait that takes longer shows progress, which is then updated as often."""

Line = list[Segment]


@dataclass(frozen=True)
class Column:
    """One column of a table, as wide as its widest cell."""

    header: str
    is_number: bool = False

    @property
    def label(self) -> str:
        """The header as it is written within a sentence, and in Markdown."""
        return self.header.lower().replace(", utc", ", UTC")


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
    """Print one or more sentences on standard output, in one line unless it is a terminal, which would cut words."""
    progress.clear()
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    lines = [to_printable(sentence)] if width is None else _wrap(sentence, max(width, _MIN_WIDTH))
    sys.stdout.write("\n".join([*lines, ""]))
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
        for line in _wrap(f"WARNING: {warning}", width - 2) or [""]:
            yield [Segment(f" {_pad(line, width - 2)} ", BANNER)]


def render_table(columns: Sequence[Column], rows: Sequence[Row], width: int) -> Iterator[Line]:
    """A table whose first column gets the width that the others leave; one space separates columns.

    If the others leave too little, headers are broken at spaces; if that is not enough, each row is a paragraph.
    """
    first, *others = columns
    rows = [_printable_row(row) for row in rows]
    headers = [[column.header] for column in columns]
    widths = _measure(headers[1:], rows)
    if _MIN_NAME_WIDTH + sum(widths) + len(widths) > width:
        headers = [column.header.split() for column in columns]
        widths = _measure(headers[1:], rows)
    if _MIN_NAME_WIDTH + sum(widths) + len(widths) > width:
        for row in rows:
            yield from _render_paragraph(row, columns, width)
        return
    longest = max(len(first.header), *(cell_len(row.name) for row in rows)) if rows else len(first.header)
    name_width = min(longest, max(width - sum(widths) - len(widths), _MIN_NAME_WIDTH))
    yield from _render_headers(columns, headers, [name_width, *widths])
    for row in rows:
        yield from _render_row(row, others, widths, name_width, width)


def render_text(text: str, width: int, style: Style, indent: str = "") -> Iterator[Line]:
    """A text, wrapped."""
    for line in _wrap(text, width - len(indent)):
        yield [Segment(indent + line, style)]


def to_printable(text: str) -> str:
    """The text as standard output shows it: control characters, and what its encoding lacks, as their codes."""
    text = escape_control_characters(text)
    if text.isascii():
        return text
    # Before it is measured: a code is wider than its character.
    encoding = sys.stdout.encoding
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _wrap(text: str, width: int) -> list[str]:
    """Lines of at most this many cells, broken at spaces; a word that is longer than a line is broken anywhere.

    An address is not broken: the terminal wraps it, and it can be followed.

    Python's textwrap counts characters, of which some take two cells. Hyphens are no place to break: a version or an
    ARN that is broken there cannot be copied.
    """
    text = to_printable(text)
    if len(text) <= width and text.isascii():
        return [text] if text else []
    lines: list[str] = []
    for word in text.split(" "):
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines += [word] if "://" in word else chop_cells(word, width) if word else []
    return lines


def _printable_row(row: Row) -> Row:
    """The row as it is printed, so that its width is measured correctly."""
    return Row(to_printable(row.name), [(to_printable(text), style) for text, style in row.cells], row.notes)


def _measure(headers: Sequence[Sequence[str]], rows: Sequence[Row]) -> list[int]:
    """The widths of all columns but the first: of the widest cell, or of the widest line of the header."""
    return [
        max([*map(len, header), *(cell_len(row.cells[index][0]) for row in rows)])
        for index, header in enumerate(headers)
    ]


def _render_headers(
    columns: Sequence[Column], headers: Sequence[Sequence[str]], widths: Sequence[int]
) -> Iterator[Line]:
    """The headers, of one or more lines each; the last lines are at the bottom."""
    height = max(map(len, headers))
    for number in range(height):
        texts = [header[index] if (index := number - height + len(header)) >= 0 else "" for header in headers]
        cells = zip(texts, widths, columns, strict=True)
        yield _trim([Segment(f"{_pad(text, size, is_number=column.is_number)} ", BOLD) for text, size, column in cells])


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
            Segment(f"{_pad(name, name_width)} ", PLAIN),
            *(
                Segment(f"{_pad(text, size, is_number=column.is_number)} ", style)
                for (text, style), size, column in zip(row.cells, widths, columns, strict=True)
            ),
        ]
    )
    if row.notes:
        yield from render_text(row.notes, width, FAINT, "  ")


def _render_paragraph(row: Row, columns: Sequence[Column], width: int) -> Iterator[Line]:
    """The name of a row, and below it each cell that is not empty with its header."""
    for part in chop_cells(row.name, width):
        yield [Segment(part, PLAIN)]
    cells = [
        (column.label.replace(", UTC", " (UTC)"), text, style)
        for column, (text, style) in zip(columns[1:], row.cells, strict=True)
        if text
    ]
    chunks: list[Line] = []
    for number, (header, text, style) in enumerate(cells, 1):
        label = f"{header}: "
        end = "," if number < len(cells) else ""
        if cell_len(f"{_INDENT}{label}{text}{end}") <= width:
            chunks.append([Segment(label, FAINT), Segment(text, style), Segment(end)])
        else:
            words = [part for word in text.split(" ") for part in chop_cells(word, width - len(_INDENT) - 1)]
            chunks.append([Segment(label.rstrip(), FAINT)])
            chunks += [[Segment(word, style)] for word in words]
            chunks[-1].append(Segment(end))
    line: Line = []
    for chunk in chunks:
        if line and Segment.get_line_length([*line, *chunk]) + 1 > width:
            yield line
            line = []
        line += [Segment(" " if line else _INDENT), *chunk]
    if line:
        yield line
    if row.notes:
        yield from render_text(row.notes, width, FAINT, _INDENT)


def _pad(text: str, width: int, *, is_number: bool = False) -> str:
    """The text in so many cells, of which some characters take two."""
    spaces = " " * (width - cell_len(text))
    return f"{spaces}{text}" if is_number else f"{text}{spaces}"


def _trim(line: Line) -> Line:
    """Remove the spaces at the end of a line."""
    while line and not line[-1].text.strip():
        line.pop()
    if line:
        line[-1] = Segment(line[-1].text.rstrip(), line[-1].style)
    return line
