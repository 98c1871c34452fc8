"""Where people read on: the AWS console, and the runbook."""

import re
from urllib.parse import quote

from ..rotation_event import secret_name_of
from .incidents import Outcome

_CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+){1,3}-\d")
_ANCHORS = {
    Outcome.RECOVERED_BY_AWS: "recovered-by-aws",
    Outcome.RECOVERED_BY_RETRY: "recovered-by-retry",
    Outcome.ROLLED_FORWARD: "rolled-forward",
    Outcome.FALLEN_BACK: "fallen-back",
    Outcome.ESCALATED: "escalated",
    Outcome.HELD: "held",
    Outcome.RESOLVED: "resolved",
    Outcome.RESTARTED: "restarted",
    "opened": "opened",
    "missing": "missing",
    "retried": "opened",
    "unidentified": "unidentified",
}
"""How an incident ended, or else what is told of it -> the runbook's heading."""


def secret_link(secret_arn: str) -> str:
    """The secret in the console; empty where this is no ARN that leads there."""
    host, region = _console(secret_arn)
    if not host:
        return ""
    return f"{host}/secretsmanager/secret?name={quote(secret_name_of(secret_arn), safe='')}&region={region}"


def log_link(function_arn: str, log_group: str) -> str:
    """The log group of a function in the console; empty where its ARN leads to none.

    In the fragment the console reads names that are percent-encoded twice, with `$` for `%`
    (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/WhatIsCloudWatchLogs.html names no format: this is what
    the console itself writes into its address).
    """
    host, region = _console(function_arn)
    group = quote(quote(log_group, safe=""), safe="").replace("%", "$")
    return f"{host}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{group}" if host else ""


def execution_link(execution: str) -> str:
    """The execution in the console; empty where this is no ARN that leads there."""
    host, region = _console(execution)
    return f"{host}/states/home?region={region}#/v2/executions/details/{quote(execution, safe=':')}" if host else ""


def runbook_link(runbook_url: str, about: str) -> str:
    """The runbook's heading about an outcome, or a turn of an incident; its beginning where it has none.

    Empty without the runbook's URL, which is the stack's to know. A URL that has a fragment of its own keeps it.
    """
    anchor = _ANCHORS.get(about)
    return f"{runbook_url}#{anchor}" if runbook_url and anchor and "#" not in runbook_url else runbook_url


def _console(arn: str) -> tuple[str, str]:
    """The console that an ARN lies in, and its Region: no other text that stands there gets into a host's name."""
    _, partition, _, region, *_ = (*arn.split(":"), "", "", "", "")
    host = _CONSOLES.get(partition)
    return (f"https://{region}.{host}", region) if host and _REGION.fullmatch(region) else ("", "")
