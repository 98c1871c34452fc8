"""The on-call dashboard, as CloudWatch's JSON.

Its structure: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pulumi

from rotation_guard.domain.metrics import OUTCOME_METRICS, MetricName

from .alarms import Metric, build_own_metric

CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
"""The console of each partition; that of the commercial one is documented
(https://docs.aws.amazon.com/general/latest/gr/mgmt-console.html)."""
GRID_COLUMNS = 24
"""(the page above)"""
_HEIGHT = 6
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
    region: pulumi.Input[str], runbook: str, alarm_arns: Sequence[pulumi.Input[str]], charts: Sequence[Chart]
) -> dict[str, list[Widget]]:
    """The dashboard: the runbook, the state of the alarms, and the charts in rows of two."""
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
    half = GRID_COLUMNS // 2
    body = [
        {
            "type": "metric",
            **_position(number % 2 * half, 5 + number // 2 * _HEIGHT, half, _HEIGHT),
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


def list_charts(args: Mapping[str, Any]) -> list[Chart]:
    """What the on-call engineer asks for first, of what Observability watches by these args."""
    writer, check, claim, end = args["writer"], args["check"], args["steps"]["claim"], args["steps"]["end"]
    dead_letters = {
        "undelivered events": args["undelivered_events_queue_name"],
        "unrecorded events": args["unrecorded_events_queue_name"],
        "unstarted remediations": args["unstarted_remediations_queue_name"],
        "failed audits": args["failed_audits_queue_name"],
    }
    if (notices := args.get("undelivered_notices_queue_name")) is not None:
        dead_letters["undelivered notices"] = notices
    return [
        Chart("Open incidents at each audit", "Maximum", {"open": build_own_metric(MetricName.INCIDENTS_OPEN, check)}),
        Chart(
            "Incidents opened, and how they ended",
            "Sum",
            {
                "opened": build_own_metric(MetricName.INCIDENTS_OPENED, claim),
                **{
                    outcome: build_own_metric(name, claim if name == MetricName.INCIDENTS_RESOLVED else end)
                    for outcome, name in OUTCOME_METRICS.items()
                    if name != MetricName.INCIDENTS_RESTARTED
                },
            },
        ),
        Chart(
            "Seconds to recovery",
            "Average",
            {"from opening to the end": build_own_metric(MetricName.SECONDS_TO_RECOVERY, end)},
        ),
        Chart(
            "Rotations",
            "Sum",
            {
                "failed": build_own_metric(MetricName.ROTATIONS_FAILED, writer),
                "succeeded": build_own_metric(MetricName.ROTATIONS_SUCCEEDED, writer),
            },
        ),
        Chart(
            "Secrets over their limit, and unknown",
            "Maximum",
            {
                "over their limit": build_own_metric(MetricName.SECRETS_FLAGGED, check),
                "unknown": build_own_metric(MetricName.SECRETS_UNKNOWN, check),
            },
        ),
        Chart("Complete audits", "Sum", {"complete": build_own_metric(MetricName.AUDIT_RUNS_COMPLETE, check)}),
        Chart(
            "Seconds that the oldest message has waited",
            "Maximum",
            {
                queue: Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": queue_name})
                for queue, queue_name in {"to be recorded": args["audit_queue_name"], **dead_letters}.items()
            },
        ),
        Chart(
            "Dead letters",
            "Maximum",
            {
                queue: Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": queue_name})
                for queue, queue_name in dead_letters.items()
            },
        ),
    ]


def _list_metric(label: str, metric: Metric) -> list[Any]:
    dimensions = (part for pair in metric.dimensions.items() for part in pair)
    return [metric.namespace, metric.name, *dimensions, {"label": label}]


def _position(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "width": width, "height": height}
