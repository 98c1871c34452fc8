"""Keeps control characters out of the log of the embedded AWS. Runs inside the emulator.

What functions print, and names, tags and errors, end up there: whoever reads the log in a terminal would have it
steered by them.
"""

import logging
import sys
from typing import IO, Any

from rotation_guard.domain.control_characters import escape_control_characters


class EscapingStream:
    """A text stream that escapes what is written to it; line breaks and tabs stay."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text escaped; its length, as the caller gave it."""
        self._stream.write(escape_control_characters(text, keep="\n\t"))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def install() -> None:
    """Escape from here on what this process prints and logs."""
    sys.stdout, sys.stderr = EscapingStream(sys.stdout), EscapingStream(sys.stderr)
    names = list(logging.Logger.manager.loggerDict)
    for logger in (logging.getLogger(), *map(logging.getLogger, names)):
        for handler in logger.handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(EscapingStream(handler.stream))
