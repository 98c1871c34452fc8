"""A log line in the embedded metric format is as many metrics as CloudWatch makes of it.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json

import pytest
from aws_lambda_powertools import Metrics

from local.emulator.embedded_metrics import Datum, read_line

LINE = {
    "_aws": {
        "Timestamp": 1574109732004,
        "CloudWatchMetrics": [
            {
                "Namespace": "lambda-function-metrics",
                "Dimensions": [["functionVersion"], ["functionVersion", "stage"]],
                "Metrics": [{"Name": "time", "Unit": "Milliseconds"}, {"Name": "tries"}, {"Name": "absent"}],
            }
        ],
    },
    "functionVersion": "$LATEST",
    "stage": "prod",
    "time": 100,
    "tries": [1, 2],
}


def test_each_metric_is_published_under_each_set_of_dimensions():
    by_version, by_stage = (("functionVersion", "$LATEST"),), (("functionVersion", "$LATEST"), ("stage", "prod"))
    assert read_line(json.dumps(LINE)) == [
        Datum("lambda-function-metrics", name, value, unit, dimensions, 1574109732.004)
        for dimensions in (by_version, by_stage)
        for name, value, unit in (("time", 100, "Milliseconds"), ("tries", 1, "None"), ("tries", 2, "None"))
    ]


def test_metrics_that_powertools_prints_are_read(capsys):
    metrics = Metrics(namespace="Test", service="check")
    metrics.add_metric("CompleteRuns", "Count", 1)
    metrics.flush_metrics()

    [datum] = read_line(capsys.readouterr().out)

    assert (datum.namespace, datum.name, datum.value, datum.unit) == ("Test", "CompleteRuns", 1, "Count")
    assert datum.dimensions == (("service", "check"),)


@pytest.mark.parametrize(
    "line",
    [
        "START RequestId: 1",
        '{"level": "INFO"}',
        '{"_aws": 1}',
        '{"_aws": {"Timestamp": "now", "CloudWatchMetrics": []}}',
        json.dumps(LINE | {"_aws": LINE["_aws"] | {"CloudWatchMetrics": [{"Namespace": "n"}]}}),
        json.dumps({key: value for key, value in LINE.items() if key != "stage"}),
        '"_aws" and no JSON',
    ],
)
def test_a_line_that_is_not_valid_has_no_metrics(line):
    assert read_line(line) == []
