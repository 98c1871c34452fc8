"""CloudWatch's alarms and dashboards."""

import json
from collections.abc import Iterable
from typing import Any

from ...aws import Aws
from ...errors import LocalError
from .entry import Created, Entry, Inputs, given, tag_list, understands

_METRIC = ("namespace", "metricName", "dimensions", "period", "stat", "unit")


def _create_metric_alarm(aws: Aws, inputs: Inputs) -> Created:
    """Create an alarm: it is evaluated over what happens in the embedded AWS, see `local/emulator/alarms.py`."""
    queries = [_build_query(query) for query in inputs.get("metricQueries") or []]
    more: dict[str, Any] = {"Metrics": queries} if queries else {"Dimensions": _build_dimensions(inputs)}
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName=inputs["name"],
        Tags=tag_list(inputs),
        **more,
        **given(
            inputs,
            AlarmDescription="alarmDescription",
            Namespace="namespace",
            MetricName="metricName",
            Statistic="statistic",
            ExtendedStatistic="extendedStatistic",
            Unit="unit",
            ComparisonOperator="comparisonOperator",
            Threshold="threshold",
            Period="period",
            EvaluationPeriods="evaluationPeriods",
            DatapointsToAlarm="datapointsToAlarm",
            TreatMissingData="treatMissingData",
            ActionsEnabled="actionsEnabled",
            AlarmActions="alarmActions",
            OKActions="okActions",
            InsufficientDataActions="insufficientDataActions",
        ),
    )
    return Created(inputs["name"], {"arn": _build_alarm_arn(aws, inputs["name"])})


def _build_query(query: Inputs) -> dict[str, Any]:
    api_query: dict[str, Any] = given(query, Id="id", Expression="expression", Label="label", Period="period")
    if metric := query.get("metric"):
        metric_name = {"Namespace": metric["namespace"], "MetricName": metric["metricName"]}
        api_query["MetricStat"] = {
            "Metric": metric_name | {"Dimensions": _build_dimensions(metric)},
            **given(metric, Period="period", Stat="stat", Unit="unit"),
        }
    # The API takes what is not said for yes, the provider for no.
    return {**api_query, "ReturnData": bool(query.get("returnData"))}


def _build_dimensions(metric: Inputs) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in (metric.get("dimensions") or {}).items()]


def _create_composite_alarm(aws: Aws, inputs: Inputs) -> Created:
    suppressor = inputs.get("actionsSuppressor") or {}
    aws.client("cloudwatch").put_composite_alarm(
        Tags=tag_list(inputs),
        **given(
            inputs,
            AlarmName="alarmName",
            AlarmDescription="alarmDescription",
            AlarmRule="alarmRule",
            ActionsEnabled="actionsEnabled",
            AlarmActions="alarmActions",
            OKActions="okActions",
            InsufficientDataActions="insufficientDataActions",
        ),
        **given(
            suppressor,
            ActionsSuppressor="alarm",
            ActionsSuppressorWaitPeriod="waitPeriod",
            ActionsSuppressorExtensionPeriod="extensionPeriod",
        ),
    )
    return Created(inputs["alarmName"], {"arn": _build_alarm_arn(aws, inputs["alarmName"])})


def _build_alarm_arn(aws: Aws, name: str) -> str:
    return f"arn:aws:cloudwatch:{aws.region}:{aws.account_id}:alarm:{name}"


def _delete_alarm(aws: Aws, alarm: Created) -> None:
    aws.client("cloudwatch").delete_alarms(AlarmNames=[alarm.id])


def _list_alarms(aws: Aws, kind: str) -> Iterable[str]:
    pages = aws.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmTypes=[kind])
    return (alarm["AlarmName"] for page in pages for alarm in page[f"{kind}s"])


def _create_dashboard(aws: Aws, inputs: Inputs) -> Created:
    """Create a dashboard; MiniStack takes any body, CloudWatch refuses one that is no JSON."""
    name, body = inputs["dashboardName"], inputs["dashboardBody"]
    try:
        json.loads(body)
    except ValueError as error:
        raise LocalError(f"dashboard {name}: dashboardBody is not JSON: {error}") from None
    aws.client("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=body)
    return Created(name, {"dashboardArn": f"arn:aws:cloudwatch::{aws.account_id}:dashboard/{name}"})


def _delete_dashboard(aws: Aws, dashboard: Created) -> None:
    aws.client("cloudwatch").delete_dashboards(DashboardNames=[dashboard.id])


def _list_dashboards(aws: Aws) -> Iterable[str]:
    pages = aws.client("cloudwatch").get_paginator("list_dashboards").paginate()
    return (dashboard["DashboardName"] for page in pages for dashboard in page.get("DashboardEntries", []))


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
            "extendedStatistic",
            "unit",
            "comparisonOperator",
            "threshold",
            "period",
            "evaluationPeriods",
            "datapointsToAlarm",
            "treatMissingData",
            "metricQueries.id",
            "metricQueries.expression",
            "metricQueries.label",
            "metricQueries.period",
            "metricQueries.returnData",
            *(f"metricQueries.metric.{key}" for key in _METRIC),
            "actionsEnabled",
            "alarmActions",
            "okActions",
            "insufficientDataActions",
            "tags",
        ),
        _create_metric_alarm,
        _delete_alarm,
        autonamed="name",
        lists=lambda aws: _list_alarms(aws, "MetricAlarm"),
    ),
    Entry(
        "aws:cloudwatch/compositeAlarm:CompositeAlarm",
        understands(
            "alarmName",
            "alarmDescription",
            "alarmRule",
            "actionsEnabled",
            "alarmActions",
            "okActions",
            "insufficientDataActions",
            "actionsSuppressor.alarm",
            "actionsSuppressor.waitPeriod",
            "actionsSuppressor.extensionPeriod",
            "tags",
        ),
        _create_composite_alarm,
        _delete_alarm,
        lists=lambda aws: _list_alarms(aws, "CompositeAlarm"),
    ),
    Entry(
        "aws:cloudwatch/dashboard:Dashboard",
        understands("dashboardName", "dashboardBody"),
        _create_dashboard,
        _delete_dashboard,
        lists=_list_dashboards,
    ),
)
