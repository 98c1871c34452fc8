"""CloudWatch: alarms may invoke their functions, and log groups expire."""

from collections.abc import Mapping
from typing import Any

from ..aws import delivery
from ..aws.function_permissions import Caller
from ..aws.iam import resource_access
from ..model import resource_types
from ..model.finding import Complaints, Finding
from ..model.rule import check_each, rule, stack_rule
from ..model.stack import Resource, Stack

SERVICE = "lambda.alarms.cloudwatch.amazonaws.com"
ACTIONS = ("alarmActions", "okActions", "insufficientDataActions")

RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""Days that CloudWatch Logs accepts."""

_GUIDE = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring"


@stack_rule(
    *resource_types.ALARMS,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/alarms-and-actions-Lambda.html",
)
def alarm_may_call_its_functions(alarm: Resource, stack: Stack) -> Complaints:
    """CloudWatch may invoke each function that is an action of an alarm.

    Add a Permission for lambda.alarms.cloudwatch.amazonaws.com with the alarm's ARN as sourceArn.
    """
    caller = Caller(SERVICE, "cloudwatch", "alarm", alarm, resource_access.known_arn(alarm))
    called = {
        to.urn: (value, to)
        for path in ACTIONS
        for value, to in stack.targets(alarm, path, resource_types.FUNCTION, resource_types.FUNCTION_ALIAS)
    }

    def check(action: tuple[object, Resource]) -> Complaints:
        value, to = action
        obstacle = delivery.find_obstacle(stack, value, to, caller)
        return obstacle and obstacle.prefix(f"The alarm {alarm.name} cannot invoke {to.name}: ")

    yield from check_each(called.values(), check)


@rule(
    resource_types.LOG_GROUP,
    severity="low",
    enforcement="advisory",
    link="https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html",
    parameters={
        "logRetentionDays": {
            "type": "integer",
            "enum": list(RETENTIONS),
            "default": 90,
            "description": "Retention in days that remediation sets, at the enforcement level remediate.",
        }
    },
)
def log_group_expires(group: Resource, *, log_retention_days: int) -> Complaints:
    """A log group has a retention period.

    Set retentionInDays.
    """
    if group.number("retentionInDays", absent=0) > 0 or group.text("logGroupClass") == "DELIVERY":
        return None
    state = "is 0" if group.has("retentionInDays") else "is absent"
    return Finding(
        f"The logs in {group.name} never expire: retentionInDays {state}.",
        f"Set retentionInDays to {log_retention_days}, or to as long as the logs are needed.",
    )


@log_group_expires.remediates
def set_retention(group: Resource, *, log_retention_days: int) -> Mapping[str, Any]:
    """Set the configured retention."""
    return {"retentionInDays": log_retention_days}
