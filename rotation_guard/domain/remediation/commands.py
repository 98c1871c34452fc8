"""Commands for whoever reads a notice: complete, on one line, and quoted for a POSIX shell.

Those of the AWS CLI work in its versions 1 and 2, and name the secret by its ARN: with the credentials of another
account they fail, instead of acting on a secret of the same name there.
"""

import shlex
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from ..rotation_event import to_utc

OUTPUTS = "stack-outputs.json"
"""What `pulumi stack output --json` prints, as the runbook's first section has the reader save it."""
_LONGEST_STEP = timedelta(minutes=15)
"""A function runs no longer (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html), so a rotation
step that failed began no earlier before its event."""

Facts = dict[str, Any]


def show_incident(facts: Facts) -> str:
    """All that is recorded of the incident."""
    return _guard("incidents", "show", _secret(facts))


def list_held() -> str:
    """The incidents that are held."""
    return _guard("incidents", "list", "--outcome", "held")


def release(facts: Facts) -> str:
    """Repairs of the secret are allowed again."""
    return _guard("incidents", "release", _secret(facts), "--reason", "cause repaired")


def allow_repairs() -> str:
    """The kill switch says go."""
    return _guard("remediation", "go", "--reason", "cause repaired")


def show_switch() -> str:
    """What the kill switch says."""
    return _guard("remediation", "status")


def rotate(facts: Facts, secret_arn: str | None = None) -> str:
    """Asks for a rotation; AWS tries an unfinished one again (RotateSecret)."""
    return _manager(facts, "rotate-secret", secret_arn=secret_arn)


def try_rotation(facts: Facts) -> str:
    """Has AWS run the test of the rotation's settings, and rotates nothing
    (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html, RotateImmediately)."""
    return _manager(facts, "rotate-secret", "--no-rotate-immediately")


def describe(facts: Facts, query: str = "") -> str:
    """Labels, dates, tags and rotation function, without the value."""
    return _manager(facts, "describe-secret", *_query(query))


def list_versions(facts: Facts) -> str:
    """Each version, those without a label too, and when it was made."""
    return _manager(facts, "list-secret-version-ids", "--include-deprecated")


def read_policy(facts: Facts) -> str:
    """The secret's own resource policy."""
    return _manager(facts, "get-resource-policy", "--query", "ResourcePolicy", "--output", "text")


def restore(facts: Facts) -> str:
    """Cancels a scheduled deletion."""
    return _manager(facts, "restore-secret")


def read_value(facts: Facts, version: str) -> str:
    """The value of a version, on the screen."""
    return _manager(facts, "get-secret-value", "--version-id", version, "--query", "SecretString", "--output", "text")


def move_current(facts: Facts, to: str) -> str:
    """AWSCURRENT moves to this version, away from the one that holds it."""
    held = facts["now"]["current"]
    moving = ("--version-stage", "AWSCURRENT", "--move-to-version-id", to)
    removal = ("--remove-from-version-id", held) if held else ()
    return _manager(facts, "update-secret-version-stage", *moving, *removal)


def read_log(facts: Facts, since: str | None) -> str:
    """What the rotation function has logged since a step that failed then may have begun."""
    region = (facts["function"] or "").split(":")[3]
    start = ("--start-time", str(_milliseconds(since))) if since else ()
    group = ("--log-group-name", facts["log_group"])
    # `aws logs tail` would be shorter, and does not exist in version 1.
    return _aws(region, "logs", "filter-log-events", *group, *start, *_query("events[].[message]"), "--output", "text")


def read_errors(facts: Facts) -> str:
    """Which steps of the execution failed, the latest first, and with what."""
    failed = "events[].[taskFailedEventDetails,lambdaFunctionFailedEventDetails][]"
    return _aws(
        facts["region"],
        "stepfunctions",
        "get-execution-history",
        "--execution-arn",
        facts["execution"],
        "--reverse-order",
        *_query(failed),
    )


def find_deletions(facts: Facts) -> str:
    """Who deleted secrets, for as long as CloudTrail remembers (90 days)."""
    return _trail(facts, "DeleteSecret")


def find_events(facts: Facts, kind: str) -> str:
    """What CloudTrail has of this kind of event."""
    return _trail(facts, kind)


def restart(facts: Facts, target: str) -> tuple[str, ...]:
    """How to look at a dependent, and to restart it where one command does: `target` as the secret's tag names it."""
    kind, _, name = target.partition(":")
    region = facts["region"]
    if kind == "ecs" and name.count("/") == 1:
        cluster, service = name.split("/")
        return (
            _aws(
                region,
                *("ecs", "describe-services", "--cluster", cluster, "--services", service),
                *_query("services[].events[:5].message"),
            ),
            _aws(
                region,
                *("ecs", "update-service", "--cluster", cluster, "--service", service, "--force-new-deployment"),
                *_query("service.status"),
            ),
        )
    if kind == "lambda" and name:
        query = _query("[LastUpdateStatus,LastUpdateStatusReason]")
        return (_aws(region, "lambda", "get-function-configuration", "--function-name", name, *query),)
    if kind == "ssm" and name:
        listed = ("--filters", f"Key=DocumentNamePrefix,Values={name}", "--max-results", "5")
        return (
            _aws(region, "ssm", "describe-automation-executions", *listed),
            _aws(region, "ssm", "start-automation-execution", "--document-name", name),
        )
    return ()


def _secret(facts: Facts) -> str:
    name, arn = facts["secret_name"] or "", facts["secret_arn"] or ""
    # A name may begin with a hyphen, and would be read as an option.
    return arn if name.startswith("-") else name or arn


def _guard(*words: str) -> str:
    return shlex.join(["rotation-guard", *words, "--stack-outputs", OUTPUTS])


def _manager(facts: Facts, operation: str, *options: str, secret_arn: str | None = None) -> str:
    secret = secret_arn or facts["secret_arn"] or _secret(facts)
    return _aws(facts["region"], "secretsmanager", operation, "--secret-id", secret, *options)


def _trail(facts: Facts, name: str) -> str:
    attribute = f"AttributeKey=EventName,AttributeValue={name}"
    return _aws(facts["region"], "cloudtrail", "lookup-events", "--lookup-attributes", attribute, "--max-items", "20")


def _aws(region: str | None, *words: str) -> str:
    return shlex.join(["aws", *words, *(("--region", region) if region else ())])


def _query(expression: str) -> Iterable[str]:
    return ("--query", expression) if expression else ()


def _milliseconds(time: str) -> int:
    """When a step that failed then may have begun, in epoch milliseconds."""
    moment: datetime = to_utc(time) - _LONGEST_STEP
    return int(moment.timestamp() * 1000)
