"""Evaluates the permissions of a role, by its own policies and by the policy of the called resource."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from ...model import resource_types, values
from ...model.stack import Resource, Stack
from ...model.values import Undecided
from .. import arns, encryption
from . import conditions, policy_documents
from .policy_documents import Statement

_LOGS = {"Effect": "Allow", "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]}
_READS_QUEUES = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
_AWS_MANAGED_POLICIES: Mapping[str, tuple[Mapping[str, object], ...]] = {
    "AdministratorAccess": ({"Effect": "Allow", "Action": "*"},),
    "AmazonSQSFullAccess": ({"Effect": "Allow", "Action": "sqs:*"},),
    "AmazonSNSFullAccess": ({"Effect": "Allow", "Action": "sns:*"},),
    "AWSLambda_FullAccess": ({"Effect": "Allow", "Action": "lambda:*"},),
    "AWSStepFunctionsFullAccess": ({"Effect": "Allow", "Action": "states:*"},),
    "AWSLambdaRole": ({"Effect": "Allow", "Action": "lambda:InvokeFunction"},),
    "AWSLambdaBasicExecutionRole": (_LOGS,),
    "AWSLambdaVPCAccessExecutionRole": (_LOGS, {"Effect": "Allow", "Action": "ec2:*NetworkInterface*"}),
    "AWSLambdaSQSQueueExecutionRole": (_LOGS, {"Effect": "Allow", "Action": _READS_QUEUES}),
    "AWSLambdaDynamoDBExecutionRole": (_LOGS, {"Effect": "Allow", "Action": "dynamodb:*Stream*"}),
    "AWSLambdaKinesisExecutionRole": (_LOGS, {"Effect": "Allow", "Action": "kinesis:*"}),
    "AWSXRayDaemonWriteAccess": ({"Effect": "Allow", "Action": "xray:*"},),
    "CloudWatchLambdaInsightsExecutionRolePolicy": (_LOGS,),
}
"""AWS managed policies, as far as rules need them. Others are taken as unknown."""

_SOURCES = (
    (resource_types.ROLE_POLICY, "role"),
    (resource_types.ROLE_POLICY_ATTACHMENT, "role"),
    (resource_types.POLICY_ATTACHMENT, "roles"),
    (resource_types.ROLE_POLICY_ATTACHMENTS, "roleName"),
)
"""Resources with permissions of a role, and the property that refers to the role."""


@dataclass(frozen=True)
class Grant:
    """A statement that applies to a role, and its origin."""

    statement: Statement
    holder: Resource
    """The resource with the statement, or with the attachment of its policy."""
    source: Resource | str
    """The resource with the policy document, or the ARN of an AWS managed policy."""

    @property
    def about(self) -> str:
        """Identifies the statement, or the attachment of an AWS managed policy, in `Finding.about`."""
        if isinstance(self.source, str):
            return f"{self.holder.urn} {self.source}"
        return self.statement.identify(self.source)


@dataclass(frozen=True)
class Permissions:
    """The known statements of a role."""

    grants: tuple[Grant, ...]
    complete: bool
    """Whether there are no unknown statements."""


def permissions_of(stack: Stack, role: Resource) -> Permissions:
    """The permissions of a role in this stack."""
    return stack.memoize(_collect, role)


def allows(stack: Stack, role: Resource, action: str, target: Resource | str) -> bool:
    """Whether a role may perform an action on a resource or ARN. Raises Undecided where an unknown value decides.

    Ignores permissions boundaries and conditions, which can only restrict.
    """
    answer = stack.memoize(_answer, role, action, target)
    return values.raise_undecided(f"what {role.name} may do is unknown") if answer is None else answer


def allows_somewhere(stack: Stack, role: Resource, action: str) -> bool:
    """Whether a role may perform an action on some resource. Raises Undecided where an unknown value decides."""
    permissions = permissions_of(stack, role)
    if values.any_of(permissions.grants, lambda grant: grant.statement.allows and grant.statement.covers(action)):
        return True
    return False if permissions.complete else values.raise_undecided(f"a policy of {role.name} is unknown")


def _answer(stack: Stack, role: Resource, action: str, target: Resource | str) -> bool | None:
    """The same, memoized per role; None where an unknown value decides."""
    permissions = permissions_of(stack, role)
    if any(_decide(partial(_denies, grant.statement, action, target)) for grant in permissions.grants):
        return False
    answers = [_decide(partial(_allows, grant.statement, action, target)) for grant in permissions.grants]
    if True in answers:
        return True
    if None in answers or not permissions.complete:
        return None
    return _decide(partial(_is_allowed_by_resource, stack, role, action, target))


def _collect(stack: Stack, role: Resource) -> Permissions:
    grants: list[Grant] = []
    complete = True
    for holder, read in _places(stack, role):
        try:
            sourced = read()
        except Undecided:
            sourced = None
        if sourced is None:
            complete = False
        else:
            grants += [Grant(statement, holder, source) for statement, source in sourced]
    return Permissions(tuple(grants), complete and not _may_have_more(stack, role))


SourcedStatements = list[tuple[Statement, Resource | str]]
"""Statements, each with the resource of the policy document, or the ARN of an AWS managed policy."""


def _places(stack: Stack, role: Resource) -> Iterator[tuple[Resource, Callable[[], SourcedStatements | None]]]:
    """List the resources with statements for the role, each with a function that reads them."""
    for policy in stack.referring(role, "role", resource_types.ROLE_POLICY).certain:
        yield policy, partial(_statements_in, policy)
    for type_, path in _SOURCES[1:]:
        for attachment in stack.referring(role, path, type_).certain:
            yield attachment, partial(_attached, stack, attachment)
    yield role, partial(_inline, role)
    yield role, partial(_listed, stack, role, "managedPolicyArns")


def _statements_in(policy: Resource) -> SourcedStatements:
    return [(statement, policy) for statement in policy_documents.statements(policy.value("policy"))]


def _attached(stack: Stack, attachment: Resource) -> SourcedStatements | None:
    """The statements of the attached policies; None where one of them is unknown."""
    if attachment.type == resource_types.ROLE_POLICY_ATTACHMENTS:
        return _listed(stack, attachment, "policyArns")
    attached = stack.target(attachment, "policyArn", resource_types.POLICY)
    return _statements_in(attached) if attached is not None else _read_aws_managed(attachment.text("policyArn") or "")


def _inline(role: Resource) -> SourcedStatements:
    return [
        (statement, role)
        for inline in role.items("inlinePolicies")
        for statement in policy_documents.statements((values.document(inline) or {}).get("policy"))
    ]


def _listed(stack: Stack, holder: Resource, path: str) -> SourcedStatements | None:
    """The statements of the policies in a list; None where one of them is unknown."""
    listed: SourcedStatements = []
    for arn in holder.texts(path):
        policy = stack.find(arn, resource_types.POLICY)
        written = _statements_in(policy) if policy is not None else _read_aws_managed(arn)
        if written is None:
            return None
        listed += written
    return listed


def _read_aws_managed(arn: str) -> SourcedStatements | None:
    """The statements of an AWS managed policy; None where they are unknown."""
    if ":iam::aws:policy/" not in arn:
        return None
    written = _AWS_MANAGED_POLICIES.get(arn.rpartition("/")[2])
    return (
        None
        if written is None
        else [(Statement({"Resource": "*", **statement}, i), arn) for i, statement in enumerate(written)]
    )


def _may_have_more(stack: Stack, role: Resource) -> bool:
    """Whether the role is external, or an unknown value may refer to it."""
    return role.external or any(stack.referring(role, path, type_).undecided for type_, path in _SOURCES)


def _decide(question: partial[bool]) -> bool | None:
    try:
        return question()
    except Undecided:
        return None


def _allows(statement: Statement, action: str, target: Resource | str) -> bool:
    return statement.allows and statement.covers(action) and _takes_in(statement, target)


def _denies(statement: Statement, action: str, target: Resource | str) -> bool:
    return statement.denies and not statement.conditions and statement.covers(action) and _takes_in(statement, target)


def _takes_in(statement: Statement, target: Resource | str) -> bool:
    return statement.matches_resource_if(lambda pattern: covers(pattern, target))


def covers(pattern: str, target: Resource | str) -> bool:
    """Whether a pattern in a policy matches a resource. Raises Undecided where its ARN is unknown."""
    if pattern == "*":
        return True
    arn = target if isinstance(target, str) else target.props.get("arn")
    if isinstance(arn, str):
        return conditions.covers_resource(pattern, arn)
    parsed = arns.parse(pattern)
    if (
        parsed is not None
        and isinstance(target, Resource)
        and parsed.service not in ("*", arns.service_of(target.type))
    ):
        return False
    return values.raise_undecided("the ARN is not known yet")


def _is_allowed_by_resource(stack: Stack, role: Resource, action: str, called: Resource | str) -> bool:
    """Whether the resource's policy, a grant or a permission allows the role to call it."""
    target = (
        stack.find(called, resource_types.FUNCTION, resource_types.FUNCTION_ALIAS)
        if isinstance(called, str)
        else called
    )
    if target is None:
        return False
    if target.type in (resource_types.FUNCTION, resource_types.FUNCTION_ALIAS):
        return _has_permission(stack, role, action, target)
    if target.type in resource_types.KEYS and _has_grant(stack, role, action, target):
        return True
    if target.type not in policy_documents.POLICY_RESOURCES:
        return False
    if target.external:
        values.raise_undecided(f"the policy of {target.name} is not this program's")
    statements = policy_documents.statements_about(stack, target) or []
    answers = [_decide(partial(_names, statement, role, action)) for statement in statements]
    if True in answers:
        return True
    if None in answers:
        values.raise_undecided(f"the policy of {target.name} is unknown")
    return False


