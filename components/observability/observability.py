"""What tells people that the product itself fails: alarms, one page for each cause, and the on-call dashboard."""

from collections.abc import Mapping
from typing import NotRequired, TypedDict

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_aws import cloudwatch

from .. import arns
from ..function import ASYNC_RETRIES, WatchedFunctionArgs
from ..release import resolve_runbook
from ..remediation.states import FAILED_ATTEMPTS
from ..settings.schedule_expression import longest_period_seconds
from . import dashboard
from .alarms import Alarms, Condition, Metric, build_own_metric, name_like

MAXIMUM_SECRETS = 500_000
"""As many as AWS keeps in a Region, so that no more are overdue: the alarm about that is off
(https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html)."""
LONGEST_ALARM_SECONDS = 7 * 86_400
"""The most that an alarm looks back (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html)."""
ENDINGS = {"failed": "ExecutionsFailed", "aborted": "ExecutionsAborted", "timed-out": "ExecutionsTimedOut"}
"""How an execution may end without a notice, and the metric that counts it
(https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html)."""
OLDEST_MESSAGE_SECONDS = 300
"""The writer has failed twice by then: a message is seen again after three minutes. Ten minutes would never be reached:
SQS leaves a message that was received more than three times out of the age of the oldest
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html)."""
THROTTLES = 5
"""In five minutes: Lambda and Step Functions try a throttled call again at once and soon, which a burst may need."""

_VISIBLE = Condition(statistic="Maximum", period=60)
"""SQS sends nothing for a queue that was empty and unused for six hours: as good as empty."""
_OLD = Condition(OLDEST_MESSAGE_SECONDS, "Maximum", period=60)
_PERMANENT = Condition()
"""What EventBridge, Scheduler, SNS and Step Functions count once they have given up; while there is nothing to count,
they send nothing."""
_ERRORS = Condition(period=900)
_REPEATED = Condition(periods=2)
"""In two periods in a row: the queue hands a message out again within one, so a retry may have repaired what is only in
one."""


class ObservabilityArgs(TypedDict):
    """What is watched, and whom the alarms ring."""

    alarms_topic_arn: pulumi.Input[str]
    """Topic that the alarms ring: one that admits CloudWatch."""
    rule_names: Mapping[str, pulumi.Input[str]]
    """The rules of the default event bus, by short names."""
    undelivered_events_queue_name: pulumi.Input[str]
    """Dead letters of the rules."""
    audit_queue_name: pulumi.Input[str]
    """Where events wait to be recorded."""
    unrecorded_events_queue_name: pulumi.Input[str]
    """Its dead letters."""
    writer: WatchedFunctionArgs
    """The function that records events."""
    check: WatchedFunctionArgs
    """The function that audits."""
    schedule_group_name: pulumi.Input[str]
    """The group of the schedule that starts it."""
    failed_audits_queue_name: pulumi.Input[str]
    """Dead letters of both."""
    steps: Mapping[str, WatchedFunctionArgs]
    """The functions of remediation, by short names: `start`, `claim`, `end` and others."""
    state_machine_arn: pulumi.Input[str]
    """The remediation workflow."""
    unstarted_remediations_queue_name: pulumi.Input[str]
    """Dead letters of what starts it."""
    topic_names: Mapping[str, pulumi.Input[str]]
    """The topics of notices, by short names."""
    undelivered_notices_queue_name: NotRequired[pulumi.Input[str] | None]
    """Dead letters of their subscriptions; none unless given."""
    schedule_expression: NotRequired[str]
    """How often secrets are audited; `rate(1 hour)` unless given."""
    max_overdue: NotRequired[int]
    """How many secrets may be over their limit before an alarm rings; 500000, which is off, unless given."""
    runbook_url: NotRequired[str]
    """The runbook that alarms lead to; the one of this project unless given."""
    tags: NotRequired[Mapping[str, str]]
    """Tags for every alarm."""


