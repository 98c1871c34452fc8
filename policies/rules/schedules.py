"""Schedules: a run that cannot be started is kept, is over before the next one, and is started by nobody else's."""

from collections.abc import Iterator

from .. import admission, arns, conditions, kinds, policy_documents, role_permissions, wildcards
from ..conditions import Condition
from ..policy_documents import Statement
from ..rule import Complaints, each, rule, stack_rule
from ..schedule_expressions import Refused, shortest_period
from ..stack import Resource, Stack
from ..values import Undecided

SERVICE = "scheduler.amazonaws.com"
AWS_EVENT_AGE_SECONDS = 86_400
AWS_RETRIES = 185
LEAST_EVENT_AGE_SECONDS = 60
DEFAULT_GROUP = "default"
DEAD_LETTERS = "target.deadLetterConfig.arn"

_GUIDE = "https://docs.aws.amazon.com/scheduler/latest/UserGuide"


@rule(kinds.SCHEDULE, severity="high", enforcement="mandatory", link=f"{_GUIDE}/configuring-schedule-dlq.html")
def schedule_has_dead_letters(schedule: Resource) -> Complaints:
    """A schedule has dead letters for the runs that it cannot start."""
    if schedule.has(DEAD_LETTERS):
        return None
    return (
        f"The schedule {schedule.name} loses a run that it cannot start: {DEAD_LETTERS} is absent. "
        f"Set {DEAD_LETTERS} to the ARN of a standard queue."
    )


@stack_rule(kinds.SCHEDULE, severity="high", enforcement="mandatory", link=f"{_GUIDE}/configuring-schedule-dlq.html")
def schedule_dead_letters_are_reachable(schedule: Resource, stack: Stack) -> Complaints:
    """A schedule's dead letters are a standard queue, to which its own role may send."""
    if why := admission.unfit(stack, schedule, DEAD_LETTERS):
        yield f"The dead letters of the schedule {schedule.name} are lost: {why}."
    queue = stack.target(schedule, DEAD_LETTERS, kinds.QUEUE)
    if queue is None:
        return
    role = stack.target(schedule, "target.roleArn", kinds.ROLE)
    missing = role_permissions.missing_to_send(stack, role, schedule, DEAD_LETTERS, queue) if role is not None else []
    if role is not None and missing:
        yield (
            f"The schedule {schedule.name} cannot send to its dead letters {queue.name}: its role {role.name} lacks "
            f"{' and '.join(missing)}, and no queue policy for Scheduler takes its place. Allow it in a policy of the "
            "role."
        )


@stack_rule(kinds.SCHEDULE, severity="high", enforcement="mandatory", link=f"{_GUIDE}/setting-up.html")
def schedule_role_may_call_its_target(schedule: Resource, stack: Stack) -> Complaints:
    """A schedule's role is one that Scheduler may assume, and that may call the target of the schedule."""
    role = stack.target(schedule, "target.roleArn", kinds.ROLE)
    if role is None or role.looked_up:
        return
    # For which schedules it may be assumed is a rule of its own.
    yield from each([role], lambda one: _untrusting(schedule, one))
    target = stack.target(schedule, "target.arn", *role_permissions.SENDING)
    missing = role_permissions.missing_to_send(stack, role, schedule, "target.arn", target) if target else []
    if target is not None and missing:
        yield (
            f"The schedule {schedule.name} cannot call its target {target.name}: its role {role.name} lacks "
            f"{' and '.join(missing)}. Allow it in a policy of the role."
        )


@rule(kinds.SCHEDULE, severity="medium", enforcement="advisory", link=f"{_GUIDE}/managing-schedule.html")
def schedule_retries_end_before_the_next_run(schedule: Resource) -> Complaints:
    """A run is retried for less than the time to the next one, which would otherwise run beside it."""
    expression = schedule.text("scheduleExpression")
    age = schedule.number("target.retryPolicy.maximumEventAgeInSeconds", absent=AWS_EVENT_AGE_SECONDS)
    retries = schedule.number("target.retryPolicy.maximumRetryAttempts", absent=AWS_RETRIES)
    try:
        period = shortest_period(expression) if expression else None
    except Refused:
        return None
    if period is None or retries == 0 or age < period:
        return None
    given = schedule.has("target.retryPolicy.maximumEventAgeInSeconds")
    found = f"is {age}" if given else f"is absent, which means {AWS_EVENT_AGE_SECONDS}"
    advice = "target.retryPolicy.maximumRetryAttempts to 0: the next run is the retry"
    if period > LEAST_EVENT_AGE_SECONDS:
        advice = f"it to less than {period}, such as {max(LEAST_EVENT_AGE_SECONDS, period // 2)}"
    return (
        f"The schedule {schedule.name} runs every {period} s at the shortest and may still retry a run when the next "
        f"one starts: target.retryPolicy.maximumEventAgeInSeconds {found}. Set {advice}."
    )


