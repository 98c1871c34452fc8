"""Counts what becomes of incidents, for the dashboard: each metric has the same two dimensions."""

from collections.abc import Mapping

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from rotation_guard.domain.metrics import NAMESPACE, OUTCOME_METRICS, MetricName
from rotation_guard.domain.remediation.incidents import Outcome

OPENED, SECONDS_TO_RECOVERY = MetricName.INCIDENTS_OPENED, MetricName.SECONDS_TO_RECOVERY

metrics = Metrics(namespace=NAMESPACE)


def name_outcome_metric(outcome: Outcome) -> MetricName:
    """The metric that counts incidents which end so, such as `IncidentsRolledForward`."""
    return OUTCOME_METRICS[outcome]


def emit(values: Mapping[str, float], function_name: str) -> None:
    """Writes these metrics to the log, from where CloudWatch takes them; nothing where there are none."""
    if not values:
        return
    for name, value in values.items():
        unit = MetricUnit.Seconds if name == SECONDS_TO_RECOVERY else MetricUnit.Count
        metrics.add_metric(name, unit, value)
    # The service is of the same name in every stack of an account; the function is not.
    metrics.add_dimension("function_name", function_name)
    metrics.flush_metrics()
