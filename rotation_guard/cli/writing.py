"""What the formats have in common: cells that are safe where they are read, and the way to standard output."""

import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from rotation_guard.domain.control_characters import (
    escape_control_characters,
    escape_control_characters_in_json,
    has_control_characters,
)

from .lines import complain

VERSION = 1
"""Of the JSON shapes: they grow by fields within a version, and lose or change none."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet takes a cell that begins so for a formula, or drops what it begins with and looks again
(https://owasp.org/www-community/attacks/CSV_Injection)."""
_MARKUP = re.compile(r"[\\`*\[\]<>|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


class Format(StrEnum):
    """What an answer is written as."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


def put(text: str, warnings: Iterable[str] = ()) -> None:
    """Writes to standard output what programs read, and to standard error the warnings that have no place in it."""
    for warning in warnings:
        complain(f"Warning: {warning}")
    # In UTF-8 whatever the terminal has: what is written here is read by programs.
    written = text.encode("utf-8")
    sys.stdout.flush()
    sys.stdout.buffer.write(written)
    sys.stdout.buffer.flush()


def in_json(body: Mapping[str, Any]) -> str:
    """As JSON, for programs and for eyes."""
    return escape_control_characters_in_json(json.dumps(body, ensure_ascii=False, indent=2)) + "\n"


def in_csv(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """RFC 4180, and safe to open in a spreadsheet."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def in_markdown(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """The lines of a table for a ticket or a wiki."""
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(escaped(cell) for cell in row)} |"


def escaped(value: object) -> str:
    """A text that becomes no markup, in one line; nothing for None."""
    text = "" if value is None else escape_control_characters(" ".join(str(value).split()))
    return _MARKUP.sub(lambda match: f"\\{match[0]}", text)


def linked(address: str) -> str:
    """An address that can be followed, where it is one and nothing in it ends the link; else as text."""
    is_address = "://" in address and not re.search(r"[\s<>]", address) and not has_control_characters(address)
    return f"<{address}>" if is_address else escaped(address)


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, str):
        return value
    # RFC 4180 has a place for line breaks: between quotes.
    text = escape_control_characters(value, keep="\t\r\n")
    return f"'{text}" if text.startswith(_FORMULA) else text
