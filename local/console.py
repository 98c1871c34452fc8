"""What the person at the keyboard sees: colour and a live line in a terminal, plain lines in a pipe."""

import sys
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.status import Status
from rich.text import Text

from rotation_guard.domain.control_characters import escape_control_characters

from .demo.scenarios import Happened
from .demo.timeline import Moment
from .errors import LocalError

_WIDTH = 76
_LATE_SECONDS = 0.5
"""How much later than another a moment may be heard of that came before it."""
_COLOURS = {"AWS": "yellow", "healed": "bold green", "moved": "magenta", "opened": "red", "broken": "bold red"}


class _Output(Console):
    """A console that says what is wrong with its output, such as a full disk behind it."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; raises LocalError where that fails."""
        with _writing():
            super().print(*objects, **options)


class Screen:
    """Standard output, and standard error for what went wrong."""

    def __init__(self) -> None:
        self._out = _Output(soft_wrap=True, highlight=False, emoji=False)
        self._error = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)

    def line(self, text: str = "", style: str = "") -> None:
        """One line."""
        self._out.print(_printable(text, style))

    def verbatim(self, text: str) -> None:
        """A text that a program reads."""
        with _writing():
            sys.stdout.write(text)
            sys.stdout.flush()

    def happened(self, happened: Happened, style: str = "green") -> None:
        """What happened, and after how long."""
        line = Text("✓ " if self._out.is_terminal else "", style=style)
        line.append(escape_control_characters(happened.what), style="default")
        if happened.milliseconds is not None:
            took = (
                f"{happened.milliseconds:.0f} ms"
                if happened.milliseconds < 10_000
                else f"{happened.milliseconds / 1000:.1f} s"
            )
            line.append(took.rjust(max(1, _WIDTH - len(line.plain))), style="bold")
        self._out.print(line)

    def story(self, happenings: Iterable[Happened], waiting: str) -> None:
        """Each thing as it happens."""
        with self.working(waiting):
            for happened in happenings:
                self.happened(happened)

    def kept(self, says: str, broken: str | None) -> None:
        """A promise, ticked when it was kept, and else how it was broken."""
        self._out.print(
            Text("✗ " if broken else "✓ ", style="bold red" if broken else "green")
            .append(says, style="default")
            .append(escape_control_characters(f": {broken}") if broken else "", style="bold red")
        )

    @contextmanager
    def timeline(self) -> Generator["Timeline"]:
        """Moments as they come, each printed once; while more are awaited, a line that lives."""
        with self.working("") as live:
            timeline = Timeline(self._out, live)
            try:
                yield timeline
            finally:
                timeline.end()

    @contextmanager
    def working(self, what: str) -> Generator["Live"]:
        """A line that lives as long as the work does; nothing at all in a pipe."""
        if not self._out.is_terminal:
            yield Live()
            return
        with self._out.status(_printable(what)) as status:
            yield Live(status)

    def pairs(self, title: str, values: Mapping[str, Any]) -> None:
        """A name and its value on each line; a long value is not folded, so that it can be copied whole."""
        self.line(title, style="bold")
        width = max(map(len, values), default=0)
        for name, value in values.items():
            line = _printable(f"  {name.ljust(width)}  ", style="cyan")
            self._out.print(line.append(escape_control_characters(str(value)), style="default"), soft_wrap=True)

    def error(self, sentence: str) -> None:
        """A sentence for standard error."""
        # A program's own complaint may have several lines.
        self._error.print(Text(escape_control_characters(sentence, keep="\n"), style="red"))


@contextmanager
def _writing() -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise LocalError(f"The output cannot be written: {error.strerror or error}.") from None


def _printable(text: str, style: str = "") -> Text:
    """A text that is neither markup nor steers the terminal."""
    return Text(escape_control_characters(text), style=style)


class Live:
    """The line that lives, where there is one."""

    def __init__(self, status: Status | None = None) -> None:
        self._status = status

    def says(self, what: str) -> None:
        """Change what it says."""
        if self._status:
            self._status.update(_printable(what))


class Timeline:
    """Moments, in their order: one is printed once nothing can come any more that was before it."""

    def __init__(self, out: Console, live: Live) -> None:
        self._out, self._live = out, live
        self._waiting: set[Moment] = set()
        self._printed: set[Moment] = set()

    def shows(self, moments: Iterable[Moment], now: float, waits: str) -> None:
        """Take in every moment that is known at this one, in seconds, and say what is waited for."""
        self._waiting |= set(moments) - self._printed
        self._print(now - _LATE_SECONDS)
        self._live.says(f"{now:8.3f} s  waiting for {waits}")

    def end(self) -> None:
        """Print what is left."""
        self._print(float("inf"))

    def _print(self, until: float) -> None:
        for moment in sorted(self._waiting):
            if moment.seconds <= until:
                line = Text(f"{moment.seconds:8.3f} s  ", style="dim")
                line.append(escape_control_characters(f"{moment.who:20}"), style=_COLOURS.get(moment.who, "cyan"))
                self._out.print(line.append(escape_control_characters(moment.what), style="default"))
                self._waiting.remove(moment)
                self._printed.add(moment)
