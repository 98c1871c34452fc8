"""The steps of remediation, as data: what each does, what it is told, and what it may do. For inside use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi import Output
from pulumi_aws import dynamodb, ssm

from .. import arns
from ..function import statements
from ..iam_policies import Statement
from ..release import resolve_runbook
from ..settings.remediation import RETRY_BASE_MINUTES, RETRY_CAP_MINUTES
from . import permissions

PROBE_SECONDS = 10
RESTART_DEBOUNCE_SECONDS = 60
RESTART_MINUTES = 30
RESTART_SECONDS = 50
"""How long it may take to ask for a restart of each dependent, or to look at it: under the minute that a step has."""
START_SECONDS = 10
"""How long Lambda lets a function start before it is called
(https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib)."""
VERSIONS = 3
"""A probe is asked about AWSCURRENT, AWSPENDING and AWSPREVIOUS, one after another."""

STEPS_OF_EVERY_MODE = ("claim", "diagnose", "decide", "end", "notify")
"""What remediation always needs; a setting brings each of the others, and can take it away again."""

Environment = Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True)
class Step:
    """One step: its function is called after it, and runs `handlers.remediation.<its name>`."""

    description: str
    statements: Output[list[Statement]]
    environment: Environment
    timeout_seconds: int = 30


def probe_seconds(args: Mapping[str, Any]) -> int:
    """How long the step may take that asks a probe about each version: its function, and a new environment's start."""
    return probe_function_seconds(args) + START_SECONDS


def probe_function_seconds(args: Mapping[str, Any]) -> int:
    """How long its function may run: each time the probe may hang, and then there is still something to be answered."""
    return VERSIONS * args.get("probe_timeout_seconds", PROBE_SECONDS) + 10


def steps(args: Mapping[str, Any], incidents: dynamodb.Table, kill_switch: ssm.Parameter) -> dict[str, Step]:
    """The steps by their names, those alone that these settings, of Remediation, need.

    In mode `notify` nothing exists that could ask for a rotation, and only in mode `repair` what can move a label.
    """
    mode = args.get("mode", "notify")
    place = [arns.part(incidents.arn, index) for index in arns.PLACE]
    table: Environment = {"INCIDENTS_TABLE_NAME": incidents.name}
    kept: Environment = {"HISTORY_DAYS": str(args.get("history_days", 400))}
    switch: Environment = {"KILL_SWITCH_PARAMETER_NAME": kill_switch.name}
    probes, rotations = args.get("probe_functions", []), args.get("rotation_functions", [])
    targets, roles = args.get("restart_targets", []), args.get("restart_role_arns", [])
    restarts: Environment = {"RESTART_TARGETS": Output.json_dumps(targets)}
    topics = [args["remediation_topic_arn"], args["critical_topic_arn"]]

    found = {
        "claim": Step(
            "Claims the incident of a failed rotation",
            statements(permissions.claim, place, incidents.arn),
            {**table, **restarts, "SETTLE_MINUTES": str(args.get("settle_minutes", 15))},
        ),
        "diagnose": Step(
            "Looks at the labels of a secret whose rotation failed",
            statements(permissions.diagnose, place, incidents.arn),
            {**table, **restarts, "REMEDIATION_MODE": mode, "PROBE_FUNCTIONS": Output.json_dumps(probes)},
        ),
        "decide": Step(
            "Decides what is done about a failed rotation",
            statements(permissions.decide, incidents.arn, kill_switch.arn),
            {
                **table,
                **switch,
                "MAX_RETRIES": str(args.get("max_retries", 3)),
                "RETRY_BASE_MINUTES": str(args.get("retry_base_minutes", RETRY_BASE_MINUTES)),
                "RETRY_CAP_MINUTES": str(args.get("retry_cap_minutes", RETRY_CAP_MINUTES)),
                "BREAKER_THRESHOLD": str(args.get("breaker_threshold", 3)),
                "MAX_ACTIONS_PER_HOUR": str(args.get("max_actions_per_hour", 10)),
                "CHANGE_WINDOW": Output.json_dumps(args.get("change_window", {})),
            },
        ),
        "end": Step(
            "Ends the incident of a failed rotation",
            statements(permissions.end, incidents.arn),
            {**table, **kept},
        ),
        "notify": Step(
            "Tells people about an incident",
            statements(permissions.notify, place, incidents.arn, topics),
            {
                **table,
                "REMEDIATION_TOPIC_ARN": topics[0],
                "CRITICAL_TOPIC_ARN": topics[1],
                "RUNBOOK_URL": resolve_runbook(args.get("runbook_url", "")),
            },
        ),
    }
    if mode in ("retry", "repair"):
        found["retry"] = Step(
            "Asks for the rotation of a secret again",
            statements(permissions.retry, place, incidents.arn, rotations),
            table,
        )
    if mode == "repair":
        found["move"] = Step(
            "Moves AWSCURRENT to a version that was proven to work",
            statements(permissions.move, place, incidents.arn),
            table,
        )
    if probes:
        found["probe"] = Step(
            "Asks a probe which version of a secret works",
            statements(permissions.probe, probes),
            {"PROBE_TIMEOUT_SECONDS": str(args.get("probe_timeout_seconds", PROBE_SECONDS))},
            probe_function_seconds(args),
        )
    if targets:
        found["restart"] = Step(
            "Restarts what uses a secret that has a new value",
            statements(permissions.restart, place, incidents.arn, kill_switch.arn, targets, roles),
            {**table, **switch},
            RESTART_SECONDS,
        )
        found["watch"] = Step(
            "Watches restarts until they settle",
            statements(permissions.watch, place, incidents.arn, targets),
            table,
            RESTART_SECONDS,
        )
    return found
