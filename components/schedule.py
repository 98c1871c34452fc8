"""What EventBridge Scheduler needs to reach a target. For internal use."""

from collections.abc import Mapping

import pulumi
from pulumi import Output
from pulumi_aws import iam, scheduler

from . import arns, iam_policies
from .iam_policies import Statement

MINIMUM_RETRY_SECONDS = 60
"""The least that Scheduler takes as the age of an event."""
SCHEDULE_INPUT = {"scheduled_time": "<aws.scheduler.scheduled-time>"}
"""Scheduler puts the time in, the same for every retry of one run, which makes it the run's id
(https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html)."""


def schedule_role(
    name: str,
    description: str,
    group: scheduler.ScheduleGroup,
    *,
    statements: pulumi.Input[list[Statement]],
    tags: Mapping[str, str] | None,
    opts: pulumi.ResourceOptions,
) -> tuple[iam.Role, iam.RolePolicy]:
    """A role for the schedules of this group, which may do what these statements say.

    A schedule depends on both: Scheduler checks at creation that it may assume the role.
    """
    account = arns.part(group.arn, arns.ArnPart.ACCOUNT)
    role = iam.Role(
        name,
        description=description,
        assume_role_policy=Output.all(account, group.arn).apply(
            lambda known: iam_policies.assumed_by_scheduler(*known)
        ),
        tags=tags,
        opts=opts,
    )
    permitted = iam.RolePolicy(
        name,
        role=role.name,
        policy=Output.from_input(statements).apply(lambda known: iam_policies.document(*known)),
        opts=opts,
    )
    return role, permitted


def build_retry_policy(period_seconds: int) -> scheduler.ScheduleTargetRetryPolicyArgsDict:
    """Retries until half the period is over, so that no run is still being tried when the next one starts.

    Scheduler's own default is a day and 185 attempts. Where even its minimum would reach into the next period there
    are no retries: the next run is the retry.
    """
    age = min(86_400, max(MINIMUM_RETRY_SECONDS, period_seconds // 2))
    return {"maximum_event_age_in_seconds": age, "maximum_retry_attempts": 10 if age < period_seconds else 0}
