"""Links to the AWS console and the runbook."""

from urllib.parse import quote

from ..consoles import find_console
from ..rotation_event import secret_name_of
from .incidents import Outcome

_ANCHORS = {
    Outcome.RECOVERED_BY_AWS: "recovered-by-aws",
    Outcome.RECOVERED_BY_RETRY: "recovered-by-retry",
    Outcome.ROLLED_FORWARD: "rolled-forward",
    Outcome.ROLLED_BACK: "rolled-back",
    Outcome.ESCALATED: "escalated",
    Outcome.RATE_LIMITED: "rate-limited",
    Outcome.RESOLVED: "resolved",
    Outcome.RESTARTED: "restarted",
    "opened": "opened",
    "missing": "missing",
    "retried": "opened",
    "unidentified": "unidentified",
}
"""Outcome or transition of an incident -> the runbook's heading."""


def build_secret_link(secret_arn: str) -> str:
    """The secret in the console; empty if the ARN is not in a known partition."""
    host, region = find_console(secret_arn)
    if not host:
        return ""
    # Half a character has no encoding.
    name = quote(secret_name_of(secret_arn), safe="", errors="replace")
    return f"{host}/secretsmanager/secret?name={name}&region={region}"


def build_log_link(function_arn: str, log_group: str) -> str:
    """The log group of a function in the console; empty if the ARN is not in a known partition.

    In the fragment the console expects names that are percent-encoded twice, with `$` for `%`
    (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/WhatIsCloudWatchLogs.html documents no format: this is
    the form of the console's own addresses).
    """
    host, region = find_console(function_arn)
    group = quote(quote(log_group, safe=""), safe="").replace("%", "$")
    return f"{host}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{group}" if host else ""


def build_execution_link(execution: str) -> str:
    """The execution in the console; empty if the ARN is not in a known partition."""
    host, region = find_console(execution)
    return f"{host}/states/home?region={region}#/v2/executions/details/{quote(execution, safe=':')}" if host else ""


def build_runbook_link(runbook_url: str, topic: str) -> str:
    """The runbook's heading for an outcome or a transition, or its beginning if there is none.

    Empty if the stack has no runbook URL. A URL with a fragment is not changed.
    """
    anchor = _ANCHORS.get(topic)
    return f"{runbook_url}#{anchor}" if runbook_url and anchor and "#" not in runbook_url else runbook_url
