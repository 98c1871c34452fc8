"""Parses log lines in CloudWatch's embedded metric format, in which functions publish metrics. Pure.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_MAX_DIMENSIONS = 30


@dataclass(frozen=True)
class Datum:
    """A value of a metric."""

    namespace: str
    name: str
    value: float
    unit: str
    dimensions: tuple[tuple[str, str], ...]
    """Names and values, in the line's order."""
    timestamp: float
    """Epoch seconds."""


def read_line(line: str) -> list[Datum]:
    """Return the metrics of a log line; none for a line in another format or an invalid one."""
    if '"_aws"' not in line:
        return []
    try:
        document = json.loads(line)
        metadata = document["_aws"]
        timestamp = metadata["Timestamp"] / 1000
        return [datum for directive in metadata["CloudWatchMetrics"] for datum in _read(document, directive, timestamp)]
    except (ValueError, LookupError, TypeError):
        return []


def _read(document: dict[str, Any], directive: dict[str, Any], timestamp: float) -> Iterator[Datum]:
    """Yield each metric of a directive for each of its dimension sets; metrics without a value are skipped."""
    for names in directive["Dimensions"]:
        if len(names) > _MAX_DIMENSIONS:
            raise ValueError("too many dimensions")
        dimensions = tuple((name, str(document[name])) for name in names)
        for metric in directive["Metrics"]:
            values = document.get(metric["Name"])
            for value in values if isinstance(values, list) else [values]:
                if isinstance(value, int | float) and not isinstance(value, bool):
                    unit = metric.get("Unit", "None")
                    yield Datum(directive["Namespace"], metric["Name"], value, unit, dimensions, timestamp)
