"""Checks of the audit's settings: when it runs, what it covers, and which ages are too old."""

import zoneinfo
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from rotation_guard.domain import schedule_expression
from rotation_guard.domain.audit.age_limits import MAX_LIMIT_DAYS

from . import age_classes
from .checks import IntegerBetween, KeyFormatter, check_entries, check_tag, check_tag_filter, must_be

MOST_FLEXIBLE_MINUTES = 1440
"""A day (https://docs.aws.amazon.com/scheduler/latest/APIReference/API_FlexibleTimeWindow.html)."""


def check_schedule(_: KeyFormatter, value: Any) -> Iterator[str]:
    allowed = f"as EventBridge Scheduler takes it, {schedule_expression.ALLOWED}"
    try:
        schedule_expression.shortest_period_seconds(value if isinstance(value, str) else "")
    except schedule_expression.InvalidSchedule as problem:
        yield f"{must_be(allowed, value)}: {problem}"


def check_optional_schedule(format_key: KeyFormatter, value: Any) -> Iterator[str]:
    """A schedule, or an empty text for none."""
    if value != "":
        yield from check_schedule(format_key, value)


def check_timezone(_: KeyFormatter, value: Any) -> Iterator[str]:
    if not isinstance(value, str) or value not in _timezones():
        yield must_be("an IANA time zone such as UTC or Europe/Berlin", value)


@cache
def _timezones() -> set[str]:
    return zoneinfo.available_timezones()  # looks through a directory tree each time


def check_managed_tag(_: KeyFormatter, value: Any) -> Iterator[str]:
    if not isinstance(value, Mapping) or set(value) != {"key", "value"}:
        yield must_be("a key and a value and nothing else", value)
        return
    yield from check_tag("", value["key"], value["value"])


def check_age_classes(format_key: KeyFormatter, value: Any) -> Iterator[str]:
    for path, entry, problems in check_entries(value, {"days": True, "name": False, "tag": False}, format_key):
        yield from (path + problem for problem in problems)
        if entry is None:
            continue
        yield from (f"{path}.days{problem}" for problem in IntegerBetween(0, MAX_LIMIT_DAYS)(format_key, entry["days"]))
        if entry.get("name") is None and entry.get("tag") is None:
            yield path + must_be("a class by name, by tag, or by both", dict(entry))
        if entry.get("name") is not None and not age_classes.can_match(entry["name"]):
            yield f"{path}.name" + must_be(age_classes.NAME_ALLOWED, entry["name"])
        if entry.get("tag") is not None:
            yield from (f"{path}.tag{problem}" for problem in check_tag_filter(entry["tag"]))
