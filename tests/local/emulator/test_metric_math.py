"""Metric math expressions of alarms have the values that CloudWatch documents.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import pytest

from local.emulator.metric_math import check, evaluate

M1, M2 = [1.0, None, 4.0], [2.0, 3.0, 0.0]


def result(expression, **more):
    queries = [
        {"Id": "m1", "MetricStat": {}, "ReturnData": False},
        {"Id": "m2", "MetricStat": {}, "ReturnData": False},
        {"Id": "e1", "Expression": expression},
    ]
    return evaluate(queries, {"m1": M1, "m2": M2}, 3)


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("m1 + m2", [3, None, 4]),
        ("m1 / m2", [0.5, None, None]),
        ("1 / 0", [None, None, None]),
        ("-m1 * 2", [-2, None, -8]),
        ("FILL(m1, 0) + m2", [3, 3, 4]),
        ("FILL(m1, m2)", [1, 3, 4]),
        ("SUM([m1, m2])", [3, 3, 4]),
        ("SUM(METRICS())", [3, 3, 4]),
        ("MAX([m1, m2])", [2, 3, 4]),
        ("MIN(m2)", [0, 0, 0]),
        ("AVG(m1)", [2.5, 2.5, 2.5]),
        ("IF(m2 > 2, 10, m2)", [2, 10, 0]),
        ("IF(m2 > 2, 10)", [None, 10, None]),
        ("m1 > 0 AND m2 > 1", [1, None, 0]),
        ("m1 == 1 || m2 == 0", [1, None, 1]),
    ],
)
def test_an_expression_has_one_value_for_each_period(expression, values):
    assert result(expression) == values


@pytest.mark.parametrize(
    "expression", ["ANOMALY_DETECTION_BAND(m1)", "SELECT MAX(m) FROM n", "m3 + 1", "m1.real", "MAX(m1, m2)", "e1"]
)
def test_an_unsupported_expression_is_rejected(expression):
    with pytest.raises(ValueError, match=r"is not evaluated|is no metric"):
        result(expression)


def test_one_query_returns_the_data_that_the_alarm_watches():
    with pytest.raises(ValueError, match="exactly one of Metrics must return data, got 2"):
        check([{"Id": "m1", "MetricStat": {}}, {"Id": "e1", "Expression": "m1"}])
