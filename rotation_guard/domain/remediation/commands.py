"""Builds the shell commands in notifications: complete, on one line, and quoted for a POSIX shell.

AWS CLI commands work in versions 1 and 2, and identify the secret by its ARN: with credentials of another account they
fail instead of acting on a secret of the same name there.
"""

import shlex
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from ..rotation_event import to_utc

OUTPUTS = "stack-outputs.json"
"""The file with the output of `pulumi stack output --json`; the runbook's first section explains it."""
_LONGEST_STEP = timedelta(minutes=15)
"""Maximum duration of a function (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html) and so of
a rotation step before its failure event."""

Payload = dict[str, Any]


def show_incident(payload: Payload) -> str:
    """Show the incident's record."""
    return _build_guard_command("incidents", "show", _name_secret(payload))


def list_rate_limited() -> str:
    """List the rate-limited incidents, whose outcome is stored as `held`."""
    return _build_guard_command("incidents", "list", "--outcome", "held")


def release(payload: Payload) -> str:
    """Release the secret, so that repairs are no longer suspended."""
    return _build_guard_command("incidents", "release", _name_secret(payload), "--reason", "cause repaired")


def allow_repairs() -> str:
    """Set the kill switch to go."""
    return _build_guard_command("remediation", "go", "--reason", "cause repaired")


def show_switch() -> str:
    """Show the kill switch."""
    return _build_guard_command("remediation", "status")


def rotate(payload: Payload, secret_arn: str | None = None) -> str:
    """Start a rotation; AWS retries an unfinished one (RotateSecret)."""
    return _build_secret_command(payload, "rotate-secret", secret_arn=secret_arn)


def try_rotation(payload: Payload) -> str:
    """Test the rotation's settings without rotating
    (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html, RotateImmediately)."""
    return _build_secret_command(payload, "rotate-secret", "--no-rotate-immediately")


def describe(payload: Payload, query: str = "") -> str:
    """Show labels, dates, tags and rotation function, without the value."""
    return _build_secret_command(payload, "describe-secret", *_build_query(query))


def list_versions(payload: Payload) -> str:
    """List all versions, with or without labels, and their creation dates."""
    return _build_secret_command(payload, "list-secret-version-ids", "--include-deprecated")


def read_policy(payload: Payload) -> str:
    """Show the secret's resource policy."""
    return _build_secret_command(payload, "get-resource-policy", "--query", "ResourcePolicy", "--output", "text")


def restore(payload: Payload) -> str:
    """Cancel a scheduled deletion."""
    return _build_secret_command(payload, "restore-secret")


def read_value(payload: Payload, version: str) -> str:
    """Print the value of a version."""
    return _build_secret_command(
        payload, "get-secret-value", "--version-id", version, "--query", "SecretString", "--output", "text"
    )


def move_current(payload: Payload, to: str) -> str:
    """Move AWSCURRENT to this version."""
    current = payload["now"]["current"]
    move = ("--version-stage", "AWSCURRENT", "--move-to-version-id", to)
    removal = ("--remove-from-version-id", current) if current else ()
    return _build_secret_command(payload, "update-secret-version-stage", *move, *removal)


def read_log(payload: Payload, since: str | None) -> str:
    """Show the rotation function's log from the earliest start of a step that failed at `since`."""
    region = (payload["function"] or "").split(":")[3]
    start = ("--start-time", str(_to_earliest_start(since))) if since else ()
    group = ("--log-group-name", payload["log_group"])
    # `aws logs tail` would be shorter, but does not exist in version 1.
    return _build_aws_command(
        region, "logs", "filter-log-events", *group, *start, *_build_query("events[].[message]"), "--output", "text"
    )


def read_errors(payload: Payload) -> str:
    """Show the failed steps of the execution and their errors, latest first."""
    failed = "events[].[taskFailedEventDetails,lambdaFunctionFailedEventDetails][]"
    return _build_aws_command(
        payload["region"],
        "stepfunctions",
        "get-execution-history",
        "--execution-arn",
        payload["execution"],
        "--reverse-order",
        *_build_query(failed),
    )


def find_deletions(payload: Payload) -> str:
    """Find out who deleted secrets in the last 90 days, CloudTrail's retention."""
    return _build_lookup(payload, "DeleteSecret")


def find_events(payload: Payload, kind: str) -> str:
    """Find events of this kind in CloudTrail."""
    return _build_lookup(payload, kind)


def restart(payload: Payload, target: str) -> tuple[str, ...]:
    """Show the state of a dependent, and restart it if one command does; `target` is an entry of the secret's tag."""
    kind, _, name = target.partition(":")
    region = payload["region"]
    if kind == "ecs" and name.count("/") == 1:
        cluster, service = name.split("/")
        return (
            _build_aws_command(
                region,
                *("ecs", "describe-services", "--cluster", cluster, "--services", service),
                *_build_query("services[].events[:5].message"),
            ),
            _build_aws_command(
                region,
                *("ecs", "update-service", "--cluster", cluster, "--service", service, "--force-new-deployment"),
                *_build_query("service.status"),
            ),
        )
    if kind == "lambda" and name:
        query = _build_query("[LastUpdateStatus,LastUpdateStatusReason]")
        return (_build_aws_command(region, "lambda", "get-function-configuration", "--function-name", name, *query),)
    if kind == "ssm" and name:
        filters = ("--filters", f"Key=DocumentNamePrefix,Values={name}", "--max-results", "5")
        return (
            _build_aws_command(region, "ssm", "describe-automation-executions", *filters),
            _build_aws_command(region, "ssm", "start-automation-execution", "--document-name", name),
        )
    return ()


def _name_secret(payload: Payload) -> str:
    name, arn = payload["secret_name"] or "", payload["secret_arn"] or ""
    # A name that begins with a hyphen would be parsed as an option.
    return arn if name.startswith("-") else name or arn


def _build_guard_command(*words: str) -> str:
    return shlex.join(["rotation-guard", *words, "--stack-outputs", OUTPUTS])


def _build_secret_command(payload: Payload, operation: str, *options: str, secret_arn: str | None = None) -> str:
    secret = secret_arn or payload["secret_arn"] or _name_secret(payload)
    return _build_aws_command(payload["region"], "secretsmanager", operation, "--secret-id", secret, *options)


def _build_lookup(payload: Payload, name: str) -> str:
    attribute = f"AttributeKey=EventName,AttributeValue={name}"
    return _build_aws_command(
        payload["region"], "cloudtrail", "lookup-events", "--lookup-attributes", attribute, "--max-items", "20"
    )


def _build_aws_command(region: str | None, *words: str) -> str:
    return shlex.join(["aws", *words, *(("--region", region) if region else ())])


def _build_query(expression: str) -> Iterable[str]:
    return ("--query", expression) if expression else ()


def _to_earliest_start(time: str) -> int:
    """The earliest start of a step that failed at this time, in epoch milliseconds."""
    start: datetime = to_utc(time) - _LONGEST_STEP
    return int(start.timestamp() * 1000)
