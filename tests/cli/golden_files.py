"""Files with what commands print, to be read by people and compared with by tests."""

import os
from pathlib import Path

UPDATE = "UPDATE_GOLDEN"
"""With this variable set, a run of pytest writes the files instead of comparing with them."""


def compare(path: Path, text: str) -> None:
    """Compare a text with a file, byte by byte."""
    if os.environ.get(UPDATE):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    assert text == path.read_bytes().decode()
