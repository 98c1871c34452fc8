"""The on-call dashboard, as CloudWatch's JSON.

Its structure: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pulumi

from rotation_guard.domain.consoles import CONSOLES
from rotation_guard.domain.metrics import OUTCOME_METRICS, MetricName

from ..function import WatchedFunctionArgs
from .alarms import Metric, build_own_metric

GRID_COLUMNS = 24
"""(the page above)"""
_HEIGHT = 6
_HEADLINE_HEIGHT = 3
_HOUR = 3600

Widget = dict[str, Any]
"""A widget as the page above describes it, with Outputs in the place of what is known later."""


@dataclass(frozen=True)
class Chart:
    """Metrics over time."""

    title: str
    statistic: str
    series: Mapping[str, Metric]
    """Each with its label."""


def build_console_url(partition: str, region: str, dashboard_name: str) -> str:
    """Where the dashboard opens: in the commercial console where the partition is none that is known here."""
    host = CONSOLES.get(partition, CONSOLES["aws"])
    return f"https://{region}.{host}/cloudwatch/home?region={region}#dashboards/dashboard/{quote(dashboard_name)}"


def write_body(
    region: pulumi.Input[str],
    runbook: str,
    alarm_arns: Sequence[pulumi.Input[str]],
    charts: Sequence[Chart],
    check: WatchedFunctionArgs | None = None,
) -> dict[str, list[Widget]]:
    """The dashboard: the runbook, the state of the alarms, the audit's headline, and the charts in rows of two."""
    head: list[Widget] = [
        {
            "type": "text",
            **_position(0, 0, GRID_COLUMNS, 2),
            "properties": {"markdown": f"**rotation-guard**: what each alarm means is in the [runbook]({runbook})."},
        },
        {
            "type": "alarm",
            **_position(0, 2, GRID_COLUMNS, 3),
            "properties": {"title": "Alarms", "alarms": list(alarm_arns)},
        },
    ]
    if check is not None:
        head.append(_show_headline(region, check, y=5))
    top, half = 5 + (len(head) - 2) * _HEADLINE_HEIGHT, GRID_COLUMNS // 2
    body = [
        {
            "type": "metric",
            **_position(number % 2 * half, top + number // 2 * _HEIGHT, half, _HEIGHT),
            "properties": {
                "title": chart.title,
                "region": region,
                "view": "timeSeries",
                "stacked": False,
                "stat": chart.statistic,
                "period": _HOUR,
                "metrics": [_list_metric(label, metric) for label, metric in chart.series.items()],
                "yAxis": {"left": {"min": 0}},
            },
        }
        for number, chart in enumerate(charts)
    ]
    return {"widgets": [*head, *body]}


def _show_headline(region: pulumi.Input[str], check: WatchedFunctionArgs, y: int) -> Widget:
    """The sentence that the last audit logged: how many secrets are over their limit, not judged, and accepted."""
    query = "fields @timestamp, headline | filter ispresent(headline) | sort @timestamp desc | limit 1"
    return {
        "type": "log",
        **_position(0, y, GRID_COLUMNS, _HEADLINE_HEIGHT),
        "properties": {
            "title": "The last audit",
            "region": region,
            "view": "table",
            "query": pulumi.Output.concat("SOURCE '/aws/lambda/", check["function_name"], "' | ", query),
        },
    }


def list_charts(args: Mapping[str, Any]) -> list[Chart]:
    """What the on-call engineer asks for first, of what Observability watches by these args."""
    writer, check, steps = args.get("writer"), args.get("check"), args.get("steps", {})
    claim, end = steps.get("claim"), steps.get("end")
    queues = {
        "to be recorded": args.get("audit_queue_name"),
        "undelivered events": args.get("undelivered_events_queue_name"),
        "unrecorded events": args.get("unrecorded_events_queue_name"),
        "unstarted remediations": args.get("unstarted_remediations_queue_name"),
        "failed audits": args.get("failed_audits_queue_name"),
        "undelivered notices": args.get("undelivered_notices_queue_name"),
    }
    outcomes = {
        outcome: (name, claim if name == MetricName.INCIDENTS_RESOLVED else end)
        for outcome, name in OUTCOME_METRICS.items()
        if name != MetricName.INCIDENTS_RESTARTED
    }
    charts = [
        _chart_own("Open incidents at each audit", "Maximum", {"open": (MetricName.INCIDENTS_OPEN, check)}),
        _chart_own(
            "Incidents opened, and how they ended",
            "Sum",
            {"opened": (MetricName.INCIDENTS_OPENED, claim), **outcomes},
        ),
        _chart_own(
            "Seconds to recovery", "Average", {"from opening to the end": (MetricName.SECONDS_TO_RECOVERY, end)}
        ),
        _chart_own(
            "Rotations",
            "Sum",
            {
                "failed": (MetricName.ROTATIONS_FAILED, writer),
                "succeeded": (MetricName.ROTATIONS_SUCCEEDED, writer),
            },
        ),
        _chart_own(
            "Secrets over their limit, and unknown",
            "Maximum",
            {"over their limit": (MetricName.SECRETS_FLAGGED, check), "unknown": (MetricName.SECRETS_UNKNOWN, check)},
        ),
        _chart_own("Complete audits", "Sum", {"complete": (MetricName.AUDIT_RUNS_COMPLETE, check)}),
        _chart_queues("Seconds that the oldest message has waited", "ApproximateAgeOfOldestMessage", queues),
        _chart_queues(
            "Dead letters",
            "ApproximateNumberOfMessagesVisible",
            {what: name for what, name in queues.items() if what != "to be recorded"},
        ),
    ]
    return [chart for chart in charts if chart.series]


def _chart_own(
    title: str, statistic: str, series: Mapping[str, tuple[MetricName, WatchedFunctionArgs | None]]
) -> Chart:
    """Metrics of our functions, as far as these are watched."""
    own = {label: build_own_metric(name, function) for label, (name, function) in series.items() if function}
    return Chart(title, statistic, own)


def _chart_queues(title: str, metric: str, queues: Mapping[str, pulumi.Input[str] | None]) -> Chart:
    series = {what: Metric("AWS/SQS", metric, {"QueueName": name}) for what, name in queues.items() if name is not None}
    return Chart(title, "Maximum", series)


def _list_metric(label: str, metric: Metric) -> list[Any]:
    dimensions = (part for pair in metric.dimensions.items() for part in pair)
    return [metric.namespace, metric.name, *dimensions, {"label": label}]


def _position(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "width": width, "height": height}
