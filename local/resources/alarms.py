"""CloudWatch's alarms."""

from collections.abc import Iterable

from ..aws import Aws
from .entry import Created, Entry, Inputs, given, tag_list, understands


def _create_alarm(aws: Aws, inputs: Inputs) -> Created:
    """MiniStack keeps an alarm and evaluates it over the metrics that were put; Lambda's log is no source of them."""
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName=inputs["name"],
        Dimensions=[{"Name": name, "Value": value} for name, value in (inputs.get("dimensions") or {}).items()],
        Tags=tag_list(inputs),
        **given(
            inputs,
            AlarmDescription="alarmDescription",
            Namespace="namespace",
            MetricName="metricName",
            Statistic="statistic",
            ComparisonOperator="comparisonOperator",
            Threshold="threshold",
            Period="period",
            EvaluationPeriods="evaluationPeriods",
            TreatMissingData="treatMissingData",
            AlarmActions="alarmActions",
            OKActions="okActions",
        ),
    )
    return Created(inputs["name"], {"arn": f"arn:aws:cloudwatch:{aws.region}:{aws.account_id}:alarm:{inputs['name']}"})


def _delete_alarm(aws: Aws, alarm: Created) -> None:
    aws.client("cloudwatch").delete_alarms(AlarmNames=[alarm.id])


def _list_alarms(aws: Aws) -> Iterable[str]:
    pages = aws.client("cloudwatch").get_paginator("describe_alarms").paginate()
    return (alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"])


ENTRIES = (
    Entry(
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        understands(
            "name",
            "alarmDescription",
            "namespace",
            "metricName",
            "dimensions",
            "statistic",
            "comparisonOperator",
            "threshold",
            "period",
            "evaluationPeriods",
            "treatMissingData",
            "alarmActions",
            "okActions",
            "tags",
        ),
        _create_alarm,
        _delete_alarm,
        autonamed="name",
        lists=_list_alarms,
    ),
)
