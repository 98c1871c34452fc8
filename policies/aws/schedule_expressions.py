"""Parses schedule expressions of EventBridge Scheduler and computes the shortest time between two runs."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from itertools import pairwise

DAY = 86_400
_SECONDS = {"minute": 60, "hour": 3600, "day": DAY}
_RATE = re.compile(r"rate\((\d{1,9}) (minute|hour|day)s?\)", re.ASCII)
_CRON = re.compile(r"cron\((.*)\)", re.DOTALL)
_AT = re.compile(r"at\((\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\)")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_NAMES = ("minutes", "hours", "day-of-month", "month", "day-of-week", "year")
_LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (1, 7), (1970, 2199))
_WORDS: tuple[tuple[str, ...], ...] = ((), (), (), _MONTHS, _WEEKDAYS, ())
_SPECIAL = {2: re.compile(r"L|LW|(\d{1,2})W"), 4: re.compile(r"L|([1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)(L|#[1-5])")}
_FIRST_YEAR = 2024


class InvalidExpression(ValueError):
    """Scheduler rejects the expression; the message says why."""


@cache
def shortest_period(expression: str) -> int | None:
    """The shortest time between two runs in seconds; None where there is one run at most. Raises InvalidExpression.

    Two days stand for any longer time, which no retry reaches.
    (https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html)
    """
    if match := _AT.fullmatch(expression):
        try:
            datetime.fromisoformat(match[1])
        except ValueError as problem:
            raise InvalidExpression(f"{match[1]} is not a valid time") from problem
        return None
    if match := _RATE.fullmatch(expression):
        return _of_rate(int(match[1]), match[2])
    if match := _CRON.fullmatch(expression):
        return _of_cron(match[1])
    if expression.startswith("at("):
        raise InvalidExpression("at() takes yyyy-mm-ddThh:mm:ss, without a time zone")
    if expression.startswith("rate("):
        raise InvalidExpression("rate() takes a value and a unit: minutes, hours or days")
    raise InvalidExpression("it is neither rate(...) nor cron(...) nor at(...)")


def list_run_days(day_of_month: str, month: str, day_of_week: str, first_year: int, last_year: int) -> list[date]:
    """The days of these years on which a cron expression with these fields runs. Raises InvalidExpression."""
    fields = ("0", "0", day_of_month, month, day_of_week, "*")
    parsed = _parse_fields([field.upper() for field in fields])
    starts = [
        date(year, month_number, 1)
        for year in range(first_year, last_year + 1)
        for month_number in sorted(parsed[3].values)
    ]
    return [day for start in starts for day in _days_of_month(start) if _runs_on(parsed, day)]


def _days_of_month(start: date) -> list[date]:
    return [start.replace(day=number) for number in range(1, _last_of_month(start).day + 1)]


def _of_rate(value: int, unit: str) -> int:
    """Scheduler accepts singular and plural units alike, unlike EventBridge rules."""
    if value < 1:
        raise InvalidExpression("the value of a rate must be at least 1")
    return value * _SECONDS[unit]


def _of_cron(text: str) -> int | None:
    if not text.isascii():
        raise InvalidExpression("cron has non-ASCII characters")
    fields = text.upper().split(" ")
    if len(fields) != len(_NAMES) or "" in fields:
        raise InvalidExpression(f"cron takes six fields separated by single spaces, not {len(text.split())}")
    parsed = _parse_fields(fields)
    times = sorted(hour * 3600 + minute * 60 for hour in parsed[1].values for minute in parsed[0].values)
    within = min((later - earlier for earlier, later in pairwise(times)), default=2 * DAY)
    overnight = times[0] + DAY - times[-1]
    if overnight >= within:
        return within
    return min(within, overnight if _runs_on_two_days_in_a_row(parsed) else overnight + DAY)


def _parse_fields(fields: Sequence[str]) -> "list[_Field]":
    if (fields[2] == "?") == (fields[4] == "?"):
        raise InvalidExpression("exactly one of day-of-month and day-of-week must be ?")
    return [_field(index, field) for index, field in enumerate(fields)]


@dataclass(frozen=True)
class _Field:
    """One field of a cron expression."""

    values: frozenset[int]
    special: tuple[str, ...]
    """Such as `LW`, `15W`, `6L` or `2#1`."""
    any_day: bool = False
    """Whether the field is ?."""


def _field(index: int, text: str) -> _Field:
    if text == "?":
        if index not in (2, 4):
            raise InvalidExpression(f"? is not valid for {_NAMES[index]}")
        return _Field(frozenset(), (), any_day=True)
    numbers: set[int] = set()
    special: list[str] = []
    for part in text.split(","):
        if index in _SPECIAL and _SPECIAL[index].fullmatch(part):
            special.append(part)
        else:
            numbers |= _values(index, part)
    return _Field(frozenset(numbers), tuple(special))


def _values(index: int, part: str) -> set[int]:
    low, high = _LIMITS[index]
    span, slash, step_text = part.partition("/")
    if slash and (not step_text.isdecimal() or int(step_text) == 0):
        raise InvalidExpression(f"{part} is not a valid step for {_NAMES[index]}")
    step = int(step_text) if slash else 1
    if span == "*":
        first, last = low, high
    elif "-" in span:
        first, last = (_number(index, end) for end in span.split("-", 1))
    else:
        first = _number(index, span)
        last = high if slash else first
    if first <= last:
        return set(range(first, last + 1, step))
    # AWS does not document whether a range may wrap around (FRI-MON), so it is accepted here.
    return {low + (value - low) % (high - low + 1) for value in range(first, last + high - low + 2, step)}


def _number(index: int, text: str) -> int:
    low, high = _LIMITS[index]
    if text in _WORDS[index]:
        return _WORDS[index].index(text) + low
    if not re.fullmatch(r"\d{1,4}", text) or not low <= int(text) <= high:
        raise InvalidExpression(
            f"{text or 'nothing'} is not a valid value for {_NAMES[index]}, which ranges from {low} to {high}"
        )
    return int(text)


def _runs_on_two_days_in_a_row(parsed: list[_Field]) -> bool:
    years = sorted(year for year in parsed[5].values if year >= _FIRST_YEAR)[:2] or [_FIRST_YEAR]
    day, end = date(years[0], 1, 1), date(years[-1], 12, 31)
    before = False
    while day <= end:
        now = _runs_on(parsed, day)
        if now and before:
            return True
        before = now
        day += timedelta(days=1)
    return False


def _runs_on(parsed: list[_Field], day: date) -> bool:
    _, _, of_month, month, of_week, year = parsed
    if day.month not in month.values or day.year not in year.values:
        return False
    if of_week.any_day:
        return day.day in of_month.values or any(_is_day_of_month(special, day) for special in of_month.special)
    return _weekday(day) in of_week.values or any(_is_day_of_week(special, day) for special in of_week.special)


def _weekday(day: date) -> int:
    """1 for Sunday to 7 for Saturday."""
    return day.isoweekday() % 7 + 1


def _last_of_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def _is_day_of_month(special: str, day: date) -> bool:
    last = _last_of_month(day)
    if special == "L":
        return day == last
    wanted = last if special == "LW" else last.replace(day=min(int(special[:-1]), last.day))
    return day == _nearest_weekday(wanted, last.day)


def _nearest_weekday(day: date, last: int) -> date:
    if day.isoweekday() == 6:
        return day - timedelta(days=1) if day.day > 1 else day + timedelta(days=2)
    if day.isoweekday() == 7:
        return day + timedelta(days=1) if day.day < last else day - timedelta(days=2)
    return day


_OF_WEEK: dict[str, Callable[[date, int], bool]] = {
    "L": lambda day, _: day.day + 7 > _last_of_month(day).day,
    "#": lambda day, count: (day.day - 1) // 7 + 1 == count,
}


def _is_day_of_week(special: str, day: date) -> bool:
    if special == "L":
        return _weekday(day) == 7
    named, count = (special[:-1], 0) if special.endswith("L") else (special[:-2], int(special[-1]))
    return _number(4, named) == _weekday(day) and _OF_WEEK["L" if special.endswith("L") else "#"](day, count)
