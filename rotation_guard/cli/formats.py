"""The formats of an answer: one function each. A further one, such as a page in HTML, is one more of them."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from rotation_guard.domain.timestamps import to_iso

from . import screen
from .answers import Answer
from .secret_rows import Change, SecretRow
from .writing import VERSION, Format, escaped, in_csv, in_json, in_markdown, put

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


def write(answer: Answer, chosen: Format) -> None:
    """Put an answer on standard output; in formats that have no place for its warnings they go to standard error."""
    if chosen is Format.TABLE:
        screen.show(answer)
        return
    put(_WRITERS[chosen](answer), answer.warnings if chosen is Format.CSV else ())


def as_json(answer: Answer) -> str:
    """The documented, versioned shape."""
    counts = answer.summary
    secrets = [_plain(row) for row in answer.rows]
    if answer.changes is not None:
        for secret in secrets:
            secret["change"] = _change(answer.changes[secret["secret_name"]])
    body = {
        "version": VERSION,
        "generated_at": to_iso(answer.generated_at),
        "as_of": to_iso(answer.at),
        **({"since": to_iso(answer.since)} if answer.since else {}),
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
    return in_json(body)


def as_csv(answer: Answer) -> str:
    """A line for each secret."""
    more = CHANGE_COLUMNS if answer.changes is not None else ()
    return in_csv((*COLUMNS, *more), _lines(answer))


def as_markdown(answer: Answer) -> str:
    """A table for a ticket or a wiki."""
    return "\n".join(_markdown(answer)) + "\n"


def _lines(answer: Answer) -> Iterator[list[object]]:
    for row in answer.rows:
        plain = _plain(row)
        cells = [plain[name] for name in COLUMNS]
        if answer.changes is not None:
            change = answer.changes[row.secret_name]
            before = {} if change.before is None else _plain(change.before)
            cells += [" ".join(change.kinds), before.get("verdict"), before.get("value_created_at")]
        yield cells


def _markdown(answer: Answer) -> Iterator[str]:
    yield f"**{escaped(screen.headline(answer))}**"
    yield ""
    for warning in answer.warnings:
        yield f"> **Warning:** {escaped(warning)}"
        yield ""
    yield f"{escaped(screen.totals(answer))}"
    yield ""
    if not answer.rows:
        return
    columns = ["secret", "verdict", "attention", "age", "limit", "due", "owner", "reason"]
    if answer.changes is not None:
        columns.insert(1, "changed")
    yield from in_markdown(columns, _markdown_cells(answer))


def _markdown_cells(answer: Answer) -> Iterator[list[object]]:
    for row in answer.rows:
        cells: list[object] = [
            row.secret_name,
            row.verdict,
            "yes" if row.attention else "",
            row.age_days,
            row.limit_days,
            row.due_at and f"{row.due_at:%Y-%m-%d}",
            row.owner,
            row.reason,
        ]
        if answer.changes is not None:
            cells.insert(1, screen.changed(answer.changes[row.secret_name]))
        yield cells


def _plain(row: SecretRow) -> dict[str, Any]:
    return {name: to_iso(value) if isinstance(value := getattr(row, name), datetime) else value for name in COLUMNS}


def _change(change: Change) -> Mapping[str, Any]:
    return {"kinds": list(change.kinds), "before": None if change.before is None else _plain(change.before)}


_WRITERS: Mapping[Format, Callable[[Answer], str]] = {
    Format.JSON: as_json,
    Format.CSV: as_csv,
    Format.MARKDOWN: as_markdown,
}
