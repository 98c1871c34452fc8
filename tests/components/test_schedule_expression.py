"""Which schedules EventBridge Scheduler takes, and how often they run."""

import pytest

from components.schedule_expression import InvalidSchedule, shortest_period_seconds

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
        ("cron(0 6 * * ? *)", DAY),
        ("cron(0 6 ? * MON-FRI *)", DAY),
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
    ],
)
def test_a_schedule_that_scheduler_takes_has_a_shortest_period(expression, seconds):
    assert shortest_period_seconds(expression) == seconds


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "rate()",
        "rate(10)",
        "rate(0 hours)",
        "rate(0 minute)",
        "rate(1 hours)",
        "rate(2 hour)",
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
def test_a_schedule_that_scheduler_refuses_is_refused(expression):
    with pytest.raises(InvalidSchedule) as refusal:
        shortest_period_seconds(expression)

    assert str(refusal.value)
