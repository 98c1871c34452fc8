"""What takes incidents to Slack, Teams, PagerDuty and webhooks: a rule, an API destination and its connection."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .examination import Examination
from .link import REDEPLOY, TRY_AGAIN, Check, Finding, Part, Unanswered, broken, cannot_tell, unlisted
from .permissions import check_role
from .roles import EVENTS, check_trust
from .rules import (
    Destination,
    address,
    find_dead_letters,
    judge_matches,
    judge_rule,
    judge_targets,
    read_rule,
    read_targets,
    test_pattern,
)

_PAGER = "pagerduty"
"""The target of a rule that gets the end of every incident, whatever its filter."""
_OWN_CONDITIONS = ("incidents_table", "message")
"""Conditions on the detail that the program writes into every rule; others are the filter of a subscription."""
_IS_DESTINATION, _NAME = ":api-destination/", 1
"""In the ARN of an API destination, and the place of its name behind that
(https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html)."""
_PASSING_STATES = ("CREATING", "UPDATING", "AUTHORIZING")
_SEND_AGAIN = "`pulumi refresh` and `pulumi up`, which authorizes it again, with an endpoint that the receiver takes"


def list_checks(examination: Examination) -> Iterable[Check]:
    """One for each subscription that SNS does not serve."""
    if not examination.has("undelivered_incidents_dead_letters_url"):
        return
    try:
        names = examination.names("receiver_rule_names")
    except Unanswered as unanswered:
        yield unlisted("integration", "all integrations", unanswered)
        return
    for short in names:
        if short not in examination.expected.rules:
            yield Check(
                "integration",
                short,
                (
                    _rule(examination, short),
                    _pattern(examination, short),
                    _destination(examination, short),
                    _role(examination, short),
                ),
            )


def judge_destination(name: str, destination: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Whether EventBridge sends to an API destination."""
    if destination is None:
        yield broken(f"The API destination {name} does not exist.")
    elif destination.get("ApiDestinationState") != "ACTIVE":
        yield broken(
            f"The API destination {name} is {destination.get('ApiDestinationState')}.",
            f"Repair its connection: {_SEND_AGAIN}.",
        )


def judge_connection(name: str, connection: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Whether a connection has what the receiver asks for: the state of one with an API key that works is AUTHORIZED.

    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-target-connection-states.html)
    """
    if connection is None:
        yield broken(f"The connection {name} does not exist.")
        return
    state = connection.get("ConnectionState")
    if state in _PASSING_STATES:
        yield cannot_tell(f"The connection {name} is {state}.", TRY_AGAIN)
    elif state != "AUTHORIZED":
        reason = f": {connection['StateReason'].rstrip('.')}" if connection.get("StateReason") else ""
        yield broken(f"The connection {name} is {state}{reason}.", f"Run {_SEND_AGAIN}.")


def without_filter(pattern: Mapping[str, Any], target_id: str) -> Mapping[str, Any]:
    """A pattern without what a subscription chooses by `owners` or `filterPolicy`, which its author alone can judge."""
    if target_id == _PAGER or "detail" not in pattern:
        return pattern
    detail = {name: condition for name, condition in pattern["detail"].items() if name in _OWN_CONDITIONS}
    rest = {name: condition for name, condition in pattern.items() if name != "detail"}
    return {**rest, "detail": detail} if detail else rest


def _rule(examination: Examination, short: str) -> Part:
    def check() -> Iterator[Finding]:
        name = examination.rule_name(short)
        rule = read_rule(examination, name)
        yield from judge_rule(name, rule)
        if rule is None:
            return
        targets = read_targets(examination, name)
        destinations = [Destination(one["Id"], one["Arn"]) for one in targets if _IS_DESTINATION in one["Arn"]]
        if not destinations:
            yield broken(f"The rule {name} has no target that is an API destination.")
        yield from judge_targets(
            name, targets, destinations, examination.queue_arn(find_dead_letters(examination, short))
        )

    return check


def _pattern(examination: Examination, short: str) -> Part:
    def check() -> Iterator[Finding]:
        name = examination.rule_name(short)
        rule, target = read_rule(examination, name), _find_target(examination, short)
        if rule is None or target is None:
            return
        pattern = json.dumps(without_filter(json.loads(rule.get("EventPattern") or "{}"), target["Id"]))
        results = {
            event: test_pattern(examination, {"EventPattern": pattern}, address(examination, recorded))
            for event, recorded in examination.expected.integration_events.items()
        }
        yield from judge_matches(name, results)

    return check


def _destination(examination: Examination, short: str) -> Part:
    def check() -> Iterator[Finding]:
        target = _find_target(examination, short)
        if target is None:
            return
        name = _find_name(target["Arn"])
        destination = examination.read("events:DescribeApiDestination", Name=name)
        yield from judge_destination(name, destination)
        if destination is not None:
            connection = _find_name(destination["ConnectionArn"])
            yield from judge_connection(connection, examination.read("events:DescribeConnection", Name=connection))

    return check


def _role(examination: Examination, short: str) -> Part:
    def check() -> Iterator[Finding]:
        target = _find_target(examination, short)
        if target is None:
            return
        if not (role_arn := target.get("RoleArn")):
            yield broken(f"The target {target['Id']} of the rule {examination.rule_name(short)} has no role.", REDEPLOY)
            return
        yield from check_trust(examination, role_arn, EVENTS)
        yield from check_role(examination, role_arn, [("events:InvokeApiDestination", target["Arn"])])

    return check


def _find_target(examination: Examination, short: str) -> Mapping[str, Any] | None:
    """The target of a rule that is an API destination."""
    targets = read_targets(examination, examination.rule_name(short))
    return next((one for one in targets if _IS_DESTINATION in one["Arn"]), None)


def _find_name(arn: str) -> str:
    return arn.split("/")[_NAME]
