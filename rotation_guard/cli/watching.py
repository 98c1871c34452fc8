"""Repeats a report until it is interrupted: redraws it in a terminal, and appends what has changed elsewhere."""

import os
import sys
import time
from collections.abc import Callable
from typing import NoReturn

import typer

from .errors import INTERRUPTED, Unreachable, UsageError
from .formats import Format, render_lines
from .parsing import utc_now
from .report import Report
from .terminal import Row, echo, print_error, print_lines

WATCH_SECONDS = 5
"""Time between two reports."""
_CLEAR = "\x1b[H\x1b[2J"


def check_watch(is_watch: bool, output_format: Format, exit_code: bool) -> None:
    """Check the options that go with --watch before anything is read. Raises UsageError."""
    if is_watch and output_format is not Format.TABLE:
        raise UsageError(f"--watch needs --format table, got {output_format}.")
    if is_watch and exit_code:
        raise UsageError("--watch does not end by itself, so --exit-code does not apply: give one or the other.")


def watch(
    build: Callable[[], Report],
    *,
    sleep: Callable[[float], None] = time.sleep,
    is_terminal: bool | None = None,
) -> NoReturn:
    """Show what `build` reports, every few seconds, until Control-C, which ends the command with 130.

    The first report must succeed; a later one that fails is named, and tried again. Raises CommandError.
    """
    redraws = is_terminal if is_terminal is not None else sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    shown: Report | None = None
    try:
        while True:
            try:
                report = build()
            except Unreachable as error:
                if shown is None:
                    raise
                print_error(str(error))
            else:
                if redraws:
                    sys.stdout.write(_CLEAR)
                if redraws or shown is None:
                    print_lines(lambda width, report=report: render_lines(report, width))
                else:
                    _append_changes(shown, report)
                sys.stdout.flush()
                shown = report
            sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _append_changes(before: Report, after: Report) -> None:
    """Print each row that is new or has changed, what is gone, and the title and the summary if they have changed."""
    old, new = _texts(before), _texts(after)
    lines = [text for text in new if text not in old]
    names = {row.name for row in after.rows}
    lines += [f"{row.name}: not listed anymore" for row in before.rows if row.name not in names]
    lines += [text for text, previous in _sentences(after, before) if text and text != previous]
    for line in lines:
        echo(f"{utc_now():%Y-%m-%d %H:%M:%S} UTC  {line}")


def _texts(report: Report) -> list[str]:
    return [_text(row) for row in report.rows]


def _text(row: Row) -> str:
    return "  ".join(text for text in (row.name, *(cell for cell, _ in row.cells), row.notes) if text)


def _sentences(after: Report, before: Report) -> list[tuple[str, str]]:
    return [(after.title, before.title), (after.summary, before.summary)]
