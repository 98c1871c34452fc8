"""What is audited: a schedule, the function that checks every secret, and the three tables of its answers."""

import json
from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_aws import iam, lambda_, scheduler

from .. import arns, iam_policies
from ..function import Function, RuntimeArgs, describe_for_alarms
from ..placement import PROVIDER, detects_loops, find_region
from ..queue import queue
from ..settings import age_classes
from ..settings.schedule_expression import longest_period_seconds, shortest_period_seconds
from ..table import table
from .audit_status import AuditStatus, AuditStatusArgs

CHECK_TIMEOUT_SECONDS = 900
MINIMUM_RETRY_SECONDS = 60
"""The least that Scheduler takes as the age of an event."""
SCHEDULE_EXPRESSION = "rate(1 hour)"
"""How often unless another is given."""
SCHEDULE_INPUT = {"scheduled_time": "<aws.scheduler.scheduled-time>"}
"""Scheduler puts the time in, the same for every retry of one run, which makes it the run's id
(https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html)."""


class ManagedTagArgs(TypedDict):
    """A tag that has to be on a secret, key and value both, to the letter."""

    key: str
    """Its key."""
    value: str
    """Its value."""


MANAGED_TAG: ManagedTagArgs = {"key": "Managed", "value": "true"}
"""The tag unless another is given."""


class TagArgs(TypedDict):
    """A tag, or with its key alone a tag with any value."""

    key: str
    """Its key."""
    value: NotRequired[str]
    """Its value; any unless given."""


class MaxAgeClassArgs(TypedDict):
    """Secrets with a limit of their own, by name, by tag, or by both."""

    days: int
    """Their limit."""
    name: NotRequired[str]
    """A pattern of their names, in which `*` stands for anything, `?` for one character, `[...]` for one of these."""
    tag: NotRequired[TagArgs]
    """A tag that they have."""


class RotationAuditArgs(TypedDict):
    """What is checked, and when."""

    status_table_name: NotRequired[pulumi.Input[str]]
    """The table of an AuditStatus, with what is true now of each secret; one of its own unless given."""
    status_table_arn: NotRequired[pulumi.Input[str]]
    """The same table; given with its name."""
    audit_trail_table_name: NotRequired[pulumi.Input[str]]
    """Where events are recorded, to be held against what is found; nothing is unless given."""
    audit_trail_table_arn: NotRequired[pulumi.Input[str]]
    """The same table; given with its name."""
    incidents_table_name: NotRequired[pulumi.Input[str]]
    """Where incidents are, so that a stuck rotation opens one; it does not unless given."""
    incidents_table_arn: NotRequired[pulumi.Input[str]]
    """The same table; given with its name."""
    schedule_expression: NotRequired[str]
    """`rate(...)` or `cron(...)`; `rate(1 hour)` unless given."""
    schedule_timezone: NotRequired[str]
    """IANA time zone of a cron expression; `UTC` unless given."""
    schedule_flexible_minutes: NotRequired[int]
    """Minutes by which Scheduler may delay a run; 0, which is off, unless given."""
    max_age_days: NotRequired[int]
    """A value older than this many days needs rotation; 30 unless given."""
    max_age_classes: NotRequired[list[MaxAgeClassArgs]]
    """Limits of their own, the first that takes a secret in holds; none unless given."""
    warn_days: NotRequired[int]
    """Days before its limit from which on a value is due soon; 7 unless given."""
    stuck_hours: NotRequired[int]
    """Hours that a rotation may be under way; 24 unless given."""
    missed_hours: NotRequired[int]
    """Hours that a rotation may be late; 24 unless given."""
    managed_tag: NotRequired[ManagedTagArgs]
    """The tag that puts a secret under audit; `Managed` = `true` unless given."""
    history: NotRequired[str]
    """`everyRun`, or `changes` for a row when a verdict or version changes and one a day; `everyRun` unless given."""
    history_days: NotRequired[int]
    """Days until a row expires, 0 for never; 400 unless given."""
    deletion_protection: NotRequired[bool]
    """Whether AWS refuses to delete the tables; it does unless given."""
    dead_letter_retention_days: NotRequired[int]
    """Days that runs which could not be started or failed are kept; 14 unless given."""
    kms_key_arn: NotRequired[pulumi.Input[str]]
    """Customer key for the dead letters; SSE-SQS unless given."""
    runtime: NotRequired[RuntimeArgs]
    """What the check function has in common with the other functions."""
    tags: NotRequired[Mapping[str, str]]
    """Tags for everything that can carry them."""


