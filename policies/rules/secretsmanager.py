"""Secrets Manager: secrets are rotated and recoverable, and auditing roles cannot read their values."""

import math
from contextlib import suppress

from ..aws import arns, rotation_periods
from ..aws.iam import conditions, role_permissions, wildcards
from ..aws.iam.policy_documents import Statement, covers_whole, matches, statements
from ..aws.iam.role_permissions import Grant
from ..model import resource_types, values
from ..model.finding import Complaints, Finding
from ..model.rule import check_each, rule, stack_rule
from ..model.stack import Resource, Stack
from ..model.values import Undecided

AWS_RECOVERY_DAYS = 30
READ_ACTIONS = ("secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue")
ANY_RESOURCE = "*"
EVERY_SECRET = tuple(f"arn:{partition}:secretsmanager:*:*:secret:*" for partition in ("aws", "aws-cn", "aws-us-gov"))
AUDITING_POLICIES = ("SecurityAudit", "ViewOnlyAccess", "AWSAuditManagerServiceRolePolicy")
"""AWS managed policies for auditing, which do not read secret values."""

_GUIDE = "https://docs.aws.amazon.com/secretsmanager/latest/userguide"
_CONTROLS = "https://docs.aws.amazon.com/securityhub/latest/userguide/secretsmanager-controls.html"


@stack_rule(
    resource_types.SECRET,
    severity="medium",
    enforcement="advisory",
    link=f"{_CONTROLS}#secretsmanager-1",
)
def secret_has_rotation(secret: Resource, stack: Stack) -> Complaints:
    """A secret is rotated.

    Add a SecretRotation with rotationRules.
    """
    if secret.has("rotationLambdaArn") or secret.has("rotationRules") or _is_rotated(stack, secret):
        return None
    return Finding(
        f"The secret {secret.name} is never rotated: no SecretRotation in this stack has it as its secretId.",
        "Add a SecretRotation with rotationRules for it, or an exemption with the reason.",
    )


@rule(
    resource_types.SECRET_ROTATION,
    severity="medium",
    enforcement="advisory",
    link=f"{_CONTROLS}#secretsmanager-4",
    parameters={
        "maxRotationDays": {
            "type": "number",
            "minimum": 1,
            "maximum": 1000,
            "default": 90,
            "description": "Longest time in days between two rotations.",
        }
    },
)
def secret_rotates_often(rotation: Resource, *, max_rotation_days: float) -> Complaints:
    """A secret is rotated at least every 90 days.

    Set rotationRules.automaticallyAfterDays to 90 or less.
    """
    days = rotation.number("rotationRules.automaticallyAfterDays")
    expression = rotation.text("rotationRules.scheduleExpression")
    if days is not None:
        state, setting = f"automaticallyAfterDays is {days}", "automaticallyAfterDays"
    elif expression is not None:
        days = rotation_periods.longest(expression)
        period = "a day that never comes" if days == math.inf else f"up to {days or 0:g} days"
        state, setting = f"scheduleExpression is {expression}, {period}", "scheduleExpression"
    else:
        return Finding(
            f"The rotation {rotation.name} has no schedule: rotationRules is absent.",
            f"Set rotationRules.automaticallyAfterDays to {max_rotation_days:g} or less.",
        )
    if days is None or days <= max_rotation_days:
        return None
    return Finding(
        f"The rotation {rotation.name} does not run often enough: rotationRules.{state}.",
        f"Set rotationRules.{setting} to an interval of {max_rotation_days:g} days or less.",
    )


@rule(
    resource_types.SECRET,
    severity="high",
    enforcement="advisory",
    link=f"{_GUIDE}/manage_delete-secret.html",
    parameters={
        "stacksWithoutRecovery": {
            "type": "array",
            "items": {"type": "string"},
            "default": ["dev", "dev-*", "*-dev", "development"],
            "description": "Stacks, or patterns of their names, in which secrets may be deleted without recovery.",
        }
    },
)
def secret_can_be_recovered(secret: Resource, *, stacks_without_recovery: list[str]) -> Complaints:
    """A deleted secret can be recovered for some days, except in development stacks.

    Set recoveryWindowInDays to 7 to 30, or leave it out, which means 30.
    """
    if secret.number("recoveryWindowInDays", absent=AWS_RECOVERY_DAYS) != 0:
        return None
    stack = secret.urn.removeprefix("urn:pulumi:").partition("::")[0]
    if any(matches(pattern, stack) for pattern in stacks_without_recovery):
        return None
    return Finding(
        f"The secret {secret.name} cannot be recovered once it is deleted: recoveryWindowInDays is 0 in the stack "
        f"{stack}.",
        "Set recoveryWindowInDays to 7 to 30, or leave it out, which means 30.",
    )


