"""Reads the identity policies of roles, users and groups."""

from collections.abc import Iterator

from ...model import resource_types, values
from ...model.stack import Resource, Stack
from ...model.values import Undecided
from .access_inputs import IDENTITY_POLICIES
from .policy_documents import Statement, statements

TYPES = (*IDENTITY_POLICIES, resource_types.ROLE)
_TYPES_WITH_BOUNDARY = (resource_types.ROLE, resource_types.USER)


def allow_statements(stack: Stack, holder: Resource) -> list[Statement]:
    """The known Allow statements of a resource's policies; none for a permissions boundary, which grants nothing."""
    return stack.memoize(_allowed, holder)


def _allowed(stack: Stack, holder: Resource) -> list[Statement]:
    return [] if _is_boundary(stack, holder) else [statement for statement in read(holder) if allows(statement)]


def read(holder: Resource) -> list[Statement]:
    """All known statements of a resource's policies."""
    listed: list[Statement] = []
    for document in documents(holder):
        try:
            listed += statements(document)
        except Undecided:
            continue
    return listed


def documents(holder: Resource) -> Iterator[object]:
    """The policy documents of a resource as written."""
    if holder.type in IDENTITY_POLICIES:
        yield holder.value(IDENTITY_POLICIES[holder.type])
        return
    if holder.type != resource_types.ROLE:
        return
    try:
        inline = holder.items("inlinePolicies")
    except Undecided:
        return
    for policy in inline:
        try:
            yield values.get_path(policy, "policy")
        except Undecided:
            continue


def _is_boundary(stack: Stack, policy: Resource) -> bool:
    if policy.type != resource_types.POLICY:
        return False
    if any(
        stack.referring(policy, "policyArn", attachment).certain for attachment in resource_types.POLICY_ATTACHMENTS
    ):
        return False
    return stack.referring(policy, "permissionsBoundary", *_TYPES_WITH_BOUNDARY).some()


def allows(statement: Statement) -> bool:
    """Whether a statement is certainly an Allow."""
    try:
        return statement.allows
    except Undecided:
        return False
