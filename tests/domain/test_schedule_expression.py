"""Which schedules EventBridge Scheduler accepts, and how often they run."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotation_guard.domain.schedule_expression import InvalidSchedule, longest_period_seconds, shortest_period_seconds

MINUTE, HOUR, DAY = 60, 3600, 86_400


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("rate(1 minute)", MINUTE),
        ("rate(2 minutes)", 2 * MINUTE),
        ("rate(1 hour)", HOUR),
        ("rate(12 hours)", 12 * HOUR),
        ("rate(1 day)", DAY),
        ("rate(7 days)", 7 * DAY),
        # Pulumi's own example for a schedule of Scheduler.
        ("rate(1 hours)", HOUR),
        ("rate(1 minutes)", MINUTE),
        ("rate(2 day)", 2 * DAY),
        ("cron(0 6 * * ? *)", DAY),
        ("cron(0 6 ? * MON-FRI *)", DAY),
        # "Names of days and months are not case-sensitive", says EventBridge's page on cron expressions.
        ("cron(0 6 ? * mon-fri *)", DAY),
        ("cron(0 6 1 jan,Jul ? *)", DAY),
        ("cron(0 6 ? * friL *)", DAY),
        ("cron(0 6 ? * fri#2 *)", DAY),
        ("cron(0 6 L * ? *)", DAY),
        ("cron(0 6 15W * ? *)", DAY),
        ("cron(0 6 ? * 6#3 *)", DAY),
        ("cron(0 6 ? * FRIL *)", DAY),
        ("cron(0 6 1 JAN,JUL ? 2026-2030)", DAY),
        ("cron(* * * * ? *)", MINUTE),
        ("cron(0/15 * * * ? *)", 15 * MINUTE),
        ("cron(*/40 * * * ? *)", 20 * MINUTE),
        ("cron(0,10 6 * * ? *)", 10 * MINUTE),
        ("cron(0 0/8 * * ? *)", 8 * HOUR),
        ("cron(0 9,17 * * ? *)", 8 * HOUR),
        ("cron(0 0,23 * * ? *)", HOUR),
        ("cron(0,50 6 * * ? *)", 50 * MINUTE),
        ("cron(0 0,23 ? * MON *)", 23 * HOUR),
        ("cron(0 0,23 1,15 * ? *)", 23 * HOUR),
        ("cron(0 0,23 L,1 * ? *)", HOUR),
        ("cron(0 0,23 1,28 * ? *)", HOUR),
        ("cron(0 0,23 ? * friL *)", 23 * HOUR),
        ("cron(0 0,23 ? * friL,sat *)", HOUR),
        ("cron(0 0,23 ? * wed,fri *)", 23 * HOUR),
    ],
)
def test_the_shortest_period_of_a_valid_schedule(expression, seconds):
    assert shortest_period_seconds(expression) == seconds


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "rate()",
        "rate(10)",
        "rate(0 hours)",
        "rate(0 minute)",
        "rate(10 seconds)",
        "rate(-1 hours)",
        "rate(1.5 hours)",
        "rate( 1 hour)",
        "rate(1  hour)",
        "rate(1 hour) ",
        "rate(1 hour)\n",
        "RATE(1 hour)",
        "rate(1 week)",
        "rate(\u0662 hours)",
        "rate(" + "9" * 5000 + " days)",
        "at(2026-03-01T00:00:00)",
        "at(2026-03-01T00:00:00Z)",
        "cron()",
        "cron(0 6 * * *)",
        "cron(0 6 * * ? * *)",
        "cron(0 6 * * * *)",
        "cron(0 6 ? * ? *)",
        "cron(0  6 * * ? *)",
        "cron(? 6 * * ? *)",
        "cron(60 6 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 6 0 * ? *)",
        "cron(0 6 32 * ? *)",
        "cron(0 6 * 13 ? *)",
        "cron(0 6 ? * 8 *)",
        "cron(0 6 ? * MOON *)",
        # What str.upper() makes SUN of.
        "cron(0 6 ? * \u017fun *)",
        "cron(0 6 * * ? 1969)",
        "cron(0/0 6 * * ? *)",
        "cron(0/x 6 * * ? *)",
        "cron(30-10 6 * * ? *)",
        "cron(0,,5 6 * * ? *)",
        "cron(\u0660 6 * * ? *)",
        "cron(0 6 * * ? *)\n",
        "cron(" + "9" * 5000 + " 6 * * ? *)",
        "cron(0/" + "9" * 5000 + " 6 * * ? *)",
    ],
)
def test_a_schedule_that_scheduler_rejects_is_rejected(expression):
    for period in (shortest_period_seconds, longest_period_seconds):
        with pytest.raises(InvalidSchedule) as refusal:
            period(expression)

        assert str(refusal.value)


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("rate(1 minute)", MINUTE),
        ("rate(12 hours)", 12 * HOUR),
        ("rate(7 days)", 7 * DAY),
        ("cron(* * * * ? *)", MINUTE),
        ("cron(0 * * * ? *)", HOUR),
        ("cron(*/40 * * * ? *)", 40 * MINUTE),
        ("cron(0 6 * * ? *)", DAY),
        ("cron(30 6,18 * * ? *)", 12 * HOUR),
        ("cron(0 0,23 * * ? *)", 23 * HOUR),
        ("cron(0 8-18 * * ? *)", 14 * HOUR),
        ("cron(0,10 6 * * ? *)", DAY - 10 * MINUTE),
        ("cron(0 6 ? * MON *)", 7 * DAY),
        ("cron(0 6 ? * L *)", 7 * DAY),
        ("cron(0 6 ? * MON-FRI *)", 3 * DAY),
        ("cron(0 9-17 ? * MON-FRI *)", 3 * DAY - 8 * HOUR),
        ("cron(0 6 1 * ? *)", 31 * DAY),
        ("cron(0 6 L * ? *)", 31 * DAY),
        ("cron(0 6 15W * ? *)", 32 * DAY),
        ("cron(0 6 1,15 * ? *)", 17 * DAY),
        ("cron(0 6 ? * 6#3 *)", 35 * DAY),
        ("cron(0 6 ? * FRIL *)", 35 * DAY),
        # From the 1st of July to the 1st of January.
        ("cron(0 6 1 JAN,JUL ? 2026-2030)", 184 * DAY),
        # From the 31st of March to that of May; from the 29th of January to that of March; four years.
        ("cron(0 6 31 * ? *)", 61 * DAY),
        ("cron(0 6 29 * ? *)", 59 * DAY),
        ("cron(0 6 29 2 ? *)", 1461 * DAY),
        # From the 31st of a month to the 29th of the fourth after it, in some years.
        ("cron(0 8 ? * 2#5 *)", 119 * DAY),
        ("cron(0 6 LW * ? *)", 33 * DAY),
    ],
)
def test_the_longest_period_of_a_valid_schedule(expression, seconds):
    assert longest_period_seconds(expression.lower()) == seconds

    assert longest_period_seconds(expression) == seconds


def some_integers(low, high):
    return st.lists(st.integers(low, high), min_size=1, max_size=4, unique=True)


@settings(max_examples=60)
@given(minutes=some_integers(0, 59), hours=some_integers(0, 23), days=some_integers(1, 7))
def test_the_periods_of_a_weekly_schedule_are_those_that_a_calendar_shows(minutes, hours, days):
    fields = [",".join(map(str, values)) for values in (minutes, hours, days)]

    expression = f"cron({fields[0]} {fields[1]} ? * {fields[2]} *)"
    longest, shortest = longest_period_seconds(expression), shortest_period_seconds(expression)

    sunday = datetime(2026, 3, 1)
    runs = sorted(
        sunday + timedelta(weeks=week, days=day - 1, hours=hour, minutes=minute)
        for week in range(3)
        for day in days
        for hour in hours
        for minute in minutes
    )
    periods = [(later - earlier).total_seconds() for earlier, later in pairwise(runs)]
    assert longest == max(periods)
    # From a day on it is not exact, but a day.
    assert shortest == min(*periods, DAY)
