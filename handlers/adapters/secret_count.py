"""The account's own count of its secrets, by CloudWatch."""

from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from .clients import client

ACTIONS = frozenset({"cloudwatch:GetMetricStatistics"})
_DIMENSIONS = {"Service": "Secrets Manager", "Type": "Resource", "Resource": "SecretCount", "Class": "None"}
_LOOKED_BACK = timedelta(hours=3)
_ANSWERS_WITHIN_SECONDS = 10
"""An audit that is whole does not wait for its count."""
_HOUR = 3600


class NotCounted(RuntimeError):
    """CloudWatch refused to answer, or could not be reached; the message says why."""


def counted(now: datetime) -> int | None:
    """How many secrets there are, those that are to be deleted among them; None where CloudWatch does not say.

    Published every hour (https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-cloudwatch.html). Of
    the last hours the lowest: a secret that was purged since must not make the audit look incomplete.

    Raises NotCounted.
    """
    try:
        answer = client("cloudwatch", _ANSWERS_WITHIN_SECONDS).get_metric_statistics(
            Namespace="AWS/SecretsManager",
            MetricName="ResourceCount",
            Dimensions=[{"Name": name, "Value": value} for name, value in _DIMENSIONS.items()],
            StartTime=now - _LOOKED_BACK,
            EndTime=now,
            Period=_HOUR,
            Statistics=["Minimum"],
        )
    except (ClientError, BotoCoreError) as error:
        raise NotCounted(str(error)) from error
    found = [point["Minimum"] for point in answer.get("Datapoints", [])]
    return int(min(found)) if found else None
