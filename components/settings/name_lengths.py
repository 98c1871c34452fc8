"""How long the names of a component and of its extra rules may be, so that AWS takes the names of all its resources."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

from ..integrations.receivers import RECEIVERS
from ..notifications.subscription_names import name_subscription
from .checks import KeyFormatter, format_name, format_value

ADDED_BY_PULUMI = len("-1234567")
"""What autonaming puts behind a logical name (https://www.pulumi.com/docs/iac/concepts/resources/names/#autonaming)."""
RULE, FUNCTION, ROLE = ("a rule of EventBridge", 64), ("a Lambda function", 64), ("an IAM role", 64)
SCHEDULE_GROUP, QUEUE = ("a schedule group", 64), ("an SQS queue", 80)
TABLE, ALARM = ("a table of DynamoDB", 255), ("an alarm of CloudWatch", 255)
"""Kinds of resources with the most characters that AWS takes for their names
(https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html,
https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html,
https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html,
https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateScheduleGroup.html,
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html,
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html,
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html)."""
LONGEST_ENDS = {
    "RotationGuard": (FUNCTION, "-repair-diagnose"),
    "AuditStatus": (TABLE, ""),
    "AuditTrail": (FUNCTION, "-writer"),
    "DemoSecrets": (FUNCTION, "-rotation"),
    "Hub": (RULE, "-service-events"),
    "Integrations": (RULE, "-remediation-webhook-01234567"),
    "SecurityFindings": (FUNCTION, "-import"),
    "Member": (FUNCTION, "-redeliver"),
    "Notifications": (QUEUE, "-dead-letters"),
    "Observability": (ALARM, "-unstarted-remediations"),
    "Remediation": (FUNCTION, "-diagnose"),
    "RotationAudit": (ROLE, "-schedule"),
    "RotationCanary": (ROLE, ""),
    "RotationEvents": (RULE, "-service"),
    "ScheduledReports": (ROLE, "-start"),
}
"""Of each component the kind of resource that leaves the fewest characters, and how the longest of its names ends. A
ManagementTrail cuts and rewrites its name for its bucket."""
LONGEST_RULE_NAME = 64
"""Of a role, a connection and an API destination, too."""
BEFORE_EXTRA_RULE = "-events-extra-"
LONGEST_NAMES = {component: most - len(end) - ADDED_BY_PULUMI for component, ((_, most), end) in LONGEST_ENDS.items()}
"""The longest name of each component."""
LONGEST_NAME = LONGEST_NAMES["RotationGuard"]
_CHARACTERS = re.compile(r"[A-Za-z0-9_-]+")
"""What all kinds of names may consist of."""


def complain_about_length(name: str, component: str) -> Iterator[str]:
    """What is wrong with the name of a component of this class, for the resources that are named after it."""
    if component not in LONGEST_ENDS:
        return
    if not isinstance(name, str) or not _CHARACTERS.fullmatch(name):
        yield f"the component's name must be letters, digits, '_' or '-', got {format_value(name)}"
        return
    (kind, most), end = LONGEST_ENDS[component]
    longest = LONGEST_NAMES[component] + _count_spared()
    if len(name) > longest:
        yield (
            f"the component's name must be at most {longest} characters, as the name of {kind} has at most {most}, "
            f"with {end or 'nothing'} and what Pulumi adds at its end, got {format_name(name)} with {len(name)}"
        )


def complain_about_subscription_names(
    name: str, subscriptions: Any, format_key: KeyFormatter, secret_settings: frozenset[str] = frozenset()
) -> Iterator[str]:
    """Which subscriptions of EventBridge make names that are too long in a component of this name.

    They have been checked by themselves before.
    """
    for index, subscription in enumerate(subscriptions if isinstance(subscriptions, (list, tuple)) else ()):
        if not isinstance(subscription, Mapping) or subscription.get("protocol") not in RECEIVERS:
            continue
        logical_name = f"{name}-{name_subscription(subscription)}"
        most = LONGEST_RULE_NAME - ADDED_BY_PULUMI + _count_spared()
        if len(logical_name) > most:
            path = f"{format_key('subscriptions')}[{index}].name"
            given = subscription.get("name")
            shown = "a secret value" if "subscriptions" in secret_settings else format_value(given or "nothing")
            allowed = len(given or "") + most - len(logical_name)
            limit = f"at most {allowed} characters in the component {name}" if allowed > 0 else "left to a shorter name"
            yield (
                f"{path} must be {limit}, as the name of a rule of EventBridge has at most {LONGEST_RULE_NAME}, "
                f"got {shown}"
            )


def _count_spared() -> int:
    """Other names than Pulumi's own may be as short as the logical ones."""
    return ADDED_BY_PULUMI if pulumi.Config("pulumi").get("autonaming") else 0


def complain_about_names(
    name: str, args: Mapping[str, Any], format_key: KeyFormatter, secret_settings: frozenset[str]
) -> Iterator[str]:
    """What is wrong with the name of a RotationGuard, or with the names of extra rules in one of this name."""
    wrong = list(complain_about_length(name, "RotationGuard"))
    if wrong:
        yield from wrong
        return
    yield from complain_about_subscription_names(name, args.get("subscriptions"), format_key, secret_settings)
    most = LONGEST_RULE_NAME - len(name) - len(BEFORE_EXTRA_RULE) - ADDED_BY_PULUMI + _count_spared()
    rules = args.get("extra_rules")
    for index, rule in enumerate(rules if isinstance(rules, (list, tuple)) else ()):
        rule_name = rule.get("name") if isinstance(rule, Mapping) else None
        if isinstance(rule_name, str) and len(rule_name) > most:
            given = "a secret value" if "extra_rules" in secret_settings else format_value(rule_name)
            yield (
                f"{format_key('extra_rules')}[{index}].name must be at most {most} characters in the component {name}, "
                f"as the name of a rule of EventBridge has at most {LONGEST_RULE_NAME}, got {given}"
            )
