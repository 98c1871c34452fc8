"""The bus of a hub, which has to admit its members and nobody else; and what a member forwards to it with."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .examination import Examination
from .link import Check, Finding, broken
from .permissions import check_role, list_needed
from .resource_policies import ALLOWED, Request, decide, parse, to_list
from .roles import EVENTS, check_trust
from .rules import read_targets

_PUT_EVENTS, _ORGANIZATION = "events:PutEvents", "aws:principalorgid"
_NOBODY = "o-0000000000"
"""An organisation that is nobody's."""
FORWARD, FORWARD_TARGET = "forward", "hub"
"""The role of a member's rules, among the expected permissions, and the id of their target."""


def list_checks(examination: Examination) -> Iterable[Check]:
    """The policy of a hub's bus; the role with which a member's rules put events there."""
    if examination.expects("event_bus_arn"):
        yield Check("bus", "members", (lambda: _check_bus(examination),))
    if examination.expects("hub_event_bus_arn"):
        yield Check("permissions", FORWARD, (lambda: _check_forwarding(examination),))


def judge_bus(
    arn: str, bus: Mapping[str, Any] | None, organization_id: str | None, accounts: Sequence[str]
) -> Iterator[Finding]:
    """Whether a bus admits an organisation and these accounts, and no others.

    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-perms.html)
    """
    if bus is None:
        yield broken(f"The event bus {arn} does not exist: no member reaches the hub.")
        return
    statements = parse(bus.get("Policy") or "")
    of_everybody = [one for one in statements if one.get("Effect") != "Allow" or _names_everybody(one)]
    if organization_id and not _admits(of_everybody, arn, organization_id):
        yield broken(f"The policy of the event bus {arn} does not admit the organization {organization_id}.")
    if _admits(of_everybody, arn, _NOBODY):
        yield broken(f"The policy of the event bus {arn} admits accounts that are no members.")
    partition = arn.split(":")[1]
    unadmitted = [
        account
        for account in accounts
        if not _admits([one for one in statements if _names_account(one, partition, account)], arn, "")
    ]
    if unadmitted:
        yield broken(f"The policy of the event bus {arn} does not admit the accounts {', '.join(unadmitted)}.")


def _admits(statements: Iterable[Mapping[str, Any]], arn: str, organization_id: str) -> bool:
    context = {_ORGANIZATION: organization_id}
    return decide(statements, Request(_PUT_EVENTS, arn, context=context)) == ALLOWED


def _names_everybody(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal")
    return principal == "*" or (isinstance(principal, Mapping) and "*" in to_list(principal.get("AWS")))


def _names_account(statement: Mapping[str, Any], partition: str, account: str) -> bool:
    """Whether a statement is about an account, which a policy may write in two ways, or is a denial.

    (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html)
    """
    if statement.get("Effect") != "Allow":
        return True
    principal = statement.get("Principal")
    named = to_list(principal.get("AWS")) if isinstance(principal, Mapping) else []
    return account in named or f"arn:{partition}:iam::{account}:root" in named


def _check_bus(examination: Examination) -> Iterator[Finding]:
    arn = examination.output("event_bus_arn")
    bus = examination.read("events:DescribeEventBus", Name=examination.bus())
    organization_id = examination.output("organization_id") if examination.has("organization_id") else None
    yield from judge_bus(arn, bus, organization_id, examination.texts("member_accounts"))


def _check_forwarding(examination: Examination) -> Iterator[Finding]:
    bus_arn, roles = examination.output("hub_event_bus_arn"), set()
    for name in examination.rule_names().values():
        for target in read_targets(examination, name):
            if target["Arn"] != bus_arn:
                continue
            if role_arn := target.get("RoleArn"):
                roles.add(role_arn)
            else:
                yield broken(f"The rule {name} has no role to put events on the bus of another account with.")
    needed, possible = list_needed(examination, FORWARD)
    for role_arn in sorted(roles):
        yield from check_trust(examination, role_arn, EVENTS)
        yield from check_role(examination, role_arn, needed, possible)
