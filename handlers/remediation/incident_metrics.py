"""Metrics about incidents, for the dashboard; each has the same two dimensions."""

from collections.abc import Mapping

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from rotation_guard.domain.remediation.incidents import Outcome

NAMESPACE = "rotation-guard"
OPENED, SECONDS_TO_RECOVERY = "IncidentsOpened", "SecondsToRecovery"

metrics = Metrics(namespace=NAMESPACE)


def name_outcome_metric(outcome: Outcome) -> str:
    """The metric that counts incidents with this outcome, such as `IncidentsRolledForward`."""
    return "Incidents" + "".join(word.capitalize() for word in outcome.split())


def emit(values: Mapping[str, float], function_name: str) -> None:
    """Write metrics to the log in CloudWatch's embedded metric format; nothing if there are none."""
    if not values:
        return
    for name, value in values.items():
        unit = MetricUnit.Seconds if name == SECONDS_TO_RECOVERY else MetricUnit.Count
        metrics.add_metric(name, unit, value)
    # The service has the same name in every stack of an account, the function has not.
    metrics.add_dimension("function_name", function_name)
    metrics.flush_metrics()
