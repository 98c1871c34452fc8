"""Tells how far apart the rotations of a secret can lie, by the schedule expressions that Secrets Manager takes."""

import re
from itertools import pairwise

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_LONGEST_MONTH = max(_DAYS)
_WEEK = 7


def longest(expression: str) -> float | None:
    """The days between two rotations at most; None where this expression does not tell.

    (https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html)
    """
    rate = re.fullmatch(r"\s*rate\(\s*(\d+)\s+(hour|day)s?\s*\)\s*", expression)
    if rate:
        return int(rate[1]) / (24 if rate[2] == "hour" else 1)
    cron = re.fullmatch(r"\s*cron\(\s*(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)(?:\s+(\S+))?\s*\)\s*", expression)
    if not cron or (cron[6] or "*") not in ("*", "?"):
        return None
    day_of_month, month, day_of_week = (field.upper() for field in cron.group(3, 4, 5))
    if month in ("*", "1/1", "*/1"):
        return _within_months(day_of_month, day_of_week)
    months = _listed_months(month)
    if not months:
        return None
    return max(
        sum(_DAYS[(earlier - 1 + passed) % 12] for passed in range((later - earlier - 1) % 12 + 1))
        for earlier, later in zip(months, [*months[1:], months[0]], strict=True)
    )


def _within_months(day_of_month: str, day_of_week: str) -> float:
    """Where every month has one: by the days alone."""
    if day_of_month == "*" or day_of_week == "*":
        return 1
    if day_of_week != "?" and not re.search(r"[#L]", day_of_week):
        return _WEEK
    step = re.fullmatch(r"(?:\*|1)/(\d+)", day_of_month)
    if step:
        return min(int(step[1]), _LONGEST_MONTH)
    if re.fullmatch(r"\d+(,\d+)*", day_of_month):
        days = sorted(map(int, day_of_month.split(",")))
        return max(later - earlier for earlier, later in pairwise([*days, days[0] + _LONGEST_MONTH]))
    # The third Monday may come five weeks after the last one.
    return _LONGEST_MONTH if day_of_week == "?" else 5 * _WEEK


def _listed_months(field: str) -> list[int] | None:
    """The months that a field of a cron expression stands for, in their order; None for what is none."""
    found: set[int] = set()
    for part in field.split(","):
        step = re.fullmatch(r"(\*|\w+)/(\d+)", part)
        span = re.fullmatch(r"(\w+)-(\w+)", part)
        if step:
            first, every = (1 if step[1] == "*" else _month(step[1])), int(step[2])
            if first is None or not every:
                return None
            found.update(range(first, 13, every))
        elif span:
            first, last = _month(span[1]), _month(span[2])
            if first is None or last is None or first > last:
                return None
            found.update(range(first, last + 1))
        else:
            one = _month(part)
            if one is None:
                return None
            found.add(one)
    return sorted(found)


def _month(name: str) -> int | None:
    if name in _MONTHS:
        return _MONTHS.index(name) + 1
    return int(name) if name.isdigit() and 1 <= int(name) <= 12 else None