def _has_grant(stack: Stack, role: Resource, action: str, key: Resource) -> bool:
    """Whether a key has a grant for this role (https://docs.aws.amazon.com/kms/latest/developerguide/grants.html)."""
    grants = stack.referring(key, "keyId", resource_types.KEY_GRANT).certain
    return values.any_of(
        grants,
        lambda grant: (
            action.partition(":")[2] in grant.texts("operations")
            and stack.target(grant, "granteePrincipal", resource_types.ROLE) is role
        ),
    )


def _has_permission(stack: Stack, role: Resource, action: str, function: Resource) -> bool:
    """Whether a function has a permission for this role, or for everyone."""

    def is_for_it(permission: Resource) -> bool:
        principal = permission.value("principal")
        return policy_documents.matches(permission.text("action") or "", action) and (
            principal == "*" or stack.target(permission, "principal", resource_types.ROLE) is role
        )

    return values.any_of(stack.referring(function, "function", resource_types.FUNCTION_PERMISSION).certain, is_for_it)


def _names(statement: Statement, role: Resource, action: str) -> bool:
    if not (statement.allows and statement.covers(action)):
        return False
    if statement.is_public():
        return True
    principals = statement.principals.get("AWS", [])
    arn = role.props.get("arn")
    if not isinstance(arn, str) and any(":role/" in principal for principal in principals):
        values.raise_undecided("the role's ARN is not known yet")
    return arn in principals


