"""CloudWatch's alarms and dashboards."""

import json
from collections.abc import Iterable
from typing import Any

from ...aws import Aws
from ...errors import LocalError
from .entry import CreatedResource, Entry, Inputs, build_tag_list, select_inputs, supported_inputs

_METRIC = ("namespace", "metricName", "dimensions", "period", "stat", "unit")


def _create_metric_alarm(aws: Aws, inputs: Inputs) -> CreatedResource:
    """Create an alarm; `local/emulator/alarms.py` evaluates it."""
    queries = [_build_query(query) for query in inputs.get("metricQueries") or []]
    more: dict[str, Any] = {"Metrics": queries} if queries else {"Dimensions": _build_dimensions(inputs)}
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName=inputs["name"],
        Tags=build_tag_list(inputs),
        **more,
        **select_inputs(
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
    return CreatedResource(inputs["name"], {"arn": _build_alarm_arn(aws, inputs["name"])})


def _build_query(query: Inputs) -> dict[str, Any]:
    api_query: dict[str, Any] = select_inputs(query, Id="id", Expression="expression", Label="label", Period="period")
    if metric := query.get("metric"):
        metric_name = {"Namespace": metric["namespace"], "MetricName": metric["metricName"]}
        api_query["MetricStat"] = {
            "Metric": metric_name | {"Dimensions": _build_dimensions(metric)},
            **select_inputs(metric, Period="period", Stat="stat", Unit="unit"),
        }
    # The API defaults ReturnData to true, the provider to false.
    return {**api_query, "ReturnData": bool(query.get("returnData"))}


def _build_dimensions(metric: Inputs) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in (metric.get("dimensions") or {}).items()]


def _create_composite_alarm(aws: Aws, inputs: Inputs) -> CreatedResource:
    suppressor = inputs.get("actionsSuppressor") or {}
    aws.client("cloudwatch").put_composite_alarm(
        Tags=build_tag_list(inputs),
        **select_inputs(
            inputs,
            AlarmName="alarmName",
            AlarmDescription="alarmDescription",
            AlarmRule="alarmRule",
            ActionsEnabled="actionsEnabled",
            AlarmActions="alarmActions",
            OKActions="okActions",
            InsufficientDataActions="insufficientDataActions",
        ),
        **select_inputs(
            suppressor,
            ActionsSuppressor="alarm",
            ActionsSuppressorWaitPeriod="waitPeriod",
            ActionsSuppressorExtensionPeriod="extensionPeriod",
        ),
    )
    return CreatedResource(inputs["alarmName"], {"arn": _build_alarm_arn(aws, inputs["alarmName"])})


def _build_alarm_arn(aws: Aws, name: str) -> str:
    return f"arn:aws:cloudwatch:{aws.region}:{aws.account_id}:alarm:{name}"


def _delete_alarm(aws: Aws, alarm: CreatedResource) -> None:
    aws.client("cloudwatch").delete_alarms(AlarmNames=[alarm.id])


def _list_alarms(aws: Aws, kind: str) -> Iterable[str]:
    pages = aws.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmTypes=[kind])
    return (alarm["AlarmName"] for page in pages for alarm in page[f"{kind}s"])


def _create_dashboard(aws: Aws, inputs: Inputs) -> CreatedResource:
    """Create a dashboard. CloudWatch rejects a body that is not JSON; MiniStack accepts any."""
    name, body = inputs["dashboardName"], inputs["dashboardBody"]
    try:
        json.loads(body)
    except ValueError as error:
        raise LocalError(f"dashboard {name}: dashboardBody is not JSON: {error}") from None
    aws.client("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=body)
    return CreatedResource(name, {"dashboardArn": f"arn:aws:cloudwatch::{aws.account_id}:dashboard/{name}"})


def _delete_dashboard(aws: Aws, dashboard: CreatedResource) -> None:
    aws.client("cloudwatch").delete_dashboards(DashboardNames=[dashboard.id])


def _list_dashboards(aws: Aws) -> Iterable[str]:
    pages = aws.client("cloudwatch").get_paginator("list_dashboards").paginate()
    return (dashboard["DashboardName"] for page in pages for dashboard in page.get("DashboardEntries", []))


ENTRIES = (
    Entry(
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        supported_inputs(
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
        name_input="name",
        list_names=lambda aws: _list_alarms(aws, "MetricAlarm"),
    ),
    Entry(
        "aws:cloudwatch/compositeAlarm:CompositeAlarm",
        supported_inputs(
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
        list_names=lambda aws: _list_alarms(aws, "CompositeAlarm"),
    ),
    Entry(
        "aws:cloudwatch/dashboard:Dashboard",
        supported_inputs("dashboardName", "dashboardBody"),
        _create_dashboard,
        _delete_dashboard,
        list_names=_list_dashboards,
    ),
)
