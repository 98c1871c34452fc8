"""Finds the key that encrypts a queue or topic, and whether the services that send to it may use the key."""

from collections.abc import Collection, Iterable

from ..model import resource_types, values
from ..model.stack import Resource, Stack
from ..model.values import Undecided
from .iam import policy_documents
from .iam.policy_documents import Statement

PATH = "kmsMasterKeyId"
KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")
"""The actions that a sender needs on the key."""
_AWS_MANAGED_PREFIX = "alias/aws/"


def is_aws_managed(holder: Resource) -> bool:
    """Whether the key is an AWS managed key, whose policy allows no service and cannot be changed."""
    key_id = holder.value(PATH)
    return isinstance(key_id, str) and key_id.rpartition(":")[2].startswith(_AWS_MANAGED_PREFIX)


def find_key(stack: Stack, holder: Resource) -> Resource | None:
    """Find the key, also by an alias; None where it is not in this stack. Raises Undecided where it is unknown."""
    referred = stack.target(holder, PATH, *resource_types.KEYS, resource_types.KEY_ALIAS)
    if referred is not None and referred.type == resource_types.KEY_ALIAS:
        return stack.target(referred, "targetKeyId", *resource_types.KEYS)
    return referred


def key_policy(stack: Stack, of: Resource) -> list[Statement] | None:
    """The statements of a key's policy; None for the default policy. Raises Undecided for an external key."""
    if of.external:
        values.raise_undecided(f"the policy of {of.name} is not this program's")
    return stack.memoize(policy_documents.statements_about, of)


def may_use(statement: Statement, service: str, use: str) -> bool:
    """Whether a statement of a key's policy allows this action to a service, apart from its conditions."""
    return statement.allows and (service in statement.services or statement.is_public()) and statement.covers(use)


def missing_key_actions(statements: Iterable[Statement], service: str) -> list[str]:
    """The actions that no statement allows to a service."""
    listed = list(statements)
    return [use for use in KEY_ACTIONS if not any(may_use(statement, service, use) for statement in listed)]


def find_senders(
    stack: Stack, holder: Resource, action: str, services: Collection[str], ways: Iterable[tuple[str, str, str]]
) -> dict[str, str]:
    """The services that send to a queue or topic as service principals, each with the name of one cause.

    A cause is a resource that refers to the queue or topic (`ways`: service, property and type), or a policy that
    allows the service to send.
    """
    senders_by_service: dict[str, str] = {}
    for service, path, type_ in ways:
        for caller in stack.referring(holder, path, type_).certain:
            senders_by_service.setdefault(service, caller.name)
    try:
        for at, path in policy_documents.attached(stack, holder):
            for statement in policy_documents.statements(at.value(path)):
                if statement.allows and statement.covers(action):
                    senders_by_service |= {
                        service: at.name
                        for service in statement.services
                        if service in services and service not in senders_by_service
                    }
    except Undecided:
        pass
    return senders_by_service
