"""Decides whether AWS would let a service in: to a queue, topic or key by its policy, to a role by its trust.

Every answer is yes, no, or Undecided: where a policy is unknown, or lies in another stack, nobody can tell. What a role
may do is another question, of role_permissions.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from ...model import resource_types, values
from ...model.finding import Finding
from ...model.stack import Resource, Stack
from ...model.values import Undecided, all_of, any_of
from .. import arns
from . import policy_documents
from .conditions import Condition, has_variable, limiting_conditions
from .policy_documents import Statement


@dataclass(frozen=True)
class Request:
    """What a service is about to do, and for whom."""

    service: str
    """Such as `events.amazonaws.com`."""
    action: str
    resource: str | None
    """ARN of what it is done to; None while unknown."""
    source: str | None
    """ARN of the resource that the service does it for; None while unknown."""


def request(service: str, action: str, resource: Resource, source: str | None) -> Request:
    """A request about a resource of this stack, as far as its ARN is known."""
    return Request(service, action, known_arn(resource), source)


def denial_reason(stack: Stack, resource: Resource, asked: Request) -> str | None:
    """Why the policy of a queue, topic, key or bus does not let a service in; None where it does.

    Raises Undecided where nobody can tell.
    """
    policy = stack.memoize(policy_documents.statements_about, resource)
    if policy is None:
        if resource.external:
            values.raise_undecided(f"the policy of {resource.name} is not this program's")
        return f"{resource.name} has no policy"
    about = _statements_about(stack, resource, asked.source)
    if any_of(about, partial(allows, asked=asked)) and not _denied(about, asked):
        return None
    return f"the policy of {resource.name} does not allow {asked.action} to {asked.service}" + (
        f" for {asked.source}" if asked.source else ""
    )


def _statements_about(stack: Stack, resource: Resource, source: str | None) -> list[Statement]:
    """The statements of its policy that may be about this source: all but those that are for certain others."""
    if source is None:
        return stack.memoize(policy_documents.statements_about, resource) or []
    by_source = stack.memoize(_statements_by_source, resource)
    return [statement for key in ("", source) for statement in by_source.get(key, ())]


def _statements_by_source(stack: Stack, resource: Resource) -> dict[str, list[Statement]]:
    """By each ARN that a statement is held to; those that are held to none by an empty text."""
    by_source: dict[str, list[Statement]] = {}
    for statement in stack.memoize(policy_documents.statements_about, resource) or ():
        for source in _sources(statement) or ("",):
            by_source.setdefault(source, []).append(statement)
    return by_source


def _sources(statement: Statement) -> frozenset[str]:
    try:
        return next(
            condition.plain
            for condition in limiting_conditions(statement.conditions)
            if condition.key == "aws:sourcearn"
            and not condition.ignores_case
            and not condition.patterns
            and not any(map(has_variable, condition.plain))
        )
    except (Undecided, StopIteration):
        return frozenset()


def find_delivery_obstacle(
    stack: Stack, holder: Resource, path: str, service: str, source: str | None, *, standard: bool = True
) -> Finding | None:
    """Why what a service sends to the dead-letter queue at this path does not arrive there; None where it does.

    `standard` says that it has to be a standard queue. Raises Undecided where nobody can tell.
    """
    if why := find_unfit_queue(stack, holder, path, source, standard=standard):
        return why
    queue = stack.target(holder, path, resource_types.QUEUE)
    if queue is None:
        return None
    why = denial_reason(stack, queue, request(service, "sqs:SendMessage", queue, source))
    if why is None:
        return None
    return Finding(
        f"{why}.",
        f"Allow sqs:SendMessage to {service} in the queue's policy, with a condition on aws:SourceArn that matches the "
        "source of the messages.",
    )


def find_unfit_queue(
    stack: Stack, holder: Resource, path: str, source: str | None = None, *, standard: bool = True
) -> Finding | None:
    """Why nothing could ever be sent to the dead-letter queue at this path; None where it could.

    It is a queue in the Region of what it serves
    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html).
    """
    try:
        given = values.text(holder.value(path))
    except Undecided:
        given = None
    arn = arns.parts(given or "")
    if arn and arn[1] != "sqs":
        return Finding(f"{given} is no queue.", f"Set {path} to the ARN of a standard queue.")
    queue = stack.target(holder, path, resource_types.QUEUE)
    if standard and ((given or "").endswith(".fifo") or (queue is not None and _is_fifo(queue))):
        return Finding(
            f"{queue.name if queue else given} is a FIFO queue.", f"Set {path} to the ARN of a standard queue."
        )
    here, there = _region(source), _region(known_arn(queue) or given)
    if here and there and here != there:
        return Finding(
            f"{queue.name if queue else given} is in {there}, but has to be in {here}.", f"Set {path} to a queue there."
        )
    return None


def _region(arn: str | None) -> str:
    parts = arns.parts(arn or "")
    return parts[2] if parts else ""


def _is_fifo(queue: Resource) -> bool:
    try:
        return queue.flag("fifoQueue", absent=False)
    except Undecided:
        return False


def allows(statement: Statement, asked: Request) -> bool:
    """Whether a statement of a resource's policy allows this."""
    return (
        statement.allows
        and (asked.service in statement.services or statement.is_public())
        and statement.covers(asked.action)
        and statement.covers_resource(asked.resource)
        and all_of(statement.conditions, partial(holds, asked=asked))
    )


