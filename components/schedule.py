"""What EventBridge Scheduler needs to reach a target. For internal use."""

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_aws import iam, scheduler

from . import arns, iam_policies
from .iam_policies import Statement

MINIMUM_RETRY_SECONDS = 60
"""The least that Scheduler takes as the age of an event."""
SCHEDULE_INPUT = {"scheduled_time": "<aws.scheduler.scheduled-time>"}
"""Scheduler puts the time in, the same for every retry of one run, which makes it the run's id
(https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html)."""


def create_schedule(
    name: str,
    description: str,
    expression: str,
    group: scheduler.ScheduleGroup,
    target: Mapping[str, Any],
    *,
    role_name: str,
    role_description: str,
    statements: pulumi.Input[list[Statement]],
    tags: Mapping[str, str] | None,
    parent: pulumi.Resource,
    timezone: str | None = None,
    window: scheduler.ScheduleFlexibleTimeWindowArgsDict | None = None,
) -> scheduler.Schedule:
    """A schedule in this group, and its role, which only schedules of the group may assume and which may do what these
    statements say; the role is added to `target`."""
    account = arns.part(group.arn, arns.ArnPart.ACCOUNT)
    role = iam.Role(
        role_name,
        description=role_description,
        assume_role_policy=Output.all(account, group.arn).apply(
            lambda known: iam_policies.assumed_by_scheduler(*known)
        ),
        tags=tags,
        opts=ResourceOptions(parent=parent),
    )
    permitted = iam.RolePolicy(
        role_name,
        role=role.name,
        policy=Output.from_input(statements).apply(lambda known: iam_policies.document(*known)),
        opts=ResourceOptions(parent=parent),
    )
    # Its type asks for the role in the literal.
    complete: Any = {**target, "role_arn": role.arn}
    return scheduler.Schedule(
        name,
        group_name=group.name,
        description=description,
        schedule_expression=expression,
        schedule_expression_timezone=timezone,
        flexible_time_window=window or {"mode": "OFF"},
        state="ENABLED",
        target=complete,
        # Scheduler checks at creation that it may assume the role.
        opts=ResourceOptions(parent=parent, depends_on=[permitted]),
    )


def build_retry_policy(period_seconds: int) -> scheduler.ScheduleTargetRetryPolicyArgsDict:
    """Retries until half the period is over, so that no run is still being tried when the next one starts.

    Scheduler's own default is a day and 185 attempts. Where even its minimum would reach into the next period there
    are no retries: the next run is the retry.
    """
    age = min(86_400, max(MINIMUM_RETRY_SECONDS, period_seconds // 2))
    return {"maximum_event_age_in_seconds": age, "maximum_retry_attempts": 10 if age < period_seconds else 0}
