"""The table of verdicts in docs/audit.md, from the table that the audit evaluates."""

from collections.abc import Iterator

from docs.markdown import table
from rotation_guard.domain.audit.verdicts import VERDICTS


def verdicts() -> str:
    """The table of verdicts, a row for each condition, in the order of evaluation."""
    return table(("verdict", "condition", "status", "attention"), _rows())


def _rows() -> Iterator[tuple[str, ...]]:
    for verdict in VERDICTS:
        # A docstring may span lines; a table's cell may not.
        condition, status = (" ".join((function.__doc__ or "").split()) for function in (verdict.holds, verdict.status))
        if not condition or not status:
            raise AssertionError(
                f"verdict {verdict.name} lacks a description: add docstrings to its condition and its status function, "
                "in rotation_guard/domain/audit/verdicts.py"
            )
        yield f"`{verdict.name}`", condition.removesuffix("."), status, "yes" if verdict.attention else "no"
