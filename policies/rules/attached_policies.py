"""Policies that others wrote, or that hang on a person: who gets more than was looked at."""

import re

from .. import kinds, values
from ..access_inputs import ATTACHED_POLICIES
from ..rule import Complaints, each, rule
from ..stack import Resource

_FULL = re.compile(
    r"arn:aws[\w-]*:iam::aws:policy/(?:[\w+=,.@-]+/)*"
    r"(AdministratorAccess[\w-]*|PowerUserAccess|\w*FullAccess\w*|\w+Admin(?:istrator)?(?:Access)?"
    r"|SecretsManagerReadWrite)"
)

_GUIDE = "https://docs.aws.amazon.com/IAM/latest/UserGuide"


@rule(
    *ATTACHED_POLICIES,
    severity="critical",
    enforcement="mandatory",
    link=f"{_GUIDE}/best-practices.html#bp-use-aws-defined-policies",
)
def no_full_access_policy_is_attached(holder: Resource) -> Complaints:
    """No policy of AWS's own is attached that makes an administrator, or gives all of a service."""

    def judge(given: object) -> Complaints:
        found = _FULL.fullmatch(values.text(given) or "")
        if not found:
            return None
        path = ATTACHED_POLICIES[holder.type]
        return (
            f"{holder.name} attaches {found[1]}, which allows far more than one task needs: {path} has {found[0]}. "
            f"Set {path} to a policy that lists the actions and the resources."
        )

    yield from each(holder.items(ATTACHED_POLICIES[holder.type]), judge)


@rule(
    kinds.USER_POLICY,
    severity="medium",
    enforcement="mandatory",
    link=f"{_GUIDE}/best-practices.html#bp-users-federation-idp",
)
def user_has_no_inline_policy(policy: Resource) -> Complaints:
    """A user has no policy of its own: people come and go, and nobody looks there."""
    return (
        f"The policy {policy.name} is written into a user, where no one else sees it. Set it on a role that is "
        "assumed, or make it a Policy that is attached to a group."
    )
