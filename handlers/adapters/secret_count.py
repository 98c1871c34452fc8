"""CloudWatch's count of the account's secrets."""

from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from .clients import client

ACTIONS = frozenset({"cloudwatch:GetMetricStatistics"})
_DIMENSIONS = {"Service": "Secrets Manager", "Type": "Resource", "Resource": "SecretCount", "Class": "None"}
_LOOKBACK = timedelta(hours=3)
_ANSWERS_WITHIN_SECONDS = 10
"""The audit does not depend on the count."""
_HOUR = 3600


class CountUnavailable(RuntimeError):
    """CloudWatch refused the call or could not be reached; the message says why."""


def read_secret_count(now: datetime) -> int | None:
    """The number of secrets, including those scheduled for deletion; None if CloudWatch has no data.

    Published every hour (https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-cloudwatch.html). The
    lowest value of the last hours, so that a secret deleted since does not make the audit look incomplete.

    Raises CountUnavailable.
    """
    try:
        answer = client("cloudwatch", _ANSWERS_WITHIN_SECONDS).get_metric_statistics(
            Namespace="AWS/SecretsManager",
            MetricName="ResourceCount",
            Dimensions=[{"Name": name, "Value": value} for name, value in _DIMENSIONS.items()],
            StartTime=now - _LOOKBACK,
            EndTime=now,
            Period=_HOUR,
            Statistics=["Minimum"],
        )
    except (ClientError, BotoCoreError) as error:
        raise CountUnavailable(str(error)) from error
    counts = [point["Minimum"] for point in answer.get("Datapoints", [])]
    return int(min(counts)) if counts else None
