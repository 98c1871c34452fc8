"""Rules of EventBridge: what they wait for can come, and they have no more targets than there may be."""

import json
import re
from collections.abc import Collection
from typing import Any

from .. import kinds, known_events, values
from ..event_pattern_syntax import find_fault
from ..rule import Complaints, rule, stack_rule
from ..schedule_expressions import Refused, shortest_period
from ..stack import Resource, Stack

TARGETS_PER_RULE = 5
SEES_READS = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)(s?)\)")

_GUIDE = "https://docs.aws.amazon.com/eventbridge/latest/userguide"


@rule(
    kinds.EVENT_RULE,
    kinds.EVENT_ARCHIVE,
    severity="high",
    enforcement="mandatory",
    link="https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-eventbridge.html",
    parameters={
        "alsoKnown": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "Event names and detail-types that Secrets Manager has got since this pack was made.",
        }
    },
)
def event_pattern_can_match(event_rule: Resource, *, also_known: Collection[str]) -> Complaints:
    """A rule or an archive waits for events that can come: EventBridge checks nothing but a pattern's syntax."""
    given = values.settled(event_rule.value("eventPattern"))
    if given is None or given == "":
        # An archive without a pattern keeps every event.
        if event_rule.type == kinds.EVENT_RULE and not event_rule.has("scheduleExpression"):
            yield (
                f"The rule {event_rule.name} waits for nothing: neither eventPattern nor scheduleExpression is there. "
                "Set one of them."
            )
        return
    noun = "rule" if event_rule.type == kinds.EVENT_RULE else "archive"
    pattern, fault = _read(given)
    if fault:
        yield (
            f"The pattern of the {noun} {event_rule.name} is none that EventBridge takes: {fault}. Set eventPattern to "
            "a JSON object of fields, each with a list of values."
        )
        return
    reads = event_rule.value("state") is values.UNKNOWN or event_rule.value("state") == SEES_READS
    for part in known_events.dead_parts(pattern, reads=reads, also_known=also_known):
        yield f"The {noun} {event_rule.name} waits for what never comes: {part}"


@rule(
    kinds.EVENT_RULE,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/eb-scheduled-rule-pattern.html",
)
def event_rule_schedule_is_accepted(event_rule: Resource) -> Complaints:
    """The schedule of a rule is one that EventBridge accepts: a rate, whose unit agrees with its number, or a cron."""
    expression = event_rule.text("scheduleExpression")
    if expression is None:
        return None
    reason = _refusal_of_schedule(expression)
    return reason and (
        f"EventBridge refuses the rule {event_rule.name}: scheduleExpression is {expression}, and {reason}. Use, for "
        "example, rate(1 hour), rate(5 minutes) or cron(0 3 * * ? *)."
    )


@stack_rule(
    kinds.EVENT_RULE,
    severity="medium",
    enforcement="mandatory",
    link=f"{_GUIDE}/eb-quota.html",
    parameters={
        "maxTargets": {
            "type": "integer",
            "minimum": 1,
            "default": TARGETS_PER_RULE,
            "description": "How many targets a rule may have; EventBridge refuses a sixth unless its quota was raised.",
        }
    },
)
def event_rule_has_few_targets(event_rule: Resource, stack: Stack, *, max_targets: int) -> Complaints:
    """A rule has at most 5 targets: EventBridge refuses more."""
    targets = stack.referring(event_rule, "rule", kinds.EVENT_TARGET).certain
    if len(targets) <= max_targets:
        return None
    return (
        f"The rule {event_rule.name} has {len(targets)} targets, and EventBridge takes {max_targets}: "
        f"{', '.join(one.name for one in targets)}. Set some of them on a second rule with the same pattern."
    )


def _refusal_of_schedule(expression: str) -> str | None:
    """Why a rule does not take this expression. Other than Scheduler, it knows no at(), and asks for the right number
    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html)."""
    if expression.startswith("at("):
        return "only Scheduler knows at(...)"
    try:
        shortest_period(expression)
    except Refused as problem:
        return str(problem)
    rate = _RATE.fullmatch(expression)
    if rate and (int(rate[1]) == 1) == bool(rate[3]):
        return f"the unit of {rate[1]} is {rate[2]}{'' if int(rate[1]) == 1 else 's'}"
    return None


def _read(given: Any) -> tuple[dict[str, Any], str | None]:
    """A pattern, and what is wrong with it."""
    try:
        pattern = json.loads(given, parse_constant=_refuse_constant) if isinstance(given, str) else _known(given)
    except (ValueError, RecursionError) as error:
        return {}, f"it is no JSON ({error})"
    fault = find_fault(pattern)
    return (pattern if fault is None else {}), fault


def _refuse_constant(name: str) -> None:
    """NaN and Infinity, which Python reads and JSON does not know."""
    raise ValueError(f"it holds {name}")


def _known(tree: Any) -> Any:
    """The same tree; raises Undecided where some of it is unknown."""
    if isinstance(tree, dict):
        return {key: _known(inner) for key, inner in tree.items()}
    if isinstance(tree, list):
        return [_known(inner) for inner in tree]
    return values.settled(tree)
