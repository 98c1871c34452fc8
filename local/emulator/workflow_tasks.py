"""Runs Lambda tasks of Step Functions as AWS does. Runs inside the emulator.

The ends of executions are published as metrics of AWS/States
(https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html). In MiniStack no execution times out.
"""

import contextvars
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from ministack.services import stepfunctions

from . import lambda_service
from .metrics import publish

_THROTTLE = "TooManyRequestsException"
_METRICS = {
    "RUNNING": "ExecutionsStarted",
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "ABORTED": "ExecutionsAborted",
    "TIMED_OUT": "ExecutionsTimedOut",
}
_call_by_ministack = stepfunctions._call_lambda
_announce_by_ministack = stepfunctions._emit_execution_status_event


def install() -> None:
    """Run the tasks of workflows."""
    stepfunctions._call_lambda = call_lambda  # ty: ignore[invalid-assignment]
    stepfunctions._invoke_resource_with_timeout = invoke_with_timeout  # ty: ignore[invalid-assignment]
    stepfunctions._emit_execution_status_event = announce  # ty: ignore[invalid-assignment]


def announce(execution: dict[str, Any]) -> None:
    """Publish the event and the metric of an execution's new status."""
    _announce_by_ministack(execution)
    dimensions = {"StateMachineArn": execution["stateMachineArn"]}
    publish("AWS/States", _METRICS[execution["status"]], 1, dimensions=dimensions)


def call_lambda(function: str, event: Any) -> Any:
    """Call a function; a throttle raises the error name that workflows retry, not MiniStack's `Lambda.Unknown`.

    (https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html#bp-lambda-serviceexception)
    """
    try:
        return _call_by_ministack(function, event)
    except stepfunctions._ExecutionError as error:
        if error.error == "Lambda.Unknown" and _is_throttle(error.cause):
            raise stepfunctions._ExecutionError(f"Lambda.{_THROTTLE}", error.cause) from None
        raise


def invoke_with_timeout(resource: str, payload: Any, timeout: float) -> Any:
    """Run a task for at most its TimeoutSeconds, not counting the wait for a worker process."""
    started, context = threading.Event(), contextvars.copy_context()
    context.run(lambda_service.on_start.set, started.set)
    pool = ThreadPoolExecutor(1, "workflow-task")
    ended = pool.submit(context.run, stepfunctions._invoke_resource, resource, payload)
    ended.add_done_callback(lambda _: started.set())
    pool.shutdown(wait=False)
    if ":lambda:" in resource:
        started.wait()
    try:
        return ended.result(timeout)
    except FutureTimeoutError:
        if ended.done():
            raise  # The task's own error.
        raise stepfunctions._ExecutionError("States.Timeout", f"Task timed out after {timeout} seconds") from None


def _is_throttle(cause: str) -> bool:
    try:
        error = json.loads(cause)
    except ValueError:
        return False
    return isinstance(error, dict) and error.get("__type") == _THROTTLE
