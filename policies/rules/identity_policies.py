"""Policies of roles, users and groups: they allow what is needed, on what it is needed for."""

from .. import conditions, iam_actions, identity_policies, kinds, resource_types, values
from ..policy_documents import Statement, matches, statements
from ..rule import Complaints, each, rule, stack_rule
from ..stack import Resource, Stack
from ..values import Undecided

SHOWN = 5
"""Actions that a complaint lists at most."""
ANY_RESOURCE = "*"
DOCUMENTS = {
    kinds.ROLE: "assumeRolePolicy",
    kinds.QUEUE: "policy",
    kinds.QUEUE_POLICY: "policy",
    kinds.TOPIC: "policy",
    kinds.TOPIC_POLICY: "policy",
    kinds.KEY: "policy",
    kinds.KEY_POLICY: "policy",
    kinds.SECRET: "policy",
    kinds.SECRET_POLICY: "policy",
    kinds.EVENT_BUS_POLICY: "policy",
    **dict.fromkeys(kinds.BUCKETS, "policy"),
    kinds.BUCKET_POLICY: "policy",
    kinds.REPOSITORY_POLICY: "policy",
    kinds.TABLE_POLICY: "policy",
}
"""Policies of other things than identities: their actions have to be named, and to exist, as well."""
DELEGATING = frozenset(
    {
        kinds.KEY,
        kinds.KEY_POLICY,
        kinds.QUEUE,
        kinds.QUEUE_POLICY,
        kinds.EVENT_BUS_POLICY,
        *kinds.BUCKETS,
        kinds.BUCKET_POLICY,
    }
)
"""Where AWS itself, and most people, give an account all actions: what its roles may do is then written with them."""
TYPES = tuple(dict.fromkeys((*identity_policies.TYPES, *DOCUMENTS)))
_NARROWING = frozenset(
    {
        "kms:resourcealiases",
        "kms:requestalias",
        "kms:viaservice",
        "secretsmanager:secretid",
        "secretsmanager:name",
        "secretsmanager:resource/allowrotationlambdaarn",
        "iam:awsservicename",
        "ses:fromaddress",
        "ec2:vpc",
        "ec2:subnet",
        "ecs:cluster",
        "lambda:functionarn",
        "elasticfilesystem:accesspointarn",
        "s3:dataaccesspointarn",
    }
)
"""Keys of conditions that say which resource is meant, as an ARN would."""
_NARROWING_BY_NAME = ("resourcetag/", "kms:encryptioncontext:")
"""The same, of keys that go on with a name: of a tag, or of what is encrypted."""

_GUIDE = "https://docs.aws.amazon.com/IAM/latest/UserGuide"
_REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference"


@stack_rule(
    *TYPES,
    severity="critical",
    enforcement="mandatory",
    link=f"{_GUIDE}/best-practices.html#grant-least-privilege",
)
def policy_names_its_actions(holder: Resource, stack: Stack) -> Complaints:
    """A policy allows actions by name: neither all there are nor all of a service."""

    def judge(statement: Statement) -> Complaints:
        whole = [one for one in statement.actions if iam_actions.is_whole_service(one)]
        if not whole or (holder.type in DELEGATING and not (statement.services or statement.opens_to_anyone())):
            return None
        return (
            f"The policy {holder.name} allows {_listed(whole)} in {statement.name}, so whoever has it may do what "
            "nobody thought of. Set Action to the actions that are used."
        )

    yield from each(_allowed(stack, holder), judge)


@stack_rule(
    *TYPES,
    severity="critical",
    enforcement="mandatory",
    link=f"{_GUIDE}/reference_policies_elements_notaction.html",
)
def policy_lists_what_it_allows(holder: Resource, stack: Stack) -> Complaints:
    """A policy that allows says what, not what else: no NotAction and no NotResource with Allow."""
    for statement in _allowed(stack, holder):
        used = [key for key in ("NotAction", "NotResource") if statement.has(key)]
        if used:
            instead = " and ".join(key.removeprefix("Not") for key in used)
            yield (
                f"The policy {holder.name} allows everything but what {' and '.join(used)} names in {statement.name}, "
                f"new services included. Set {instead} in its place, or Effect to Deny."
            )