DEFAULTS: RotationAuditArgs = {}


class RotationAudit(pulumi.ComponentResource):
    """Every period one run: each managed secret's age, judged and written down."""

    function_name: Output[str]
    """The check function; its answer is `run_id`, `checked`, `flagged`."""
    schedule_name: Output[str]
    """The schedule that runs it."""
    schedule_group_name: Output[str]
    """The group that the schedule is in."""
    schedule_expression: Output[str]
    """How often."""
    table_name: Output[str]
    """One row per secret and run."""
    status_table_name: Output[str]
    """One row per secret: what is true now."""
    runs_table_name: Output[str]
    """One row per run."""
    dead_letters_url: Output[str]
    """Runs that could not be started, or failed for good."""

    def __init__(self, name: str, args: RotationAuditArgs = DEFAULTS, opts: ResourceOptions | None = None) -> None:
        args = args or {}
        super().__init__("rotation-guard:index:RotationAudit", name, {**args}, opts)
        child = ResourceOptions(parent=self)
        tags = args.get("tags")
        managed_tag = args.get("managed_tag", MANAGED_TAG)
        expression = args.get("schedule_expression", SCHEDULE_EXPRESSION)

        kept: dict[str, Any] = {
            "deletion_protection": args.get("deletion_protection", True),
            "tags": tags,
            "opts": child,
        }
        audit = table(f"{name}-history", hash_key="secret_name", range_key="run_id", **kept)
        status_name, status_arn = _find_status(name, args, child)
        runs = table(f"{name}-runs", hash_key="audit", range_key="run_id", **kept)
        dead_letters = queue(
            f"{name}-dead-letters",
            retention_days=args.get("dead_letter_retention_days", 14),
            kms_key_arn=args.get("kms_key_arn"),
            tags=tags,
            opts=child,
        )
        group = scheduler.ScheduleGroup(name, tags=tags, opts=child)
        partition, region, account = (arns.part(group.arn, index) for index in arns.PLACE)
        trail, incidents = args.get("audit_trail_table_arn"), args.get("incidents_table_arn")
        longest = longest_period_seconds(expression)
        check = Function(
            f"{name}-check",
            {
                "handler": "handlers.audit.check.handler",
                "description": "Checks which secrets are overdue for rotation",
                "statements": Output.all(
                    partition, region, account, audit.arn, status_arn, runs.arn, trail, incidents
                ).apply(lambda known: iam_policies.rotation_check(*known)),
                "environment": {
                    "TABLE_NAME": audit.name,
                    "STATUS_TABLE_NAME": status_name,
                    "RUNS_TABLE_NAME": runs.name,
                    "AUDIT_TRAIL_TABLE_NAME": args.get("audit_trail_table_name", ""),
                    "INCIDENTS_TABLE_NAME": args.get("incidents_table_name", ""),
                    "MAX_AGE_DAYS": str(args.get("max_age_days", 30)),
                    "MAX_AGE_CLASSES": age_classes.written(args.get("max_age_classes", [])),
                    "WARN_DAYS": str(args.get("warn_days", 7)),
                    "STUCK_HOURS": str(args.get("stuck_hours", 24)),
                    "MISSED_HOURS": str(args.get("missed_hours", 24)),
                    "MANAGED_TAG_KEY": managed_tag["key"],
                    "MANAGED_TAG_VALUE": managed_tag["value"],
                    "HISTORY_MODE": args.get("history", "everyRun"),
                    "HISTORY_DAYS": str(args.get("history_days", 400)),
                    "PERIOD_SECONDS": str(longest),
                },
                "timeout_seconds": CHECK_TIMEOUT_SECONDS,
                "memory_mb": 512,
                "on_failure_arn": dead_letters.arn,
                "runtime": args.get("runtime", {}),
            },
            opts=child,
        )
        # A policy of its own: the function's name is not known before the function is.
        iam.RolePolicy(
            f"{name}-check-continue",
            role=check.role_name,
            policy=check.arn.apply(lambda arn: iam_policies.document(*iam_policies.continuation(arn))),
            opts=child,
        )
        # Lambda stops a function that invokes itself after some sixteen times; a run of many secrets may need more.
        if detects_loops(find_region(self.get_provider(PROVIDER), {**args.get("runtime", {}), **args})):
            lambda_.FunctionRecursionConfig(
                f"{name}-check", function_name=check.name, recursive_loop="Allow", opts=child
            )
        role = iam.Role(
            f"{name}-schedule",
            description="Starts the audit on schedule (rotation-guard)",
            assume_role_policy=Output.all(account, group.arn).apply(
                lambda known: iam_policies.assumed_by_scheduler(*known)
            ),
            tags=tags,
            opts=child,
        )
        permitted = iam.RolePolicy(
            f"{name}-schedule",
            role=role.name,
            policy=Output.all(check.arn, dead_letters.arn, args.get("kms_key_arn")).apply(
                lambda known: iam_policies.document(*iam_policies.schedule(*known))
            ),
            opts=child,
        )
        schedule = scheduler.Schedule(
            name,
            group_name=group.name,
            description="Audits the rotation of every managed secret",
            schedule_expression=expression,
            schedule_expression_timezone=args.get("schedule_timezone", "UTC"),
            flexible_time_window=_window(args.get("schedule_flexible_minutes", 0)),
            state="ENABLED",
            target={
                "arn": check.arn,
                "role_arn": role.arn,
                "input": json.dumps(SCHEDULE_INPUT),
                "dead_letter_config": {"arn": dead_letters.arn},
                "retry_policy": _retry_policy(shortest_period_seconds(expression)),
            },
            # Scheduler checks at creation that it may assume the role.
            opts=ResourceOptions(parent=self, depends_on=[permitted]),
        )

        self.function_name = check.name
        self.schedule_name = schedule.name
        self.schedule_group_name = group.name
        self.schedule_expression = schedule.schedule_expression
        self.table_name = audit.name
        self.status_table_name = Output.from_input(status_name)
        self.runs_table_name = runs.name
        self.dead_letters_url = dead_letters.url
        # For Observability, in the same program.
        self.dead_letters_name, self.check = dead_letters.name, describe_for_alarms(check)
        self.register_outputs(
            {
                "function_name": self.function_name,
                "schedule_name": self.schedule_name,
                "schedule_group_name": self.schedule_group_name,
                "schedule_expression": self.schedule_expression,
                "table_name": self.table_name,
                "status_table_name": self.status_table_name,
                "runs_table_name": self.runs_table_name,
                "dead_letters_url": self.dead_letters_url,
            }
        )


