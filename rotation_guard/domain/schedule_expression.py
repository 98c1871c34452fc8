"""Reads schedule expressions as EventBridge Scheduler does, so that a bad one is refused before anything is created."""

import re
from calendar import monthrange
from datetime import date
from functools import cache
from itertools import pairwise

_RATE = re.compile(r"rate\(([0-9]{1,9}) (minute|hour|day)s?\)")
_CRON = re.compile(r"cron\((.+)\)")
_DIGITS = re.compile(r"[0-9]{1,4}")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_SUNDAY, _SATURDAY = 1, 7
_CYCLE_BEGINS, _CYCLE_YEARS = 2001, 28
"""After so many years, days of the week are on the same days of each month again; there is no leap year left out."""
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_FIELDS: dict[str, tuple[int, int, list[str]]] = {
    "minutes": (0, 59, []),
    "hours": (0, 23, []),
    "day-of-month": (1, 31, []),
    "month": (1, 12, _MONTHS),
    "day-of-week": (1, 7, _DAYS),
    "year": (1970, 2199, []),
}

ALLOWED = "rate(1 hour), rate(2 hours) and the like in minutes, hours or days, or cron(minutes hours day-of-month month day-of-week year)"  # noqa: E501


class InvalidSchedule(ValueError):
    """The expression is not one that Scheduler accepts; the message says what is wrong with it."""


def shortest_period_seconds(expression: str) -> int:
    """The least time between two runs, in seconds; for a cron expression that rests for days, a day.

    Raises InvalidSchedule for what EventBridge Scheduler refuses
    (https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html). `rate(1 hours)` is not among it: only
    EventBridge's rules tell singular and plural apart. `at(...)` runs once: not an audit.
    """
    if match := _RATE.fullmatch(expression):
        return _rate_period(int(match[1]), match[2])
    if match := _CRON.fullmatch(expression):
        return _shortest_cron_period(_cron_values(match[1]), match[1])
    raise InvalidSchedule("it is neither")


def longest_period_seconds(expression: str) -> int:
    """The most time between two runs, in seconds: of a schedule that rests at night or on Sundays, over that.

    A fifth Monday or a 31st is not in every month: the calendar says how long it takes to the next one. The years of a
    cron expression are not looked at. Raises InvalidSchedule as shortest_period_seconds does.
    """
    if match := _CRON.fullmatch(expression):
        return _longest_cron_period(_cron_values(match[1]), match[1])
    return shortest_period_seconds(expression)


def _rate_period(value: int, unit: str) -> int:
    if value < 1:
        raise InvalidSchedule("a rate is at least 1")
    return value * _SECONDS[unit]


def _cron_values(text: str) -> dict[str, list[int]]:
    if not text.isascii():  # some letters become those of a name when they are capitalised
        raise InvalidSchedule("cron has characters other than ASCII")
    # Names of days and months are not case-sensitive
    # (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html).
    fields = text.upper().split(" ")
    if len(fields) != len(_FIELDS):
        raise InvalidSchedule(f"cron has six fields with one space between, not {len(fields)}")
    values = {name: _values(name, field, *_FIELDS[name]) for name, field in zip(_FIELDS, fields, strict=True)}
    if (fields[2] == "?") == (fields[4] == "?"):
        raise InvalidSchedule("exactly one of day-of-month and day-of-week is '?'")
    return values


def _shortest_cron_period(values: dict[str, list[int]], text: str) -> int:
    times = _list_times(values)
    *within_a_day, overnight = _gaps(times, _SECONDS["day"])
    return min([*within_a_day, overnight if _may_run_on_consecutive_days(values, text) else _SECONDS["day"]])


def _may_run_on_consecutive_days(values: dict[str, list[int]], text: str) -> bool:
    """Whether it may run on a day and on the next: where special days (L, W, #) are among others, it may."""
    _, _, of_month, _, of_week, _ = text.upper().split(" ")
    parts = (of_month if of_week == "?" else of_week).split(",")
    if any(part.endswith(("L", "W")) or "#" in part for part in parts):
        return len(parts) > 1
    days, size = (values["day-of-month"], 31) if of_week == "?" else (values["day-of-week"], 7)
    # A month ends on its 28th day at the earliest.
    return 1 in _gaps(days, size) or (size == 31 and days[0] == 1 and days[-1] >= 28)


def _list_times(values: dict[str, list[int]]) -> list[int]:
    """The seconds of a day at which it runs, in order."""
    return sorted(3600 * hour + 60 * minute for hour in values["hours"] for minute in values["minutes"])


