"""Drift between what the roles are granted and what they need.

The policies are read and compared here. IAM's own simulator would also know permissions boundaries and policies of an
organization, but not the conditions of a call; a boundary is therefore reported.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .examination import Examination
from .expectations import ALWAYS, BY_SETTINGS, WITH_KEY, Permission
from .functions import read_configuration
from .keys import find_customer_key
from .link import REDEPLOY, Check, Finding, Unanswered, broken, cannot_tell, note, unlisted
from .resource_policies import DENIED, UNKNOWN, Request, decide, list_actions, parse
from .schedules import Schedule, find_schedules, read_schedule

Statements = Sequence[Mapping[str, Any]]
_PLACEHOLDER = re.compile(r"\{([^}]+)\}")
_CONTEXT = {"aws:securetransport": "true"}


def list_checks(examination: Examination) -> Iterable[Check]:
    """One for each role: of the functions, of the workflow and of the schedules."""
    try:
        functions = list(examination.names("function_names"))
    except Unanswered as unanswered:
        yield unlisted("permissions", "all functions", unanswered)
        functions = []
    for short in functions:
        if short in examination.expected.permissions:
            yield _build_check(examination, short, _role_of_function(examination, short))
    if examination.expects("state_machine_arn"):
        yield _build_check(examination, "workflow", lambda: _find_workflow_role(examination))
    for schedule in find_schedules(examination):
        yield _build_check(examination, schedule.role, _role_of_schedule(examination, schedule))


def judge_permissions(
    role: str,
    statements: Statements,
    needed: Sequence[tuple[str, str]],
    possible: Iterable[str],
    managed_policies: Sequence[str] = (),
) -> Iterator[Finding]:
    """Whether a role is granted what it needs: pairs of an action and an ARN, or an empty text for any resource.

    `possible` are actions that some setting brings. Conditions of a grant are not compared, those of a denial are.
    """
    unconditional = [_without_conditions(statement) for statement in statements]
    missing, denied = [], []
    for action, resource in needed:
        result = decide(unconditional, Request(action, resource, context=_CONTEXT))
        if result == DENIED:
            missing.append(f"{action} on {resource}" if resource else action)
        elif result == UNKNOWN:
            denied.append(action)
    if missing and managed_policies:
        yield cannot_tell(
            f"The role {role} is not granted {', '.join(missing)}, unless by the managed policies "
            f"{', '.join(managed_policies)}, which are not read here.",
            f"Read the managed policies, or {REDEPLOY[0].lower()}{REDEPLOY[1:]}",
        )
    elif missing:
        yield broken(f"The role {role} is not granted {', '.join(missing)}.", REDEPLOY)
    if denied:
        yield cannot_tell(
            f"The role {role} is denied {', '.join(denied)} under conditions that are not evaluated here.",
            "Read the policies of the role.",
        )
    known = {action.lower() for action, _ in needed} | {action.lower() for action in possible}
    extra = [action for action in list_actions(statements) if action.lower() not in known]
    if extra:
        yield note(f"The role {role} is also granted {', '.join(extra)}.")


def _without_conditions(statement: Mapping[str, Any]) -> Mapping[str, Any]:
    """A grant without its conditions, which are about calls; a denial keeps them."""
    if statement.get("Effect") != "Allow":
        return statement
    return {name: value for name, value in statement.items() if name != "Condition"}


def _build_check(examination: Examination, short: str, find_role: Callable[[], str | None]) -> Check:
    def check() -> Iterator[Finding]:
        role_arn = find_role()
        if role_arn is None:
            raise Unanswered(cannot_tell(f"What uses the role of {short} does not exist.", "Repair its link first."))
        yield from check_role(examination, role_arn, *list_needed(examination, short))

    return Check("permissions", short, (check,))


def list_needed(examination: Examination, short: str) -> tuple[list[tuple[str, str]], list[str]]:
    """What a role needs here, and what some setting brings, as `judge_permissions` compares it. Raises Unanswered."""
    permissions = examination.expected.permissions[short]
    resolved = ((permission.action, _resolve(examination, permission)) for permission in permissions)
    needed = [(action, resource) for action, resource in resolved if resource is not None]
    return needed, [permission.action for permission in permissions]


def check_role(
    examination: Examination, role_arn: str, needed: Sequence[tuple[str, str]], possible: Iterable[str] = ()
) -> Iterator[Finding]:
    """Whether a role is granted what it needs, as `judge_permissions` says it. Raises Unanswered."""
    role = role_arn.rpartition("/")[2]
    statements = list(_read_statements(examination, role))
    attached = examination.read("iam:ListAttachedRolePolicies", RoleName=role) or {}
    managed = [policy["PolicyName"] for policy in attached.get("AttachedPolicies", [])]
    yield from judge_permissions(role, statements, needed, possible, managed)
    yield from judge_boundary(role, examination.read("iam:GetRole", RoleName=role))


def judge_boundary(role: str, described: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Whether a boundary limits what a role is granted."""
    boundary = ((described or {}).get("Role", {}).get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
    if boundary:
        yield note(f"The permissions boundary {boundary} may withdraw what the role {role} is granted.")


def _read_statements(examination: Examination, role: str) -> Iterator[Mapping[str, Any]]:
    """The statements of a role's inline policies."""
    listed = examination.read("iam:ListRolePolicies", RoleName=role)
    if listed is None:
        raise Unanswered(broken(f"The role {role} does not exist."))
    for policy in listed["PolicyNames"]:
        response = examination.read_existing("iam:GetRolePolicy", RoleName=role, PolicyName=policy)
        yield from parse(response["PolicyDocument"])


def _resolve(examination: Examination, permission: Permission) -> str | None:
    """The ARN that a permission is needed on; empty for any, None if it is not needed."""
    if permission.when == WITH_KEY:
        return "" if find_customer_key(examination) else None
    if permission.when == BY_SETTINGS:
        # Settings choose functions of the stack, which the outputs name; what else they choose is not known.
        short = permission.resource.removeprefix("{function:").removesuffix("}")
        if short not in examination.names("function_names"):
            return None
    elif permission.when != ALWAYS:
        return None
    known = {"partition": examination.partition, "region": examination.region, "account": examination.account}
    for name in set(_PLACEHOLDER.findall(permission.resource)) - known.keys():
        arn = _find_arn(examination, name)
        if arn is None:
            return None
        known[name] = arn
    return _PLACEHOLDER.sub(lambda found: known[found[1]], permission.resource)


def _find_arn(examination: Examination, name: str) -> str | None:
    """The ARN that an output or a function stands for; None if the stack does not have it."""
    if name.startswith("function:"):
        return examination.function_arn(name.removeprefix("function:"))
    if not examination.has(name):
        return None
    if name == "event_bus_name":
        return examination.bus_arn()
    value = examination.output(name)
    if name.endswith("_url"):
        return examination.queue_arn(name)
    if name.endswith("_table_name") or name == "table_name":
        existing = examination.deployment.outputs.get("existing_arns") or {}
        return existing.get(f"{name.removesuffix('_name')}_arn") or examination.arn("dynamodb", f"table/{value}")
    if name.endswith("_bucket_name"):
        # (https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-arn-format.html)
        return f"arn:{examination.partition}:s3:::{value}"
    if name == "kill_switch_parameter_name":
        return examination.arn("ssm", f"parameter/{value.removeprefix('/')}")
    return value


def _role_of_function(examination: Examination, short: str) -> Callable[[], str | None]:
    def find() -> str | None:
        configuration = read_configuration(examination, short)
        return None if configuration is None else configuration["Role"]

    return find


def _find_workflow_role(examination: Examination) -> str | None:
    machine = examination.read("states:DescribeStateMachine", stateMachineArn=examination.output("state_machine_arn"))
    return None if machine is None else machine["roleArn"]


def _role_of_schedule(examination: Examination, schedule: Schedule) -> Callable[[], str | None]:
    def find() -> str | None:
        described = read_schedule(examination, schedule)
        return None if described is None else described["Target"]["RoleArn"]

    return find