@stack_rule(
    *identity_policies.TYPES,
    severity="high",
    enforcement="mandatory",
    link=f"{_REFERENCE}/reference_policies_actions-resources-contextkeys.html",
)
def policy_names_its_resources(holder: Resource, stack: Stack) -> Complaints:
    """A policy allows on `*` only actions that cannot be held to a resource."""

    def judge(statement: Statement) -> Complaints:
        if ANY_RESOURCE not in statement.resources or _is_narrowed(statement):
            return None
        # What allows a whole service is complained about for that.
        named = [one for one in statement.actions if not iam_actions.is_whole_service(one)]
        held = [one for one in named if iam_actions.held_to_resources(one)]
        if not held:
            return None
        arns = iam_actions.whole_types_of_run_time(held)
        advice = "their ARNs, and leave * to a statement of its own for actions that need it"
        if arns:
            advice = f"{_listed(arns)}: single ones get their names only at run time"
        return (
            f"The policy {holder.name} allows {_listed(held)} on every resource, Resource * in {statement.name}, "
            f"though AWS can hold that to some. Set Resource to {advice}."
        )

    yield from each(identity_policies.allowed(stack, holder), judge)


@stack_rule(
    *identity_policies.TYPES,
    severity="low",
    enforcement="advisory",
    link=f"{_REFERENCE}/reference_policies_actions-resources-contextkeys.html",
)
def inventory_names_its_type(holder: Resource, stack: Stack) -> Complaints:
    """An action that only lists or describes resources is allowed on their type at most, and not on `*`."""

    def judge(statement: Statement) -> Complaints:
        if ANY_RESOURCE not in statement.resources or _is_narrowed(statement):
            return None
        held = [one for one in statement.actions if one != ANY_RESOURCE and iam_actions.stock_of_resources(one)]
        held = [one for one in held if not iam_actions.held_to_resources(one)]
        if not held:
            return None
        return (
            f"The policy {holder.name} allows {_listed(held)} on every resource, Resource * in {statement.name}. Set "
            "Resource to the ARN of the type, with * for the name: that is accepted for actions that take stock."
        )

    yield from each(identity_policies.allowed(stack, holder), judge)


@stack_rule(
    *identity_policies.TYPES,
    severity="low",
    enforcement="advisory",
    link=f"{_REFERENCE}/reference_policies_actions-resources-contextkeys.html",
)
def actions_without_resources_stand_alone(holder: Resource, stack: Stack) -> Complaints:
    """An action that cannot be held to a resource has a statement of its own, on `*`: on ARNs it is not allowed."""

    def judge(statement: Statement) -> Complaints:
        resources = statement.resources
        if not resources or any(one == ANY_RESOURCE or resource_types.whole_type(one) for one in resources):
            return None
        void = [one for one in statement.actions if _takes_no_resource(one)]
        if not void:
            return None
        return (
            f"The policy {holder.name} allows {_listed(void)} on {_listed(resources)} in {statement.name}, which "
            "allows nothing: AWS knows no resource for it. Set Resource to * in a statement of its own, or drop it."
        )

    yield from each(identity_policies.allowed(stack, holder), judge)


@stack_rule(
    *identity_policies.TYPES,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/best-practices.html#grant-least-privilege",
    parameters={
        "allowedActions": {
            "type": "array",
            "items": {"type": "string"},
            "default": [*iam_actions.OF_METADATA],
            "description": "Actions, or patterns of them, that may be allowed on all resources of a type, beside those "
            "whose access level is List: reading of metadata unless configured.",
        },
        "allowedResources": {
            "type": "array",
            "items": {"type": "string"},
            "default": ["arn:*:ssm:*:automation-execution/*", "arn:*:ec2:*:network-interface/*"],
            "description": "ARNs, or patterns of them, that may stand for all resources of a type: those that get "
            "their name only when they come about unless configured.",
        },
    },
)
def policy_covers_no_whole_type(
    holder: Resource, stack: Stack, *, allowed_actions: list[str], allowed_resources: list[str]
) -> Complaints:
    """A wildcard in a resource does not take in all resources of a type."""

    def judge(statement: Statement) -> Complaints:
        if _is_narrowed(statement):
            return
        actions = [
            one
            for one in statement.actions
            if not iam_actions.only_lists(one) and not any(matches(pattern, one) for pattern in allowed_actions)
        ]
        for one in statement.resources:
            if one == ANY_RESOURCE or any(matches(pattern, one) for pattern in allowed_resources):
                continue
            types = {action: whole for action in actions if (whole := iam_actions.whole_type(action, one))}
            if types:
                whole = next(iter(types.values()))
                yield (
                    f"The policy {holder.name} allows {_listed([*types])} on every {whole}: Resource has {one} in "
                    f"{statement.name}. Set Resource to specific ARNs or a name prefix."
                )

    yield from each(identity_policies.allowed(stack, holder), judge)


