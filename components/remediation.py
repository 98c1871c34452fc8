"""What is done about a failed rotation: the workflow, its steps, and the incidents that they keep."""

from collections.abc import Mapping
from typing import NotRequired, TypedDict

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_aws import cloudwatch, iam, sfn

from . import arns, iam_policies, remediation_workflow
from .function import Function, RuntimeArgs, statements
from .tables import table


class RemediationArgs(TypedDict):
    """Whom to tell, and how far to go."""

    remediation_topic_arn: pulumi.Input[str]
    """Topic for readable notices."""
    critical_topic_arn: pulumi.Input[str]
    """Topic for what the workflow cannot handle."""
    mode: NotRequired[str]
    """The most it may do: `notify`, `retry` or `repair`; `notify` unless given. This release only notifies."""
    history_days: NotRequired[int]
    """Days until a closed incident expires, 0 for never; 400 unless given."""
    deletion_protection: NotRequired[bool]
    """Whether AWS refuses to delete the table; it does unless given."""
    log_retention_days: NotRequired[int]
    """Days that the workflow's log is kept; 90 unless given."""
    runtime: NotRequired[RuntimeArgs]
    """What the steps have in common with the other functions."""
    tags: NotRequired[Mapping[str, str]]
    """Tags for everything that can carry them."""


class Remediation(pulumi.ComponentResource):
    """One incident per secret at a time: claimed, written down, told once."""

    state_machine_arn: Output[str]
    """The workflow; its input is the event as EventBridge delivers it."""
    incidents_table_name: Output[str]
    """The incidents, open and closed."""
    incidents_table_arn: Output[str]
    """The same table, for the policies of those who read it."""

    def __init__(self, name: str, args: RemediationArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("rotation-guard:index:Remediation", name, {**args}, opts)
        child = ResourceOptions(parent=self)
        tags = args.get("tags")
        runtime = args.get("runtime", {})
        mode = args.get("mode", "notify")

        incidents = table(
            f"{name}-incidents",
            hash_key="secret_arn",
            range_key="opened_at",
            deletion_protection=args.get("deletion_protection", True),
            tags=tags,
            opts=child,
        )
        partition, region, account = (
            arns.part(incidents.arn, index)
            for index in (arns.ArnPart.PARTITION, arns.ArnPart.REGION, arns.ArnPart.ACCOUNT)
        )
        claim = Function(
            f"{name}-claim",
            {
                "handler": "handlers.remediation_claim.handler",
                "description": "Claims the incident of a failed rotation",
                "statements": statements(iam_policies.remediation_claim, partition, region, account, incidents.arn),
                "environment": {
                    "INCIDENTS_TABLE_NAME": incidents.name,
                    "HISTORY_DAYS": str(args.get("history_days", 400)),
                },
                "runtime": runtime,
            },
            opts=child,
        )
        notify = Function(
            f"{name}-notify",
            {
                "handler": "handlers.remediation_notify.handler",
                "description": "Tells people about an incident",
                "statements": statements(iam_policies.remediation_notify, args["remediation_topic_arn"], incidents.arn),
                "environment": {
                    "INCIDENTS_TABLE_NAME": incidents.name,
                    "REMEDIATION_TOPIC_ARN": args["remediation_topic_arn"],
                    "REMEDIATION_MODE": mode,
                },
                "runtime": runtime,
            },
            opts=child,
        )
        log_group = cloudwatch.LogGroup(
            f"{name}-workflow", retention_in_days=args.get("log_retention_days", 90), tags=tags, opts=child
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
            policy=Output.all(claim.arn, notify.arn, args["critical_topic_arn"], runtime.get("kms_key_arn")).apply(
                lambda known: iam_policies.document(*iam_policies.state_machine(known[:2], known[2], known[3]))
            ),
            opts=child,
        )
        state_machine = sfn.StateMachine(
            name,
            role_arn=role.arn,
            definition=Output.all(partition, claim.arn, notify.arn, args["critical_topic_arn"]).apply(
                lambda known: remediation_workflow.definition(*known)
            ),
            type="STANDARD",
            logging_configuration={
                "level": "ERROR",
                # The event may say what it should not: names and outcomes are enough to follow an execution.
                "include_execution_data": False,
                "log_destination": log_group.arn.apply(lambda arn: f"{arn}:*"),
            },
            tags=tags,
            opts=ResourceOptions(parent=self, depends_on=[permitted]),
        )

        self.state_machine_arn = state_machine.arn
        self.incidents_table_name = incidents.name
        self.incidents_table_arn = incidents.arn
        self.register_outputs(
            {
                "state_machine_arn": self.state_machine_arn,
                "incidents_table_name": self.incidents_table_name,
                "incidents_table_arn": self.incidents_table_arn,
            }
        )
