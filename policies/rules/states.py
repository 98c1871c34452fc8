"""Step Functions: errors are logged, and the role allows exactly what the definition calls."""

from collections.abc import Iterable
from functools import partial

from ..aws import arns, state_language
from ..aws.iam import actions as iam_actions
from ..aws.iam import conditions, resource_types, role_permissions, wildcards
from ..aws.iam.policy_documents import matches
from ..aws.iam.role_permissions import Grant
from ..aws.state_language import Calls
from ..model import resource_types as kinds
from ..model import values
from ..model.finding import Complaints, Finding
from ..model.rule import check_each, rule, stack_rule
from ..model.stack import Resource, Stack
from ..model.values import Undecided

LEVELS = ("ERROR", "ALL")
_LOGGING = (
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
"""What log delivery takes, which AWS holds to no resource."""
_TRACING = (
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
)
_KEYS = ("kms:Decrypt", "kms:GenerateDataKey*", "kms:Encrypt", "kms:DescribeKey", "kms:ReEncrypt*")
_ALWAYS = (*_LOGGING, *_TRACING, *_KEYS)
_CALLED = (kinds.FUNCTION, kinds.FUNCTION_ALIAS, kinds.TOPIC, kinds.QUEUE, kinds.TABLE, kinds.STATE_MACHINE)

_GUIDE = "https://docs.aws.amazon.com/step-functions/latest/dg"


@rule(kinds.STATE_MACHINE, severity="medium", enforcement="mandatory", link=f"{_GUIDE}/cw-logs.html")
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
    kinds.STATE_MACHINE, severity="high", enforcement="mandatory", link=f"{_GUIDE}/procedure-create-iam-role.html"
)
def state_machine_role_is_limited_to_its_calls(machine: Resource, stack: Stack) -> Complaints:
    """A state machine's role allows only the actions that the definition calls, on the resources that it names.

    Set Action and Resource to what the definition calls.
    """
    role = stack.target(machine, "roleArn", kinds.ROLE)
    if role is None:
        return
    users = stack.referring(role, "roleArn", kinds.STATE_MACHINE).all()
    # Of several that share the role the first speaks for all.
    if users[:1] != (machine,):
        return
    called = _calls_of_all(stack, users)
    for grant in role_permissions.permissions_of(stack, role).grants:
        yield from check_each([grant], partial(_excess, machine, role, called))


@stack_rule(
    kinds.STATE_MACHINE, severity="high", enforcement="mandatory", link=f"{_GUIDE}/procedure-create-iam-role.html"
)
def state_machine_role_may_make_its_calls(machine: Resource, stack: Stack) -> Complaints:
    """A state machine's role allows the actions that the definition calls.

    Allow the missing action in a policy of the role.
    """
    role = stack.target(machine, "roleArn", kinds.ROLE)
    if role is None:
        return
    called = [
        (action, target)
        for action, targets in stack.memoize(_calls, machine).actions.items()
        for target in sorted(targets or ())
    ]
    yield from check_each(called, lambda call: _lack(stack, machine, role, *call))


def _calls_of_all(stack: Stack, machines: Iterable[Resource]) -> Calls:
    """What these call together. Raises Undecided where nobody can tell of one."""
    all_calls = Calls()
    for machine in machines:
        all_calls.join(stack.memoize(_calls, machine))
    return all_calls


def _calls(stack: Stack, machine: Resource) -> Calls:
    definition = machine.document("definition")
    if definition is None:
        values.raise_undecided("no definition")
    return state_language.find_calls(definition)


