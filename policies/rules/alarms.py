"""Alarms: they may invoke their functions."""

from ..aws import delivery
from ..aws.function_permissions import Caller
from ..aws.iam import resource_access
from ..model import resource_types
from ..model.finding import Complaints
from ..model.rule import check_each, stack_rule
from ..model.stack import Resource, Stack

SERVICE = "lambda.alarms.cloudwatch.amazonaws.com"
ACTIONS = ("alarmActions", "okActions", "insufficientDataActions")

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

    def judge(action: tuple[object, Resource]) -> Complaints:
        value, to = action
        obstacle = delivery.find_obstacle(stack, value, to, caller)
        return obstacle and obstacle.prefix(f"The alarm {alarm.name} cannot invoke {to.name}: ")

    yield from check_each(called.values(), judge)
