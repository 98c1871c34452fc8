"""Lambda tasks of Step Functions as AWS runs them, where MiniStack differs. Runs inside the emulator.

How executions end is published as AWS/States does
(https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html). MiniStack never times one out.
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
    """Run the tasks of workflows from here on."""
    stepfunctions._call_lambda = call_lambda  # ty: ignore[invalid-assignment]
    stepfunctions._invoke_resource_with_timeout = invoke_with_timeout  # ty: ignore[invalid-assignment]
    stepfunctions._emit_execution_status_event = announce  # ty: ignore[invalid-assignment]


def announce(execution: dict[str, Any]) -> None:
    """Put the event of an execution's new status on the bus, and count it."""
    _announce_by_ministack(execution)
    dimensions = {"StateMachineArn": execution["stateMachineArn"]}
    publish("AWS/States", _METRICS[execution["status"]], 1, dimensions=dimensions)


def call_lambda(function: str, event: Any) -> Any:
    """Call a function; a throttle has the name by which workflows know it, where MiniStack says `Lambda.Unknown`.

    (https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html#bp-lambda-serviceexception)
    """
    try:
        return _call_by_ministack(function, event)
    except stepfunctions._ExecutionError as error:
        if error.error == "Lambda.Unknown" and _is_throttle(error.cause):
            raise stepfunctions._ExecutionError(f"Lambda.{_THROTTLE}", error.cause) from None
        raise


def invoke_with_timeout(resource: str, payload: Any, timeout: float) -> Any:
    """Run a task, for at most its TimeoutSeconds; the time it waits for a process of this machine is not among them."""
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
            raise  # The task's own.
        raise stepfunctions._ExecutionError("States.Timeout", f"Task timed out after {timeout} seconds") from None


def _is_throttle(cause: str) -> bool:
    try:
        said = json.loads(cause)
    except ValueError:
        return False
    return isinstance(said, dict) and said.get("__type") == _THROTTLE
