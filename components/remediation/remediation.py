"""What is done about a failed rotation: the workflow, its steps, and the incidents that they keep."""

from collections.abc import Mapping
from typing import NotRequired, TypedDict

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_aws import cloudwatch, dynamodb, iam, sfn, ssm

from .. import arns, iam_policies
from ..function import Function, RuntimeArgs, describe_for_alarms, statements
from ..queue import queue
from ..release import resolve_runbook
from ..table import table
from . import permissions
from .steps import RESTART_DEBOUNCE_SECONDS, RESTART_MINUTES, STEPS_OF_EVERY_MODE, probe_seconds, steps
from .workflow import Workflow

WORKFLOW_LOG_PREFIX = "/aws/vendedlogs/states/"
"""Step Functions lets log delivery write by a statement for each log group in the account's resource policy for logs,
which has 5120 characters. Groups under this prefix need no statement of their own; any other fails to be created where
the policy is full (https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html)."""
GO = "go"
"""What the kill switch says until somebody stops remediation: any other word stops it."""
KEPT_BY_DEPLOYMENTS = [
    "allowedPattern",
    "arn",
    "dataType",
    "description",
    "hasValueWo",
    "insecureValue",
    "keyId",
    "name",
    "overwrite",
    "region",
    "tags",
    "tagsAll",
    "tier",
    "type",
    "value",
    "valueWo",
    "valueWoVersion",
    "version",
]
"""Every property of the kill switch: no deployment may change one of them once it is there.

Ignoring the value alone keeps the value that was deployed, and the provider sends that with any other change: its
update of a parameter is PutParameter, which has no call without a value
(https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html). `tagsAll` is what the tags
become with the default tags of the provider.
"""


class ChangeWindowArgs(TypedDict):
    """When remediation may act; empty for any time."""

    days: NotRequired[list[str]]
    """On which days it begins: `mon` to `sun`; on each unless given."""
    start: NotRequired[str]
    """When it begins, such as `22:00`, in UTC."""
    end: NotRequired[str]
    """When it ends, in UTC; on the next day where that is not later."""


class RemediationArgs(TypedDict):
    """Whom to tell, how far to go, and what may be touched."""

    remediation_topic_arn: pulumi.Input[str]
    """Topic for readable notices."""
    critical_topic_arn: pulumi.Input[str]
    """Topic for what needs somebody."""
    mode: NotRequired[str]
    """The most it may do: `notify`, `retry` or `repair`; `notify` unless given."""
    settle_minutes: NotRequired[int]
    """Minutes that AWS is given to recover by itself; 15 unless given."""
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
    """When remediation may act; at any time unless given."""
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
    """Seconds to wait before dependents are restarted; 60 unless given."""
    restart_timeout_minutes: NotRequired[int]
    """Minutes that a restart may take to settle, longer than the bake time of a deployment; 30 unless given."""
    runbook_url: NotRequired[str]
    """Where the runbook is that notices lead to; the one of this project unless given."""
    history_days: NotRequired[int]
    """Days until a closed incident expires, 0 for never; 400 unless given."""
    deletion_protection: NotRequired[bool]
    """Whether AWS refuses to delete the table; it does unless given."""
    dead_letter_retention_days: NotRequired[int]
    """Days that events are kept for which no execution could be started; 14 unless given."""
    log_retention_days: NotRequired[int]
    """Days that the workflow's log is kept; 90 unless given."""
    kms_key_arn: NotRequired[pulumi.Input[str]]
    """Customer key for the dead letters; SSE-SQS unless given."""
    runtime: NotRequired[RuntimeArgs]
    """What the steps have in common with the other functions."""
    tags: NotRequired[Mapping[str, str]]
    """Tags for everything that can carry them."""


