"""Tells how far apart the rotations of a secret can lie, by the schedule expressions that Secrets Manager takes.

(https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html)
"""

import math
import re
from functools import cache
from itertools import pairwise

from .schedule_expressions import Refused, list_run_days

_RATE = re.compile(r"\s*rate\(\s*(\d+)\s+(hour|day)s?\s*\)\s*", re.ASCII)
_CRON = re.compile(r"\s*cron\(\s*(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)(?:\s+(\S+))?\s*\)\s*")
_LAST_WEEKDAY = re.compile(r"(SUN|MON|TUE|WED|THU|FRI|SAT)L")
_HOURS_PER_DAY = 24
_FIRST_YEAR, _LAST_YEAR = 2024, 2060
"""28 years have every date on every day of the week, as long as no century is among them; one round more is on the
safe side of what lies around their end."""


@cache
def longest(expression: str) -> float | None:
    """The days between two rotations at most, infinite where no rotation follows; None for what is no such expression.

    Days in which the rotation window may open are counted, and not its hours.
    """
    if rate := _RATE.fullmatch(expression):
        return int(rate[1]) / (_HOURS_PER_DAY if rate[2] == "hour" else 1)
    cron = _CRON.fullmatch(expression)
    # Secrets Manager takes no year: a schedule that ends has no longest period.
    if not cron or (cron[6] or "*") not in ("*", "?"):
        return None
    day_of_month, month, day_of_week = (field.upper() for field in cron.group(3, 4, 5))
    if _LAST_WEEKDAY.fullmatch(day_of_month) and day_of_week == "?":
        day_of_month, day_of_week = "?", day_of_month
    elif day_of_month == "*":
        # In an example of that page `*` leaves the choice to the day of the week.
        day_of_month = "*" if day_of_week in ("?", "*") else "?"
    try:
        days = list_run_days(
            _start_steps(day_of_month),
            _start_steps(month),
            "?" if day_of_month != "?" and day_of_week == "*" else _start_steps(day_of_week),
            _FIRST_YEAR,
            _LAST_YEAR,
        )
    except Refused:
        return None
    return max(((later - earlier).days for earlier, later in pairwise(days)), default=math.inf)


def _start_steps(field: str) -> str:
    """The field with the beginning of each step: that page also writes `/4` for every fourth."""
    return re.sub(r"(^|,)/", r"\1*/", field)
