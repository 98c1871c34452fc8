"""Finds the key that a queue or a topic is encrypted with, and whether a service that sends there may use it."""

from collections.abc import Collection, Iterable

from ..model import resource_types, values
from ..model.stack import Resource, Stack
from ..model.values import Undecided
from .iam import policy_documents
from .iam.policy_documents import Statement

PATH = "kmsMasterKeyId"
KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")
"""What a sender does with the key."""
BY_AWS = "alias/aws/"


def is_aws_managed(holder: Resource) -> bool:
    """Whether it is the key that AWS manages, whose policy names no service and can be changed by nobody."""
    given = holder.value(PATH)
    return isinstance(given, str) and given.rpartition(":")[2].startswith(BY_AWS)


def find_key(stack: Stack, holder: Resource) -> Resource | None:
    """The key, be it by an alias; None where there is none in this stack. Raises Undecided where nobody can tell."""
    referred = stack.target(holder, PATH, *resource_types.KEYS, resource_types.KEY_ALIAS)
    if referred is not None and referred.type == resource_types.KEY_ALIAS:
        return stack.target(referred, "targetKeyId", *resource_types.KEYS)
    return referred


def key_policy(stack: Stack, of: Resource) -> list[Statement] | None:
    """The statements of a key's policy; None where AWS wrote it. Raises Undecided where it is not ours to read."""
    if of.external:
        values.raise_undecided(f"the policy of {of.name} is not this program's")
    return stack.memoize(policy_documents.statements_about, of)


def may_use(statement: Statement, service: str, use: str) -> bool:
    """Whether a statement of a key's policy is for this use by this service, its conditions aside."""
    return statement.allows and (service in statement.services or statement.is_public()) and statement.covers(use)


def missing_key_actions(statements: Iterable[Statement], service: str) -> list[str]:
    """The uses that no statement lets a service make."""
    listed = list(statements)
    return [use for use in KEY_ACTIONS if not any(may_use(statement, service, use) for statement in listed)]


def find_senders(
    stack: Stack, holder: Resource, action: str, services: Collection[str], ways: Iterable[tuple[str, str, str]]
) -> dict[str, str]:
    """The services that send to a queue or a topic as themselves, each with one resource that makes it.

    They show in what refers to it (a service, the property and the type), and in who its policy lets do this.
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
