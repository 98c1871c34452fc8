"""The longest time between two rotations of a secret."""

import calendar
import math
from datetime import date, timedelta
from itertools import pairwise

import pytest

from policies.aws import rotation_periods

FIRST, LAST = date(1984, 1, 1), date(2034, 12, 31)
"""Fifty years, in which every date falls on every day of the week."""
DAYS = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1)]
SUNDAY, TUESDAY, THURSDAY, FRIDAY, SATURDAY = 6, 1, 3, 4, 5


def is_last(day):
    return day.day == calendar.monthrange(day.year, day.month)[1]


def is_nth(day, weekday, count):
    return day.weekday() == weekday and 7 * (count - 1) < day.day <= 7 * count


def is_last_weekday(day, weekday):
    return day.weekday() == weekday and (day + timedelta(days=7)).month != day.month


MEANINGS = {
    # The examples of Secrets Manager's own page.
    "cron(0 10 * * ? *)": lambda day: True,
    "cron(0 /4 * * ? *)": lambda day: True,
    "cron(0 18 ? * SAT *)": lambda day: day.weekday() == SATURDAY,
    "cron(0 8 1 * ? *)": lambda day: day.day == 1,
    "cron(0 1 * 1/3 SUN *)": lambda day: day.weekday() == SUNDAY and day.month in (1, 4, 7, 10),
    "cron(0 1 ? 1/3 SUN *)": lambda day: day.weekday() == SUNDAY and day.month in (1, 4, 7, 10),
    "cron(0 17 L * ? *)": is_last,
    "cron(0 8 ? * MON-FRI *)": lambda day: day.weekday() not in (SATURDAY, SUNDAY),
    "cron(0 16 1,15 * ? *)": lambda day: day.day in (1, 15),
    "cron(0 0 ? * SUN#1 *)": lambda day: is_nth(day, SUNDAY, 1),
    "cron(0 2 1/2 * ? *)": lambda day: day.day % 2 == 1,
    "cron(0 2 SUNL * ? *)": lambda day: is_last_weekday(day, SUNDAY),
    "cron(0 2 ? * TUE#3 *)": lambda day: is_nth(day, TUESDAY, 3),
    # Days that only some months have.
    "cron(0 8 31 * ? *)": lambda day: day.day == 31,
    "cron(0 8 30 * ? *)": lambda day: day.day == 30,
    "cron(0 8 29 * ? *)": lambda day: day.day == 29,
    "cron(0 8 29 2 ? *)": lambda day: (day.day, day.month) == (29, 2),
    "cron(0 8 30,31 * ? *)": lambda day: day.day in (30, 31),
    "cron(0 8 29-31 * ? *)": lambda day: day.day >= 29,
    "cron(0 8 31 1,3,5,7,8,10,12 ? *)": lambda day: day.day == 31,
    "cron(0 8 31 JAN-JUN ? *)": lambda day: day.day == 31 and day.month <= 6,
    "cron(0 8 31 */2 ? *)": lambda day: day.day == 31 and day.month % 2 == 1,
    "cron(0 8 */31 * ? *)": lambda day: day.day in (1,),
    "cron(0 8 5/26 * ? *)": lambda day: day.day in (5, 31),
    "cron(0 8 ? * 3#5 *)": lambda day: is_nth(day, TUESDAY, 5),
    "cron(0 8 ? 2 5#5 *)": lambda day: is_nth(day, THURSDAY, 5) and day.month == 2,
    "cron(0 8 ? * 3#5,1#1 *)": lambda day: is_nth(day, TUESDAY, 5) or is_nth(day, SUNDAY, 1),
    # Irregular ones.
    "cron(0 8 */10 * ? *)": lambda day: day.day in (1, 11, 21, 31),
    "cron(0 8 /7 * ? *)": lambda day: day.day in (1, 8, 15, 22, 29),
    "cron(0 8 1,16 * ? *)": lambda day: day.day in (1, 16),
    "cron(0 8 15,L 1/2 ? *)": lambda day: (day.day == 15 or is_last(day)) and day.month % 2 == 1,
    "cron(0 8 1 1/2 ? *)": lambda day: day.day == 1 and day.month % 2 == 1,
    "cron(0 8 1 jan,Jul ? *)": lambda day: day.day == 1 and day.month in (1, 7),
    "cron(0 8 1 3-5 ? *)": lambda day: day.day == 1 and day.month in (3, 4, 5),
    "cron(0 8 1 1 ? *)": lambda day: (day.day, day.month) == (1, 1),
    "cron(0 8 L 2 ? *)": lambda day: is_last(day) and day.month == 2,
    "cron(0 9 ? * 6l *)": lambda day: is_last_weekday(day, FRIDAY),
    "cron(0 9 ? * L *)": lambda day: day.weekday() == SATURDAY,
    "cron(0 9 ? 6 mon-fri *)": lambda day: day.month == 6 and day.weekday() not in (SATURDAY, SUNDAY),
    "cron(0 9 ? * 2,6 *)": lambda day: day.weekday() in (0, FRIDAY),
    "cron(0 9 ? 1,7 * *)": lambda day: day.month in (1, 7),
}
"""Each expression with its days, written by hand."""


@pytest.mark.parametrize("expression", MEANINGS)
def test_the_longest_time_between_two_rotations_agrees_with_fifty_years(expression):
    days = [day for day in DAYS if MEANINGS[expression](day)]

    assert rotation_periods.longest(expression) == max((later - earlier).days for earlier, later in pairwise(days))


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("rate(30 days)", 30),
        ("rate(1 day)", 1),
        ("rate(1 days)", 1),
        ("rate(12 hours)", 0.5),
        ("rate(1 hours)", 1 / 24),
        ("rate(4 hour)", 1 / 6),
        ("cron(0 8 31 * ? *)", 61),
        ("cron(0 8 29 2 ? *)", 4 * 365 + 1),
    ],
)
def test_the_longest_time_between_two_rotations_is_known(expression, days):
    assert rotation_periods.longest(expression) == days


@pytest.mark.parametrize("expression", ["cron(0 8 30 2 ? *)", "cron(0 8 31 4,6,9,11 ? *)"])
def test_a_day_that_does_not_exist_has_an_infinite_period(expression):
    assert rotation_periods.longest(expression) == math.inf


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "at(2030-01-01T00:00:00)",
        "rate(5 minutes)",
        "cron(0 8 1 1 ? 2030)",
        "cron(0 8 1 XXX ? *)",
        "cron(0 8 1 * MON *)",
        "cron(0 8 ? * ? *)",
        "cron(0 8 L-3 * ? *)",
        "cron(0 8 32 * ? *)",
        "cron(0 8 1 0/3 ? *)",
    ],
)
def test_an_invalid_expression_has_no_period(expression):
    assert rotation_periods.longest(expression) is None
