"""Finds what roles, users and groups may do: every place where a program writes that down."""

from collections.abc import Iterator

from ...model import resource_types, values
from ...model.stack import Resource, Stack
from ...model.values import Undecided
from .access_inputs import IDENTITY_POLICIES
from .policy_documents import Statement, statements

TYPES = (*IDENTITY_POLICIES, resource_types.ROLE)
_BOUNDED = (resource_types.ROLE, resource_types.USER)


def allow_statements(stack: Stack, holder: Resource) -> list[Statement]:
    """The Allow statements of one resource's documents, as far as they can be read.

    None for a policy that serves as a permissions boundary: it allows nothing, it says what may be allowed.
    """
    return stack.memoize(_allowed, holder)


def _allowed(stack: Stack, holder: Resource) -> list[Statement]:
    return [] if _is_boundary(stack, holder) else [statement for statement in read(holder) if allows(statement)]


def read(holder: Resource) -> list[Statement]:
    """Every statement of one resource's documents, as far as they can be read."""
    listed: list[Statement] = []
    for document in documents(holder):
        try:
            listed += statements(document)
        except Undecided:
            continue
    return listed


def documents(holder: Resource) -> Iterator[object]:
    """The documents of one resource, as they are given."""
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
    return stack.referring(policy, "permissionsBoundary", *_BOUNDED).some()


def allows(statement: Statement) -> bool:
    """Whether it is an Allow, as far as that can be read."""
    try:
        return statement.allows
    except Undecided:
        return False
