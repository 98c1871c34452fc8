"""Starts executions of the workflow in Step Functions."""

import json
from collections.abc import Mapping
from typing import Any

from .clients import client

ACTIONS = frozenset({"states:StartExecution"})


def start(state_machine_arn: str, name: str, execution_input: Mapping[str, Any]) -> bool:
    """Start an execution; False if one of this name exists already, so that a duplicate event starts nothing.

    A name is unique for 90 days (https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html).
    """
    step_functions = client("stepfunctions")
    try:
        step_functions.start_execution(
            stateMachineArn=state_machine_arn, name=name, input=json.dumps(dict(execution_input))
        )
    except step_functions.exceptions.ExecutionAlreadyExists:
        return False
    return True