def _longest_cron_period(values: dict[str, list[int]], text: str) -> int:
    _, _, of_month, _, of_week, _ = text.upper().split(" ")
    days = _longest_rest(of_month, tuple(values["month"]), of_week)
    return max(_gaps(_list_times(values), days * _SECONDS["day"]))


@cache
def _longest_rest(of_month: str, months: tuple[int, ...], of_week: str) -> int:
    """The most days from one on which it runs to the next."""
    days = [
        date(year, month, day).toordinal()
        for year in range(_CYCLE_BEGINS, _CYCLE_BEGINS + _CYCLE_YEARS)
        for month in months
        for day in sorted(_list_days(year, month, of_month, of_week))
    ]
    cycle = date(_CYCLE_BEGINS + _CYCLE_YEARS, 1, 1).toordinal() - date(_CYCLE_BEGINS, 1, 1).toordinal()
    return max(_gaps(days, cycle)) if days else cycle


def _list_days(year: int, month: int, of_month: str, of_week: str) -> set[int]:
    """The days of this month on which it runs."""
    last = monthrange(year, month)[1]
    days: set[int] = set()
    for part in (of_month if of_week == "?" else of_week).split(","):
        if of_week == "?":
            days |= _list_days_of_month(year, month, part)
        elif match := re.fullmatch(r"(\w+)(L|#[1-5])", part):
            [weekday] = _part("day-of-week", match[1], *_FIELDS["day-of-week"])
            named = [day for day in range(1, last + 1) if _weekday(year, month, day) == weekday]
            days |= set(named[-1:] if match[2] == "L" else named[int(match[2][1:]) - 1 :][:1])
        else:
            weekdays = {_SATURDAY} if part == "L" else _part("day-of-week", part, *_FIELDS["day-of-week"])
            days |= {day for day in range(1, last + 1) if _weekday(year, month, day) in weekdays}
    return days


def _list_days_of_month(year: int, month: int, part: str) -> set[int]:
    last = monthrange(year, month)[1]
    if part == "L":
        return {last}
    if not part.endswith("W"):
        return {day for day in _part("day-of-month", part, *_FIELDS["day-of-month"]) if day <= last}
    day = last if part == "LW" else int(part[:-1])
    if day > last:
        return set()
    # The nearest weekday of the same month.
    if _weekday(year, month, day) == _SATURDAY:
        return {day - 1 if day > 1 else day + 2}
    if _weekday(year, month, day) == _SUNDAY:
        return {day + 1 if day < last else day - 2}
    return {day}


def _weekday(year: int, month: int, day: int) -> int:
    """The day of the week as cron counts it: 1 is Sunday."""
    return date(year, month, day).isoweekday() % 7 + 1


def _gaps(values: list[int], size: int) -> list[int]:
    """How far each is from the next, the last from the first one of the next round."""
    return [later - earlier for earlier, later in pairwise([*values, values[0] + size])]


def _values(name: str, field: str, low: int, high: int, names: list[str]) -> list[int]:
    """The values a field stands for, in order; the special days (L, W, #) count as one value."""
    if field == "?":
        if name not in ("day-of-month", "day-of-week"):
            raise InvalidSchedule(f"'?' cannot stand for {name}")
        return []
    values: set[int] = set()
    for part in field.split(","):
        values |= _part(name, part, low, high, names)
    return sorted(values)


def _part(name: str, part: str, low: int, high: int, names: list[str]) -> set[int]:
    if name == "day-of-month" and re.fullmatch(r"L|LW|(?:[1-9]|[12]\d|3[01])W", part):
        return {low}
    if name == "day-of-week" and re.fullmatch(r"L|(?:[1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)(?:L|#[1-5])", part):
        return {low}
    span, slash, step_text = part.partition("/")
    if slash and (not _DIGITS.fullmatch(step_text) or int(step_text) == 0):
        raise InvalidSchedule(f"{part!r} is not a step for {name}")
    if span == "*":
        first, last = low, high
    elif "-" in span:
        first, last = (_number(name, end, low, high, names) for end in span.split("-", 1))
        if first > last:
            raise InvalidSchedule(f"{part!r} runs backwards in {name}")
    else:
        first = _number(name, span, low, high, names)
        last = high if slash else first
    return set(range(first, last + 1, int(step_text) if slash else 1))


def _number(name: str, text: str, low: int, high: int, names: list[str]) -> int:
    if text in names:
        return names.index(text) + low
    if not _DIGITS.fullmatch(text) or not low <= int(text) <= high:
        raise InvalidSchedule(f"{text!r} is not a value for {name}, {low} to {high}")
    return int(text)