def _denied(statements: Iterable[Statement], asked: Request) -> bool:
    """Whether a Deny certainly stands against it; one that nobody can judge does not."""

    def denies(statement: Statement) -> bool:
        return (
            statement.denies
            and values.member(statement.raw, "NotPrincipal") is None
            and (asked.service in statement.services or statement.is_public())
            and statement.covers(asked.action)
            and statement.covers_resource(asked.resource)
            and all_of(statement.conditions, partial(holds, asked=asked))
        )

    try:
        return any_of(statements, denies)
    except Undecided:
        return False


# --- conditions ------------------------------------------------------------------------------------------------------

_ABSENT = frozenset({"aws:principalorgid", "aws:sourceowner"})
"""Keys that a service that calls as itself does not bring along."""


def holds(condition: Condition, asked: Request) -> bool:
    """Whether a condition is true of a request of this service."""
    if not condition.kind:
        values.raise_undecided(f"the operator {condition.operator}")
    present = _context(condition.key, asked)
    if present is None:
        return condition.holds_without_key
    if condition.kind == "null":
        return not condition.holds_without_key
    return condition.matches(present)


def _context(key: str, asked: Request) -> str | None:
    """What the request says of a key; None where it says nothing."""
    if key in _ABSENT:
        return None
    if key == "aws:sourcearn":
        return _settled(asked.source)
    if key == "aws:sourceaccount":
        source = arns.parts(_settled(asked.source))
        return source[3] if source and source[3] else values.raise_undecided("no account in the source")
    known = {"aws:securetransport": "true", "aws:principalisawsservice": "true"} | {
        "aws:principalservicename": asked.service
    }
    return known[key] if key in known else values.raise_undecided(f"the key {key}")


# --- roles -----------------------------------------------------------------------------------------------------------


def trusts(role: Resource, service: str, source: str | None) -> bool:
    """Whether a role lets this service assume it. Raises Undecided where nobody can tell."""
    assuming = Request(service, "sts:AssumeRole", None, source)
    return any_of(policy_documents.statements(role.value("assumeRolePolicy")), partial(allows, asked=assuming))


# --- what is known ---------------------------------------------------------------------------------------------------


def _settled(arn: str | None) -> str:
    return values.raise_undecided("an ARN is not known yet") if arn is None else arn


def known_arn(resource: Resource | None) -> str | None:
    """The ARN of a resource; None where there is no such resource, or nobody knows its ARN yet."""
    arn = None if resource is None else resource.props.get("arn")
    return arn if isinstance(arn, str) else None