def _excess(machine: Resource, role: Resource, called: Calls, grant: Grant) -> Finding | None:
    """What a statement allows beyond what the definition calls."""
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
    # An action that does not exist allows nothing, which is a rule of its own.
    judged = [
        pattern for pattern in statement.actions if not _is_beside(pattern, called) and not iam_actions.unknown(pattern)
    ]
    names = {action.lower() for action in called.actions}
    excess = [pattern for pattern in judged if pattern.lower() not in names]
    if excess:
        covered = sorted({action for action in called.actions for pattern in excess if matches(pattern, action)})
        return Finding(
            f"{where} allows actions that the definition does not call: {statement.name} of {grant.holder.name} allows "
            f"{', '.join(excess)}.",
            f"Set Action to {', '.join(covered)}." if covered else f"Remove {', '.join(excess)} from Action.",
            about=grant.about,
        )
    if judged and len(judged) == len(statement.actions):
        return _excess_of_resources(where, called, grant, judged)
    return None


def _excess_of_resources(where: str, called: Calls, grant: Grant, actions: list[str]) -> Finding | None:
    """Resources on which no step does any of these actions, as far as the definition says on which it does them."""
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
        # What a policy variable stands for, only the request says.
        if not conditions.has_variable(pattern)
        and pattern not in targets
        and (_is_whole_type(pattern) or not any(_may_be(pattern, target) for target in targets))
    ]
    if not excess:
        return None
    return Finding(
        f"{where} allows more than the definition calls: {statement.name} of {grant.holder.name} allows "
        f"{', '.join(actions)} on {', '.join(excess)}.",
        f"Set Resource to what is called, {_some(targets)}.",
        about=grant.about,
    )


def _some(targets: set[str]) -> str:
    """The first few of them."""
    listed = sorted(targets)
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")


def _is_beside(pattern: str, called: Calls) -> bool:
    """Whether this action may be needed for what stands in no definition, or for a call nobody can look up here."""
    service, _, _ = pattern.partition(":")
    if service.lower() in called.services:
        return True
    if (
        called.calls_other_services
        and service.lower() not in state_language.ONE_TO_ONE
        and not iam_actions.is_pattern(service)
    ):
        return True
    # A wildcard may stand within these, such as logs:*LogDelivery, and reaches no further than its own service.
    return any(matches(allowed, pattern) for allowed in (*_ALWAYS, *called.optional_actions)) or (
        service.lower() in ("logs", "xray") and "*" in pattern.partition(":")[2].rstrip("*")
    )


def _is_whole_type(pattern: str) -> bool:
    """Whether a pattern takes in every resource of a type: nothing names one."""
    return pattern == "*" or resource_types.whole_type(pattern) is not None


def _may_be(pattern: str, target: str) -> bool:
    """Whether a pattern of a policy takes in what a step names: by ARN, by URL or by name."""
    if wildcards.matches(pattern, target):
        return True
    ours, theirs = _bare(pattern), _bare(target)
    if arns.parts(pattern) and arns.parts(target):
        return wildcards.matches(ours, theirs)
    return wildcards.matches(_name(ours), _name(theirs))


def _bare(value: str) -> str:
    """Without what comes behind the name: a function's version, a table's index."""
    value = value.partition("/index/")[0]
    if value.count(":") >= 7 and ":function:" in value:
        return ":".join(value.split(":")[:7])
    return value.removesuffix(":*") if value.count(":") >= 6 else value


def _name(value: str) -> str:
    return arns.name_in(value) or value.partition(":")[0]


def _lack(stack: Stack, machine: Resource, role: Resource, action: str, called: str) -> Complaints:
    target = stack.find(called, *_CALLED)
    if target is None and arns.parts(called) is None:
        return None
    if role_permissions.allows(stack, role, action, called if arns.parts(called) else target or called):
        return None
    if target is not None and target.type == kinds.FUNCTION and _permits(stack, target):
        return None
    return Finding(
        f"The state machine {machine.name} cannot run its definition: its role {role.name} lacks {action} on "
        f"{target.name if target else called}.",
        "Add the missing permissions to a policy of the role.",
    )


def _permits(stack: Stack, function: Resource) -> bool:
    """Whether the function itself lets roles in."""
    for permission in stack.referring(function, "function", kinds.FUNCTION_PERMISSION).certain:
        try:
            if not (permission.text("principal") or "").endswith(".amazonaws.com"):
                return True
        except Undecided:
            return True
    return False
