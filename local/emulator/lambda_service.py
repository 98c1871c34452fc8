"""Applies Lambda's concurrency limits as AWS does, and publishes its metrics.

Runs inside the emulator. MiniStack counts a call against the limits before it has a worker process, and its event
sources ignore throttles, so that bursts lose events. Here:

- A call counts once it has a worker. The number of workers is a limit of this machine, not of AWS.
- A synchronous call over a limit is rejected with TooManyRequestsException (429), as by AWS.
- An asynchronous call is accepted and waits in the function's queue (`async_queue.py`).
- Each invocation, error and throttle is counted once
  (https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html); MiniStack counts none of those from
  events, queues and workflows. Log lines in the embedded metric format become metrics.
- A throttled batch of a queue is retried while its messages are invisible: "the extra time allows Lambda to retry if
  your function is throttled while processing a previous batch"
  (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html).
"""

import contextvars
import json
import re
import time
from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc

from . import dead_letters, embedded_metrics
from .async_queue import AGE_SECONDS, RETRIES, AsyncQueue, Invocation, Outcome, Settings
from .metrics import COUNT, MILLISECONDS, publish
from .worker_limit import WORKERS_PER_FUNCTION, WorkerLimit

Function = dict[str, Any]
Result = dict[str, Any]

on_start: contextvars.ContextVar[Callable[[], object] | None] = contextvars.ContextVar("on_start", default=None)
"""Called once the call in this context has a worker; the wait for it does not count as execution time."""

_RETRY_SECONDS = 0.1
_execute_by_ministack = lambda_svc._execute_function
_run_batch_by_ministack = lambda_svc._run_sqs_batch
_log_by_ministack = lambda_svc._emit_lambda_logs
_limit = WorkerLimit()


def install() -> None:
    """Apply Lambda's limits and publish its metrics."""
    lambda_svc._execute_function = execute  # ty: ignore[invalid-assignment]
    lambda_svc.invoke_async_with_retry = invoke_async  # ty: ignore[invalid-assignment]
    lambda_svc._run_sqs_batch = run_sqs_batch  # ty: ignore[invalid-assignment]
    lambda_svc._emit_lambda_metrics = lambda *_, **__: None  # ty: ignore[invalid-assignment]
    lambda_svc._emit_lambda_logs = write_logs  # ty: ignore[invalid-assignment]


def execute(function: Function, event: Any) -> Result:
    """Run a function once a worker is free, or throttle the call when a limit of AWS is reached."""
    config = _get_config(function)
    if lambda_svc._function_config_scope_mismatch(config):
        return lambda_svc._run_with_function_config_scope(config, execute, function, event)
    # A call by a function does not wait: its caller may have the worker that it would wait for.
    if lambda_svc._invoke_depth.get() > 1 or _is_throttled(function):
        return _start(function, event)
    with _limit.reserve(config["FunctionArn"]):
        return _start(function, event)


def invoke_async(function: Function, event: Any) -> None:
    """Accept an asynchronous invocation."""
    _queue.accept(_get_config(function)["FunctionArn"], event)


def run_sqs_batch(
    mapping: dict[str, Any], function: Function, event: Any, batch: list[dict[str, Any]], *queue: str
) -> None:
    """Run a function on a batch; while it is throttled, retry until the messages become visible."""
    until = min(message["visible_at"] for message in batch)
    while _is_throttled(function) and time.time() + _RETRY_SECONDS < until:
        time.sleep(_RETRY_SECONDS)
    _run_batch_by_ministack(mapping, function, event, batch, *queue)


def write_logs(function: Function, request_id: str, text: str, *details: Any, **options: Any) -> None:
    """Write a function's output to its log group, and publish the metrics in it."""
    _log_by_ministack(function, request_id, text, *details, **options)
    for line in (text or "").splitlines():
        for datum in embedded_metrics.read_line(line):
            publish(datum.namespace, datum.name, datum.value, datum.unit, dict(datum.dimensions), datum.timestamp)


