"""The two generated parts of `docs/remediation.md`: the rules of a decision, and what the evidence leads to."""

import itertools
from collections.abc import Mapping

from docs.markdown import table
from rotation_guard.domain.remediation.decisions import RULES, Action, Mode, Proof, Situation, decide

_MAX_RETRIES = 3
_ALLOWED, _LEFT = " and allowed", "left"
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "AWSCURRENT": tuple(Proof),
    "mode": (Mode.RETRY, Mode.REPAIR),
    "AWSPENDING": tuple(Proof),
    "AWSPREVIOUS, and falling back to it": tuple(
        proof + fallback for proof in Proof for fallback in (_ALLOWED, " and not allowed")
    ),
    "retries": (_LEFT, "used up"),
}
"""The evidence, column by column, each with its values. In this order the rows read as questions, one by one."""

Row = tuple[frozenset[str], ...]
"""What each column may be."""


def guards() -> str:
    """Every rule in the order in which it is tried."""
    rows = ((str(number), rule.name, rule.case, rule.action) for number, rule in enumerate(RULES, 1))
    return table(("", "rule", "when", "action"), rows)


def evidence() -> str:
    """What is done where no guard fits: every combination of the evidence is in exactly one row."""
    rows = ((*map(_cell, row, COLUMNS.values()), action) for row, action in _rows())
    return table((*COLUMNS, "action"), rows)


def _rows() -> list[tuple[Row, Action]]:
    """Every combination with what is decided, and then, from the last column to the first, those alike made one."""
    lines = itertools.product(*COLUMNS.values())
    rows = [(tuple(frozenset({value}) for value in line), decided(*line)) for line in lines]
    for column in reversed(range(len(COLUMNS))):
        merged: dict[tuple[Row, Row, Action], frozenset[str]] = {}
        for row, action in rows:
            alike = (row[:column], row[column + 1 :], action)
            merged[alike] = merged.get(alike, frozenset()) | row[column]
        rows = [((*left, cell, *right), action) for (left, right, action), cell in merged.items()]
    return rows


def decided(current: str, mode: str, pending: str, previous: str, retries: str) -> Action:
    """The action for one value of each column."""
    situation = Situation(
        mode=Mode(mode),
        failed_step=None,
        current=Proof(current),
        pending=Proof(pending),
        previous=Proof(previous.partition(" and ")[0]),
        is_rollback_allowed=previous.endswith(_ALLOWED),
        attempts=0 if retries == _LEFT else _MAX_RETRIES,
        max_retries=_MAX_RETRIES,
    )
    return decide(situation).action


def _cell(cell: frozenset[str], values: tuple[str, ...]) -> str:
    inside, outside = ([value for value in values if (value in cell) is within] for within in (True, False))
    if not outside:
        return "any"
    return " or ".join(inside) if len(inside) <= len(outside) else f"any but {' or '.join(outside)}"
