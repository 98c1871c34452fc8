"""The EventBridge rules: they exist, are enabled, match what AWS sends, and lead where they should."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .examination import Examination
from .expectations import ExpectedRule
from .link import Check, Finding, Unanswered, broken, note, unlisted

EXTRA = "extra-"
"""How the short names of rules begin that the configuration adds."""
_UNDELIVERED_EVENTS, _UNDELIVERED_INCIDENTS = (
    "undelivered_events_dead_letters_url",
    "undelivered_incidents_dead_letters_url",
)
_QUEUES = {
    "audit": "audit_queue_url",
    "trail": "audit_queue_url",
    "findings": "findings_queue_url",
    "reports": "reports_queue_url",
}
"""Destinations that are queues -> output."""
_ENABLED = ("ENABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
"""https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DescribeRule.html"""


@dataclass(frozen=True)
class Destination:
    """Where a rule leads."""

    name: str
    arn: str


def list_checks(examination: Examination) -> Iterable[Check]:
    """One for each rule of the stack."""
    try:
        names = examination.names("rule_names")
    except Unanswered as unanswered:
        return [unlisted("rule", "all rules", unanswered)]
    expected = examination.expected.rules
    missing = sorted(short for short, rule in expected.items() if short not in names and not rule.is_optional)
    receivers = examination.rule_names().keys() - names.keys()
    checks = [_build_check(examination, short) for short in (*names, *sorted(receivers & expected.keys()))]
    if missing:
        reason = f"The {examination.kind} has no rule {', '.join(missing)}."
        checks.append(Check("rule", "all rules", (lambda: [broken(reason)],)))
    return checks


def judge_rule(name: str, rule: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Whether a rule exists and is enabled."""
    if rule is None:
        yield broken(f"The rule {name} does not exist.")
    elif rule.get("State") not in _ENABLED:
        yield broken(
            f"The rule {name} is {rule.get('State')}.",
            f"Run `aws events enable-rule --name {name}{_bus_option(rule)}`.",
        )


def judge_targets(
    name: str, targets: Sequence[Mapping[str, Any]], destinations: Sequence[Destination], dead_letters_arn: str
) -> Iterator[Finding]:
    """Whether a rule leads to these destinations, and what they do not take to the dead-letter queue."""
    by_arn = {target["Arn"]: target for target in targets}
    for destination in destinations:
        target = by_arn.get(destination.arn)
        if target is None:
            yield broken(f"The rule {name} has no target {destination.name} ({destination.arn}).")
            continue
        queue = (target.get("DeadLetterConfig") or {}).get("Arn")
        if not queue:
            yield broken(f"The target {destination.name} of the rule {name} has no dead-letter queue.")
        elif queue != dead_letters_arn:
            yield broken(
                f"The dead letters of the target {destination.name} of the rule {name} go to {queue}, and not to "
                f"{dead_letters_arn}."
            )


def judge_matches(name: str, results: Mapping[str, bool]) -> Iterator[Finding]:
    """Whether a rule matches the recorded events that it is for, by the name of each."""
    unmatched = [event for event, is_match in results.items() if not is_match]
    if unmatched:
        yield broken(f"The pattern of the rule {name} does not match the recorded events {', '.join(unmatched)}.")


def find_rules_of(examination: Examination, destination: Destination) -> dict[str, str]:
    """The rules that should lead to a destination, by short name, with their ARNs.

    Of rules that the configuration adds, those that lead there; one that cannot be read is left out.
    """
    rules = {}
    for short, name in examination.rule_names().items():
        expected = examination.expected.rules.get(short)
        if expected is None:
            leads = _leads_to(examination, name, destination.arn)
        else:
            leads = destination.name in expected.targets
        if leads:
            rules[short] = examination.rule_arn(short)
    return rules


def read_rule(examination: Examination, name: str) -> Mapping[str, Any] | None:
    """The description of a rule; None if it does not exist. Raises Unanswered."""
    return examination.read("events:DescribeRule", Name=name, EventBusName=examination.bus())


