"""The alarm on a canary that does not arrive: when it rings, and that a new stack is silent."""

import json
import re

import pytest

METRIC, COMPOSITE = "aws:cloudwatch/metricAlarm:MetricAlarm", "aws:cloudwatch/compositeAlarm:CompositeAlarm"
FUNCTION = "aws:lambda/function:Function"
MINUTE, HOUR, DAY = 60, 3600, 86_400


def alarm(recording, name):
    return recording.named(METRIC, f"guard-observability-{name}").inputs


def test_a_missing_canary_rings_but_not_before_the_first_one_of_a_stack(guard):
    """Of a period without data `breaching` makes ALARM, and `ignore` what it was before
    (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html)."""
    recording = guard(canary_schedule="rate(1 day)")
    missing, first = alarm(recording, "no-canary"), alarm(recording, "no-canary-yet")
    [writer] = [
        function
        for function in recording.of_type(FUNCTION)
        if function.inputs["handler"] == "handlers.trail.writer.handler"
    ]

    for inputs in (missing, first):
        assert (inputs["metricName"], inputs["statistic"]) == ("CanaryEventsRecorded", "Sum")
        assert inputs["comparisonOperator"] == "LessThanThreshold"
        assert inputs["dimensions"]["function_name"] == writer.outputs["name"]
    assert (missing["threshold"], missing["treatMissingData"]) == (1, "breaching")
    assert (first["threshold"], first["treatMissingData"]) == (0, "ignore")
    rule = recording.named(COMPOSITE, "guard-observability-events-not-delivered").inputs["alarmRule"]
    names = {name: f"guard-observability-{name}-0a1b2c3" for name in ("no-canary", "no-canary-yet")}
    assert f'(ALARM("{names["no-canary"]}") AND OK("{names["no-canary-yet"]}"))' in rule


@pytest.mark.parametrize(
    ("expression", "period", "count"),
    [
        ("rate(5 minutes)", 65 * MINUTE, 1),
        ("rate(1 hour)", 2 * HOUR, 1),
        ("rate(1 day)", 12 * HOUR + 30 * MINUTE, 2),
        ("cron(0 6 ? * MON-FRI *)", 73 * HOUR // 4, 4),
        ("rate(6 days)", 145 * HOUR // 7 // MINUTE * MINUTE + MINUTE, 7),
    ],
)
def test_the_alarm_looks_back_on_one_period_and_an_hour_within_aws_limits(guard, expression, period, count):
    """A period is a multiple of 60 seconds; all periods together are at most a day, or seven days where each has an
    hour or more (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html)."""
    recording = guard(canary_schedule=expression)

    for name in ("no-canary", "no-canary-yet"):
        inputs = alarm(recording, name)
        assert (inputs["period"], inputs["evaluationPeriods"]) == (period, count)
    assert period % MINUTE == 0
    assert period <= DAY
    assert period * count <= (7 * DAY if period >= HOUR else DAY)


@pytest.mark.parametrize("expression", ["rate(7 days)", "cron(0 6 ? * MON *)", "cron(0 6 1 * ? *)"])
def test_a_canary_too_rare_for_an_alarm_has_none(guard, expression):
    recording = guard(canary_schedule=expression)

    assert not [resource.name for resource in recording.of_type(METRIC) if re.search("canary", resource.name)]


def test_a_stack_without_a_canary_has_no_alarm_on_it(guard):
    assert "canary" not in json.dumps([resource.name for resource in guard().of_type(METRIC)])
