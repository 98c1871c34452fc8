"""Constraints between the settings of the schedule."""

import pytest

from components.settings.validation import complaints_about


@pytest.mark.parametrize(
    ("expression", "minutes", "maximum"),
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
def test_a_flexible_window_may_not_be_longer_than_the_period(expression, minutes, maximum):
    settings = {"schedule_expression": expression, "schedule_flexible_minutes": minutes}

    complaints = complaints_about({name: value for name, value in settings.items() if value is not None})

    assert complaints == (
        []
        if maximum is None
        else [
            f"schedule_flexible_minutes must be at most {maximum}, the minutes between two runs by "
            f"schedule_expression, got {minutes}"
        ]
    )


@pytest.mark.parametrize("secret", ["schedule_expression", "schedule_flexible_minutes"])
def test_a_secret_value_is_not_repeated(secret):
    settings = {"schedule_expression": "rate(7 minutes)", "schedule_flexible_minutes": 613}

    [complaint] = complaints_about(settings, secret_settings=frozenset({secret}))

    assert "a secret value" in complaint
    assert ("7" if secret == "schedule_expression" else "613") not in complaint


def test_only_settings_that_are_valid_alone_are_compared():
    [complaint] = complaints_about({"schedule_expression": "rate(1 week)", "schedule_flexible_minutes": 1440})

    assert complaint.startswith("schedule_expression must be ")
