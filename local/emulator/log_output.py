"""Escapes control characters in the log of the embedded AWS. Runs inside the emulator.

The log contains the output of functions, names, tags and errors, which could otherwise control the reader's terminal.
"""

import logging
import sys
from typing import IO, Any

from rotation_guard.domain.control_characters import escape_control_characters


class EscapingStream:
    """A text stream that escapes control characters, except line breaks and tabs."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the escaped text; return the length of the original."""
        self._stream.write(escape_control_characters(text, keep="\n\t"))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def install() -> None:
    """Escape what this process prints and logs."""
    sys.stdout, sys.stderr = EscapingStream(sys.stdout), EscapingStream(sys.stderr)
    names = list(logging.Logger.manager.loggerDict)
    for logger in (logging.getLogger(), *map(logging.getLogger, names)):
        for handler in logger.handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(EscapingStream(handler.stream))
