"""IAM attachments: no AWS managed policy with full access, and no inline policies of users."""

import re

from ..aws.iam.access_inputs import ATTACHED_POLICIES
from ..model import resource_types, values
from ..model.finding import Complaints, Finding
from ..model.rule import check_each, rule
from ..model.stack import Resource

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
    """No AWS managed policy is attached that grants administrator access, or full access to a service.

    Attach a policy that lists specific actions and resources.
    """

    def check(attached: object) -> Complaints:
        match = _FULL.fullmatch(values.text(attached) or "")
        if not match:
            return None
        path = ATTACHED_POLICIES[holder.type]
        return Finding(
            f"{holder.name} attaches {match[1]}, which grants full access: {path} has {match[0]}.",
            f"Set {path} to a policy that lists specific actions and resources.",
            about=f"{holder.urn} {match[0]}",
        )

    yield from check_each(holder.items(ATTACHED_POLICIES[holder.type]), check)


@rule(
    resource_types.USER_POLICY,
    severity="medium",
    enforcement="advisory",
    link=f"{_GUIDE}/best-practices.html#bp-users-federation-idp",
)
def user_has_no_inline_policy(policy: Resource) -> Complaints:
    """A user has no inline policy.

    Use a role, or a Policy that is attached to a group.
    """
    return Finding(
        f"The policy {policy.name} is an inline policy of a user.",
        "Use a role, or a Policy that is attached to a group.",
    )
