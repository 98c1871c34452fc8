"""An answer for people."""

from collections.abc import Iterator

from rich.style import Style

from .answers import Answer
from .lines import FAINT, GREEN, HEAD, PLAIN, RED, YELLOW, Column, Line, Row, banner, table, wrapped
from .lines import show as shown
from .secret_rows import Change, SecretRow

_LONG = 20
"""Rows above which the warnings are said once more below them, where the eye is when the output stops."""
_COLUMNS = (Column("VERDICT"), Column("AGE", is_number=True), Column("LIMIT", is_number=True), Column("DUE"))


def show(answer: Answer) -> None:
    """Print it."""
    shown(lambda width: _lines(answer, width))


def headline(answer: Answer) -> str:
    """Where the answer is from, and the run that it rests on."""
    said = f"{answer.source['description']}, as of {answer.at:%Y-%m-%d %H:%M:%S} UTC"
    if answer.since is not None:
        said += f", changes since {answer.since:%Y-%m-%d %H:%M:%S} UTC"
    if answer.run is not None:
        said += f"; rests on the run {answer.run['run_id']}, which checked {answer.run['checked']}"
    return f"{said}."


def totals(answer: Answer) -> str:
    """The rows, counted, in a sentence."""
    counts = answer.summary
    if not counts.total:
        return "No secret answers to this."
    verdicts = ", ".join(f"{name} {count}" for name, count in counts.verdicts.items())
    needs = "needs" if counts.attention == 1 else "need"
    secrets = "secret" if counts.total == 1 else "secrets"
    return f"{counts.total} {secrets}: {verdicts}. {counts.attention} {needs} someone."


def changed(change: Change) -> str:
    """What changed, in a word or some."""
    if change.before is None or change.after is None:
        return change.kinds[0]
    said = {
        "verdict": f"was {change.before.verdict}",
        "value": "new value",
        "attention": "needs someone" if change.after.attention else "needs no one",
    }
    return ", ".join(said[kind] for kind in change.kinds if kind != "attention" or "verdict" not in change.kinds)


def _lines(answer: Answer, width: int) -> Iterator[Line]:
    yield from wrapped(headline(answer), width, FAINT)
    yield from banner(answer.warnings, width)
    if answer.rows:
        yield []
        yield from table("SECRET", _COLUMNS, [_row(row, answer) for row in answer.rows], width)
        yield []
    yield from wrapped(totals(answer), width, HEAD)
    if len(answer.rows) > _LONG:
        yield from banner(answer.warnings, width)


def _row(row: SecretRow, answer: Answer) -> Row:
    age = "?" if row.age_days is None else str(row.age_days)
    limit = "?" if row.limit_days is None else str(row.limit_days)
    due = f"{row.due_at:%Y-%m-%d}" if row.due_at else ""
    said = [f"({changed(answer.changes[row.secret_name])})"] if answer.changes is not None else []
    said += [row.reason] if row.attention else []
    said += [f"Owner: {row.owner}."] if row.owner and row.attention else []
    cells = [(row.verdict, _colour(row)), (age, PLAIN), (limit, PLAIN), (due, PLAIN)]
    return Row(row.secret_name, cells, " ".join(said))


def _colour(row: SecretRow) -> Style:
    if row.status == "ok":
        return YELLOW if row.attention else GREEN
    return RED
