"""EventBridge rules: patterns and schedules are valid and can match, and targets fit the quota."""

import json
import re
from collections.abc import Collection
from typing import Any

from ..aws import secrets_manager_events
from ..aws.event_pattern_syntax import find_fault
from ..aws.schedule_expressions import InvalidExpression, shortest_period
from ..model import resource_types, values
from ..model.finding import Complaints, Finding
from ..model.rule import rule, stack_rule
from ..model.stack import Resource, Stack

TARGETS_PER_RULE = 5
SEES_READS = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)(s?)\)")

_GUIDE = "https://docs.aws.amazon.com/eventbridge/latest/userguide"


@rule(
    resource_types.EVENT_RULE,
    resource_types.EVENT_ARCHIVE,
    severity="high",
    enforcement="mandatory",
    link="https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-eventbridge.html",
    parameters={
        "alsoKnown": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "Event names and detail types that Secrets Manager has added since the pack was released.",
        }
    },
)
def event_pattern_can_match(event_rule: Resource, *, also_known: Collection[str]) -> Complaints:
    """The pattern of a rule or an archive can match an event: EventBridge checks only its syntax.

    Set eventPattern to fields and values that the events have.
    """
    document = values.require_known(event_rule.value("eventPattern"))
    if document is None or document == "":
        # An archive without a pattern keeps every event.
        if event_rule.type == resource_types.EVENT_RULE and not event_rule.has("scheduleExpression"):
            yield Finding(
                f"The rule {event_rule.name} never matches: it has neither eventPattern nor scheduleExpression.",
                "Set one of them.",
            )
        return
    noun = "rule" if event_rule.type == resource_types.EVENT_RULE else "archive"
    pattern, fault = _parse(document)
    if fault:
        yield Finding(
            f"EventBridge rejects the pattern of the {noun} {event_rule.name}: {fault}.",
            "Set eventPattern to a JSON object of fields, each with a list of values.",
        )
        return
    sees_reads = event_rule.value("state") is values.UNKNOWN or event_rule.value("state") == SEES_READS
    for part in secrets_manager_events.find_dead_parts(pattern, sees_reads=sees_reads, also_known=also_known):
        yield part.prefix(f"The pattern of the {noun} {event_rule.name} can never match: ")


@rule(
    resource_types.EVENT_RULE,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/eb-scheduled-rule-pattern.html",
)
def event_rule_schedule_is_accepted(event_rule: Resource) -> Complaints:
    """EventBridge accepts the schedule of a rule: a rate, whose unit agrees in number with its value, or a cron.

    Use, for example, rate(1 hour), rate(5 minutes) or cron(0 3 * * ? *).
    """
    expression = event_rule.text("scheduleExpression")
    if expression is None:
        return None
    reason = _find_schedule_error(expression)
    if reason is None:
        return None
    return Finding(
        f"EventBridge rejects the schedule of the rule {event_rule.name}: scheduleExpression is {expression}, and "
        f"{reason}.",
        "Use, for example, rate(1 hour), rate(5 minutes) or cron(0 3 * * ? *).",
    )


@stack_rule(
    resource_types.EVENT_RULE,
    severity="medium",
    enforcement="mandatory",
    link=f"{_GUIDE}/eb-quota.html",
    parameters={
        "maxTargets": {
            "type": "integer",
            "minimum": 1,
            "default": TARGETS_PER_RULE,
            "description": "Targets per rule; the default is EventBridge's quota, which can be raised.",
        }
    },
)
def event_rule_has_few_targets(event_rule: Resource, stack: Stack, *, max_targets: int) -> Complaints:
    """A rule has at most 5 targets, which is EventBridge's default quota.

    Move some of the targets to a second rule with the same pattern.
    """
    targets = stack.referring(event_rule, "rule", resource_types.EVENT_TARGET).certain
    if len(targets) <= max_targets:
        return None
    return Finding(
        f"The rule {event_rule.name} has {len(targets)} targets, and EventBridge allows {max_targets}: "
        f"{', '.join(target.name for target in targets)}.",
        "Move some of them to a second rule with the same pattern.",
    )


def _find_schedule_error(expression: str) -> str | None:
    """Why EventBridge rejects this expression. Unlike Scheduler, it does not support at() or `rate(1 hours)`
    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rate-expressions.html,
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html)."""
    if expression.startswith("at("):
        return "only EventBridge Scheduler accepts at(...)"
    try:
        shortest_period(expression)
    except InvalidExpression as problem:
        return str(problem)
    rate = _RATE.fullmatch(expression)
    if rate and (int(rate[1]) == 1) == bool(rate[3]):
        return f"the unit of {rate[1]} is {rate[2]}{'' if int(rate[1]) == 1 else 's'}"
    return None


def _parse(document: Any) -> tuple[dict[str, Any], str | None]:
    """Parse a pattern; returns the pattern and an error."""
    try:
        pattern = (
            json.loads(document, parse_constant=_refuse_constant)
            if isinstance(document, str)
            else _require_known(document)
        )
    except (ValueError, RecursionError) as error:
        return {}, f"it is not JSON ({error})"
    fault = find_fault(pattern)
    return (pattern if fault is None else {}), fault


def _refuse_constant(name: str) -> None:
    """Reject NaN and Infinity, which Python accepts and JSON does not have."""
    raise ValueError(f"it holds {name}")


def _require_known(tree: Any) -> Any:
    """Copy a tree; raises Undecided where a part is unknown."""
    if isinstance(tree, dict):
        return {key: _require_known(inner) for key, inner in tree.items()}
    if isinstance(tree, list):
        return [_require_known(inner) for inner in tree]
    return values.require_known(tree)
