"""Rows of the audit with the types that they were written with, whoever wrote them.

A report must neither fail because of one attribute, nor take a secret for judged whose row somebody changed by hand.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from ..plain_values import read_attributes, read_count, read_list, read_string
from ..timestamps import read_timestamp

_LONGEST_PERIOD = timedelta(days=3650).total_seconds()


def restore_runs(rows: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """These runs without attributes of unexpected types; one without the time of its beginning is left out."""
    for row in rows:
        run = read_attributes(row, _OF_RUN)
        if "started_at" in run:
            yield run


def find_damaged_attribute(row: Mapping[str, Any]) -> str | None:
    """An attribute that a report shows of a secret's row and that has an unexpected type; None if all are right."""
    return _find_damaged(row, _SHOWN_OF_SECRET)


def is_damaged(row: Mapping[str, Any]) -> bool:
    """Whether any attribute of a secret's row has an unexpected type, also one that the audit alone uses."""
    return _find_damaged(row, _OF_SECRET) is not None


def read_row_time(value: Any) -> str | None:
    """A time as rows have it; None for anything else."""
    return value if isinstance(value, str) and read_timestamp(value) is not None else None


def _find_damaged(row: Mapping[str, Any], attributes: Mapping[str, Callable[[Any], Any]]) -> str | None:
    return next(
        (name for name, read in attributes.items() if row.get(name) is not None and read(row[name]) is None), None
    )


def _read_number(value: Any) -> int | None:
    count = None if isinstance(value, bool | str) else read_count(value)
    return count if count is not None and count >= 0 else None


def _read_period(value: Any) -> int | None:
    seconds = _read_number(value)
    return seconds if seconds and seconds <= _LONGEST_PERIOD else None


def _read_counts(value: Any) -> dict[str, int] | None:
    if not isinstance(value, Mapping):
        return None
    return {name: count for name, stored in value.items() if (count := _read_number(stored)) is not None}


def _read_texts(value: Any) -> list[str]:
    return [text for text in read_list(value) if isinstance(text, str)]


def _read_settings(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        return None
    classes = [one for one in read_list(value.get("max_age_classes")) if isinstance(one, Mapping)]
    classes = [{"class": str(one["class"]), "days": one["days"]} for one in classes if {"class", "days"} <= one.keys()]
    return {**value, "max_age_classes": classes} if "max_age_classes" in value else dict(value)


_OF_RUN: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("started_at", "finished_at", "lease_until"), read_row_time),
    **dict.fromkeys(("run_id", "history_mode"), read_string),
    **dict.fromkeys(("checked", "flagged", "unknown", "outdated_replicas"), _read_number),
    **dict.fromkeys(("listed", "counted", "recorded"), _read_number),
    **dict.fromkeys(("accepted", "verdicts"), _read_counts),
    **dict.fromkeys(("incomplete_because", "changed"), _read_texts),
    "complete": lambda value: value if isinstance(value, bool) else None,
    "period_seconds": _read_period,
    "settings": _read_settings,
}
"""What is left of an attribute of a run; None if nothing is."""
_SHOWN_OF_SECRET: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("secret_arn", "status", "verdict", "reason", "owner", "current_version_id"), read_string),
    **dict.fromkeys(("exempt_until", "exempt_reason"), read_string),
    **dict.fromkeys(("value_created_at", "due_at", "since", "checked_at"), read_row_time),
    "attention": lambda value: value if isinstance(value, bool | str) else None,
    "limit_days": _read_number,
}
"""The same of a secret's row."""
_OF_SECRET: Mapping[str, Callable[[Any], Any]] = {
    **_SHOWN_OF_SECRET,
    # The audit asks the audit trail for it, and DynamoDB refuses an empty key.
    "secret_arn": lambda value: read_string(value) or None,
    **dict.fromkeys(("pending_since", "fed_value_created_at"), read_row_time),
    **dict.fromkeys(("accounted_at", "accounted_event_at", "heard_at"), read_row_time),
}
"""The same with what the audit alone uses."""
