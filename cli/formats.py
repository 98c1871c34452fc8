"""The formats of an answer: one function each. A further one, such as a page in HTML, is one more of them."""

import csv
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from rotation_guard.handlers.domain.history import iso

from . import screen
from .answers import Answer
from .secret_rows import Change, SecretRow

VERSION = 1
"""Of the JSON shape: it grows by fields within a version, and loses or changes none."""
COLUMNS = (
    "secret_name",
    "status",
    "verdict",
    "attention",
    "reason",
    "age_days",
    "limit_days",
    "value_created_at",
    "due_at",
    "since",
    "owner",
    "secret_arn",
    "current_version_id",
    "checked_at",
)
CHANGE_COLUMNS = ("changed", "verdict_before", "value_created_at_before")
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


def write(answer: Answer, chosen: Format) -> None:
    """Put an answer on standard output; in formats that have no place for its warnings they go to standard error."""
    if chosen is Format.TABLE:
        screen.show(answer)
        return
    if chosen is Format.CSV:
        for warning in answer.warnings:
            sys.stderr.write(f"Warning: {warning}\n")
    # In UTF-8 whatever the terminal has: what is written here is read by programs.
    written = _WRITERS[chosen](answer).encode("utf-8", "backslashreplace")
    sys.stdout.flush()
    sys.stdout.buffer.write(written)
    sys.stdout.buffer.flush()


def as_json(answer: Answer) -> str:
    """The documented, versioned shape."""
    counts = answer.summary
    secrets = [_plain(row) for row in answer.rows]
    if answer.changes is not None:
        for secret in secrets:
            secret["change"] = _change(answer.changes[secret["secret_name"]])
    body = {
        "version": VERSION,
        "generated_at": iso(answer.generated_at),
        "as_of": iso(answer.at),
        **({"since": iso(answer.since)} if answer.since else {}),
        "source": dict(answer.source),
        "run": answer.run,
        "warnings": list(answer.warnings),
        "settings": dict(answer.settings),
        "filters": dict(answer.filters),
        "summary": {
            "total": counts.total,
            "attention": counts.attention,
            "status": dict(counts.status),
            "verdicts": dict(counts.verdicts),
        },
        "secrets": secrets,
    }
    return json.dumps(body, ensure_ascii=False, indent=2) + "\n"


def as_csv(answer: Answer) -> str:
    """RFC 4180, and safe to open in a spreadsheet."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    changes = answer.changes
    writer.writerow((*COLUMNS, *(CHANGE_COLUMNS if changes is not None else ())))
    for row in answer.rows:
        plain = _plain(row)
        cells = [plain[name] for name in COLUMNS]
        if changes is not None:
            change = changes[row.secret_name]
            before = {} if change.before is None else _plain(change.before)
            cells += [" ".join(change.kinds), before.get("verdict"), before.get("value_created_at")]
        writer.writerow([_cell(value) for value in cells])
    return text.getvalue()


def as_markdown(answer: Answer) -> str:
    """A table for a ticket or a wiki."""
    return "\n".join(_markdown(answer)) + "\n"


def _markdown(answer: Answer) -> Iterator[str]:
    yield f"**{_escaped(screen.headline(answer))}**"
    yield ""
    for warning in answer.warnings:
        yield f"> **Warning:** {_escaped(warning)}"
        yield ""
    yield f"{_escaped(screen.totals(answer))}"
    yield ""
    if not answer.rows:
        return
    changes = answer.changes
    columns = ["secret", "verdict", "attention", "age", "limit", "due", "owner", "reason"]
    if changes is not None:
        columns.insert(1, "changed")
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for row in answer.rows:
        cells = [
            row.secret_name,
            row.verdict,
            "yes" if row.attention else "",
            row.age_days,
            row.limit_days,
            row.due_at and f"{row.due_at:%Y-%m-%d}",
            row.owner,
            row.reason,
        ]
        if changes is not None:
            cells.insert(1, screen.changed(changes[row.secret_name]))
        yield f"| {' | '.join(_escaped(cell) for cell in cells)} |"


def _plain(row: SecretRow) -> dict[str, Any]:
    return {name: iso(value) if isinstance(value := getattr(row, name), datetime) else value for name in COLUMNS}


def _change(change: Change) -> Mapping[str, Any]:
    return {"kinds": list(change.kinds), "before": None if change.before is None else _plain(change.before)}


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _escaped(value: object) -> str:
    text = "" if value is None else " ".join(str(value).split())
    return _MARKUP.sub(lambda match: f"\\{match[0]}", text)


_WRITERS: Mapping[Format, Callable[[Answer], str]] = {
    Format.JSON: as_json,
    Format.CSV: as_csv,
    Format.MARKDOWN: as_markdown,
}
