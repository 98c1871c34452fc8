"""Reads metrics out of log lines in CloudWatch's embedded metric format, which is how our functions publish theirs.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_MOST_DIMENSIONS = 30


@dataclass(frozen=True)
class Datum:
    """One value of one metric."""

    namespace: str
    name: str
    value: float
    unit: str
    dimensions: tuple[tuple[str, str], ...]
    """Names and values, in the order of the line."""
    timestamp: float
    """Epoch seconds."""


def read_line(line: str) -> list[Datum]:
    """Return the metrics of a log line; none where it is no such line, or not a valid one."""
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
    """Each metric of a directive under each of its sets of dimensions; a metric without a value is left out."""
    for names in directive["Dimensions"]:
        if len(names) > _MOST_DIMENSIONS:
            raise ValueError("too many dimensions")
        dimensions = tuple((name, str(document[name])) for name in names)
        for metric in directive["Metrics"]:
            values = document.get(metric["Name"])
            for value in values if isinstance(values, list) else [values]:
                if isinstance(value, int | float) and not isinstance(value, bool):
                    unit = metric.get("Unit", "None")
                    yield Datum(directive["Namespace"], metric["Name"], value, unit, dimensions, timestamp)
