"""What EventBridge Scheduler needs to start a function. For internal use."""

from collections.abc import Mapping

import pulumi
from pulumi import Output
from pulumi_aws import iam, scheduler

from . import arns, iam_policies


def schedule_role(
    name: str,
    description: str,
    group: scheduler.ScheduleGroup,
    *,
    function_arn: pulumi.Input[str],
    dead_letters_arn: pulumi.Input[str],
    kms_key_arn: pulumi.Input[str] | None,
    tags: Mapping[str, str] | None,
    opts: pulumi.ResourceOptions,
) -> tuple[iam.Role, iam.RolePolicy]:
    """A role for the schedules of this group, which may start this function and write these dead letters.

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
        policy=Output.all(function_arn, dead_letters_arn, kms_key_arn).apply(
            lambda known: iam_policies.document(*iam_policies.schedule(*known))
        ),
        opts=opts,
    )
    return role, permitted
