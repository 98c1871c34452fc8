"""Where an HTML page goes: to a file, to standard output, or into a browser."""

import sys
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .errors import UsageError
from .terminal import echo, print_error, progress, write_stdout
from .whole_file import write_file_of

STDOUT = "-"


@dataclass(frozen=True)
class PageTarget:
    """The options --output and --open."""

    output: str | None = None
    is_opened: bool = False

    def check(self, chosen: str) -> None:
        """Check the options before anything is read; `chosen` is the format. Raises UsageError."""
        if chosen != "html" and (self.output is not None or self.is_opened):
            raise UsageError(f"--output and --open require --format html, got --format {chosen}.")
        if self.is_opened and self.output == STDOUT:
            raise UsageError(f"--open requires a file, got --output {STDOUT}.")

    def write(self, render: Callable[[], str], generated_at: datetime) -> None:
        """Render a page and write it. Raises UsageError if the file cannot be written.

        In a terminal, where nobody wants to read HTML, it goes to a new file of this directory.
        """
        progress.update("Rendering the page")
        text = render()
        is_terminal = sys.stdout.isatty()
        if self.output == STDOUT or (self.output is None and not self.is_opened and not is_terminal):
            write_stdout([text])
            return
        path = Path(self.output) if self.output else _choose_path(generated_at)
        write_file_of("--output", path, text)
        echo(f"Written: {path}")
        if self.is_opened and not _open(path):
            print_error(f"No browser could be started: open {path} in one.")


TO_STDOUT = PageTarget()


def _choose_path(generated_at: datetime) -> Path:
    """A new file of this directory, named by the time, and by a number if that is taken."""
    name = f"rotation-guard-{generated_at:%Y-%m-%dT%H%M%SZ}"
    names = (f"{name}.html", *(f"{name}-{number}.html" for number in range(2, 100)))
    return next((path for path in map(Path, names) if not path.exists()), Path(names[-1]))


def _open(path: Path) -> bool:
    try:
        return webbrowser.open(path.absolute().as_uri())
    except webbrowser.Error:
        return False
