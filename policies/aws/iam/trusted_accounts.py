"""Checks policies against the trusted accounts and organizations in the pack's configuration."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...model import resource_types
from ...model.finding import Complaints, Finding
from ...model.rule import check_each
from ...model.stack import Resource, Stack
from .. import arns
from . import conditions
from .conditions import Condition
from .policy_documents import Statement

PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "trustedAccounts": {
        "type": "array",
        "items": {"type": "string", "pattern": r"^[0-9]{12}$"},
        "default": [],
        "description": "Account ids that policies may grant access to, besides the stack's own account; if empty, any "
        "account that is named.",
    },
    "trustedOrganizations": {
        "type": "array",
        "items": {"type": "string", "pattern": r"^o-[a-z0-9]{10,32}$"},
        "default": [],
        "description": "Organization ids that policies may grant access to; if empty, any organization that is named.",
    },
}
"""Parameters of every rule about the principals of a policy."""
_ACCOUNT = re.compile(r"\d{12}")
_ORGANIZATION = re.compile(r"o-[a-z0-9]+")
_OWN_ARNS = ("arn", "id", "secretArn", "resourceArn", "topicArn", "function", "keyId", "queueUrl", "url")
"""Properties from which the account of a resource is known."""


@dataclass(frozen=True)
class Trusted:
    """The trusted accounts and organizations; all, where none is configured."""

    accounts: frozenset[str]
    organizations: frozenset[str]

    def includes(self, named: str) -> bool:
        """Whether an account or organization is trusted."""
        if _ACCOUNT.fullmatch(named):
            return not self.accounts or named in self.accounts
        return not self.organizations or named in self.organizations


def check_trusted_accounts(
    holder: Resource, statements: Sequence[Statement], accounts: Sequence[str], organizations: Sequence[str]
) -> Iterator[Finding]:
    """Report statements that grant access to an account or organization that is not trusted."""
    if not accounts and not organizations:
        return
    trusted = Trusted(frozenset({*accounts, *_own_accounts(holder)} if accounts else ()), frozenset(organizations))

    def check(statement: Statement) -> Complaints:
        for named in untrusted_owners(statement, trusted) if statement.allows else ():
            what, setting = (
                ("account", "trustedAccounts")
                if _ACCOUNT.fullmatch(named)
                else ("organization", "trustedOrganizations")
            )
            yield Finding(
                f"The policy of {holder.name} grants access to the {what} {named}, which is not in {setting}: "
                f"{statement.name}.",
                f"Remove it, or add it to {setting} of this rule.",
                about=statement.identify(holder),
            )

    yield from check_each(statements, check)


def untrusted_owners(statement: Statement, trusted: Trusted) -> list[str]:
    """The accounts and organizations without trust that a statement grants access to.

    These are in its principals, or, if they are public or a service, in its conditions.
    """
    by_condition = [
        named for condition in conditions.limiting_conditions(statement.conditions) if (named := _named_in(condition))
    ]
    if any(all(map(trusted.includes, named)) for named in by_condition):
        return []
    admitted = [_account_in(principal) for principal in statement.principals.get("AWS", ())]
    if statement.is_public() or statement.services:
        admitted += [outsider for named in by_condition for outsider in named]
    return [outsider for outsider in dict.fromkeys(admitted) if outsider and not trusted.includes(outsider)]


def allows_another_account(stack: Stack, statement: Statement) -> bool:
    """Whether a principal is in another account than all resources of the stack; false where no account is known."""
    own = stack.memoize(_accounts_of_stack)
    accounts = map(_account_in, statement.principals.get("AWS", ()))
    return bool(own) and any(account and account not in own for account in accounts)


def _accounts_of_stack(stack: Stack) -> frozenset[str]:
    """The known accounts of the stack's own resources."""
    # An attachment may have the ARN of its resource as an input.
    own = (
        resource
        for resource in stack.resources
        if not resource.external and resource.type not in resource_types.ATTACHMENTS
    )
    account_arns = (resource.props.get("arn") for resource in own)
    return frozenset(account for arn in account_arns if isinstance(arn, str) and (account := _account_in(arn)))


def _named_in(condition: Condition) -> list[str]:
    """The accounts or organizations in a condition; empty for a condition of another kind."""
    if condition.key not in conditions.CALLERS and condition.key not in conditions.SOURCES:
        return []
    owners = [_account_in(value) or _organization_in(value) for value in condition.values]
    return [owner for owner in owners if owner] if all(owners) else []


def _account_in(value: str) -> str:
    arn = arns.parse(value)
    account = arn.account if arn else value
    return account if _ACCOUNT.fullmatch(account) else ""


def _organization_in(value: str) -> str:
    organization = value.partition("/")[0]
    return organization if _ORGANIZATION.fullmatch(organization) else ""


def _own_accounts(holder: Resource) -> set[str]:
    """The account of a resource, where its ARN or URL is known."""
    identifiers = {value for key in _OWN_ARNS if isinstance(value := holder.props.get(key), str)}
    urls = {match[1] for value in identifiers if (match := re.match(r"https://sqs\.[^/]+/(\d{12})/", value))}
    return urls | {account for value in identifiers if arns.parse(value) and (account := _account_in(value))}
