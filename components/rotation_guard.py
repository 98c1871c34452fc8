"""The whole product as one component: what another account or program reuses."""

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi import Output, ResourceOptions

from .audit.audit_status import AuditStatus
from .audit.audit_trail import AuditTrail
from .audit.rotation_audit import ManagedTagArgs, MaxAgeClassArgs, RotationAudit
from .demo.demo_secrets import DemoSecrets
from .events.rotation_events import ExtraRuleArgs, RotationEvents
from .function import RuntimeArgs
from .notifications.notifications import Notifications, SubscriptionArgs
from .observability.observability import Observability
from .placement import find_placement, find_provider
from .remediation.remediation import ChangeWindowArgs, Remediation
from .settings.remediation import REMEDIATION_CHECKS
from .settings.validation import refuse_invalid

REMEDIATION_SETTINGS = tuple(name for name in REMEDIATION_CHECKS if name != "remediation_mode")
"""Settings that Remediation calls as they are called here."""
DEMO_OUTPUTS = ("fresh_secret_name", "stale_secret_name", "ignored_secret_name", "rotating_secret_name")


class RotationGuardArgs(TypedDict):
    """Everything that can be set; each has a default."""

    schedule_expression: NotRequired[str]
    """How often secrets are audited, `rate(...)` or `cron(...)`; `rate(1 hour)` unless given."""
    schedule_timezone: NotRequired[str]
    """IANA time zone of a cron schedule; `UTC` unless given."""
    schedule_flexible_minutes: NotRequired[int]
    """Minutes by which Scheduler may delay an audit; 0, which is off, unless given."""
    max_age_days: NotRequired[int]
    """A value older than this many days needs rotation; 30 unless given."""
    max_age_classes: NotRequired[list[MaxAgeClassArgs]]
    """Limits of their own, the first that takes a secret in; none unless given."""
    warn_days: NotRequired[int]
    """Days before its limit from which on a value is due soon; 7 unless given."""
    stuck_hours: NotRequired[int]
    """Hours that a rotation may be under way; 24 unless given."""
    missed_hours: NotRequired[int]
    """Hours that a rotation may be late; 24 unless given."""
    managed_tag: NotRequired[ManagedTagArgs]
    """The tag that puts a secret under audit; `Managed` = `true` unless given."""
    subscriptions: NotRequired[list[SubscriptionArgs]]
    """Who is told; nobody unless given."""
    queue_retention_days: NotRequired[int]
    """Days that the audit queue keeps what is not yet recorded; 7 unless given."""
    dead_letter_retention_days: NotRequired[int]
    """Days that dead letters are kept; 14 unless given."""
    max_overdue: NotRequired[int]
    """How many secrets may be over their limit before an alarm rings; 500000, which is off, unless given."""
    history: NotRequired[str]
    """`everyRun`, or `changes` for a row when something changes and one a day; `everyRun` unless given."""
    history_days: NotRequired[int]
    """Days until rows expire, 0 for never; 400 unless given."""
    deletion_protection: NotRequired[bool]
    """Whether AWS refuses to delete the tables; it does unless given."""
    log_retention_days: NotRequired[int]
    """Days that logs are kept; 90 unless given."""
    remediation_mode: NotRequired[str]
    """The most that remediation may do: `notify`, `retry` or `repair`; `notify` unless given."""
    settle_minutes: NotRequired[int]
    """Minutes that AWS is given to recover by itself before a failed rotation is looked at; 15 unless given."""
    retry_base_minutes: NotRequired[int]
    """The most that is waited after a retry that failed, twice that after the next one; 5 unless given."""
    retry_cap_minutes: NotRequired[int]
    """The most that is waited after any retry; 60 unless given."""
    max_retries: NotRequired[int]
    """How often an incident's rotation is retried; 3 unless given."""
    breaker_threshold: NotRequired[int]
    """Failed incidents in a row, without a verified success, after which repairs are suspended; 3 unless given."""
    max_actions_per_hour: NotRequired[int]
    """Retries and moves in an hour, over all secrets; 10 unless given."""
    reserved_concurrency: NotRequired[int]
    """Concurrent executions reserved for each function of remediation; 0, which reserves none, unless given."""
    change_window: NotRequired[ChangeWindowArgs]
    """When remediation may act; notices do not wait for it. At any time unless given."""
    probe_functions: NotRequired[list[pulumi.Input[str]]]
    """ARNs of the functions that may be asked whether a version works; none unless given."""
    probe_timeout_seconds: NotRequired[int]
    """Seconds that a probe may take for one version; 10 unless given."""
    rotation_functions: NotRequired[list[pulumi.Input[str]]]
    """ARNs of the rotation functions that a retry needs to be allowed to invoke; none unless given."""
    restart_targets: NotRequired[list[pulumi.Input[str]]]
    """ARNs of the ECS services, Lambda functions and SSM documents that may be restarted; none unless given."""
    restart_role_arns: NotRequired[list[pulumi.Input[str]]]
    """ARNs of the roles that SSM documents among them run as; none unless given."""
    restart_debounce_seconds: NotRequired[int]
    """Seconds to wait before dependents are restarted, so that several moves are one restart; 60 unless given."""
    restart_timeout_minutes: NotRequired[int]
    """Minutes that a restart may take to settle, longer than the bake time of a deployment; 30 unless given."""
    runbook_url: NotRequired[str]
    """Where the runbook is that notices lead to; the one of this project unless given."""
    extra_rules: NotRequired[list[ExtraRuleArgs]]
    """Other events for the same path; none unless given."""
    powertools_layer_arn: NotRequired[pulumi.Input[str]]
    """Layer with Powertools for Python; the one AWS publishes in the Region unless given."""
    kms_key_arn: NotRequired[pulumi.Input[str]]
    """Customer key for topics and queues; none unless given."""
    tags: NotRequired[Mapping[str, str]]
    """Tags for everything that can carry them."""
    demo: NotRequired[bool]
    """Whether to add the demo secrets; not unless given."""
    drill: NotRequired[bool]
    """Whether the rules also accept events from `rotation-guard.drill`; not unless given."""