def _find_status(
    name: str, args: RotationAuditArgs, opts: ResourceOptions
) -> tuple[pulumi.Input[str], pulumi.Input[str]]:
    """Name and ARN of the table with what is true now: the one that is given, or one of the audit's own."""
    if "status_table_name" in args and "status_table_arn" in args:
        return args["status_table_name"], args["status_table_arn"]
    own: AuditStatusArgs = {}
    if "deletion_protection" in args:
        own["deletion_protection"] = args["deletion_protection"]
    if "tags" in args:
        own["tags"] = args["tags"]
    status = AuditStatus(f"{name}-status", own, opts)
    return status.table_name, status.table_arn


def _window(minutes: int) -> scheduler.ScheduleFlexibleTimeWindowArgsDict:
    """Off at 0, which is not the same as a window of no length: Scheduler refuses that."""
    return {"mode": "FLEXIBLE", "maximum_window_in_minutes": minutes} if minutes else {"mode": "OFF"}


def _retry_policy(period_seconds: int) -> scheduler.ScheduleTargetRetryPolicyArgsDict:
    """Retries until half the period is over, so that no run is still being tried when the next one starts.

    Scheduler's own default is a day and 185 attempts. Where even its minimum would reach into the next period there
    are no retries: the next run is the retry.
    """
    age = min(86_400, max(MINIMUM_RETRY_SECONDS, period_seconds // 2))
    return {"maximum_event_age_in_seconds": age, "maximum_retry_attempts": 10 if age < period_seconds else 0}
