"""The steps of remediation, as data: what each does, its environment, and its permissions. For internal use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi import Output
from pulumi_aws import dynamodb, ssm

from rotation_guard.domain.remediation.decisions import Mode
from rotation_guard.domain.secret_filter import SecretFilter

from .. import arns
from ..function import statements
from ..iam_policies import Statement
from ..release import resolve_runbook
from ..settings.declarations import value_of
from ..settings.environment import to_environment
from ..table import TableReference
from . import permissions

PROBE_SECONDS = 10
"""How long a probe may take for one version."""
RETRY_BASE_MINUTES, RETRY_CAP_MINUTES = 5, 60
"""The longest wait after the first retry, and after any."""
RESTART_SECONDS = 50
"""How long it may take to ask for a restart of each dependent, or to look at it: under the minute that a step has."""
START_SECONDS = 10
"""How long Lambda lets a function start before it is called
(https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib)."""
VERSIONS = 3
"""A probe is asked about AWSCURRENT, AWSPENDING and AWSPREVIOUS, one after another."""

PROBE_FUNCTION_SECONDS = VERSIONS * PROBE_SECONDS + 10
"""How long the function that asks a probe may run: each question may time out, and then it still has to answer."""
PROBE_STEP_SECONDS = PROBE_FUNCTION_SECONDS + START_SECONDS
"""How long the step may take that asks a probe: its function, and the start of a new environment."""

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


def steps(
    args: Mapping[str, Any], incidents: dynamodb.Table | TableReference, kill_switch: ssm.Parameter
) -> dict[str, Step]:
    """The steps by their names, those alone that these settings, of Remediation, need.

    In mode `notify` nothing exists that could ask for a rotation, and only in mode `repair` what can move a label.
    """
    mode = value_of(args, "remediation_mode")
    place = [arns.part(incidents.arn, index) for index in arns.SCOPE]
    table: Environment = {"INCIDENTS_TABLE_NAME": incidents.name}
    switch: Environment = {"KILL_SWITCH_PARAMETER_NAME": kill_switch.name}
    probes, rotations = value_of(args, "probe_functions"), value_of(args, "rotation_functions")
    targets, roles = value_of(args, "restart_targets"), value_of(args, "restart_role_arns")
    scope = SecretFilter.from_setting(value_of(args, "remediation_scope"))
    topics = [args["remediation_topic_arn"], args["critical_topic_arn"]]

    all_steps = {
        "claim": Step(
            "Claims the incident of a failed rotation",
            statements(permissions.claim, place, incidents.arn),
            {**table, **to_environment(args, "claim")},
        ),
        "diagnose": Step(
            "Diagnoses a secret whose rotation failed, by its labels",
            statements(permissions.diagnose, place, incidents.arn),
            {**table, **to_environment(args, "diagnose")},
        ),
        "decide": Step(
            "Decides what to do about a failed rotation",
            statements(permissions.decide, incidents.arn, kill_switch.arn),
            {
                **table,
                **switch,
                **to_environment(args, "decide"),
                "RETRY_BASE_MINUTES": str(RETRY_BASE_MINUTES),
                "RETRY_CAP_MINUTES": str(RETRY_CAP_MINUTES),
            },
        ),
        "end": Step(
            "Ends the incident of a failed rotation",
            statements(permissions.end, incidents.arn),
            {**table, **to_environment(args, "end")},
        ),
        "notify": Step(
            "Tells people about an incident",
            statements(permissions.notify, place, incidents.arn, topics),
            {
                **table,
                "REMEDIATION_TOPIC_ARN": topics[0],
                "CRITICAL_TOPIC_ARN": topics[1],
                "RUNBOOK_URL": resolve_runbook(value_of(args, "runbook_url")),
            },
        ),
    }
    if mode in (Mode.RETRY, Mode.REPAIR):
        all_steps["retry"] = Step(
            "Asks for the rotation of a secret again",
            statements(permissions.retry, place, incidents.arn, rotations, scope),
            table,
        )
    if mode == Mode.REPAIR:
        all_steps["move"] = Step(
            "Moves AWSCURRENT to a version that was proven to work",
            statements(permissions.move, place, incidents.arn, scope),
            table,
        )
    if probes:
        all_steps["probe"] = Step(
            "Asks a probe which version of a secret works",
            statements(permissions.probe, probes),
            {"PROBE_TIMEOUT_SECONDS": str(PROBE_SECONDS)},
            PROBE_FUNCTION_SECONDS,
        )
    if targets:
        all_steps["restart"] = Step(
            "Restarts what uses a secret that has a new value",
            statements(permissions.restart, place, incidents.arn, kill_switch.arn, targets, roles),
            {**table, **switch},
            RESTART_SECONDS,
        )
        all_steps["watch"] = Step(
            "Watches restarts until they settle",
            statements(permissions.watch, place, incidents.arn, targets),
            table,
            RESTART_SECONDS,
        )
    return all_steps
