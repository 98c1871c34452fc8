"""The log groups in which an incident's execution and its rotation function write."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from rotation_guard.domain.remediation.links import build_log_link

from .aws import translate_aws_errors
from .deployment import Deployment
from .errors import Unreachable
from .terminal import progress

EXECUTION, ROTATION_FUNCTION = "execution_log", "rotation_function_log"
"""Keys of log groups and of the links to them."""


def find_log_groups(deployment: Deployment, execution: str | None, function_arn: str | None) -> dict[str, str]:
    """The names of the log groups, as far as they are known.

    A function's is the one of its configuration, or Lambda's default if that cannot be read; a workflow's is known only
    by its definition.
    """
    groups = {
        EXECUTION: _find_execution_log(deployment, execution or ""),
        ROTATION_FUNCTION: _find_function_log(deployment, function_arn or ""),
    }
    return {name: group for name, group in groups.items() if group}


def build_log_links(groups: Mapping[str, str], execution: str | None, function_arn: str | None) -> dict[str, str]:
    """Links to these log groups in the console, as far as its address is known."""
    arns = {EXECUTION: execution or "", ROTATION_FUNCTION: function_arn or ""}
    links = {name: build_log_link(arns[name], group) for name, group in groups.items()}
    return {name: link for name, link in links.items() if link}


def _find_execution_log(deployment: Deployment, execution: str) -> str:
    parts = execution.split(":")
    if len(parts) != 8 or parts[5] != "execution":
        return ""
    # https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html: the execution's ARN has
    # the name of its state machine.
    arn = ":".join((*parts[:5], "stateMachine", parts[6]))
    machine = _read(deployment, "stepfunctions", "describe_state_machine", stateMachineArn=arn)
    destinations = machine.get("loggingConfiguration", {}).get("destinations") or [{}]
    log_arn = destinations[0].get("cloudWatchLogsLogGroup", {}).get("logGroupArn", "")
    return log_arn.partition(":log-group:")[2].removesuffix(":*")


def _find_function_log(deployment: Deployment, function_arn: str) -> str:
    parts = function_arn.split(":")
    if len(parts) < 7 or parts[5] != "function":
        return ""
    function = _read(deployment, "lambda", "get_function_configuration", FunctionName=function_arn)
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html
    return function.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{parts[6]}"


def _read(deployment: Deployment, service: str, operation: str, **parameters: str) -> Mapping[str, Any]:
    """The response to a call that nothing depends on; empty if AWS refuses it or does not answer."""
    progress.update("Finding log groups")
    try:
        with translate_aws_errors(deployment.session):
            try:
                return getattr(deployment.session.client(service), operation)(**parameters)
            except ClientError:
                return {}
    except Unreachable:
        return {}
