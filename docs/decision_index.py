"""The table of decisions, from their files."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from docs.markdown import table

FOLDER = Path(__file__).resolve().parent / "decisions"
PAGE = FOLDER / "README.md"
_FORM = re.compile(
    r"# (?P<number>\d+)\. (?P<title>.+)\n\n- Date: (?P<date>\d{4}-\d\d-\d\d)\n"
    r"- Status: (?P<status>accepted|superseded by \d+)\n\n(?P<text>\S.*)",
    re.DOTALL,
)


class Decision(NamedTuple):
    """What the head of a decision's file says."""

    file: str
    number: int
    title: str
    date: str
    status: str


def read_decisions() -> Iterator[Decision]:
    """The decisions by number; ValueError names a file whose head has another form."""
    for path in sorted(FOLDER.glob("[0-9]*.md")):
        match = _FORM.fullmatch(path.read_text())
        if match is None or not path.name.startswith(f"{int(match['number']):04}-"):
            raise ValueError(f"{path.name} must begin with its number and title, a date and a status, like the others")
        yield Decision(path.name, int(match["number"]), match["title"], match["date"], match["status"])


def write_index() -> str:
    """The table of all decisions."""
    rows = [
        (str(decision.number), f"[{decision.title}]({decision.file})", decision.date, decision.status)
        for decision in read_decisions()
    ]
    return table(("", "decision", "date", "status"), rows)