@rule(
    *TYPES,
    kinds.FUNCTION_PERMISSION,
    severity="medium",
    enforcement="mandatory",
    link=f"{_REFERENCE}/reference_policies_actions-resources-contextkeys.html",
)
def actions_exist(holder: Resource) -> Complaints:
    """Every action in a policy exists: one with a typo allows and denies nothing."""

    def judge(actions: list[str]) -> Complaints:
        for action in dict.fromkeys(actions):
            wrong = iam_actions.unknown(action)
            if wrong:
                stop = "" if wrong.endswith("?") else "."
                yield (
                    f"The policy {holder.name} has the action {action}, which {wrong}{stop} Set Action to one that "
                    "exists."
                )

    if holder.type == kinds.FUNCTION_PERMISSION:
        yield from judge(holder.texts("action"))
        return
    found = identity_policies.read(holder) + _of_others(holder)
    yield from each(found, lambda statement: judge([*statement.actions, *statement.not_actions]))


@rule(
    *TYPES,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/reference_policies_grammar.html",
)
def policy_repeats_no_key(holder: Resource) -> Complaints:
    """A policy document has no key twice in one object: only one of the two values counts."""
    documents = list(identity_policies.documents(holder))
    if holder.type in DOCUMENTS:
        documents.append(holder.value(DOCUMENTS[holder.type]))
    for key in dict.fromkeys(
        key for document in documents if isinstance(document, str) for key in values.repeated_keys(document)
    ):
        yield (
            f"The policy {holder.name} has the key {key} twice in one object, so that one of the two values is lost. "
            f"Set {key} once, with everything that is meant."
        )


@stack_rule(
    *identity_policies.TYPES,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/id_roles_use_passrole.html",
)
def passed_role_is_named(holder: Resource, stack: Stack) -> Complaints:
    """iam:PassRole names the role, and the service that it may be passed to."""

    def judge(statement: Statement) -> Complaints:
        passing = [one for one in statement.actions if matches(one, "iam:PassRole")]
        # What allows all of IAM is complained about for that.
        if not passing or all(iam_actions.is_whole_service(one) for one in passing):
            return
        loose = [one for one in statement.resources if iam_actions.is_pattern(one.rpartition(":")[2])]
        if loose:
            yield (
                f"The policy {holder.name} may pass any role that {_listed(loose)} takes in, with whatever that may "
                f"do: {statement.name} allows iam:PassRole. Set Resource to the ARN of the role."
            )
        if not _names_service(statement):
            yield (
                f"The policy {holder.name} may pass a role to any service: {statement.name} allows iam:PassRole "
                "without a condition. Set Condition to StringEquals of iam:PassedToService and the service."
            )

    yield from each(identity_policies.allowed(stack, holder), judge)


def _allowed(stack: Stack, holder: Resource) -> list[Statement]:
    """The Allow statements of whatever policies a resource holds, of those that let others in too."""
    of_identity = identity_policies.allowed(stack, holder) if holder.type in identity_policies.TYPES else []
    return of_identity + [one for one in _of_others(holder) if identity_policies.allows(one)]


def _of_others(holder: Resource) -> list[Statement]:
    """The statements of a trust policy or a resource's policy, as far as they can be read."""
    try:
        return statements(holder.value(DOCUMENTS[holder.type])) if holder.type in DOCUMENTS else []
    except Undecided:
        return []


def _takes_no_resource(action: str) -> bool:
    if iam_actions.is_pattern(action):
        return False
    found = iam_actions.covered(action)
    return bool(found) and not found[0].takes_resources


def _is_narrowed(statement: Statement) -> bool:
    """Whether a condition says which resources are meant."""
    return any(
        (condition.key in _NARROWING or any(part in condition.key for part in _NARROWING_BY_NAME))
        and all(map(conditions.has_text, condition.values))
        for condition in conditions.limiting(statement.conditions)
    )


def _names_service(statement: Statement) -> bool:
    return any(
        condition.key == "iam:passedtoservice"
        and condition.values
        and not any(value.startswith("*") for value in condition.values)
        for condition in conditions.limiting(statement.conditions)
    )


def _listed(names: list[str]) -> str:
    """Some names, as a sentence lists them."""
    shown = list(dict.fromkeys(names))
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return ", ".join(shown[:SHOWN]) + more
