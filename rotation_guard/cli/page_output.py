"""Where an HTML page goes: to a file, to standard output, or into a browser."""

import os
import sys
import tempfile
import webbrowser
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rotation_guard.html_report.page import ReportPage

from .errors import UsageError
from .formats import Format
from .terminal import echo, print_error, progress, write_stdout

STDOUT = "-"
_NEW_FILE = 0o666
"""The mode of a new file, without the bits of the umask: a list of secrets may be kept private by it."""


@dataclass(frozen=True)
class PageTarget:
    """The options --output and --open."""

    output: str | None
    is_opened: bool

    def check(self, chosen: Format) -> None:
        """Check the options before anything is read. Raises UsageError."""
        if chosen is not Format.HTML and (self.output is not None or self.is_opened):
            raise UsageError(f"--output and --open require --format html, got --format {chosen}.")
        if self.is_opened and self.output == STDOUT:
            raise UsageError(f"--open requires a file, got --output {STDOUT}.")

    def write(self, page: ReportPage) -> None:
        """Render the page and write it. Raises UsageError if the file cannot be written.

        In a terminal, where nobody wants to read HTML, it goes to a new file of this directory.
        """
        # Templates and charts take a quarter of a second to import, which the other formats need not wait for.
        from rotation_guard.html_report.render import render_page

        progress.update("Rendering the page")
        text = render_page(page)
        is_terminal = sys.stdout.isatty()
        if self.output == STDOUT or (self.output is None and not self.is_opened and not is_terminal):
            write_stdout([text])
            return
        path = Path(self.output or _default_name(page.generated_at))
        _replace(path, text)
        echo(f"Written: {path}")
        if self.is_opened and not _open(path):
            print_error(f"No browser could be started: open {path} in one.")


def _default_name(generated_at: datetime) -> str:
    """A name by time, so that no earlier report is overwritten."""
    return f"rotation-guard-{generated_at:%Y-%m-%dT%H%M%SZ}.html"


def _replace(path: Path, text: str) -> None:
    """Write the whole file or nothing: a page that breaks off would look like a complete one."""
    temporary = None
    try:
        target = path.resolve()
        if target.exists() and not target.is_file():  # such as /dev/stdout, or a directory
            path.write_text(text, encoding="utf-8")
            return
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.")
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(temporary).chmod(target.stat().st_mode if target.exists() else _NEW_FILE & ~_read_umask())
        Path(temporary).replace(target)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise UsageError(f"--output must be a file that can be written, got {path}: {error.strerror}.") from None


def _read_umask() -> int:
    """The process's mask of file modes, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _open(path: Path) -> bool:
    try:
        return webbrowser.open(path.absolute().as_uri())
    except webbrowser.Error:
        return False