class _LambdaService:
    """Lambda for the queue of asynchronous invocations."""

    def settings(self, function_arn: str) -> Settings:
        config = self._get_invoke_config(function_arn)
        retries, age = config.get("MaximumRetryAttempts"), config.get("MaximumEventAgeInSeconds")
        return Settings(RETRIES if retries is None else retries, AGE_SECONDS if age is None else age)

    def run(self, function_arn: str, event: Any) -> Outcome:
        function, _ = self._find(function_arn)
        if function is None:
            return Outcome(error=True, result={"body": {"errorMessage": f"Function not found: {function_arn}"}})
        with _limit.reserve(function_arn):
            result = lambda_svc._run_with_function_config_scope(function, _start, function, event)
        return Outcome(bool(result.get("error")), bool(result.get("throttle")), result)

    def give_up(self, invocation: Invocation, condition: str, outcome: Outcome) -> None:
        arn = invocation.function_arn
        function, name = self._find(arn)
        destination = (
            (self._get_invoke_config(arn).get("DestinationConfig") or {}).get("OnFailure", {}).get("Destination")
        )
        queue = (_get_config(function).get("DeadLetterConfig") or {}).get("TargetArn") if function else None
        result = {**outcome.result}
        _publish(name, "AsyncEventsDropped", 1)
        if destination and ":sqs:" in destination:
            if not dead_letters.send(destination, json.dumps(_build_invocation_record(invocation, condition, result))):
                _publish(name, "DestinationDeliveryFailures", 1)
        elif queue and ":sqs:" in queue:
            # A function's dead-letter queue receives the event only.
            body = result.get("body")
            reason = body.get("errorMessage", "") if isinstance(body, dict) else str(body)
            attributes = {"RequestID": lambda_svc.new_uuid(), "ErrorCode": "200", "ErrorMessage": reason[:1024]}
            if not dead_letters.send(queue, json.dumps(invocation.event), attributes):
                _publish(name, "DeadLetterErrors", 1)
        elif other := destination or queue:
            lambda_svc._route_async_failure(other, name, invocation.event, result)

    def _find(self, function_arn: str) -> tuple[Function | None, str]:
        """Return the current function: its limits may have changed since the event was accepted."""
        function, config, name = lambda_svc._get_func_record_for_ref(function_arn)
        record = lambda_svc._execution_record_for_config(function, config) if function and config else None
        return record, name

    def _get_invoke_config(self, function_arn: str) -> dict[str, Any]:
        function = self._find(function_arn)[0] or {}
        return function.get("event_invoke_config") or (function.get("event_invoke_configs") or {}).get("$LATEST") or {}


_queue = AsyncQueue(
    _LambdaService(),
    WORKERS_PER_FUNCTION,
    lambda_svc._LAMBDA_ASYNC_RETRY_BASE_SECONDS,
    lambda_svc._LAMBDA_ASYNC_RETRY_MAX_SECONDS,
)


def _build_invocation_record(invocation: Invocation, condition: str, result: Result) -> dict[str, Any]:
    """Build the record for a failure destination.

    (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html)
    """
    return {
        "version": "1.0",
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
        "requestContext": {
            "functionArn": f"{invocation.function_arn}:$LATEST",
            "condition": condition,
            "approximateInvokeCount": invocation.attempts,
        },
        "requestPayload": invocation.event,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": result.get("body"),
    }


def _start(function: Function, event: Any) -> Result:
    if started := on_start.get():
        started()
    name, began = _get_config(function)["FunctionName"], time.time()
    result = set_error_type(_execute_by_ministack(function, event))
    throttled = bool(result.get("throttle"))
    _publish(name, "Throttles", throttled)
    if not throttled:
        # Both count at the time when the invocation began.
        _publish(name, "Invocations", 1, timestamp=began)
        _publish(name, "Errors", bool(result.get("error")), timestamp=began)
        _publish(name, "Duration", (time.time() - began) * 1000, MILLISECONDS, began)
    return result


def _publish(function_name: str, metric: str, value: float, unit: str = COUNT, timestamp: float | None = None) -> None:
    """Publish a metric of a function, and of all functions together."""
    for dimensions in ({"FunctionName": function_name}, {}):
        publish("AWS/Lambda", metric, value, unit, dimensions, timestamp)


def set_error_type(result: Result) -> Result:
    """Set the error type of a result to the class of the error, as AWS does; MiniStack has one type for all.

    Step Functions uses it as the error name
    (https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html).
    """
    body = result.get("body")
    if not isinstance(body, dict) or body.get("errorType") != "Runtime.HandlerError":
        return result
    message = str(body.get("errorMessage", "")).partition("\n")[0]
    last_line = re.compile(rf"([A-Za-z_][\w.]*){f': {re.escape(message)}' if message else ''}")
    error_types = [match[1] for line in str(result.get("log", "")).splitlines() if (match := last_line.fullmatch(line))]
    return {**result, "body": {**body, "errorType": error_types[-1].rpartition(".")[2]}} if error_types else result


def _get_config(function: Function) -> dict[str, Any]:
    return function.get("config") or function


def _is_throttled(function: Function) -> bool:
    """Whether AWS would throttle a call now, by the function's reserved concurrency or the account's limit."""
    config = _get_config(function)
    reserved = lambda_svc._reserved_concurrency(function, config)
    running, by_function = lambda_svc.executions_in_flight()
    account_limit = lambda_svc._ACCOUNT_CONCURRENCY_CAP
    running_here = by_function.get(lambda_svc._inflight_key(config), 0)
    return (reserved is not None and running_here >= reserved) or 0 < account_limit <= running