class Remediation(pulumi.ComponentResource):
    """One incident per secret at a time: claimed, told, mended as far as that is allowed, and closed."""

    start_function_arn: Output[str]
    """The function that starts the workflow, for what EventBridge hands it."""
    start_function_name: Output[str]
    """The same function, to let rules call it."""
    state_machine_arn: Output[str]
    """The workflow."""
    kill_switch_parameter_name: Output[str]
    """The parameter that stops every action while it says anything but `go`."""
    incidents_table_name: Output[str]
    """The incidents, open and closed."""
    incidents_table_arn: Output[str]
    """The same table, for the policies of those who read it."""
    dead_letters_url: Output[str]
    """Events for which no execution could be started."""

    def __init__(self, name: str, args: RemediationArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("rotation-guard:index:Remediation", name, {**args}, opts)
        child = ResourceOptions(parent=self)
        tags = args.get("tags")
        runtime = args.get("runtime", {})
        reserved = args.get("reserved_concurrency", 0)

        incidents = table(
            f"{name}-incidents",
            hash_key="secret_arn",
            range_key="opened_at",
            deletion_protection=args.get("deletion_protection", True),
            tags=tags,
            opts=child,
        )
        kill_switch = ssm.Parameter(
            f"{name}-kill-switch",
            description="Any word but go stops the actions of remediation; notices go on (rotation-guard)",
            type="String",
            value=GO,
            tags=tags,
            # Whoever stops it is not to be overruled by the next deployment: it never updates the parameter.
            opts=ResourceOptions(parent=self, ignore_changes=KEPT_BY_DEPLOYMENTS),
        )
        functions = {
            step: Function(
                f"{name}-{step}",
                {
                    "handler": f"handlers.remediation.{step}.handler",
                    "description": what.description,
                    "statements": what.statements,
                    "environment": what.environment,
                    "timeout_seconds": what.timeout_seconds,
                    "reserved_concurrency": reserved,
                    # What it did to secrets is evidence, and a setting can take the function away.
                    "retain_logs": step not in STEPS_OF_EVERY_MODE,
                    "runtime": runtime,
                },
                opts=child,
            )
            for step, what in steps(args, incidents, kill_switch).items()
        }
        state_machine = self._workflow(name, args, incidents, {step: one.arn for step, one in functions.items()})
        dead_letters = queue(
            f"{name}-dead-letters",
            retention_days=args.get("dead_letter_retention_days", 14),
            kms_key_arn=args.get("kms_key_arn"),
            tags=tags,
            opts=child,
        )
        start = Function(
            f"{name}-start",
            {
                "handler": "handlers.remediation.start.handler",
                "description": "Starts remediation for what is heard of a rotation",
                "statements": statements(permissions.start, state_machine.arn),
                "environment": {"STATE_MACHINE_ARN": state_machine.arn},
                # EventBridge does not wait for its answer.
                "on_failure_arn": dead_letters.arn,
                "reserved_concurrency": reserved,
                "runtime": runtime,
            },
            opts=child,
        )

        self.start_function_arn = start.arn
        self.start_function_name = start.name
        self.state_machine_arn = state_machine.arn
        self.kill_switch_parameter_name = kill_switch.name
        self.incidents_table_name = incidents.name
        self.incidents_table_arn = incidents.arn
        self.dead_letters_url = dead_letters.url
        # For Observability, in the same program.
        self.dead_letters_name = dead_letters.name
        self.steps = {step: describe_for_alarms(function) for step, function in {**functions, "start": start}.items()}
        self.register_outputs({output: getattr(self, output) for output in type(self).__annotations__})

    def _workflow(
        self, name: str, args: RemediationArgs, incidents: dynamodb.Table, functions: Mapping[str, Output[str]]
    ) -> sfn.StateMachine:
        """The state machine, its role and its log."""
        child, tags = ResourceOptions(parent=self), args.get("tags")
        topic_arn = args["critical_topic_arn"]
        partition, region, account = (arns.part(incidents.arn, index) for index in arns.PLACE)
        log_group = cloudwatch.LogGroup(
            f"{name}-workflow",
            name_prefix=f"{WORKFLOW_LOG_PREFIX}{name}-",
            retention_in_days=args.get("log_retention_days", 90),
            tags=tags,
            # A stack from before keeps its log group: its delivery is permitted, and another name would delete the log.
            opts=ResourceOptions(parent=self, ignore_changes=["name", "name_prefix"]),
        )
        role = iam.Role(
            f"{name}-workflow",
            description="Runs the remediation workflow (rotation-guard)",
            assume_role_policy=Output.all(account, partition, region).apply(
                lambda known: iam_policies.assumed_by_states(*known)
            ),
            tags=tags,
            opts=child,
        )
        permitted = iam.RolePolicy(
            f"{name}-workflow",
            role=role.name,
            policy=Output.all(
                [*functions.values()], topic_arn, incidents.arn, args.get("runtime", {}).get("kms_key_arn")
            ).apply(lambda known: iam_policies.document(*iam_policies.state_machine(*known))),
            opts=child,
        )
        return sfn.StateMachine(
            name,
            role_arn=role.arn,
            definition=Output.all(partition, dict(functions), topic_arn, incidents.name).apply(
                lambda known: Workflow(
                    *known,
                    probe_seconds=probe_seconds(args),
                    debounce_seconds=args.get("restart_debounce_seconds", RESTART_DEBOUNCE_SECONDS),
                    restart_minutes=args.get("restart_timeout_minutes", RESTART_MINUTES),
                    runbook_url=resolve_runbook(args.get("runbook_url", "")),
                ).definition()
            ),
            type="STANDARD",
            logging_configuration={
                "level": "ERROR",
                # Names and outcomes are enough to follow an execution.
                "include_execution_data": False,
                "log_destination": log_group.arn.apply(lambda arn: f"{arn}:*"),
            },
            tags=tags,
            opts=ResourceOptions(parent=self, depends_on=[permitted]),
        )
