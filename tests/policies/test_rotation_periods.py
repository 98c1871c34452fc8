"""How far apart the rotations of a secret can lie."""

import pytest

from policies import rotation_periods


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("rate(30 days)", 30),
        ("rate(1 day)", 1),
        ("rate(12 hours)", 0.5),
        ("cron(0 16 1 * ? *)", 31),
        ("cron(0 16 L * ? *)", 31),
        ("cron(0 8 * * ? *)", 1),
        ("cron(0 /4 ? * SUN *)", 7),
        ("cron(0 9 ? * 2#1 *)", 35),
        ("cron(0 9 ? * 6l *)", 35),
        ("cron(0 9 ? * friL *)", 35),
        ("cron(0 8 ? * mon-fri *)", 7),
        ("cron(0 8 1 jan,Jul ? *)", 184),
        ("rate(1 days)", 1),
        ("rate(4 hour)", 1 / 6),
        ("cron(0 8 1,16 * ? *)", 16),
        ("cron(0 8 */10 * ? *)", 10),
        ("cron(0 8 1 1/2 ? *)", 62),
        ("cron(0 8 1 */3 ? *)", 92),
        ("cron(0 8 1 JAN,JUL ? *)", 184),
        ("cron(0 8 1 1 ? *)", 365),
        ("cron(0 8 1 3-5 ? *)", 304),
    ],
)
def test_the_longest_time_between_two_rotations_is_known(expression, days):
    assert rotation_periods.longest(expression) == days


@pytest.mark.parametrize(
    "expression", ["", "at(2030-01-01T00:00:00)", "rate(5 minutes)", "cron(0 8 1 1 ? 2030)", "cron(0 8 1 XXX ? *)"]
)
def test_an_expression_that_does_not_tell_is_left_alone(expression):
    assert rotation_periods.longest(expression) is None
