"""How long the names of a component and of its extra rules may be, so that AWS takes the names of all its resources."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

from .checks import KeyFormatter, format_name, format_value

ADDED_BY_PULUMI = len("-1234567")
"""What autonaming puts behind a logical name (https://www.pulumi.com/docs/iac/concepts/resources/names/#autonaming)."""
MOST_CHARACTERS = {
    "a rule of EventBridge": (64, "-events-service-events"),
    "a Lambda function": (64, "-remediation-diagnose"),
    "an IAM role": (64, "-remediation-diagnose"),
    "an SQS queue": (80, "-remediation-dead-letters"),
}
"""Kinds of resources with short names, each with the most characters that AWS takes and the longest end of a name here
(https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html,
https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html,
https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html,
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html)."""
LONGEST_RULE_NAME = 64
BEFORE_EXTRA_RULE = "-events-extra-"
LONGEST_NAME = min(most - len(end) - ADDED_BY_PULUMI for most, end in MOST_CHARACTERS.values())
"""Of the component."""
_CHARACTERS = re.compile(r"[A-Za-z0-9_-]+")
"""What all kinds of names may consist of."""


def complain_about_names(
    name: str, args: Mapping[str, Any], format_key: KeyFormatter, secret_settings: frozenset[str]
) -> Iterator[str]:
    """What is wrong with a component's name, or with the names of extra rules in a component of this name."""
    if not _CHARACTERS.fullmatch(name):
        yield f"the component's name must be letters, digits, '_' or '-', got {format_value(name)}"
        return
    # Other names than Pulumi's own may be as short as the logical ones.
    spared = ADDED_BY_PULUMI if pulumi.Config("pulumi").get("autonaming") else 0
    if len(name) > LONGEST_NAME + spared:
        kind, (most, end) = min(MOST_CHARACTERS.items(), key=lambda item: item[1][0] - len(item[1][1]))
        yield (
            f"the component's name must be at most {LONGEST_NAME + spared} characters, as the name of {kind} has at "
            f"most {most}, with {end} and what Pulumi adds at its end, got {format_name(name)} with {len(name)}"
        )
        return
    most = LONGEST_RULE_NAME - len(name) - len(BEFORE_EXTRA_RULE) - ADDED_BY_PULUMI + spared
    rules = args.get("extra_rules")
    for index, rule in enumerate(rules if isinstance(rules, (list, tuple)) else ()):
        rule_name = rule.get("name") if isinstance(rule, Mapping) else None
        if isinstance(rule_name, str) and len(rule_name) > most:
            given = "a secret value" if "extra_rules" in secret_settings else format_value(rule_name)
            yield (
                f"{format_key('extra_rules')}[{index}].name must be at most {most} characters in the component {name}, "
                f"as the name of a rule of EventBridge has at most {LONGEST_RULE_NAME}, got {given}"
            )
