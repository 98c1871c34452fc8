"""EventBridge Scheduler: targets are invoked, failures are kept, and retries end before the next run."""

from collections.abc import Iterator
from dataclasses import replace

from ..aws import arns, outside_targets
from ..aws.iam import conditions, policy_documents, resource_access, role_permissions, wildcards
from ..aws.iam.conditions import Condition
from ..aws.iam.policy_documents import Statement
from ..aws.schedule_expressions import InvalidExpression, shortest_period
from ..model import resource_types
from ..model.finding import Complaints, Finding
from ..model.rule import check_each, rule, stack_rule
from ..model.stack import Resource, Stack
from ..model.values import Undecided

SERVICE = "scheduler.amazonaws.com"
AWS_EVENT_AGE_SECONDS = 86_400
AWS_RETRIES = 185
LEAST_EVENT_AGE_SECONDS = 60
DEFAULT_GROUP = "default"
DEAD_LETTERS = "target.deadLetterConfig.arn"

_GUIDE = "https://docs.aws.amazon.com/scheduler/latest/UserGuide"


@rule(resource_types.SCHEDULE, severity="high", enforcement="mandatory", link=f"{_GUIDE}/configuring-schedule-dlq.html")
def schedule_has_dead_letters(schedule: Resource) -> Complaints:
    """A schedule has a dead-letter queue for invocations that fail.

    Set target.deadLetterConfig.arn to a standard queue.
    """
    if schedule.has(DEAD_LETTERS):
        return None
    return Finding(
        f"The schedule {schedule.name} loses invocations that fail: {DEAD_LETTERS} is absent.",
        f"Set {DEAD_LETTERS} to the ARN of a standard queue.",
    )


@stack_rule(
    resource_types.SCHEDULE, severity="high", enforcement="mandatory", link=f"{_GUIDE}/configuring-schedule-dlq.html"
)
def schedule_dead_letters_are_reachable(schedule: Resource, stack: Stack) -> Complaints:
    """A schedule's dead-letter queue is a standard queue that the schedule's role may send to.

    Allow sqs:SendMessage on the queue in a policy of the role: a queue policy cannot replace this.
    """
    if obstacle := resource_access.find_unfit_queue(stack, schedule, DEAD_LETTERS):
        yield obstacle.prefix(f"Failed invocations of the schedule {schedule.name} are lost: ")
    role = stack.target(schedule, "target.roleArn", resource_types.ROLE)
    if role is None or obstacle:
        return
    queue = stack.target(schedule, DEAD_LETTERS, resource_types.QUEUE)
    if missing := _missing(stack, role, schedule, DEAD_LETTERS, queue):
        name = queue.name if queue else schedule.text(DEAD_LETTERS)
        yield Finding(
            f"The schedule {schedule.name} cannot send to its dead-letter queue {name}: its role {role.name} "
            f"lacks {' and '.join(missing)}.",
            "Add the missing permissions to a policy of the role: a queue policy cannot replace this.",
        )


@stack_rule(resource_types.SCHEDULE, severity="high", enforcement="mandatory", link=f"{_GUIDE}/setting-up.html")
def schedule_role_may_call_its_target(schedule: Resource, stack: Stack) -> Complaints:
    """EventBridge Scheduler may assume a schedule's role, and the role may invoke the target.

    Allow scheduler.amazonaws.com in the role's trust policy, and the missing action in a policy of the role.
    """
    role = stack.target(schedule, "target.roleArn", resource_types.ROLE)
    if role is None or role.external:
        return
    # schedule-role-trusts-its-group-alone checks the conditions.
    yield from check_each([role], lambda schedule_role: _check_trust(schedule, schedule_role))
    target = stack.target(schedule, "target.arn", *role_permissions.SEND_ACTIONS)
    if missing := _missing(stack, role, schedule, "target.arn", target):
        name = target.name if target else schedule.text("target.arn")
        yield Finding(
            f"The schedule {schedule.name} cannot invoke its target {name}: its role {role.name} lacks "
            f"{' and '.join(missing)}.",
            "Add the missing permissions to a policy of the role.",
        )


