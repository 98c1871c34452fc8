"""Step Functions: errors are logged, and the role allows exactly what the definition calls."""

from collections.abc import Iterable
from functools import partial

from ..aws import arns, state_language
from ..aws.iam import actions as iam_actions
from ..aws.iam import conditions, reference_types, role_permissions, wildcards
from ..aws.iam.policy_documents import matches
from ..aws.iam.role_permissions import Grant
from ..aws.state_language import Calls
from ..model import resource_types, values
from ..model.finding import Complaints, Finding
from ..model.rule import check_each, rule, stack_rule
from ..model.stack import Resource, Stack
from ..model.values import Undecided

LEVELS = ("ERROR", "ALL")
_LOG_ACTIONS = (
    "logs:CreateLogDelivery",
    "logs:CreateLogStream",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutLogEvents",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
)
"""Actions of log delivery, which do not support resource-level permissions."""
_TRACE_ACTIONS = (
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
)
_KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey*", "kms:Encrypt", "kms:DescribeKey", "kms:ReEncrypt*")
_ALWAYS_ACCEPTED = (*_LOG_ACTIONS, *_TRACE_ACTIONS, *_KEY_ACTIONS)
_CALLED = (
    resource_types.FUNCTION,
    resource_types.FUNCTION_ALIAS,
    resource_types.TOPIC,
    resource_types.QUEUE,
    resource_types.TABLE,
    resource_types.STATE_MACHINE,
)

_GUIDE = "https://docs.aws.amazon.com/step-functions/latest/dg"


@rule(resource_types.STATE_MACHINE, severity="medium", enforcement="mandatory", link=f"{_GUIDE}/cw-logs.html")
def state_machine_logs_errors(machine: Resource) -> Complaints:
    """A state machine logs its errors, to a destination that Step Functions accepts.

    Set loggingConfiguration.level to ERROR, and logDestination to the ARN of a log group followed by :*.
    """
    level = machine.text("loggingConfiguration.level")
    if level not in LEVELS:
        return Finding(
            f"The state machine {machine.name} does not log errors: loggingConfiguration.level is {level or 'absent'}.",
            "Set level to ERROR, and logDestination to the ARN of a log group followed by :*.",
            is_advisory=True,
        )
    if not machine.has("loggingConfiguration.logDestination"):
        return Finding(
            f"The state machine {machine.name} has no log destination: loggingConfiguration.logDestination is absent.",
            "Set logDestination to the ARN of a log group followed by :*.",
        )
    destination = machine.text("loggingConfiguration.logDestination") or ""
    if not destination.endswith(":*"):
        return Finding(
            f"Step Functions rejects the log destination of the state machine {machine.name}: "
            f"loggingConfiguration.logDestination is {destination}.",
            "Append :* to the ARN of the log group in logDestination.",
        )
    return None


@stack_rule(
    resource_types.STATE_MACHINE,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/procedure-create-iam-role.html",
)
def state_machine_role_is_limited_to_its_calls(machine: Resource, stack: Stack) -> Complaints:
    """A state machine's role allows only the actions that the definition calls, on the resources that it names.

    Set Action and Resource to what the definition calls.
    """
    role = stack.target(machine, "roleArn", resource_types.ROLE)
    if role is None:
        return
    users = stack.referring(role, "roleArn", resource_types.STATE_MACHINE).all()
    # If several state machines share the role, the first one reports.
    if users[:1] != (machine,):
        return
    called = _calls_of_all(stack, users)
    for grant in role_permissions.permissions_of(stack, role).grants:
        yield from check_each([grant], partial(_check_excess, machine, role, called))


@stack_rule(
    resource_types.STATE_MACHINE,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/procedure-create-iam-role.html",
)
def state_machine_role_may_make_its_calls(machine: Resource, stack: Stack) -> Complaints:
    """A state machine's role allows the actions that the definition calls.

    Allow the missing action in a policy of the role.
    """
    role = stack.target(machine, "roleArn", resource_types.ROLE)
    if role is None:
        return
    called = [
        (action, target)
        for action, targets in stack.memoize(_calls, machine).actions.items()
        for target in sorted(targets or ())
    ]
    yield from check_each(called, lambda call: _check_missing(stack, machine, role, *call))


def _calls_of_all(stack: Stack, machines: Iterable[Resource]) -> Calls:
    """The calls of several state machines. Raises Undecided where one is unknown."""
    all_calls = Calls()
    for machine in machines:
        all_calls.merge(stack.memoize(_calls, machine))
    return all_calls


def _calls(stack: Stack, machine: Resource) -> Calls:
    definition = machine.document("definition")
    if definition is None:
        values.raise_undecided("no definition")
    return state_language.find_calls(definition)


