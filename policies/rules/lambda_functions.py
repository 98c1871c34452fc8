"""Lambda functions: their log groups, roles, environments and runtimes."""

import re

from ..aws import environment_variables, runtimes
from ..model import exemptions, resource_types, values
from ..model.finding import Complaints, Finding
from ..model.rule import rule, stack_rule
from ..model.stack import Resource, Stack
from ..model.values import Mark

DEFAULT_LOG_GROUP = "/aws/lambda/"
_USES_OF_ROLES = (
    (resource_types.FUNCTION, "role"),
    (resource_types.STATE_MACHINE, "roleArn"),
    (resource_types.SCHEDULE, "target.roleArn"),
    (resource_types.EVENT_TARGET, "roleArn"),
    (resource_types.PIPE, "roleArn"),
)
_GUIDE = "https://docs.aws.amazon.com/lambda/latest/dg"


@stack_rule(
    resource_types.FUNCTION,
    severity="medium",
    enforcement="advisory",
    link=f"{_GUIDE}/monitoring-cloudwatchlogs-loggroups.html",
)
def function_declares_its_log_group(function: Resource, stack: Stack) -> Complaints:
    """The log group of a function is declared: logs in one that Lambda creates never expire.

    Declare the log group with retentionInDays, or set loggingConfig.logGroup to the name of one.
    """
    if function.has("loggingConfig.logGroup"):
        return None
    # A known name is compared completely: a log group with the function's own name is not the default log group.
    named_after_it = stack.referring(function, "name", resource_types.LOG_GROUP).certain
    if any(isinstance(group.value("name"), Mark) for group in named_after_it):
        return None
    declared, undecided = stack.memoize(_names_of_log_groups)
    name = function.value("name")
    if isinstance(name, str) and f"{DEFAULT_LOG_GROUP}{name}" in declared:
        return None
    if undecided:
        values.raise_undecided("a log group's name is unknown")
    where = f"a LogGroup named {DEFAULT_LOG_GROUP}{name if isinstance(name, str) else ' and the name of the function'}"
    return Finding(
        f"The logs of the function {function.name} never expire: loggingConfig.logGroup is absent, and no log group "
        "with the default name is declared.",
        f"Declare {where} with retentionInDays, or set loggingConfig.logGroup to the name of one.",
    )


@stack_rule(
    resource_types.FUNCTION,
    severity="medium",
    enforcement="advisory",
    link=f"{_GUIDE}/lambda-intro-execution-role.html",
)
def function_has_a_role_of_its_own(function: Resource, stack: Stack) -> Complaints:
    """A function shares its role with nothing else, so that it has only the permissions that it needs.

    Set role to one that nothing else uses.
    """
    role_arn = function.value("role")
    if role_arn is None:
        return None
    role = stack.target(function, "role", resource_types.ROLE)
    if role is not None:
        users = stack.memoize(_users_of_role, role)
    else:
        users = stack.memoize(_users_by_arn).get(values.require_known(role_arn), {})
    other = next((user for urn, user in users.items() if urn != function.urn), None)
    if other is None:
        return None
    others = len(users) - (function.urn in users)
    more = f" and {others - 1} more" if others > 1 else ""
    return Finding(
        f"The function {function.name} shares the role {role.name if role else role_arn} with {other.name}{more}, "
        "so each has the permissions of the other.",
        "Set role to one that nothing else uses.",
    )


@stack_rule(
    resource_types.FUNCTION,
    severity="critical",
    enforcement="mandatory",
    link=f"{_GUIDE}/configuration-envvars-encryption.html",
)
def function_environment_holds_no_credential(function: Resource, stack: Stack) -> Complaints:
    """A function's environment contains no credential, by the name or the form of a variable.

    Keep the credential in Secrets Manager, and set the variable to the secret's ARN.
    """
    variables = values.document(function.value("environment.variables")) or {}
    for name, value in variables.items():
        reason = environment_variables.find_credential(stack, name, value)
        if reason:
            yield Finding(
                f"The environment of the function {function.name} contains a plaintext credential, visible to anyone "
                f"with lambda:GetFunctionConfiguration: {name} {reason}.",
                "Keep it in Secrets Manager, and set the variable to the secret's ARN.",
            )


@stack_rule(
    *environment_variables.TYPES,
    severity="critical",
    enforcement="mandatory",
    link="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html",
)
def environment_holds_no_credential(holder: Resource, stack: Stack) -> Complaints:
    """The environment of a container, a build, a job or an app contains no credential.

    Keep the credential in Secrets Manager, and refer to the secret.
    """
    for name, value in environment_variables.read(holder):
        reason = environment_variables.find_credential(stack, name, value)
        if reason:
            yield Finding(
                f"The environment of {holder.name} contains a plaintext credential, visible to anyone who may describe "
                f"the resource: {name} {reason}.",
                "Keep it in Secrets Manager, and refer to the secret.",
            )


@rule(resource_types.FUNCTION, severity="medium", enforcement="advisory", link=f"{_GUIDE}/lambda-runtimes.html")
def function_runtime_is_supported(function: Resource) -> Complaints:
    """A function's runtime is supported: a deprecated one gets no security updates.

    Set runtime to a supported one.
    """
    runtime = function.text("runtime")
    ends = runtimes.DEPRECATION_DATES.get(runtime) if runtime else None
    if ends is None or ends >= exemptions.today():
        return None
    family = re.match(r"[a-z]+", str(runtime))
    supported = [name for name, end in runtimes.DEPRECATION_DATES.items() if end >= exemptions.today()]
    newer = sorted(
        (name for name in supported if family and re.fullmatch(rf"{family[0]}[\d.].*", name)),
        key=lambda name: [int(part) for part in re.findall(r"\d+", name)],
    )
    advice = f"{newer[-1]} or another supported runtime" if newer else "a supported one"
    return Finding(
        f"The runtime of the function {function.name} gets no security updates: runtime is {runtime}, whose support "
        f"ended on {ends.isoformat()}.",
        f"Set runtime to {advice}.",
    )


def _names_of_log_groups(stack: Stack) -> tuple[set[str], bool]:
    """The known names, and whether an unknown one may be that of any function."""
    names = {group: group.value("name") for group in stack.of_type(resource_types.LOG_GROUP)}
    unknown = [group for group, name in names.items() if isinstance(name, Mark)]
    return (
        {name for name in names.values() if isinstance(name, str)},
        any(not _is_named_after_function(stack, group) for group in unknown),
    )


def _is_named_after_function(stack: Stack, group: Resource) -> bool:
    """Whether the unknown name of a log group depends on a function."""
    derived_from = [stack.by_urn(urn) for urn in group.property_dependencies.get("name", ())]
    return any(resource is not None and resource.type == resource_types.FUNCTION for resource in derived_from)


def _users_of_role(stack: Stack, role: Resource) -> dict[str, Resource]:
    """The resources that use a role of this stack, by URN."""
    return {user.urn: user for type_, path in _USES_OF_ROLES for user in stack.referring(role, path, type_).certain}


def _users_by_arn(stack: Stack) -> dict[str, dict[str, Resource]]:
    """The functions by role ARN and URN, for roles that are not in this stack."""
    by_arn: dict[str, dict[str, Resource]] = {}
    for function in stack.of_type(resource_types.FUNCTION):
        arn = function.value("role")
        if isinstance(arn, str):
            by_arn.setdefault(arn, {})[function.urn] = function
    return by_arn
