"""What `python -m local` prints: colors and a live progress line in a terminal, plain lines in a pipe."""

import sys
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.status import Status
from rich.text import Text

from rotation_guard.domain.control_characters import escape_control_characters

from .demo.scenarios import StepResult
from .demo.timeline import TimelineEntry
from .deploy.deployment import Progress
from .errors import LocalError

_WIDTH = 76
_REORDER_SECONDS = 0.5
"""How late an entry of the timeline may arrive and still be printed in its place."""
_PROGRESS_SECONDS = 1.0
"""How long a step may take in a pipe before its progress is printed."""
_PROGRESS_INTERVAL_SECONDS = 5.0
"""How often progress is printed in a pipe after that, when it has changed."""
_COLORS = {"AWS": "yellow", "recovered": "bold green", "moved": "magenta", "opened": "red", "broken": "bold red"}


class _CheckedConsole(Console):
    """A console that raises LocalError when its output cannot be written, for example because the disk is full."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; raises LocalError when that fails."""
        with _translate_write_errors():
            super().print(*objects, **options)


class Terminal:
    """Standard output for results; standard error for errors, and for progress in a pipe."""

    def __init__(self) -> None:
        self._out = _CheckedConsole(soft_wrap=True, highlight=False, emoji=False)
        self._error = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)

    def print_line(self, text: str = "", style: str = "") -> None:
        """Print a line."""
        self._out.print(_escape_text(text, style))

    def write_raw(self, text: str) -> None:
        """Write text that a program reads."""
        with _translate_write_errors():
            sys.stdout.write(text)
            sys.stdout.flush()

    def print_step(self, step: StepResult, style: str = "green") -> None:
        """Print the result of a step and how long it took."""
        line = Text("✓ " if self._out.is_terminal else "", style=style)
        line.append(escape_control_characters(step.text), style="default")
        if step.milliseconds is not None:
            duration = (
                f"{step.milliseconds:.0f} ms" if step.milliseconds < 10_000 else f"{step.milliseconds / 1000:.1f} s"
            )
            line.append(duration.rjust(max(1, _WIDTH - len(line.plain))), style="bold")
        self._out.print(line)

    def print_steps(self, run: Callable[[Progress], Iterable[StepResult]]) -> None:
        """Run a scenario, which reports its progress, and print each step as it completes."""
        with self.show_progress("") as progress:
            for step in run(progress.update):
                self.print_step(step)

    def print_expectation(self, text: str, violation: str | None) -> None:
        """Print an expectation with a check mark, or with a cross and how it was violated."""
        self._out.print(
            Text("✗ " if violation else "✓ ", style="bold red" if violation else "green")
            .append(text, style="default")
            .append(escape_control_characters(f": {violation}") if violation else "", style="bold red")
        )

    @contextmanager
    def show_timeline(self) -> Generator["Timeline"]:
        """Print the entries of a timeline as they arrive, each once, with a progress line in between."""
        with self.show_progress("waiting for the end of earlier rotations and incidents") as progress:
            timeline = Timeline(self._out, progress)
            try:
                yield timeline
            finally:
                timeline.flush()

    @contextmanager
    def show_progress(self, text: str) -> Generator["ProgressLine"]:
        """Show what is happening: a live line in a terminal, and lines on standard error in a pipe."""
        if self._out.is_terminal:
            with self._out.status(_escape_text(text)) as status:
                yield ProgressLine(status)
            return
        progress, is_over = ProgressLine(text=text), threading.Event()
        reporter = threading.Thread(target=self._report, args=(progress, is_over), daemon=True)
        reporter.start()
        try:
            yield progress
        finally:
            is_over.set()
            reporter.join()

    def _report(self, progress: "ProgressLine", is_over: threading.Event) -> None:
        """Print what has been happening for longer than a moment, until it is over."""
        printed, wait_seconds = "", _PROGRESS_SECONDS
        while not is_over.wait(wait_seconds):
            if progress.text not in ("", printed):
                printed, wait_seconds = progress.text, _PROGRESS_INTERVAL_SECONDS
                self._error.print(_escape_text(f"{printed} ..."))

    def print_pairs(self, title: str, values: Mapping[str, Any]) -> None:
        """Print a name and its value per line; long values are not wrapped, so that they can be copied."""
        self.print_line(title, style="bold")
        width = max(map(len, values), default=0)
        for name, value in values.items():
            line = _escape_text(f"  {name.ljust(width)}  ", style="cyan")
            self._out.print(line.append(escape_control_characters(str(value)), style="default"), soft_wrap=True)

    def print_error(self, message: str) -> None:
        """Print an error message to standard error."""
        # An error of the program itself may have several lines.
        self._error.print(Text(escape_control_characters(message, keep="\n"), style="red"))


@contextmanager
def _translate_write_errors() -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise LocalError(f"The output cannot be written: {error.strerror or error}.") from None


def _escape_text(text: str, style: str = "") -> Text:
    """Return text without markup and control characters."""
    return Text(escape_control_characters(text), style=style)


class ProgressLine:
    """What is happening now; in a terminal, the live line that shows it."""

    def __init__(self, status: Status | None = None, text: str = "") -> None:
        self.text = text
        self._status = status

    def update(self, text: str) -> None:
        """Replace the text."""
        self.text = text
        if self._status:
            self._status.update(_escape_text(text))


class Timeline:
    """Prints entries in the order of their times: each once no earlier entry can arrive any more."""

    def __init__(self, out: Console, progress: ProgressLine) -> None:
        self._out, self._progress = out, progress
        self._waiting: set[TimelineEntry] = set()
        self._printed: set[TimelineEntry] = set()

    def add(self, entries: Iterable[TimelineEntry], now: float, pending: str) -> None:
        """Add the entries that are known `now`, in seconds of the timeline, and show what is still pending."""
        self._waiting |= set(entries) - self._printed
        self._print(now - _REORDER_SECONDS)
        if pending:
            self._progress.update(f"{now:8.3f} s  waiting for {pending}")

    def flush(self) -> None:
        """Print the remaining entries."""
        self._print(float("inf"))

    def _print(self, until: float) -> None:
        for entry in sorted(self._waiting):
            if entry.seconds <= until:
                line = Text(f"{entry.seconds:8.3f} s  ", style="dim")
                line.append(escape_control_characters(f"{entry.label:20}"), style=_COLORS.get(entry.label, "cyan"))
                self._out.print(line.append(escape_control_characters(entry.text), style="default"))
                self._waiting.remove(entry)
                self._printed.add(entry)