def _check_excess(machine: Resource, role: Resource, called: Calls, grant: Grant) -> Finding | None:
    """Report what a statement allows beyond the calls of the definition."""
    statement = grant.statement
    if not statement.allows:
        return None
    where = f"The role {role.name} of the state machine {machine.name}"
    if values.member(statement.raw, "NotAction") is not None:
        return Finding(
            f"{where} allows nearly everything: {statement.name} of {grant.holder.name} has NotAction.",
            "Set Action to what the definition calls.",
            about=grant.about,
        )
    # actions-exist reports actions that do not exist.
    checked = [
        pattern
        for pattern in statement.actions
        if not _is_accepted(pattern, called) and not iam_actions.unknown(pattern)
    ]
    names = {action.lower() for action in called.actions}
    excess = [pattern for pattern in checked if pattern.lower() not in names]
    if excess:
        covered = sorted({action for action in called.actions for pattern in excess if matches(pattern, action)})
        return Finding(
            f"{where} allows actions that the definition does not call: {statement.name} of {grant.holder.name} allows "
            f"{', '.join(excess)}.",
            f"Set Action to {', '.join(covered)}." if covered else f"Remove {', '.join(excess)} from Action.",
            about=grant.about,
        )
    if checked and len(checked) == len(statement.actions):
        return _check_excess_resources(where, called, grant, checked)
    return None


def _check_excess_resources(where: str, called: Calls, grant: Grant, actions: list[str]) -> Finding | None:
    """Report resources on which the definition performs none of these actions."""
    wanted = {pattern.lower() for pattern in actions}
    targets: set[str] = set()
    for action, known in called.actions.items():
        if action.lower() in wanted:
            if known is None:
                return None
            targets |= known
    statement = grant.statement
    excess = [
        pattern
        for pattern in statement.resources
        # The value of a policy variable is unknown.
        if not conditions.has_variable(pattern)
        and pattern not in targets
        and (_is_whole_type(pattern) or not any(_may_match(pattern, target) for target in targets))
    ]
    if not excess:
        return None
    return Finding(
        f"{where} allows more than the definition calls: {statement.name} of {grant.holder.name} allows "
        f"{', '.join(actions)} on {', '.join(excess)}.",
        f"Set Resource to what is called, {_list_some(targets)}.",
        about=grant.about,
    )


def _list_some(targets: set[str]) -> str:
    """List the first targets for a message."""
    listed = sorted(targets)
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")


def _is_accepted(pattern: str, called: Calls) -> bool:
    """Whether an action may be needed for something other than the known calls, such as logging."""
    service, _, _ = pattern.partition(":")
    if service.lower() in called.services:
        return True
    if (
        called.calls_other_services
        and service.lower() not in state_language.ACTIONS_NAMED_LIKE_CALLS
        and not iam_actions.is_pattern(service)
    ):
        return True
    # A wildcard within these, such as logs:*LogDelivery, stays within its service.
    return any(matches(allowed, pattern) for allowed in (*_ALWAYS_ACCEPTED, *called.optional_actions)) or (
        service.lower() in ("logs", "xray") and "*" in pattern.partition(":")[2].rstrip("*")
    )


def _is_whole_type(pattern: str) -> bool:
    """Whether a pattern matches every resource of a type."""
    return pattern == "*" or reference_types.whole_type(pattern) is not None


def _may_match(pattern: str, target: str) -> bool:
    """Whether a pattern of a policy may match the target of a step, which is an ARN, a URL or a name."""
    if wildcards.matches(pattern, target):
        return True
    pattern_name, target_name = _strip_suffix(pattern), _strip_suffix(target)
    if arns.parse(pattern) and arns.parse(target):
        return wildcards.matches(pattern_name, target_name)
    return wildcards.matches(_name(pattern_name), _name(target_name))


def _strip_suffix(value: str) -> str:
    """Strip a function's version or a table's index from an ARN."""
    value = value.partition("/index/")[0]
    if value.count(":") >= 7 and ":function:" in value:
        return ":".join(value.split(":")[:7])
    return value.removesuffix(":*") if value.count(":") >= 6 else value


def _name(value: str) -> str:
    return arns.name_in(value) or value.partition(":")[0]


def _check_missing(stack: Stack, machine: Resource, role: Resource, action: str, called: str) -> Complaints:
    target = stack.find(called, *_CALLED)
    if target is None and arns.parse(called) is None:
        return None
    if role_permissions.allows(stack, role, action, called if arns.parse(called) else target or called):
        return None
    if target is not None and target.type == resource_types.FUNCTION and _allows_roles(stack, target):
        return None
    return Finding(
        f"The state machine {machine.name} cannot run its definition: its role {role.name} lacks {action} on "
        f"{target.name if target else called}.",
        "Add the missing permissions to a policy of the role.",
    )


def _allows_roles(stack: Stack, function: Resource) -> bool:
    """Whether a permission of the function is for a role."""
    for permission in stack.referring(function, "function", resource_types.FUNCTION_PERMISSION).certain:
        try:
            if not (permission.text("principal") or "").endswith(".amazonaws.com"):
                return True
        except Undecided:
            return True
    return False
