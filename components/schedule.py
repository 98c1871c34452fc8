"""What EventBridge Scheduler needs to reach a target. For internal use."""

from collections.abc import Mapping

import pulumi
from pulumi import Output
from pulumi_aws import iam, scheduler

from . import arns, iam_policies
from .iam_policies import Statement


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