@stack_rule(
    kinds.ROLE,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/cross-service-confused-deputy-prevention.html",
)
def schedule_role_trusts_its_group_alone(role: Resource, stack: Stack) -> Complaints:
    """A schedule's role is assumed for this account and the schedule's group alone, by the ARN of the group."""
    schedules = stack.referring(role, "target.roleArn", kinds.SCHEDULE).certain
    if not schedules:
        return

    def limited(statement: Statement) -> Complaints:
        if not statement.allows or SERVICE not in statement.services:
            return
        start = f"The role {role.name} of the schedule {schedules[0].name}"
        if not _names_account(statement):
            yield (
                f"{start} can be assumed for schedules of other accounts: {statement.name} of its trust policy has no "
                "condition on aws:SourceAccount. Set StringEquals aws:SourceAccount to this account."
            )
        by_arn = _limits(statement, "aws:sourcearn")
        if not by_arn:
            yield (
                f"{start} can be assumed for any schedule: {statement.name} of its trust policy has no condition on "
                "aws:SourceArn. Set ArnEquals aws:SourceArn to the ARN of the schedule group."
            )
        for condition in by_arn:
            yield from (f"{start} {said}" for said in _about_source(stack, schedules, condition))

    yield from each(policy_documents.statements(role.value("assumeRolePolicy")), limited)


@rule(kinds.SCHEDULE, severity="high", enforcement="mandatory", link=f"{_GUIDE}/schedule-types.html")
def schedule_expression_is_accepted(schedule: Resource) -> Complaints:
    """A schedule's expression is one that Scheduler accepts."""
    expression = schedule.text("scheduleExpression")
    if expression is None:
        return None
    try:
        shortest_period(expression)
    except Refused as problem:
        return (
            f"Scheduler refuses the schedule {schedule.name}: scheduleExpression is {expression}, and {problem}. "
            "Set it to the like of rate(1 hour), cron(0 3 * * ? *) or at(2030-01-01T03:00:00)."
        )
    return None


def _untrusting(schedule: Resource, role: Resource) -> Complaints:
    if not role.has("assumeRolePolicy") or admission.trusts(role, SERVICE, None):
        return None
    return (
        f"The schedule {schedule.name} cannot start anything: the trust policy of its role {role.name} does not let "
        f"{SERVICE} assume it. Allow sts:AssumeRole to the Service {SERVICE} there."
    )


def _names_account(statement: Statement) -> bool:
    """Whether a condition holds it to the schedules of an account; an unknown value is taken to."""
    try:
        return conditions.names_key(statement.conditions, "aws:sourceaccount")
    except Undecided:
        return True


def _limits(statement: Statement, key: str) -> list[Condition]:
    """The conditions that hold a key to something in particular; an unknown value is taken to."""

    def has_text(condition: Condition) -> bool:
        try:
            return all(map(conditions.has_text, condition.values))
        except Undecided:
            return True

    return [one for one in conditions.limiting(statement.conditions) if one.key == key and has_text(one)]


def _about_source(stack: Stack, schedules: tuple[Resource, ...], condition: Condition) -> Iterator[str]:
    """What is wrong with the ARNs that the trust is held to."""
    try:
        listed = condition.values
    except Undecided:
        return
    for arn in listed:
        resource = _resource(arn)
        if resource.startswith("schedule/"):
            yield (
                f"cannot be assumed: aws:SourceArn is {arn}, and Scheduler says the group's ARN, not the schedule's. "
                "Set it to the ARN of the schedule group."
            )
        elif resource.rpartition("/")[2].strip("*?") == "":
            yield (
                f"can be assumed for schedules of every group: aws:SourceArn is {arn}. "
                "Set it to the ARN of the schedule group."
            )
    yield from each(schedules, lambda one: _of_another_group(stack, one, listed))


def _of_another_group(stack: Stack, schedule: Resource, listed: list[str]) -> Complaints:
    if any(_resource(arn).startswith("schedule/") for arn in listed):
        return None
    group = stack.target(schedule, "groupName", kinds.SCHEDULE_GROUP)
    if group is not None:
        held = any(role_permissions.covers(arn, group) for arn in listed)
        name = group.name
    else:
        name = schedule.text("groupName") or DEFAULT_GROUP
        held = any(wildcards.matches(_resource(arn).rpartition("/")[2], name) for arn in listed)
    if held:
        return None
    return (
        f"cannot be assumed for {schedule.name}, which is in the group {name}: aws:SourceArn is {', '.join(listed)}. "
        "Set it to the ARN of that group."
    )


def _resource(arn: str) -> str:
    """The last part of an ARN; nothing where it is none."""
    found = arns.parts(arn)
    return found[4] if found else ""