@rule(resource_types.SCHEDULE, severity="medium", enforcement="advisory", link=f"{_GUIDE}/managing-schedule.html")
def schedule_retries_end_before_the_next_run(schedule: Resource) -> Complaints:
    """A schedule stops its retries before the next run, so that two runs do not overlap.

    Set target.retryPolicy.maximumEventAgeInSeconds to less than the interval of the schedule.
    """
    expression = schedule.text("scheduleExpression")
    age = schedule.number("target.retryPolicy.maximumEventAgeInSeconds", absent=AWS_EVENT_AGE_SECONDS)
    retries = schedule.number("target.retryPolicy.maximumRetryAttempts", absent=AWS_RETRIES)
    try:
        period = shortest_period(expression) if expression else None
    except InvalidExpression:
        return None
    if period is None or retries == 0 or age < period:
        return None
    is_set = schedule.has("target.retryPolicy.maximumEventAgeInSeconds")
    state = f"is {age}" if is_set else f"is absent, which means {AWS_EVENT_AGE_SECONDS}"
    advice = "target.retryPolicy.maximumRetryAttempts to 0: the next run is the retry"
    if period > LEAST_EVENT_AGE_SECONDS:
        advice = f"it to less than {period}, such as {max(LEAST_EVENT_AGE_SECONDS, period // 2)}"
    return Finding(
        f"The schedule {schedule.name} may still retry a run when the next one starts, after {period} s at the "
        f"shortest: target.retryPolicy.maximumEventAgeInSeconds {state}.",
        f"Set {advice}.",
    )


@stack_rule(
    resource_types.ROLE,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/cross-service-confused-deputy-prevention.html",
)
def schedule_role_trusts_its_group_alone(role: Resource, stack: Stack) -> Complaints:
    """The trust policy of a schedule's role is limited to this account and to the ARN of the schedule group.

    Set the conditions StringEquals aws:SourceAccount to the account and ArnEquals aws:SourceArn to the group's ARN.
    """
    schedules = stack.referring(role, "target.roleArn", resource_types.SCHEDULE).certain
    if not schedules:
        return

    def check(statement: Statement) -> Complaints:
        if not statement.allows or SERVICE not in statement.services:
            return
        start = f"The role {role.name} of the schedule {schedules[0].name} "
        by_arn = _restricting_conditions(statement, "aws:sourcearn")
        about = statement.identify(role)
        findings = [finding for condition in by_arn for finding in _check_source(stack, schedules, condition)]
        if missing := _find_missing_condition(statement, by_arn):
            findings.insert(0, missing)
        # One complaint per statement: the worst.
        for finding in sorted(findings, key=lambda finding: finding.is_advisory)[:1]:
            yield replace(finding.prefix(start), about=about)

    yield from check_each(policy_documents.statements(role.value("assumeRolePolicy")), check)


@rule(resource_types.SCHEDULE, severity="high", enforcement="mandatory", link=f"{_GUIDE}/schedule-types.html")
def schedule_expression_is_accepted(schedule: Resource) -> Complaints:
    """EventBridge Scheduler accepts a schedule's expression.

    Use, for example, rate(1 hour), cron(0 3 * * ? *) or at(2030-01-01T03:00:00).
    """
    expression = schedule.text("scheduleExpression")
    if expression is None:
        return None
    try:
        shortest_period(expression)
    except InvalidExpression as problem:
        return Finding(
            f"Scheduler rejects the schedule {schedule.name}: scheduleExpression is {expression}, and {problem}.",
            "Use, for example, rate(1 hour), cron(0 3 * * ? *) or at(2030-01-01T03:00:00).",
        )
    return None


def _missing(stack: Stack, role: Resource, schedule: Resource, path: str, to: Resource | None) -> list[str]:
    """The actions that the role of a schedule lacks to call a property's target, in this stack or outside it."""
    if to is not None:
        return role_permissions.missing_to_send(stack, role, schedule, path, to)
    return outside_targets.missing_to_call(stack, role, schedule.text(path))


