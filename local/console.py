"""What the person at the keyboard sees: colour and a live line in a terminal, plain lines in a pipe."""

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.status import Status
from rich.text import Text

from .stories import Happened

_WIDTH = 76


class Screen:
    """Standard output, and standard error for what went wrong."""

    def __init__(self) -> None:
        self._out = Console(soft_wrap=True, highlight=False, emoji=False)
        self._error = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)

    def line(self, text: str = "", style: str = "") -> None:
        """One line."""
        self._out.print(Text(text, style=style))

    def happened(self, happened: Happened, style: str = "green") -> None:
        """What happened, and after how long."""
        line = Text("✓ " if self._out.is_terminal else "", style=style)
        line.append(happened.what, style="default")
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

    @contextmanager
    def working(self, what: str) -> Generator["Live"]:
        """A line that lives as long as the work does; nothing at all in a pipe."""
        if not self._out.is_terminal:
            yield Live()
            return
        with self._out.status(what) as status:
            yield Live(status)

    def pairs(self, title: str, values: Mapping[str, Any]) -> None:
        """A name and its value on each line; a long value is not folded, so that it can be copied whole."""
        self.line(title, style="bold")
        width = max(map(len, values), default=0)
        for name, value in values.items():
            line = Text(f"  {name.ljust(width)}  ", style="cyan")
            self._out.print(line.append(str(value), style="default"), soft_wrap=True)

    def error(self, sentence: str) -> None:
        """A sentence for standard error."""
        self._error.print(Text(sentence, style="red"))


class Live:
    """The line that lives, where there is one."""

    def __init__(self, status: Status | None = None) -> None:
        self._status = status

    def says(self, what: str) -> None:
        """Change what it says."""
        if self._status:
            self._status.update(what)
