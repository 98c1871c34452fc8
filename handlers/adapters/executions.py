"""Step Functions, for what starts a workflow."""

import json
from collections.abc import Mapping
from typing import Any

from .clients import client

ACTIONS = frozenset({"states:StartExecution"})


def start(state_machine_arn: str, name: str, given: Mapping[str, Any]) -> bool:
    """Starts an execution of this name; False where there was one already, which is how copies are told apart.

    A name is taken for 90 days (https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html).
    """
    states = client("stepfunctions")
    try:
        states.start_execution(stateMachineArn=state_machine_arn, name=name, input=json.dumps(dict(given)))
    except states.exceptions.ExecutionAlreadyExists:
        return False
    return True
