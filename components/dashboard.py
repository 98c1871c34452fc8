"""The dashboard of whoever is on call, as CloudWatch takes it.

Its structure: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pulumi

from .alarms import Metric

CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
"""The console of each partition, as AWS's sign-in pages name it
(https://docs.aws.amazon.com/general/latest/gr/console-service.html)."""
OUTCOMES = {
    "IncidentsRecoveredByAws": "recovered by AWS",
    "IncidentsRecoveredByRetry": "recovered by retry",
    "IncidentsRolledForward": "rolled forward",
    "IncidentsFallenBack": "fallen back",
    "IncidentsEscalated": "escalated",
    "IncidentsHeld": "held",
}
"""The metrics that count how incidents end, and what each counts."""
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


def console_url(partition: str, region: str, dashboard_name: str) -> str:
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
            **_place(0, 0, GRID_COLUMNS, 2),
            "properties": {"markdown": f"**rotation-guard**: what each alarm means is in the [runbook]({runbook})."},
        },
        {
            "type": "alarm",
            **_place(0, 2, GRID_COLUMNS, 3),
            "properties": {"title": "Alarms", "alarms": list(alarm_arns)},
        },
    ]
    half = GRID_COLUMNS // 2
    body = [
        {
            "type": "metric",
            **_place(number % 2 * half, 5 + number // 2 * _HEIGHT, half, _HEIGHT),
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


def _list_metric(label: str, metric: Metric) -> list[Any]:
    dimensions = (part for pair in metric.dimensions.items() for part in pair)
    return [metric.namespace, metric.name, *dimensions, {"label": label}]


def _place(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "width": width, "height": height}
