"""Computes the longest time between two rotations of a secret from its schedule expression.

(https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html)
"""

import math
import re
from functools import cache
from itertools import pairwise

from .schedule_expressions import InvalidExpression, list_run_days

_RATE = re.compile(r"\s*rate\(\s*(\d+)\s+(hour|day)s?\s*\)\s*", re.ASCII)
_CRON = re.compile(r"\s*cron\(\s*(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)(?:\s+(\S+))?\s*\)\s*")
_LAST_WEEKDAY = re.compile(r"(SUN|MON|TUE|WED|THU|FRI|SAT)L")
_HOURS_PER_DAY = 24
_FIRST_YEAR, _LAST_YEAR = 2024, 2060
"""The calendar repeats every 28 years until 2100; the range has a few years more."""


@cache
def longest(expression: str) -> float | None:
    """The longest time between two rotations in days, infinite where there is only one; None for an invalid expression.

    The hours of the rotation window are ignored.
    """
    if rate := _RATE.fullmatch(expression):
        return int(rate[1]) / (_HOURS_PER_DAY if rate[2] == "hour" else 1)
    cron = _CRON.fullmatch(expression)
    # Secrets Manager does not support a year: a schedule that ends has no longest period.
    if not cron or (cron[6] or "*") not in ("*", "?"):
        return None
    day_of_month, month, day_of_week = (field.upper() for field in cron.group(3, 4, 5))
    if _LAST_WEEKDAY.fullmatch(day_of_month) and day_of_week == "?":
        day_of_month, day_of_week = "?", day_of_month
    elif day_of_month == "*":
        # As in an example on that page, `*` leaves the choice to the day of the week.
        day_of_month = "*" if day_of_week in ("?", "*") else "?"
    try:
        days = list_run_days(
            _start_steps(day_of_month),
            _start_steps(month),
            "?" if day_of_month != "?" and day_of_week == "*" else _start_steps(day_of_week),
            _FIRST_YEAR,
            _LAST_YEAR,
        )
    except InvalidExpression:
        return None
    return max(((later - earlier).days for earlier, later in pairwise(days)), default=math.inf)


def _start_steps(field: str) -> str:
    """Add the start of each step: that page also writes `/4` for every fourth."""
    return re.sub(r"(^|,)/", r"\1*/", field)