SEND_ACTIONS: Mapping[str, str] = {
    resource_types.QUEUE: "sqs:SendMessage",
    resource_types.TOPIC: "sns:Publish",
    resource_types.FUNCTION: "lambda:InvokeFunction",
    resource_types.FUNCTION_ALIAS: "lambda:InvokeFunction",
    resource_types.STATE_MACHINE: "states:StartExecution",
    resource_types.EVENT_BUS: "events:PutEvents",
}
"""The action that sends to a resource of this type."""


def missing_to_send(stack: Stack, role: Resource, holder: Resource, path: str, target: Resource) -> list[str]:
    """The actions that a role lacks to send to a property's target, each with its resource.

    Raises Undecided where an unknown value decides.
    """
    action = SEND_ACTIONS[target.type]
    missing = [] if allows(stack, role, action, _called(holder, path, target)) else [f"{action} on {target.name}"]
    key = encryption.find_key(stack, target) if target.type in (resource_types.QUEUE, resource_types.TOPIC) else None
    if key is not None:
        missing += [
            f"{use} on the key {key.name}" for use in encryption.KEY_ACTIONS if not allows(stack, role, use, key)
        ]
    return missing


def _called(holder: Resource, path: str, target: Resource) -> Resource | str:
    """The resource that a policy must name: for a function the version or alias that is called."""
    reference = holder.value(path)
    return (
        reference
        if target.type == resource_types.FUNCTION and isinstance(reference, str) and arns.parse(reference)
        else target
    )