DEFAULTS: RotationGuardArgs = {}
"""Nothing set. A default of None would need `| None` in the annotation, of which Pulumi's SDK makes no schema
(https://www.pulumi.com/docs/iac/guides/building-extending/components/build-a-component/)."""


class RotationGuard(pulumi.ComponentResource):
    """Failed rotations heard, recorded and handled, and every secret's age audited, in one account and Region."""

    function_name: Output[str]
    """The check function."""
    schedule_name: Output[str]
    """The schedule of the audit."""
    schedule_group_name: Output[str]
    """The group that the schedule is in."""
    schedule_expression: Output[str]
    """How often it runs."""
    table_name: Output[str]
    """The audit: one row per secret and run."""
    status_table_name: Output[str]
    """One row per secret: what is true now."""
    runs_table_name: Output[str]
    """One row per run."""
    audit_trail_table_name: Output[str]
    """Every event that was heard."""
    incidents_table_name: Output[str]
    """The incidents, open and closed."""
    failures_topic_arn: Output[str]
    """Every failed rotation, as the whole event in JSON."""
    remediation_topic_arn: Output[str]
    """What remediation found and did, readable."""
    critical_topic_arn: Output[str]
    """What needs someone now."""
    state_machine_arn: Output[str]
    """The remediation workflow."""
    kill_switch_parameter_name: Output[str]
    """The parameter that stops every action of remediation while it says anything but `go`."""
    audit_queue_url: Output[str]
    """Events that wait to be recorded."""
    undelivered_events_dead_letters_url: Output[str]
    """Events that no target of a rule took."""
    unrecorded_events_dead_letters_url: Output[str]
    """Events that could not be recorded."""
    audit_dead_letters_url: Output[str]
    """The same queue, under its former name."""
    unstarted_remediations_dead_letters_url: Output[str]
    """Events for which remediation could not be started."""
    failed_audits_dead_letters_url: Output[str]
    """Audits that could not be started, or failed for good."""
    undelivered_notices_dead_letters_url: Output[str] | None
    """Notices that a subscriber did not take; None where no subscriber has dead letters."""
    alarms_topic_arn: Output[str] | None
    """Alarms about the product itself, unencrypted; None without a customer key: then the critical topic has them."""
    dashboard_url: Output[str]
    """The dashboard in the CloudWatch console."""
    demo_secret_names: Mapping[str, Output[str]]
    """The demo secrets by the name of their output; empty without them."""

    def __init__(self, name: str, args: RotationGuardArgs = DEFAULTS, opts: ResourceOptions | None = None) -> None:
        """Raises InvalidSettings, with everything that is wrong in one message, before any resource is made."""
        args = args or {}
        refuse_invalid(args, name, find_placement(find_provider(opts)))
        super().__init__("rotation-guard:index:RotationGuard", name, {**args}, opts)
        child = ResourceOptions(parent=self)
        messages = _given(args, "dead_letter_retention_days", "kms_key_arn", "tags")
        runtime: RuntimeArgs = _given(args, "log_retention_days", "powertools_layer_arn", "kms_key_arn", "tags")
        functions = {**_given(args, "history_days", "deletion_protection", "tags"), "runtime": runtime}

        notifications = Notifications(name, {**messages, **_given(args, "subscriptions")}, child)
        status = AuditStatus(f"{name}-audit-status", _given(args, "deletion_protection", "tags"), child)
        status_table = {"status_table_name": status.table_name, "status_table_arn": status.table_arn}
        trail = AuditTrail(
            f"{name}-trail",
            {**messages, **functions, **status_table, **_given(args, "queue_retention_days")},
            child,
        )
        demo = _demo(f"{name}-demo", args, runtime, child)
        remediation = Remediation(
            f"{name}-remediation",
            {
                **messages,
                **functions,
                **_given(args, "log_retention_days", *REMEDIATION_SETTINGS),
                **_with_demo(args, demo),
                "mode": args.get("remediation_mode", "notify"),
                "remediation_topic_arn": notifications.remediation_topic_arn,
                "critical_topic_arn": notifications.critical_topic_arn,
            },
            child,
        )
        events = RotationEvents(
            f"{name}-events",
            {
                **messages,
                **_given(args, "extra_rules", "drill"),
                "failures_topic_arn": notifications.failures_topic_arn,
                "audit_queue_arn": trail.queue_arn,
                "audit_queue_url": trail.queue_url,
                "start_function_arn": remediation.start_function_arn,
                "start_function_name": remediation.start_function_name,
            },
            child,
        )
        audit = RotationAudit(
            f"{name}-audit",
            {
                **messages,
                **functions,
                **status_table,
                **_given(args, "schedule_expression", "schedule_timezone", "schedule_flexible_minutes"),
                **_given(args, "max_age_days", "max_age_classes", "warn_days", "stuck_hours", "missed_hours"),
                **_given(args, "managed_tag", "history"),
                "audit_trail_table_name": trail.table_name,
                "audit_trail_table_arn": trail.table_arn,
                "incidents_table_name": remediation.incidents_table_name,
                "incidents_table_arn": remediation.incidents_table_arn,
            },
            child,
        )
        observability = Observability(
            f"{name}-observability",
            {
                **_given(args, "schedule_expression", "max_overdue", "runbook_url", "tags"),
                "alarms_topic_arn": notifications.alarms_topic_arn,
                "rule_names": events.rule_names,
                "undelivered_events_queue_name": events.dead_letters_name,
                "audit_queue_name": trail.queue_name,
                "unrecorded_events_queue_name": trail.dead_letters_name,
                "writer": trail.writer,
                "check": audit.check,
                "schedule_group_name": audit.schedule_group_name,
                "failed_audits_queue_name": audit.dead_letters_name,
                "steps": remediation.steps,
                "state_machine_arn": remediation.state_machine_arn,
                "unstarted_remediations_queue_name": remediation.dead_letters_name,
                "topic_names": notifications.topic_names,
                "undelivered_notices_queue_name": notifications.dead_letters_name,
            },
            child,
        )

        self.function_name = audit.function_name
        self.schedule_name = audit.schedule_name
        self.schedule_group_name = audit.schedule_group_name
        self.schedule_expression = audit.schedule_expression
        self.table_name = audit.table_name
        self.status_table_name = status.table_name
        self.runs_table_name = audit.runs_table_name
        self.audit_trail_table_name = trail.table_name
        self.incidents_table_name = remediation.incidents_table_name
        self.failures_topic_arn = notifications.failures_topic_arn
        self.remediation_topic_arn = notifications.remediation_topic_arn
        self.critical_topic_arn = notifications.critical_topic_arn
        self.state_machine_arn = remediation.state_machine_arn
        self.kill_switch_parameter_name = remediation.kill_switch_parameter_name
        self.audit_queue_url = trail.queue_url
        self.undelivered_events_dead_letters_url = events.dead_letters_url
        self.unrecorded_events_dead_letters_url = self.audit_dead_letters_url = trail.dead_letters_url
        self.unstarted_remediations_dead_letters_url = remediation.dead_letters_url
        self.failed_audits_dead_letters_url = audit.dead_letters_url
        self.undelivered_notices_dead_letters_url = notifications.dead_letters_url
        self.alarms_topic_arn = notifications.alarms_topic_arn if args.get("kms_key_arn") is not None else None
        self.dashboard_url = observability.dashboard_url
        self.demo_secret_names = {output: getattr(demo, output) for output in DEMO_OUTPUTS} if demo else {}
        self.register_outputs(self.outputs())

    def outputs(self) -> dict[str, Output[str]]:
        """Everything above by name that there is, the demo secrets' among them: the stack's outputs."""
        outputs = {name: getattr(self, name) for name in type(self).__annotations__ if name != "demo_secret_names"}
        return {**{name: output for name, output in outputs.items() if output is not None}, **self.demo_secret_names}


def _demo(name: str, args: RotationGuardArgs, runtime: RuntimeArgs, opts: ResourceOptions) -> DemoSecrets | None:
    if not args.get("demo"):
        return None
    return DemoSecrets(name, {**_given(args, "tags", "managed_tag"), "runtime": runtime}, opts)


def _with_demo(args: RotationGuardArgs, demo: DemoSecrets | None) -> dict[str, list[pulumi.Input[str]]]:
    """The functions that remediation may call, those of the demo among them."""
    own: dict[str, list[pulumi.Input[str]]] = {"probe_functions": [], "rotation_functions": []}
    if demo:
        own = {"probe_functions": [demo.probe_function_arn], "rotation_functions": [demo.rotation_function_arn]}
    return {setting: [*args.get(setting, []), *more] for setting, more in own.items()}


def _given(args: Mapping[str, Any], *names: str) -> Any:
    """The settings among these that were given: what was not keeps the default of the component it belongs to."""
    return {name: args[name] for name in names if name in args}