@stack_rule(
    resource_types.ROLE,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/auth-and-access_iam-policies.html",
    parameters={
        "auditRoles": {
            "type": "array",
            "items": {"type": "string"},
            "default": ["*audit*"],
            "description": "Name patterns of roles that audit secrets and need no access to their values.",
        }
    },
)
def auditor_reads_no_secret(role: Resource, stack: Stack, *, audit_roles: list[str]) -> Complaints:
    """A role that only audits cannot read the value of a secret.

    Allow actions such as secretsmanager:DescribeSecret instead of secretsmanager:GetSecretValue.
    """
    if not _is_audit_role(stack, role, audit_roles):
        return
    grants = list(role_permissions.permissions_of(stack, role).grants)
    grants += [grant for grant in stack.memoize(_grants_of_secrets) if _is_for(grant.statement, role)]
    statements_of_all = [grant.statement for grant in grants]

    def check(grant: Grant) -> Complaints:
        statement = grant.statement
        allowed = [action for action in READ_ACTIONS if statement.allows and statement.covers(action)]
        if not allowed or not _may_include_secrets(statement) or _is_denied(statement, statements_of_all):
            return None
        return Finding(
            f"The role {role.name} is for auditing and may read secret values: {statement.name} in "
            f"{grant.holder.name} allows {' and '.join(allowed)}.",
            "Set Action to reads of metadata, such as secretsmanager:DescribeSecret.",
            about=grant.about,
        )

    yield from check_each(grants, check)


def _is_rotated(stack: Stack, secret: Resource) -> bool:
    """Whether a rotation refers to the secret or its version. Raises Undecided where an unknown value may."""
    referring = stack.referring(secret, "secretId", resource_types.SECRET_ROTATION)
    if referring.certain:
        return True
    versions = {version.urn for version in stack.referring(secret, "secretId", resource_types.SECRET_VERSION).certain}
    by_version = stack.memoize(_rotated_versions)
    return not versions.isdisjoint(by_version) or referring.some()


def _rotated_versions(stack: Stack) -> set[str]:
    """URNs of the resources that the rotations' secretIds depend on."""
    rotations = stack.of_type(resource_types.SECRET_ROTATION)
    return {urn for rotation in rotations for urn in rotation.property_dependencies.get("secretId", ())}


def _is_audit_role(stack: Stack, role: Resource, patterns: list[str]) -> bool:
    """Whether a role is for auditing, by its name or by an AWS managed policy."""
    names = [
        role.name,
        *(physical_name for physical_name in (role.props.get("name"),) if isinstance(physical_name, str)),
    ]
    if any(matches(pattern, name) for pattern in patterns for name in names):
        return True
    attached = [
        attachment.value("policyArn")
        for attachment in stack.referring(role, "role", resource_types.ROLE_POLICY_ATTACHMENT).certain
    ]
    with suppress(Undecided):
        attached += role.items("managedPolicyArns")
    return any(isinstance(policy, str) and policy.rpartition("/")[2] in AUDITING_POLICIES for policy in attached)


def _grants_of_secrets(stack: Stack) -> list[Grant]:
    """The statements in the policies of all secrets."""
    grants = []
    for holder in stack.of_type(resource_types.SECRET, resource_types.SECRET_POLICY):
        try:
            grants += [Grant(statement, holder, holder) for statement in statements(holder.value("policy"))]
        except Undecided:
            continue
    return grants


def _is_for(statement: Statement, role: Resource) -> bool:
    arn = role.props.get("arn")
    try:
        return isinstance(arn, str) and arn in statement.principals.get("AWS", [])
    except Undecided:
        return False


def _is_denied(allowing: Statement, others: list[Statement]) -> bool:
    """Whether other statements deny reading on each resource that a statement allows.

    Checks GetSecretValue only, which BatchGetSecretValue requires too.
    """
    resources = allowing.resources if not allowing.has("NotResource") else [ANY_RESOURCE]
    denying = [statement for statement in others if statement.denies and not statement.conditions]
    return all(
        any(
            (deny.covers(READ_ACTIONS[0]) and _denies_all(deny)) or covers_whole(deny, READ_ACTIONS[0], resource)
            for deny in denying
        )
        for resource in resources
    )


def _denies_all(statement: Statement) -> bool:
    """Whether a Deny covers every secret."""
    return any(
        resource == ANY_RESOURCE or resource.rpartition(":secret:")[2] == "*" or _matches_every_secret(resource)
        for resource in statement.resources
    )


def _may_include_secrets(statement: Statement) -> bool:
    """Whether one of its resources may be a secret."""
    if statement.has("NotResource"):
        return not any(
            resource == ANY_RESOURCE or _matches_every_secret(resource) for resource in statement.not_resources
        )
    return any(
        isinstance(resource, values.Mark) or any(_may_overlap(str(resource), secrets) for secrets in EVERY_SECRET)
        for resource in values.items(values.member(statement.raw, "Resource"))
    )


def _may_overlap(pattern: str, secret: str) -> bool:
    """Whether a pattern matches some secret, compared part by part if it has all parts of an ARN."""
    pattern = conditions.as_pattern(pattern)
    pattern_parts, secret_parts = pattern.split(":", 5), secret.split(":", 5)
    if len(pattern_parts) < len(secret_parts):
        return wildcards.overlap(pattern, secret)
    return all(map(wildcards.overlap, pattern_parts, secret_parts))


def _matches_every_secret(pattern: str) -> bool:
    """Whether a pattern matches every secret of an account."""
    parts = arns.parse(pattern)
    if parts is None:
        return wildcards.matches(pattern, EVERY_SECRET[0])
    partition, service, region, _, resource = parts
    return any(
        wildcards.covers(f"arn:{partition}:{service}:{region}:*:{resource}", secrets) for secrets in EVERY_SECRET
    )
