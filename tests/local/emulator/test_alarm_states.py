"""An alarm's state follows its latest data points as CloudWatch documents it.

The two tables, and the text below them, are those of
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html: the oldest data point is
on the left, 0 is within the threshold, X breaches it and - is missing.
"""

import pytest

from local.emulator.alarm_states import (
    ALARM,
    BREACHING,
    IGNORE,
    INSUFFICIENT_DATA,
    MISSING,
    NOT_BREACHING,
    OK,
    AlarmRule,
    choose_state,
)

RETAINED = "whatever it was"
TREATMENTS = (MISSING, IGNORE, BREACHING, NOT_BREACHING)
THREE_OF_THREE = {
    "0 - X - X": (OK, OK, OK, OK),
    "0 - - - -": (OK, OK, OK, OK),
    "- - - - -": (INSUFFICIENT_DATA, RETAINED, ALARM, OK),
    "0 X X - X": (ALARM, ALARM, ALARM, ALARM),
    "- - X - -": (ALARM, RETAINED, ALARM, OK),
}
TWO_OF_THREE = {
    "0 - X - X": (ALARM, ALARM, ALARM, ALARM),
    "0 0 X 0 X": (ALARM, ALARM, ALARM, ALARM),
    "0 - X - -": (OK, OK, ALARM, OK),
    "- - - - 0": (OK, OK, ALARM, OK),
    "- - - X -": (ALARM, RETAINED, ALARM, OK),
}
ROWS = [
    (datapoints_to_alarm, points, treatment, state)
    for datapoints_to_alarm, table in ((3, THREE_OF_THREE), (2, TWO_OF_THREE))
    for points, states in table.items()
    for treatment, state in zip(TREATMENTS, states, strict=True)
]


def state_of(points, rule, current=RETAINED):
    values = [{"0": 0.0, "X": 9.0, "-": None}[point] for point in reversed(points.split())]
    return choose_state(values, rule, current)


@pytest.mark.parametrize(("datapoints_to_alarm", "points", "treatment", "state"), ROWS)
def test_each_row_of_the_documented_tables_has_its_state(datapoints_to_alarm, points, treatment, state):
    rule = AlarmRule("GreaterThanThreshold", 5, 3, datapoints_to_alarm, treatment)

    assert rule.evaluation_range == 5
    assert state_of(points, rule) == state


@pytest.mark.parametrize("points", ["- - - - X", "- - - X -"])
def test_one_recent_breaching_data_point_of_three_does_not_fire_early(points):
    rule = AlarmRule("GreaterThanThreshold", 5, 3, 3)

    assert state_of(points, rule, OK) == OK
    assert state_of(points, rule, INSUFFICIENT_DATA) == INSUFFICIENT_DATA


def test_an_alarm_of_one_period_fires_until_the_data_point_has_left_the_evaluation_range():
    rule = AlarmRule("GreaterThanThreshold", 5, treat_missing_data=NOT_BREACHING)

    assert [state_of(points, rule) for points in ("- - X", "- X -", "X - -", "- - -")] == [ALARM, ALARM, ALARM, OK]


@pytest.mark.parametrize(
    ("comparison", "below", "equal", "above"),
    [
        ("GreaterThanThreshold", OK, OK, ALARM),
        ("GreaterThanOrEqualToThreshold", OK, ALARM, ALARM),
        ("LessThanThreshold", ALARM, OK, OK),
        ("LessThanOrEqualToThreshold", ALARM, ALARM, OK),
    ],
)
def test_the_comparison_operator_determines_on_which_side_of_the_threshold_an_alarm_fires(
    comparison, below, equal, above
):
    rule = AlarmRule(comparison, 5)

    assert [choose_state([value, None, None], rule, OK) for value in (4, 5, 6)] == [below, equal, above]