def test_pattern(examination: Examination, rule: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether EventBridge itself says that the deployed pattern of a rule matches an event. Raises Unanswered."""
    pattern = rule.get("EventPattern") or "{}"
    return examination.read_existing("events:TestEventPattern", EventPattern=pattern, Event=json.dumps(event))["Result"]


def find_dead_letters(examination: Examination, short: str) -> str:
    """The output that is the queue of what the targets of a rule do not take. Raises Unanswered."""
    expected = examination.expected.rules.get(short)
    if expected is not None:
        return expected.dead_letters
    return _UNDELIVERED_EVENTS if short in examination.names("rule_names") else _UNDELIVERED_INCIDENTS


def find_rules_with(examination: Examination, dead_letters: str) -> dict[str, str]:
    """The rules with the queue of this output for dead letters: short name -> ARN. Raises Unanswered."""
    shorts = [short for short in examination.rule_names() if find_dead_letters(examination, short) == dead_letters]
    return {short: examination.rule_arn(short) for short in shorts}


def find_destination(examination: Examination, name: str) -> Destination:
    """What a destination of the program is in this deployment."""
    if name == "failures":
        return Destination(name, examination.output("failures_topic_arn"))
    if name == "hub":
        return Destination(name, examination.output("hub_event_bus_arn"))
    if name in _QUEUES:
        return Destination(name, examination.queue_arn(_QUEUES[name]))
    return Destination(name, examination.function_arn("start"))


def _build_check(examination: Examination, short: str) -> Check:
    name, expected = examination.rule_name(short), examination.expected.rules.get(short)

    def check_rule() -> Iterator[Finding]:
        yield from judge_rule(name, read_rule(examination, name))
        if expected is None and not short.startswith(EXTRA):
            yield note(f"This release does not know the rule {short}.")

    def check_targets() -> Iterator[Finding]:
        if read_rule(examination, name) is None:
            return
        targets = read_targets(examination, name)
        if expected is None:
            found = [Destination(target["Id"], target["Arn"]) for target in targets]
            if not found:
                yield broken(f"The rule {name} has no target.")
        else:
            found = [find_destination(examination, target) for target in expected.targets]
        yield from judge_targets(name, targets, found, examination.queue_arn(find_dead_letters(examination, short)))

    def check_pattern() -> Iterator[Finding]:
        rule = read_rule(examination, name)
        if rule is not None and expected is not None:
            yield from judge_matches(name, _test_events(examination, rule, expected))

    return Check("rule", short, (check_rule, check_targets, check_pattern))


def _test_events(examination: Examination, rule: Mapping[str, Any], expected: ExpectedRule) -> dict[str, bool]:
    return {
        name: test_pattern(examination, rule, address(examination, event)) for name, event in expected.events.items()
    }


def address(examination: Examination, event: Mapping[str, Any]) -> Mapping[str, Any]:
    """A recorded event as this stack gets it: what the product reports itself names the stack's table of incidents."""
    detail = dict(event["detail"])
    if "incidents_table" in detail and examination.has("incidents_table_name"):
        detail["incidents_table"] = examination.output("incidents_table_name")
    return {**event, "account": examination.account, "region": examination.region, "detail": detail}


def _leads_to(examination: Examination, name: str, arn: str) -> bool:
    try:
        return arn in {target["Arn"] for target in read_targets(examination, name)}
    except Unanswered:
        return False


def read_targets(examination: Examination, name: str) -> Sequence[Mapping[str, Any]]:
    """The targets of a rule; none of one that does not exist. Raises Unanswered."""
    bus = examination.bus()
    response = examination.read("events:ListTargetsByRule", Rule=name, EventBusName=bus)
    return () if response is None else response["Targets"]


def _bus_option(rule: Mapping[str, Any]) -> str:
    bus = rule.get("EventBusName", "default")
    return "" if bus == "default" else f" --event-bus-name {bus}"
