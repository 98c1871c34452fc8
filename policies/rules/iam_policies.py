"""IAM policies: they allow specific actions on specific resources."""

from collections.abc import Iterable

from ..aws.iam import actions as iam_actions
from ..aws.iam import identity_policies, reference_types, resource_conditions, trusted_accounts
from ..aws.iam.access_inputs import NARROWING_POLICIES, RESOURCE_POLICIES, SEARCH_DOMAINS, TRUST_POLICIES
from ..aws.iam.policy_documents import Statement, matches, statements
from ..model import resource_types
from ..model.finding import Complaints, Finding
from ..model.rule import check_each, stack_rule
from ..model.stack import Resource, Stack
from ..model.values import Undecided

_MAX_LISTED = 5
"""Number of actions in a message."""
ANY_RESOURCE = "*"
DOCUMENTS = {**TRUST_POLICIES, **RESOURCE_POLICIES, **SEARCH_DOMAINS}
"""Trust and resource policies: their actions are checked too."""
_FOR_OTHER_PRINCIPALS = (
    resource_types.ROLE,
    resource_types.TOPIC,
    resource_types.TOPIC_POLICY,
    resource_types.SECRET,
    resource_types.SECRET_POLICY,
    resource_types.REPOSITORY_POLICY,
    resource_types.TABLE_POLICY,
)
DELEGATING = frozenset(DOCUMENTS) - frozenset(_FOR_OTHER_PRINCIPALS)
"""Resources whose policies commonly allow all actions to the account, whose roles then have specific permissions."""
TYPES = tuple(dict.fromkeys((*identity_policies.TYPES, *DOCUMENTS)))
_EXECUTION_ROLE_ACTIONS = frozenset(
    {
        "logs:createloggroup",
        "logs:createlogstream",
        "logs:putlogevents",
        "ec2:createnetworkinterface",
        "ec2:deletenetworkinterface",
        "ec2:assignprivateipaddresses",
        "ec2:unassignprivateipaddresses",
    }
)
"""Actions of a function's execution role for logs and for a VPC, which are only advice to restrict. The Lambda console
allows the first on every log group of an account (https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html),
AWSLambdaBasicExecutionRole all three, and AWSLambdaVPCAccessExecutionRole those of network interfaces too
(https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html)."""

_GUIDE = "https://docs.aws.amazon.com/IAM/latest/UserGuide"
_REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference"


@stack_rule(
    *TYPES,
    severity="critical",
    enforcement="mandatory",
    link=f"{_GUIDE}/best-practices.html#grant-least-privilege",
)
def policy_names_its_actions(holder: Resource, stack: Stack) -> Complaints:
    """A policy lists the actions that it allows: neither all actions nor all actions of a service.

    Set Action to the actions that are used.
    """

    def check(statement: Statement) -> Complaints:
        whole = [action for action in statement.actions if iam_actions.is_whole_service(action)]
        if not whole or (holder.type in DELEGATING and not _is_for_other_principals(stack, statement)):
            return None
        return Finding(
            f"The policy {holder.name} allows {_listed(whole)} in {statement.name}, which also grants every future "
            "action.",
            "Set Action to the actions that are used.",
            about=statement.identify(holder),
        )

    yield from check_each(_allowed(stack, holder), check)


@stack_rule(
    *TYPES,
    severity="critical",
    enforcement="mandatory",
    link=f"{_GUIDE}/reference_policies_elements_notaction.html",
)
def policy_lists_what_it_allows(holder: Resource, stack: Stack) -> Complaints:
    """A statement with the effect Allow has no NotAction and no NotResource.

    Set Action and Resource instead, or Effect to Deny.
    """
    for statement in _allowed(stack, holder):
        used = [key for key in ("NotAction", "NotResource") if statement.has(key)]
        if used:
            instead = " and ".join(key.removeprefix("Not") for key in used)
            yield Finding(
                f"The policy {holder.name} allows everything except what {' and '.join(used)} lists in "
                f"{statement.name}, future services included.",
                f"Set {instead} instead, or Effect to Deny.",
                about=statement.identify(holder),
            )


