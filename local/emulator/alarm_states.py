"""Decides the state of a metric alarm from its latest data points, as CloudWatch documents it. Pure.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ALARM, OK, INSUFFICIENT_DATA = "ALARM", "OK", "INSUFFICIENT_DATA"
MISSING, IGNORE, BREACHING, NOT_BREACHING = "missing", "ignore", "breaching", "notBreaching"
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
"""The API's comparison operators for static thresholds."""

_EXTRA_PERIODS = 2


@dataclass(frozen=True)
class AlarmRule:
    """The settings of a metric alarm that decide its state."""

    comparison: str
    """One of COMPARISONS."""
    threshold: float
    evaluation_periods: int = 1
    datapoints_to_alarm: int = 1
    treat_missing_data: str = MISSING

    @property
    def evaluation_range(self) -> int:
        """How many periods are read, so that older data replaces missing data.

        AWS documents "a higher number" than the evaluation periods; its examples read five periods for three.
        """
        return self.evaluation_periods + _EXTRA_PERIODS


def choose_state(values: Sequence[float | None], rule: AlarmRule, current: str) -> str:
    """Return the alarm's next state.

    `values` has a value for each period of the evaluation range, latest first, or None where data is missing.
    `current` is the state that the alarm keeps when the data is inconclusive.
    """
    compare = COMPARISONS[rule.comparison]
    known = [(age, compare(value, rule.threshold)) for age, value in enumerate(values, 1) if value is not None]
    known = known[: rule.evaluation_periods]
    if not known:
        return {BREACHING: ALARM, NOT_BREACHING: OK, MISSING: INSUFFICIENT_DATA}.get(rule.treat_missing_data, current)
    breaching = sum(is_breaching for _, is_breaching in known)
    filled = rule.evaluation_periods - len(known)
    if rule.treat_missing_data == BREACHING:
        breaching += filled
    if breaching >= rule.datapoints_to_alarm:
        return ALARM
    all_breaching = all(is_breaching for _, is_breaching in known)
    if filled == 0 or rule.treat_missing_data in (BREACHING, NOT_BREACHING) or not all_breaching:
        return OK
    # Too few data points, all breaching ("premature alarm state"): the alarm waits until the oldest is as old as its
    # data points to alarm.
    oldest, _ = known[-1]
    return ALARM if rule.treat_missing_data == MISSING and oldest >= rule.datapoints_to_alarm else current
