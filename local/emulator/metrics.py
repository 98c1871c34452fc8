"""Publishes the metrics that AWS's services have of themselves, of what really happens. Runs inside the emulator.

Names, units and dimensions are AWS's; where each comes from is said where it is published. MiniStack has only some of
Lambda's, and counts those twice or not at all.
"""

import time
from collections.abc import Mapping

from ministack.services import cloudwatch

from . import alarms

COUNT, SECONDS, MILLISECONDS = "Count", "Seconds", "Milliseconds"

_MOST_POINTS = 1_000


def publish(
    namespace: str,
    name: str,
    value: float,
    unit: str = COUNT,
    dimensions: Mapping[str, str] | None = None,
    timestamp: float | None = None,
) -> None:
    """Add one data point, of now unless another time is given in epoch seconds, and evaluate the alarms that watch it.

    A thousand points of a metric are kept.
    """
    dimensions = dict(dimensions or {})
    key = cloudwatch._dims_key(dimensions)
    point = {"Timestamp": timestamp or time.time(), "Value": float(value), "Unit": unit, "Dimensions": dimensions}
    with alarms.lock:
        points = cloudwatch._metric_bucket((namespace, name, key))
        points.append(point)
        if len(points) > 2 * _MOST_POINTS:
            del points[:-_MOST_POINTS]
        alarms.evaluate_watching((namespace, name, key))