@stack_rule(
    *identity_policies.TYPES,
    severity="high",
    enforcement="mandatory",
    link=f"{_REFERENCE}/reference_policies_actions-resources-contextkeys.html",
)
def policy_names_its_resources(holder: Resource, stack: Stack) -> Complaints:
    """A policy allows on `*` only actions that do not support resource-level permissions.

    Set Resource to specific ARNs, and keep * in a statement of its own for the actions that need it.
    """

    def check(statement: Statement) -> Complaints:
        if ANY_RESOURCE not in statement.resources or resource_conditions.restrict_resources(statement.conditions):
            return None
        # policy-names-its-actions reports whole services.
        named = [action for action in statement.actions if not iam_actions.is_whole_service(action)]
        held = [action for action in named if iam_actions.held_to_resources(action)]
        if not held:
            return None
        arns = iam_actions.run_time_resource_arns(held)
        advice = "specific ARNs, and keep * in a statement of its own for the actions that need it"
        if arns:
            advice = f"{_listed(arns)}: the ids are assigned at run time"
        return Finding(
            f"The policy {holder.name} allows {_listed(held)} on every resource, although these actions support "
            f"resource-level permissions: {statement.name} has Resource *.",
            f"Set Resource to {advice}.",
            about=statement.identify(holder),
            is_advisory=_are_of_execution_roles(held),
        )

    yield from check_each(identity_policies.allow_statements(stack, holder), check)


@stack_rule(
    *identity_policies.TYPES,
    severity="low",
    enforcement="advisory",
    link=f"{_REFERENCE}/reference_policies_actions-resources-contextkeys.html",
)
def inventory_names_its_type(holder: Resource, stack: Stack) -> Complaints:
    """An action that only lists or describes resources is allowed on their type, and not on `*`.

    Set Resource to the ARN of the type, with * as the name.
    """

    def check(statement: Statement) -> Complaints:
        if ANY_RESOURCE not in statement.resources or resource_conditions.restrict_resources(statement.conditions):
            return None
        held = [
            action for action in statement.actions if action != ANY_RESOURCE and iam_actions.metadata_actions(action)
        ]
        held = [action for action in held if not iam_actions.held_to_resources(action)]
        if not held:
            return None
        return Finding(
            f"The policy {holder.name} allows {_listed(held)} on every resource: {statement.name} has Resource *.",
            "Set Resource to the ARN of the type, with * as the name, which is enough for actions that only list or "
            "describe.",
            about=statement.identify(holder),
        )

    yield from check_each(identity_policies.allow_statements(stack, holder), check)


@stack_rule(
    *identity_policies.TYPES,
    severity="low",
    enforcement="advisory",
    link=f"{_REFERENCE}/reference_policies_actions-resources-contextkeys.html",
)
def actions_without_resources_stand_alone(holder: Resource, stack: Stack) -> Complaints:
    """An action without resource-level permissions is allowed on `*`, in a statement of its own.

    Set Resource to * in a statement of its own, or remove the action.
    """

    def check(statement: Statement) -> Complaints:
        resources = statement.resources
        if not resources or any(
            resource == ANY_RESOURCE or reference_types.whole_type(resource) for resource in resources
        ):
            return None
        ignored = [action for action in statement.actions if _takes_no_resource(action)]
        if not ignored:
            return None
        return Finding(
            f"The policy {holder.name} allows {_listed(ignored)} on {_listed(resources)} in {statement.name}, which "
            "has no effect: the action does not support resource-level permissions.",
            "Set Resource to * in a statement of its own, or remove the action.",
            about=statement.identify(holder),
        )

    yield from check_each(identity_policies.allow_statements(stack, holder), check)


@stack_rule(
    *identity_policies.TYPES,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/best-practices.html#grant-least-privilege",
    parameters={
        "allowedActions": {
            "type": "array",
            "items": {"type": "string"},
            "default": [*iam_actions.METADATA_ACTIONS],
            "description": "Actions, or patterns of them, that may be allowed on all resources of a type, besides "
            "those with the access level List; by default reads of metadata.",
        },
        "allowedResources": {
            "type": "array",
            "items": {"type": "string"},
            "default": ["arn:*:ssm:*:automation-execution/*", "arn:*:ec2:*:network-interface/*"],
            "description": "ARNs, or patterns of them, that may match all resources of a type; by default those of "
            "types whose ids are assigned at run time.",
        },
    },
)
def policy_covers_no_whole_type(
    holder: Resource, stack: Stack, *, allowed_actions: list[str], allowed_resources: list[str]
) -> Complaints:
    """A wildcard in a Resource does not match all resources of a type.

    Set Resource to specific ARNs or a name prefix.
    """

    def check(statement: Statement) -> Complaints:
        if resource_conditions.restrict_resources(statement.conditions):
            return None
        actions = [
            action
            for action in statement.actions
            if not iam_actions.only_lists(action) and not any(matches(pattern, action) for pattern in allowed_actions)
        ]
        resources: dict[str, None] = {}
        by_type: dict[str, dict[str, None]] = {}
        for resource in statement.resources:
            if resource == ANY_RESOURCE or any(matches(pattern, resource) for pattern in allowed_resources):
                continue
            for action in actions:
                if whole := iam_actions.whole_type(action, resource):
                    resources[resource] = None
                    by_type.setdefault(whole, {})[action] = None
        if not by_type:
            return None
        whole = " and ".join(f"{_listed([*names])} on every {name}" for name, names in by_type.items())
        return Finding(
            f"The policy {holder.name} allows {whole}: Resource has {_listed([*resources])} in {statement.name}.",
            "Set Resource to specific ARNs or a name prefix.",
            about=statement.identify(holder),
            is_advisory=all(_are_of_execution_roles(names) for names in by_type.values()),
        )

    yield from check_each(identity_policies.allow_statements(stack, holder), check)


