"""Every setting, declared once. `make docs` generates Pulumi.yaml, the README's tables and the components' arguments.

To add one: add an entry here, use it in the components or the function that it names, and give it good and bad values
in tests/components/samples. If no function reads it, say in tests/engine/test_settings.py what a change of it changes.
"""

from collections.abc import Mapping
from typing import Any

from rotation_guard.domain.audit.age_limits import MAX_LIMIT_DAYS
from rotation_guard.domain.audit.run import CHANGES, EVERY_RUN
from rotation_guard.domain.remediation.decisions import Mode

from . import audit, messages, remediation, stack
from .checks import IntegerBetween, one_of, true_or_false
from .setting import ALL, Setting

MOST_SECRETS = 500_000
"""Secrets that a Region can have (https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html)."""
MOST_QUEUE_DAYS = 14
"""(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html)."""
MOST_HOURS = 8760
_QUEUE_DAYS = IntegerBetween(1, MOST_QUEUE_DAYS, "SQS keeps messages for at most 14 days")

_DECLARED = (
    Setting(
        "schedule_expression",
        "Audit",
        "str",
        "rate(1 hour)",
        audit.check_schedule,
        "How often secrets are audited, as EventBridge Scheduler writes it: rate(...) or cron(...)",
        ("audit", "observability"),
    ),
    Setting(
        "schedule_timezone",
        "Audit",
        "str",
        "UTC",
        audit.check_timezone,
        "Time zone of a cron(...) schedule, an IANA name such as Europe/Berlin",
        ("audit", "canary", "reports"),
    ),
    Setting(
        "schedule_flexible_minutes",
        "Audit",
        "int",
        0,
        IntegerBetween(0, audit.MOST_FLEXIBLE_MINUTES),
        "Minutes by which Scheduler may delay an audit, at most the time between two audits; 0 is off",
        ("audit",),
    ),
    Setting(
        "max_age_days",
        "Audit",
        "int",
        30,
        IntegerBetween(0, MAX_LIMIT_DAYS),
        "Maximum age of a secret's value in days; an older one is over its limit",
        ("audit",),
        read_by=("check",),
    ),
    Setting(
        "max_age_classes",
        "Audit",
        "list[MaxAgeClassArgs]",
        [],
        audit.check_age_classes,
        "Other limits for classes of secrets, of which the first that matches applies: a list of days with name (a "
        "pattern), tag (key, value), or both",
        ("audit",),
    ),
    Setting(
        "warn_days",
        "Audit",
        "int",
        7,
        IntegerBetween(0, MAX_LIMIT_DAYS),
        "Days before its limit from which a value counts as due soon",
        ("audit",),
        read_by=("check",),
    ),
    Setting(
        "stuck_hours",
        "Audit",
        "int",
        24,
        IntegerBetween(1, MOST_HOURS),
        "Hours after which a rotation that is in progress counts as stuck, and one that is late counts as missed",
        ("audit",),
        read_by=("check",),
    ),
    Setting(
        "managed_tag",
        "Audit",
        "ManagedTagArgs",
        {"key": "Managed", "value": "true"},
        audit.check_managed_tag,
        "The tag, key and value, that puts a secret under audit",
        ("audit", "demo"),
        default_text="`Managed` = `true`",
    ),
    Setting(
        "subscriptions",
        "Notifications",
        "list[SubscriptionArgs]",
        [],
        messages.check_subscriptions,
        "Who is notified: a list of topic, protocol, endpoint (in this account and Region where it is an ARN), and "
        "optionally name, rawMessageDelivery, filterPolicy, subscriptionRoleArn, owners, headers, serviceRegion",
        ("hub", "integrations", "notifications"),
    ),
    Setting(
        "report_schedule",
        "Reports",
        "str",
        "",
        audit.check_optional_schedule,
        "How often the report is stored as HTML and CSV in a bucket and its headline is sent to the topic reports, as "
        "scheduleExpression is written; empty is never",
        ("notifications", "reports"),
    ),
    Setting(
        "report_object_lock_days",
        "Reports",
        "int",
        0,
        IntegerBetween(0, MAX_LIMIT_DAYS),
        "Days for which S3 Object Lock keeps each stored report, in governance mode; 0 is off. It cannot be turned off "
        "for a bucket, only for reports that are stored later",
        ("reports",),
    ),
    Setting(
        "queue_retention_days",
        "Retention",
        "int",
        7,
        _QUEUE_DAYS,
        "Days that the audit queue keeps an event that is not yet recorded",
        ("findings", "hub", "trail"),
    ),
    Setting(
        "dead_letter_retention_days",
        "Retention",
        "int",
        14,
        _QUEUE_DAYS,
        "Days that dead letters are kept, not less than queueRetentionDays",
        (
            *("audit", "events", "findings", "hub", "integrations", "member", "notifications", "remediation"),
            *("reports", "trail"),
        ),
    ),
    Setting(
        "max_overdue",
        "Audit",
        "int",
        MOST_SECRETS,
        IntegerBetween(0, MOST_SECRETS, f"{MOST_SECRETS} switches the alarm off"),
        f"Number of secrets over their limit above which an alarm rings; {MOST_SECRETS}, as many as a Region can have, "
        "switches the alarm off",
        ("observability",),
    ),
    Setting(
        "history",
        "Retention",
        "str",
        EVERY_RUN,
        one_of(EVERY_RUN, CHANGES),
        "What the audit records: everyRun, or changes for a row when a verdict or version changes and one a day",
        ("audit",),
    ),
    Setting(
        "publish_status",
        "Audit",
        "bool",
        False,
        true_or_false,
        "Whether the audit puts the status of secrets and the end of each run on the event bus, for a hub",
        ("audit",),
    ),
    Setting(
        "history_days",
        "Retention",
        "int",
        400,
        IntegerBetween(0, MAX_LIMIT_DAYS),
        "Days until rows of the audit, the audit trail and closed incidents expire, and the log files of createTrail "
        "and stored reports; 0 keeps them forever",
        ("audit", "hub", "management_trail", "remediation", "reports", "trail"),
        read_by=("check", "end", "record", "writer"),
    ),
    Setting(
        "deletion_protection",
        "Retention",
        "bool",
        True,
        true_or_false,
        "Whether AWS refuses to delete the tables, and the buckets of createTrail and of reports while they have files",
        ("audit", "hub", "management_trail", "remediation", "reports", "status", "trail"),
    ),
    Setting(
        "log_retention_days",
        "Retention",
        "int",
        90,
        stack.check_log_retention,
        "Days that logs are kept, one of the periods that CloudWatch Logs offers",
        ("remediation", "runtime"),
    ),
    Setting(
        "remediation_mode",
        "Remediation",
        "str",
        str(Mode.NOTIFY),
        one_of(*Mode),
        "The most that remediation may do for a secret that opts in: notify, retry or repair",
        ("remediation",),
        read_by=("diagnose",),
    ),
    Setting(
        "remediation_scope",
        "Remediation",
        "RemediationScopeArgs",
        {},
        remediation.check_scope,
        "The secrets that remediation may act on, by name (a pattern), tag (key, value), or both; of all others it "
        "only notifies",
        ("remediation",),
        read_by=("claim", "diagnose"),
        default_text="every secret",
    ),
    Setting(
        "settle_minutes",
        "Remediation",
        "int",
        15,
        IntegerBetween(0, remediation.MOST_MINUTES),
        "Grace period in minutes in which AWS may recover by itself before a failed rotation is diagnosed",
        ("remediation",),
        read_by=("claim",),
    ),
    Setting(
        "max_retries",
        "Remediation",
        "int",
        3,
        IntegerBetween(0, 10),
        "How often the rotation of one incident is retried",
        ("remediation",),
        read_by=("decide",),
    ),
    Setting(
        "breaker_threshold",
        "Remediation",
        "int",
        3,
        IntegerBetween(1, 100),
        "Failed incidents in a row, without a verified success, after which remediation only notifies about the secret",
        ("remediation",),
        read_by=("decide",),
    ),
    Setting(
        "max_actions_per_hour",
        "Remediation",
        "int",
        10,
        IntegerBetween(
            0,
            remediation.MOST_ACTIONS_PER_HOUR,
            f"RotateSecret's quota is {remediation.MOST_ACTIONS_PER_HOUR} per second",
        ),
        "Maximum number of retries and label moves per hour, over all secrets; incidents beyond it are rate limited",
        ("remediation",),
        read_by=("decide",),
    ),
    Setting(
        "reserved_concurrency",
        "Remediation",
        "int",
        0,
        IntegerBetween(0, remediation.MOST_RESERVED),
        "Concurrent executions reserved for each function of remediation; 0 reserves none. Lambda refuses a value that "
        "leaves fewer than 100 to all other functions",
        ("remediation",),
    ),
    Setting(
        "change_window",
        "Remediation",
        "ChangeWindowArgs",
        {},
        remediation.check_change_window,
        'When remediation may act: start and end (in UTC, such as "22:00") and optionally days (mon to sun)',
        ("remediation",),
        read_by=("decide",),
        default_text="any time",
    ),
    Setting(
        "probe_functions",
        "Remediation",
        "list[pulumi.Input[str]]",
        [],
        remediation.check_functions,
        "ARNs of the Lambda functions that may be asked whether a version of a secret works",
        ("remediation",),
        read_by=("diagnose",),
    ),
    Setting(
        "rotation_functions",
        "Remediation",
        "list[pulumi.Input[str]]",
        [],
        remediation.check_functions,
        "ARNs of the rotation functions, which AWS requires the caller of a retry to be allowed to invoke",
        ("remediation",),
    ),
    Setting(
        "restart_targets",
        "Remediation",
        "list[pulumi.Input[str]]",
        [],
        remediation.check_restart_targets,
        "ARNs of the ECS services, Lambda functions and SSM documents that may be restarted after a new value",
        ("remediation",),
        read_by=("claim", "diagnose"),
    ),
    Setting(
        "restart_role_arns",
        "Remediation",
        "list[pulumi.Input[str]]",
        [],
        remediation.check_roles,
        "ARNs of the roles that the SSM documents among restartTargets run as",
        ("remediation",),
    ),
    Setting(
        "restart_timeout_minutes",
        "Remediation",
        "int",
        30,
        IntegerBetween(1, remediation.MOST_RESTART_MINUTES),
        "Minutes that a restart may take before the on-call engineer is notified, longer than a deployment's bake time",
        ("remediation",),
    ),
    Setting(
        "runbook_url",
        "Notifications",
        "str",
        "",
        remediation.check_runbook_url,
        "Runbook that notifications and alarms link to, a URL that begins with https://; empty for the one of this "
        "project",
        ("findings", "hub", "member", "observability", "remediation"),
        default_text="the runbook of this project",
    ),
    Setting(
        "security_hub",
        "Notifications",
        "bool",
        False,
        true_or_false,
        "Whether secrets that need attention and incidents become findings of AWS Security Hub, which has to be on in "
        "the account and Region",
        (),
    ),
    Setting(
        "extra_rules",
        "Notifications",
        "list[ExtraRuleArgs]",
        [],
        messages.check_extra_rules,
        "Rules for other events: a list of name, eventPattern and to (failures, audit or both)",
        ("events",),
    ),
    Setting(
        "create_trail",
        "Stack",
        "bool",
        False,
        true_or_false,
        "Adds a CloudTrail trail of write management events, for an account and Region that have no trail",
        (),
    ),
    Setting(
        "powertools_layer_arn",
        "Stack",
        "pulumi.Input[str]",
        None,
        stack.arn_of("lambda", r"layer:[\w-]+:\d+", "a version of a Lambda layer"),
        "Lambda layer with Powertools for Python; empty for the one that AWS publishes in the Region, which "
        "cn-northwest-1 lacks",
        ("runtime",),
        default_text="the layer that AWS publishes in the Region",
        may_be_output=True,
    ),
    Setting(
        "kms_key_arn",
        "Stack",
        "pulumi.Input[str]",
        None,
        stack.arn_of("kms", r"key/[\w-]+", "a KMS key, not of an alias"),
        "Customer managed key for topics, queues, stored reports and the log files of createTrail; empty leaves topics "
        "unencrypted, queues to SSE-SQS and files to SSE-S3",
        (
            *("audit", "canary", "events", "findings", "hub", "integrations", "management_trail", "member"),
            *("notifications", "remediation", "reports", "runtime", "trail"),
        ),
        may_be_output=True,
    ),
    Setting(
        "canary_schedule",
        "Stack",
        "str",
        "",
        audit.check_optional_schedule,
        "How often an event is sent through the rules to the audit trail, such as rate(1 day): an alarm rings when it "
        "is not recorded; empty for never",
        ("canary", "events", "observability"),
        default_text="never",
    ),
    Setting(
        "tags",
        "Stack",
        "Mapping[str, str]",
        {},
        stack.check_tags,
        "Tags for every resource that supports them, at most 45, with keys that differ in more than case",
        ALL,
    ),
    Setting(
        "demo",
        "Stack",
        "bool",
        False,
        true_or_false,
        "Adds four demo secrets, one of which has a rotation that can be made to fail",
        (),
    ),
    Setting(
        "drill",
        "Stack",
        "bool",
        False,
        true_or_false,
        "Whether the rules also accept events from the source rotation-guard.drill",
        ("events", "hub", "member"),
    ),
)
SETTINGS: Mapping[str, Setting] = {setting.name: setting for setting in _DECLARED}
"""The settings by name, in the order of the documents."""
ARN_LISTS = tuple(name for name, setting in SETTINGS.items() if setting.type == "list[pulumi.Input[str]]")
"""Settings that are lists of ARNs, each of which may be an Output."""


def value_of(args: Mapping[str, Any], name: str) -> Any:
    """The value of a setting in a component's arguments: its default where it is not given."""
    return args.get(name, SETTINGS[name].default)


def select(args: Mapping[str, Any], type_: type) -> Any:
    """The settings among these arguments that a component's arguments have, by their type's annotations.

    What is not given is left out, so that the component's default applies.
    """
    return {name: args[name] for name in type_.__annotations__ if name in SETTINGS and name in args}