def _check_trust(schedule: Resource, role: Resource) -> Complaints:
    if not role.has("assumeRolePolicy") or resource_access.trusts(role, SERVICE, None):
        return None
    return Finding(
        f"The schedule {schedule.name} cannot invoke its target: the trust policy of its role {role.name} does not "
        f"allow {SERVICE} to assume it.",
        f"Allow sts:AssumeRole to the Service {SERVICE} in the trust policy.",
    )


def _find_missing_condition(statement: Statement, by_arn: list[Condition]) -> Finding | None:
    """Report a missing condition on the account or the ARN."""
    if not _restricts_account(statement):
        missing = "aws:SourceAccount" if by_arn else "aws:SourceAccount and aws:SourceArn"
        return Finding(
            f"can be assumed for schedules of other accounts: {statement.name} of its trust policy has no condition on "
            f"{missing}.",
            "Set StringEquals aws:SourceAccount to this account, and ArnEquals aws:SourceArn to the ARN of the "
            "schedule group.",
        )
    if by_arn:
        return None
    return Finding(
        f"can be assumed for any schedule of the account: {statement.name} of its trust policy has no condition on "
        "aws:SourceArn.",
        "Set ArnEquals aws:SourceArn to the ARN of the schedule group.",
        is_advisory=True,
    )


def _restricts_account(statement: Statement) -> bool:
    """Whether a condition restricts the account; an unknown value counts as one that does."""
    try:
        return conditions.names_key(statement.conditions, "aws:sourceaccount")
    except Undecided:
        return True


def _restricting_conditions(statement: Statement, key: str) -> list[Condition]:
    """The conditions that restrict a key; an unknown value counts as one that does."""

    def has_text(condition: Condition) -> bool:
        try:
            return all(map(conditions.has_text, condition.values))
        except Undecided:
            return True

    return [
        condition
        for condition in conditions.limiting_conditions(statement.conditions)
        if condition.key == key and has_text(condition)
    ]


def _check_source(stack: Stack, schedules: tuple[Resource, ...], condition: Condition) -> Iterator[Finding]:
    """Check the ARNs in a condition on the source."""
    try:
        listed = condition.values
    except Undecided:
        return
    for arn in listed:
        resource = _resource(arn)
        if resource.startswith("schedule/"):
            yield Finding(
                f"cannot be assumed: aws:SourceArn is {arn}, and Scheduler sends the ARN of the schedule group, not of "
                "the schedule.",
                "Set aws:SourceArn to the ARN of the schedule group.",
            )
        elif resource.rpartition("/")[2].strip("*?") == "":
            yield Finding(
                f"can be assumed for schedules of every group: aws:SourceArn is {arn}.",
                "Set aws:SourceArn to the ARN of the schedule group.",
                is_advisory=conditions.is_fixed_arn(arn),
            )
    yield from check_each(schedules, lambda schedule: _check_group(stack, schedule, listed))


def _check_group(stack: Stack, schedule: Resource, listed: list[str]) -> Complaints:
    if any(_resource(arn).startswith("schedule/") for arn in listed):
        return None
    group = stack.target(schedule, "groupName", resource_types.SCHEDULE_GROUP)
    if group is not None:
        is_covered = any(role_permissions.covers(arn, group) for arn in listed)
        name = group.name
    else:
        name = schedule.text("groupName") or DEFAULT_GROUP
        is_covered = any(wildcards.matches(_resource(arn).rpartition("/")[2], name) for arn in listed)
    if is_covered:
        return None
    return Finding(
        f"cannot be assumed for {schedule.name}, which is in the group {name}: aws:SourceArn is {', '.join(listed)}.",
        "Set aws:SourceArn to the ARN of that group.",
    )


def _resource(arn: str) -> str:
    """The resource part of an ARN; empty for any other text."""
    parts = arns.parse(arn)
    return parts.resource if parts else ""
