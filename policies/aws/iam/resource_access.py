"""Evaluates whether resource and trust policies allow a service to call a queue, topic, key or role.

Raises Undecided where a policy is unknown or in another stack. The permissions of roles are in role_permissions.
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
    """A request of an AWS service."""

    service: str
    """Such as `events.amazonaws.com`."""
    action: str
    resource: str | None
    """ARN of the called resource; None while unknown."""
    source: str | None
    """ARN of the resource on whose behalf the service calls; None while unknown."""


def make_request(service: str, action: str, resource: Resource, source: str | None) -> Request:
    """Make a request to a resource of this stack."""
    return Request(service, action, known_arn(resource), source)


def denial_reason(stack: Stack, resource: Resource, request: Request) -> str | None:
    """Why the policy of a queue, topic, key or bus denies a request; None where it allows it.

    Raises Undecided where an unknown value decides.
    """
    policy = stack.memoize(policy_documents.statements_about, resource)
    if policy is None:
        if resource.external:
            values.raise_undecided(f"the policy of {resource.name} is not this program's")
        return f"{resource.name} has no policy"
    about = _statements_about(stack, resource, request.source)
    if any_of(about, partial(allows, request=request)) and not _denied(about, request):
        return None
    return f"the policy of {resource.name} does not allow {request.action} to {request.service}" + (
        f" for {request.source}" if request.source else ""
    )


def _statements_about(stack: Stack, resource: Resource, source: str | None) -> list[Statement]:
    """The statements of the resource's policy that may apply to this source."""
    if source is None:
        return stack.memoize(policy_documents.statements_about, resource) or []
    by_source = stack.memoize(_statements_by_source, resource)
    return [statement for key in ("", source) for statement in by_source.get(key, ())]


def _statements_by_source(stack: Stack, resource: Resource) -> dict[str, list[Statement]]:
    """The statements by the source ARN in their conditions; under an empty string those without one."""
    by_source: dict[str, list[Statement]] = {}
    for statement in stack.memoize(policy_documents.statements_about, resource) or ():
        for source in _sources(statement) or ("",):
            by_source.setdefault(source, []).append(statement)
    return by_source


def _sources(statement: Statement) -> frozenset[str]:
    try:
        return next(
            condition.literals
            for condition in limiting_conditions(statement.conditions)
            if condition.key == "aws:sourcearn"
            and not condition.ignores_case
            and not condition.patterns
            and not any(map(has_variable, condition.literals))
        )
    except (Undecided, StopIteration):
        return frozenset()


def find_delivery_obstacle(
    stack: Stack, holder: Resource, path: str, service: str, source: str | None, *, standard: bool = True
) -> Finding | None:
    """Why a service cannot send to the dead-letter queue at this path; None where it can.

    With `standard`, it must be a standard queue. Raises Undecided where an unknown value decides.
    """
    if why := find_unfit_queue(stack, holder, path, source, standard=standard):
        return why
    queue = stack.target(holder, path, resource_types.QUEUE)
    if queue is None:
        return None
    why = denial_reason(stack, queue, make_request(service, "sqs:SendMessage", queue, source))
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
    """Why the value at this path cannot be the dead-letter queue; None where it can.

    The queue must be in the same Region as its source
    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html).
    """
    try:
        queue_arn = values.text(holder.value(path))
    except Undecided:
        queue_arn = None
    arn = arns.parse(queue_arn or "")
    if arn and arn.service != "sqs":
        return Finding(f"{queue_arn} is not a queue.", f"Set {path} to the ARN of a standard queue.")
    queue = stack.target(holder, path, resource_types.QUEUE)
    if standard and ((queue_arn or "").endswith(".fifo") or (queue is not None and _is_fifo(queue))):
        return Finding(
            f"{queue.name if queue else queue_arn} is a FIFO queue.", f"Set {path} to the ARN of a standard queue."
        )
    here, there = _region(source), _region(known_arn(queue) or queue_arn)
    if here and there and here != there:
        return Finding(
            f"{queue.name if queue else queue_arn} is in {there}, but has to be in {here}.",
            f"Set {path} to a queue there.",
        )
    return None


def _region(arn: str | None) -> str:
    parsed = arns.parse(arn or "")
    return parsed.region if parsed else ""


def _is_fifo(queue: Resource) -> bool:
    try:
        return queue.flag("fifoQueue", absent=False)
    except Undecided:
        return False


def allows(statement: Statement, request: Request) -> bool:
    """Whether a statement allows a request."""
    return (
        statement.allows
        and (request.service in statement.services or statement.is_public())
        and statement.covers(request.action)
        and statement.covers_resource(request.resource)
        and all_of(statement.conditions, partial(holds, request=request))
    )


def _denied(statements: Iterable[Statement], request: Request) -> bool:
    """Whether a Deny certainly applies; one that is undecided does not count."""

    def denies(statement: Statement) -> bool:
        return (
            statement.denies
            and values.member(statement.raw, "NotPrincipal") is None
            and (request.service in statement.services or statement.is_public())
            and statement.covers(request.action)
            and statement.covers_resource(request.resource)
            and all_of(statement.conditions, partial(holds, request=request))
        )

    try:
        return any_of(statements, denies)
    except Undecided:
        return False


# --- conditions ------------------------------------------------------------------------------------------------------

_ABSENT_KEYS = frozenset({"aws:principalorgid", "aws:sourceowner"})
"""Keys that are absent from the request of a service principal."""


def holds(condition: Condition, request: Request) -> bool:
    """Whether a condition is true for a request."""
    if not condition.kind:
        values.raise_undecided(f"the operator {condition.operator}")
    present = _context(condition.key, request)
    if present is None:
        return condition.holds_without_key
    if condition.kind == "null":
        return not condition.holds_without_key
    return condition.matches(present)


def _context(key: str, request: Request) -> str | None:
    """The request's value of a key; None where the key is absent."""
    if key in _ABSENT_KEYS:
        return None
    if key == "aws:sourcearn":
        return _require_arn(request.source)
    if key == "aws:sourceaccount":
        source = arns.parse(_require_arn(request.source))
        return source.account if source and source.account else values.raise_undecided("no account in the source")
    known = {"aws:securetransport": "true", "aws:principalisawsservice": "true"} | {
        "aws:principalservicename": request.service
    }
    return known[key] if key in known else values.raise_undecided(f"the key {key}")


# --- roles -----------------------------------------------------------------------------------------------------------


def trusts(role: Resource, service: str, source: str | None) -> bool:
    """Whether a role's trust policy allows a service to assume it. Raises Undecided where an unknown value decides."""
    assuming = Request(service, "sts:AssumeRole", None, source)
    return any_of(policy_documents.statements(role.value("assumeRolePolicy")), partial(allows, request=assuming))


# --- ARNs ------------------------------------------------------------------------------------------------------------


def _require_arn(arn: str | None) -> str:
    return values.raise_undecided("an ARN is not known yet") if arn is None else arn


def known_arn(resource: Resource | None) -> str | None:
    """The ARN of a resource; None where there is no resource, or its ARN is unknown."""
    arn = None if resource is None else resource.props.get("arn")
    return arn if isinstance(arn, str) else None
