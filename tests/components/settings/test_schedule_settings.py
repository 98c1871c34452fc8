"""What settings of the schedule ask of each other."""

import pytest

from components.settings.validation import complaints_about


@pytest.mark.parametrize(
    ("expression", "minutes", "most"),
    [
        (None, 60, None),
        (None, 61, 60),
        ("rate(1 hours)", 61, 60),
        ("rate(1 minute)", 1, None),
        ("rate(1 minute)", 2, 1),
        ("rate(1 day)", 1440, None),
        ("cron(0 8 1 * ? *)", 1440, None),
        ("cron(0,50 8 * * ? *)", 50, None),
        ("cron(0,50 8 * * ? *)", 51, 50),
        ("cron(0 0,23 * * ? *)", 61, 60),
        ("cron(0 0,23 ? * mon *)", 1380, None),
        ("rate(5 minutes)", 0, None),
    ],
)
def test_a_flexible_window_is_not_longer_than_the_period(expression, minutes, most):
    given = {"schedule_expression": expression, "schedule_flexible_minutes": minutes}

    complaints = complaints_about({name: value for name, value in given.items() if value is not None})

    assert complaints == (
        []
        if most is None
        else [
            f"schedule_flexible_minutes must be at most {most}, the minutes between two runs by schedule_expression, "
            f"got {minutes}"
        ]
    )


@pytest.mark.parametrize("secret", ["schedule_expression", "schedule_flexible_minutes"])
def test_the_secret_one_of_them_is_not_repeated(secret):
    given = {"schedule_expression": "rate(7 minutes)", "schedule_flexible_minutes": 613}

    [complaint] = complaints_about(given, secret_settings=frozenset({secret}))

    assert "a secret value" in complaint
    assert ("7" if secret == "schedule_expression" else "613") not in complaint


def test_only_settings_that_are_right_by_themselves_are_compared():
    [complaint] = complaints_about({"schedule_expression": "rate(1 week)", "schedule_flexible_minutes": 1440})

    assert complaint.startswith("schedule_expression must be ")