class Observability(pulumi.ComponentResource):
    """Every way in which the product can fail unheard has a metric alarm; each subject of them pages once.

    Functions of the demo are not watched: a drill makes them fail.
    """

    dashboard_url: Output[str]
    """The dashboard in the CloudWatch console."""

    def __init__(self, name: str, args: ObservabilityArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("rotation-guard:index:Observability", name, {**args}, opts)
        self._args = args
        runbook = resolve_runbook(args.get("runbook_url", ""))
        self._alarms = Alarms(name, runbook, args["alarms_topic_arn"], args.get("tags"), self)

        throttled = self._page_throttled_functions()
        pages = [
            throttled,
            self._page_undelivered_events(),
            self._page_unrecorded_events(throttled),
            self._page_failed_audits(throttled),
            self._page_stopped_remediation(throttled),
            self._page_undelivered_notices(),
            *self._page_overdue_secrets(),
        ]
        self.dashboard_url = self._create_dashboard(name, runbook, pages)
        self.register_outputs({"dashboard_url": self.dashboard_url})

    def _page_throttled_functions(self) -> cloudwatch.CompositeAlarm:
        """Functions share the account's concurrency, so this is one cause that would show in several subjects."""
        functions = {"writer": self._args["writer"], "check": self._args["check"], **self._args["steps"]}
        causes = {
            f"{short}-throttles": self._alarms.watch(
                f"{short}-throttles",
                Metric("AWS/Lambda", "Throttles", {"FunctionName": function["function_name"]}),
                Condition(THROTTLES),
                f"Lambda refuses to run the function {short}: too many run at once in the account.",
                "functions-are-throttled",
            )
            for short, function in functions.items()
        }
        return self._alarms.page(
            "throttled-functions",
            causes,
            "Lambda throttles functions of rotation-guard: events wait, and nothing is repaired or audited.",
            "functions-are-throttled",
        )

    def _page_undelivered_events(self) -> cloudwatch.CompositeAlarm:
        heading = "rotation-events-are-not-delivered"
        causes = {
            "undelivered-events": self._watch_dead_letters(
                "undelivered-events", self._args["undelivered_events_queue_name"]
            )
        }
        for short, rule_name in self._args["rule_names"].items():
            for what, metric, meaning in (
                ("failed", "FailedInvocations", f"EventBridge could not deliver an event of the rule {short}."),
                (
                    "lost",
                    "InvocationsFailedToBeSentToDlq",
                    f"An event of the rule {short} is lost: neither its target nor the dead-letter queue took it.",
                ),
            ):
                causes[f"rule-{short}-{what}"] = self._alarms.watch(
                    f"rule-{short}-{what}",
                    Metric("AWS/Events", metric, {"RuleName": rule_name}),
                    _PERMANENT,
                    meaning,
                    heading,
                )
        return self._alarms.page(
            "events-not-delivered",
            causes,
            "Rotation events do not reach people, the audit trail or remediation.",
            heading,
        )

    def _page_unrecorded_events(self, throttled: cloudwatch.CompositeAlarm) -> cloudwatch.CompositeAlarm:
        heading, writer = "events-are-not-recorded", self._args["writer"]
        queue = {"QueueName": self._args["audit_queue_name"]}
        causes = {
            "unrecorded-events": self._watch_dead_letters(
                "unrecorded-events", self._args["unrecorded_events_queue_name"]
            ),
            "oldest-event": self._alarms.watch(
                "oldest-event",
                Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", queue),
                _OLD,
                f"An event has waited for {OLDEST_MESSAGE_SECONDS // 60} minutes to be recorded.",
                heading,
            ),
            "writer-errors": self._watch_errors("writer", writer, attempts=3),
            "events-unrecorded": self._alarms.watch(
                "events-unrecorded",
                build_own_metric("EventsUnrecorded", writer),
                _REPEATED,
                "The writer keeps failing to record events.",
                heading,
            ),
            "events-without-secret": self._alarms.watch(
                "events-without-secret",
                build_own_metric("EventsWithoutSecret", writer),
                Condition(),
                "An event of Secrets Manager names no secret: remediation and the audit cannot use it.",
                "an-event-names-no-secret",
            ),
        }
        return self._alarms.page(
            "events-not-recorded",
            causes,
            "The audit trail has gaps or is behind.",
            heading,
            suppressor=throttled,
        )

    def _page_failed_audits(self, throttled: cloudwatch.CompositeAlarm) -> cloudwatch.CompositeAlarm:
        heading, check = "the-audit-does-not-run", self._args["check"]
        group = {"ScheduleGroup": self._args["schedule_group_name"]}
        causes = {
            "failed-audits": self._watch_dead_letters("failed-audits", self._args["failed_audits_queue_name"]),
            "check-errors": self._watch_errors("check", check, attempts=ASYNC_RETRIES + 1),
        }
        for what, metric, meaning in (
            ("dropped", "InvocationDroppedCount", "Scheduler has given up starting an audit."),
            (
                "lost",
                "InvocationsFailedToBeSentToDeadLetterCount",
                "Scheduler could not start an audit, and could not write to the dead-letter queue.",
            ),
        ):
            causes[f"schedule-{what}"] = self._alarms.watch(
                f"schedule-{what}", Metric("AWS/Scheduler", metric, group), _PERMANENT, meaning, heading
            )
        only_after = {}
        if (window := self._find_audit_window()) is not None:
            period, periods = window
            complete = build_own_metric("AuditRunsComplete", check)
            causes["no-complete-audit"] = self._alarms.watch(
                "no-complete-audit",
                complete,
                # A run that never began sends nothing.
                Condition(1, operator="LessThanThreshold", period=period, periods=periods, missing="breaching"),
                "No audit was complete for three periods.",
                heading,
            )
            only_after["no-complete-audit"] = self._alarms.watch(
                "no-audit-yet",
                complete,
                # Of what is never below 0 any data makes it OK, and it stays so; before, its data is insufficient.
                Condition(0, operator="LessThanThreshold", period=period, periods=periods, missing="ignore"),
                "INSUFFICIENT_DATA until the first audit has ended, and OK ever after; this never rings.",
                heading,
            )
        return self._alarms.page(
            "audit-not-running",
            causes,
            "Secrets are not audited: what is overdue since the last complete run is not known.",
            heading,
            only_after=only_after,
            suppressor=throttled,
        )

    def _page_stopped_remediation(self, throttled: cloudwatch.CompositeAlarm) -> cloudwatch.CompositeAlarm:
        heading = "remediation-does-not-act"
        causes = {
            "unstarted-remediations": self._watch_dead_letters(
                "unstarted-remediations", self._args["unstarted_remediations_queue_name"]
            )
        }
        for ending, metric in ENDINGS.items():
            # An escalation is told and its execution succeeds: these are for what nobody was told of.
            causes[f"executions-{ending}"] = self._alarms.watch(
                f"executions-{ending}",
                Metric("AWS/States", metric, {"StateMachineArn": self._args["state_machine_arn"]}),
                _PERMANENT,
                f"An execution of the remediation workflow {ending.replace('-', ' ')}: its incident may be unheard of.",
                heading,
            )
        for short, function in self._args["steps"].items():
            attempts = (ASYNC_RETRIES if short == "start" else FAILED_ATTEMPTS) + 1
            causes[f"{short}-errors"] = self._watch_errors(short, function, attempts)
        return self._alarms.page(
            "remediation-not-acting",
            causes,
            "Failed rotations may be neither told of nor repaired.",
            heading,
            suppressor=throttled,
        )

    def _page_undelivered_notices(self) -> cloudwatch.CompositeAlarm:
        heading = "notices-are-not-delivered"
        causes = {
            f"topic-{short}-failed": self._alarms.watch(
                f"topic-{short}-failed",
                Metric("AWS/SNS", "NumberOfNotificationsFailed", {"TopicName": topic_name}),
                _PERMANENT,
                f"A subscriber of the topic {short} did not get a notice.",
                heading,
            )
            for short, topic_name in self._args["topic_names"].items()
        }
        queue_name = self._args.get("undelivered_notices_queue_name")
        if queue_name is not None:
            causes["undelivered-notices"] = self._watch_dead_letters("undelivered-notices", queue_name)
        return self._alarms.page("notices-not-delivered", causes, "A subscriber does not get notices.", heading)

    def _page_overdue_secrets(self) -> list[cloudwatch.CompositeAlarm]:
        limit = self._args.get("max_overdue", MAXIMUM_SECRETS)
        if limit >= MAXIMUM_SECRETS:
            return []
        heading = "too-many-secrets-are-overdue"
        meaning = f"More than {limit} secrets are over their maximum age."
        overdue = self._alarms.watch(
            "overdue-secrets",
            build_own_metric("SecretsFlagged", self._args["check"]),
            # Between two audits nothing is known that was not known before.
            Condition(limit, "Maximum", "GreaterThanThreshold", period=self._find_audit_period(), missing="ignore"),
            meaning,
            heading,
        )
        return [self._alarms.page("too-many-overdue", {"overdue-secrets": overdue}, meaning, heading)]

    def _watch_dead_letters(self, what: str, queue_name: pulumi.Input[str]) -> cloudwatch.MetricAlarm:
        return self._alarms.watch(
            what,
            Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": queue_name}),
            _VISIBLE,
            f"There are dead letters: {what.replace('-', ' ')}.",
            "dead-letters",
        )

    def _watch_errors(self, short: str, function: WatchedFunctionArgs, attempts: int) -> cloudwatch.MetricAlarm:
        """As many errors as one event gets attempts: what a later attempt has repaired rings nobody.

        An event that all attempts failed for is a dead letter or a failed execution, and rings as that in any case.
        """
        return self._alarms.watch(
            f"{short}-errors",
            Metric("AWS/Lambda", "Errors", {"FunctionName": function["function_name"]}),
            _ERRORS.with_threshold(attempts),
            f"The function {short} fails: {attempts} errors in {_ERRORS.period // 60} minutes.",
            "a-function-fails",
        )

    def _find_audit_period(self) -> int:
        """The period of the audit, as alarms take it: whole minutes, and no more than a day."""
        return min(86_400, -(-self._find_longest_period() // 60) * 60)

    def _find_audit_window(self) -> tuple[int, int] | None:
        """Period and number of periods that take in three audits; None where no alarm may look back that far."""
        longest, period = self._find_longest_period(), self._find_audit_period()
        return (period, -(-3 * longest // period)) if 3 * longest <= LONGEST_ALARM_SECONDS else None

    def _find_longest_period(self) -> int:
        return longest_period_seconds(self._args.get("schedule_expression", "rate(1 hour)"))

    def _create_dashboard(self, name: str, runbook: str, pages: list[cloudwatch.CompositeAlarm]) -> Output[str]:
        """The dashboard; answers its URL."""
        machine_arn = self._args["state_machine_arn"]
        partition, region = (arns.part(machine_arn, part) for part in (arns.ArnPart.PARTITION, arns.ArnPart.REGION))
        body = dashboard.write_body(region, runbook, [page.arn for page in pages], dashboard.list_charts(self._args))
        made = cloudwatch.Dashboard(
            name,
            dashboard_name=name_like(name, pages[0].alarm_name),
            dashboard_body=Output.json_dumps(body),
            opts=ResourceOptions(parent=self),
        )
        return Output.all(partition, region, made.dashboard_name).apply(
            lambda known: dashboard.build_console_url(*known)
        )