@stack_rule(
    *identity_policies.TYPES,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/id_roles_use_passrole.html",
)
def passed_role_is_named(holder: Resource, stack: Stack) -> Complaints:
    """iam:PassRole is allowed for a specific role and a specific service.

    Set Resource to the role's ARN, and a condition on iam:PassedToService.
    """

    def check(statement: Statement) -> Complaints:
        passing = [action for action in statement.actions if matches(action, "iam:PassRole")]
        # policy-names-its-actions reports all of IAM.
        if not passing or all(iam_actions.is_whole_service(action) for action in passing):
            return None
        loose = [resource for resource in statement.resources if iam_actions.is_pattern(resource.rpartition(":")[2])]
        is_for_any_service = not resource_conditions.restrict_service(statement.conditions)
        if not loose and not is_for_any_service:
            return None
        passed = f"any role that matches {_listed(loose)}" if loose else "a role"
        fixes = ["Set Resource to the ARN of the role."] if loose else []
        if is_for_any_service:
            fixes.append("Set Condition to StringEquals of iam:PassedToService and the service.")
        return Finding(
            f"The policy {holder.name} allows passing {passed}{' to any service' if is_for_any_service else ''}: "
            f"{statement.name} allows iam:PassRole"
            + (" without a condition on iam:PassedToService." if is_for_any_service else "."),
            " ".join(fixes),
            about=statement.identify(holder),
            # EC2's documentation has a name prefix
            # (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/permission-to-pass-iam-roles.html).
            is_advisory=not is_for_any_service and not any(map(_matches_every_role, loose)),
        )

    yield from check_each(identity_policies.allow_statements(stack, holder), check)


def _allowed(stack: Stack, holder: Resource) -> list[Statement]:
    """The Allow statements of all policies of a resource, its trust or resource policy included."""
    of_identity = identity_policies.allow_statements(stack, holder) if holder.type in identity_policies.TYPES else []
    return of_identity + [
        statement for statement in read_resource_policy(holder) if identity_policies.allows(statement)
    ]


def read_resource_policy(holder: Resource) -> list[Statement]:
    """The known statements of a trust or resource policy."""
    try:
        path = DOCUMENTS.get(holder.type) or NARROWING_POLICIES.get(holder.type)
        return statements(holder.value(path)) if path else []
    except Undecided:
        return []


def _is_for_other_principals(stack: Stack, statement: Statement) -> bool:
    """Whether a statement is for a service, the public or another account than the stack's."""
    return (
        bool(statement.services) or statement.is_public() or trusted_accounts.allows_another_account(stack, statement)
    )


def _matches_every_role(resource: str) -> bool:
    """Whether a pattern matches every role of an account."""
    return resource == ANY_RESOURCE or reference_types.whole_type(resource) is not None


def _are_of_execution_roles(actions: Iterable[str]) -> bool:
    """Whether these are all actions of a function's execution role."""
    return all(action.lower() in _EXECUTION_ROLE_ACTIONS for action in actions)


def _takes_no_resource(action: str) -> bool:
    if iam_actions.is_pattern(action):
        return False
    covered = iam_actions.covered(action)
    return bool(covered) and not covered[0].supports_resources


def _listed(names: list[str]) -> str:
    """List names for a message."""
    shown = list(dict.fromkeys(names))
    more = f" and {len(shown) - _MAX_LISTED} more" if len(shown) > _MAX_LISTED else ""
    return ", ".join(shown[:_MAX_LISTED]) + more
