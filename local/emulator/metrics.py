"""Publishes the metrics of AWS's own services. Runs inside the emulator.

Names, units and dimensions are AWS's, with a reference where each is published. MiniStack publishes only some of
Lambda's, twice or not at all.
"""

import time
from collections.abc import Mapping

from ministack.services import cloudwatch

from . import alarms

COUNT, SECONDS, MILLISECONDS = "Count", "Seconds", "Milliseconds"

_MAX_POINTS = 1_000


def publish(
    namespace: str,
    name: str,
    value: float,
    unit: str = COUNT,
    dimensions: Mapping[str, str] | None = None,
    timestamp: float | None = None,
) -> None:
    """Add a data point, by default with the current time, and evaluate the alarms on its metric.

    The latest thousand points of a metric are kept.
    """
    dimensions = dict(dimensions or {})
    key = cloudwatch._dims_key(dimensions)
    point = {"Timestamp": timestamp or time.time(), "Value": float(value), "Unit": unit, "Dimensions": dimensions}
    with alarms.lock:
        points = cloudwatch._metric_bucket((namespace, name, key))
        points.append(point)
        if len(points) > 2 * _MAX_POINTS:
            del points[:-_MAX_POINTS]
        alarms.evaluate_watching((namespace, name, key))
