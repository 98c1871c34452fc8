"""What a role may do, by everything in a stack that gives it permissions, and by the policy of what it does it to."""

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
_MANAGED: Mapping[str, tuple[Mapping[str, object], ...]] = {
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
"""Policies that AWS wrote, as far as the answers here need them. Any other may allow anything."""

_SOURCES = (
    (resource_types.ROLE_POLICY, "role"),
    (resource_types.ROLE_POLICY_ATTACHMENT, "role"),
    (resource_types.POLICY_ATTACHMENT, "roles"),
    (resource_types.ROLE_POLICY_ATTACHMENTS, "roleName"),
)
"""What gives permissions to a role, and where it names the role."""


@dataclass(frozen=True)
class Grant:
    """One statement that a role has, and where it is written."""

    statement: Statement
    holder: Resource
    """The resource that the statement, or the attachment of its policy, is written in."""
    source: Resource | str
    """The resource whose document it is in, or the ARN of a policy that AWS wrote."""

    @property
    def about(self) -> str:
        """What a finding about it is about: the statement, or the attachment of a policy that AWS wrote."""
        if isinstance(self.source, str):
            return f"{self.holder.urn} {self.source}"
        return self.statement.identify(self.source)


@dataclass(frozen=True)
class Permissions:
    """All statements of a role that can be read."""

    grants: tuple[Grant, ...]
    complete: bool
    """Whether there are no others."""


def permissions_of(stack: Stack, role: Resource) -> Permissions:
    """What this role is given in this stack."""
    return stack.memoize(_collected, role)


def allows(stack: Stack, role: Resource, action: str, target: Resource | str) -> bool:
    """Whether the role may do this to this resource, or to this ARN. Raises Undecided where nobody can tell.

    A permissions boundary and conditions, which can only narrow it, are taken to agree.
    """
    answer = stack.memoize(_answer, role, action, target)
    return values.raise_undecided(f"what {role.name} may do is unknown") if answer is None else answer


def allows_somewhere(stack: Stack, role: Resource, action: str) -> bool:
    """Whether the role may do this to anything at all. Raises Undecided where nobody can tell."""
    given = permissions_of(stack, role)
    if values.any_of(given.grants, lambda grant: grant.statement.allows and grant.statement.covers(action)):
        return True
    return False if given.complete else values.raise_undecided(f"a policy of {role.name} is not ours to read")


def _answer(stack: Stack, role: Resource, action: str, target: Resource | str) -> bool | None:
    """The same, kept for those who share a role; None where nobody can tell."""
    given = permissions_of(stack, role)
    if any(_settled(partial(_denies, grant.statement, action, target)) for grant in given.grants):
        return False
    answers = [_settled(partial(_allows, grant.statement, action, target)) for grant in given.grants]
    if True in answers:
        return True
    if None in answers or not given.complete:
        return None
    return _settled(partial(_admitted, stack, role, action, target))


def _collected(stack: Stack, role: Resource) -> Permissions:
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
"""Statements, each with the resource whose document it is in, or the ARN of a policy that AWS wrote."""


def _places(stack: Stack, role: Resource) -> Iterator[tuple[Resource, Callable[[], SourcedStatements | None]]]:
    """Everything that gives the role statements, each with a way to read them."""
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
    """The statements of the policies that an attachment names; None where one of them is not ours to read."""
    if attachment.type == resource_types.ROLE_POLICY_ATTACHMENTS:
        return _listed(stack, attachment, "policyArns")
    attached = stack.target(attachment, "policyArn", resource_types.POLICY)
    return _statements_in(attached) if attached is not None else _by_aws(attachment.text("policyArn") or "")


def _inline(role: Resource) -> SourcedStatements:
    return [
        (statement, role)
        for inline in role.items("inlinePolicies")
        for statement in policy_documents.statements((values.document(inline) or {}).get("policy"))
    ]


def _listed(stack: Stack, holder: Resource, path: str) -> SourcedStatements | None:
    """The statements of the policies in a list; None where one of them is not ours to read."""
    listed: SourcedStatements = []
    for arn in holder.texts(path):
        policy = stack.find(arn, resource_types.POLICY)
        written = _statements_in(policy) if policy is not None else _by_aws(arn)
        if written is None:
            return None
        listed += written
    return listed


def _by_aws(arn: str) -> SourcedStatements | None:
    """What AWS wrote into a policy of its own; None where it is not known here."""
    if ":iam::aws:policy/" not in arn:
        return None
    written = _MANAGED.get(arn.rpartition("/")[2])
    return (
        None
        if written is None
        else [(Statement({"Resource": "*", **statement}, i), arn) for i, statement in enumerate(written)]
    )


def _may_have_more(stack: Stack, role: Resource) -> bool:
    """Whether something gives permissions to a role that nobody can name yet, or that this program does not make."""
    return role.external or any(stack.referring(role, path, type_).undecided for type_, path in _SOURCES)


def _settled(question: partial[bool]) -> bool | None:
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
    """Whether a pattern in a policy takes in this resource. Raises Undecided while its ARN is unknown."""
    if pattern == "*":
        return True
    arn = target if isinstance(target, str) else target.props.get("arn")
    if isinstance(arn, str):
        return conditions.covers_resource(pattern, arn)
    arn_parts = arns.parts(pattern)
    if (
        arn_parts is not None
        and isinstance(target, Resource)
        and arn_parts[1] not in ("*", arns.service_of(target.type))
    ):
        return False
    return values.raise_undecided("the ARN is not known yet")


def _admitted(stack: Stack, role: Resource, action: str, called: Resource | str) -> bool:
    """Whether the policy of the resource, a grant or a permission lets this role in by itself."""
    target = (
        stack.find(called, resource_types.FUNCTION, resource_types.FUNCTION_ALIAS)
        if isinstance(called, str)
        else called
    )
    if target is None:
        return False
    if target.type in (resource_types.FUNCTION, resource_types.FUNCTION_ALIAS):
        return _permitted(stack, role, action, target)
    if target.type in resource_types.KEYS and _granted(stack, role, action, target):
        return True
    if target.type not in policy_documents.RESOURCE_POLICIES:
        return False
    if target.external:
        values.raise_undecided(f"the policy of {target.name} is not this program's")
    statements = policy_documents.statements_about(stack, target) or []
    answers = [_settled(partial(_names, statement, role, action)) for statement in statements]
    if True in answers:
        return True
    if None in answers:
        values.raise_undecided(f"the policy of {target.name} is unknown")
    return False


def _granted(stack: Stack, role: Resource, action: str, key: Resource) -> bool:
    """Whether a grant of a key is for this role (https://docs.aws.amazon.com/kms/latest/developerguide/grants.html)."""
    grants = stack.referring(key, "keyId", resource_types.KEY_GRANT).certain
    return values.any_of(
        grants,
        lambda grant: (
            action.partition(":")[2] in grant.texts("operations")
            and stack.target(grant, "granteePrincipal", resource_types.ROLE) is role
        ),
    )


def _permitted(stack: Stack, role: Resource, action: str, function: Resource) -> bool:
    """Whether a permission of a function is for this role, or for everybody."""

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
"""What it takes to hand something over to a resource of this type."""


def missing_to_send(stack: Stack, role: Resource, holder: Resource, path: str, target: Resource) -> list[str]:
    """The actions that a role lacks to hand something over to what a property names, each with what it lacks on.

    Raises Undecided where nobody can tell.
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
    """What a policy has to name: of a function the version or alias that is called, and not the function."""
    given = holder.value(path)
    return given if target.type == resource_types.FUNCTION and isinstance(given, str) and arns.parts(given) else target
