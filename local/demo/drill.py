"""Drills: make the demo secret's rotation fail, and observe how the product repairs it."""

import contextlib
import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from ..deploy.deployment import RunningStack
from ..errors import LocalError
from . import expectations
from .notification_listener import NotificationListener, listen
from .secret import STEPS, DemoSecret
from .trace import Execution, ExecutionFailure, Row, StateExit, Trace

TRANSIENT_STEPS = ("createSecret", "setSecret")
"""The fault at these steps is removed after the first failure, so that a retry succeeds; at the others it stays."""
DESCRIPTIONS = {
    "createSecret": "there is no new value yet, and the fault is transient: a retry repairs it",
    "setSecret": "there is a new value that nobody uses, and the fault is transient: a retry repairs it",
    "testSecret": "the database accepts only the new value, and the fault persists: AWSCURRENT must be rolled forward",
    "finishSecret": "the new value was tested, and the fault persists: AWSCURRENT must be rolled forward",
}
"""A step -> the state after its failure, and the expected repair."""
TIMEOUT_SECONDS = 60.0
_QUIET_SECONDS = 0.5
"""A drill is over when nothing has arrived for this long: several times the duration of a delivery."""
_ABANDONED_SECONDS = 2.0
"""The same when no execution is running: an incident that is still open will stay open."""
_POLL_SECONDS = 0.1
_deserialize = TypeDeserializer().deserialize
_FAILURE_KINDS = {"ExecutionFailed": "failed", "ExecutionAborted": "aborted", "ExecutionTimedOut": "timed out"}
"""An event of an execution's history -> how the execution ended."""

OnChange = Callable[[Trace, str], None]
"""Called with the trace so far, and with what is still pending."""


def select_steps(named: str | None) -> tuple[str, ...]:
    """Return the named step, or all four; raises LocalError for an unknown name."""
    if not named:
        return STEPS
    if named not in STEPS:
        raise LocalError(f"There is no step {named!r}: STEP is one of {', '.join(STEPS)}.")
    return (named,)


def run(stack: RunningStack, step: str, on_change: OnChange = lambda trace, pending: None) -> Trace:
    """Make the demo secret's rotation fail at this step, and observe until it is repaired and nothing more arrives.

    Raises LocalError with what did not happen in time; the fault is removed in any case.
    """
    secret = DemoSecret(stack)
    secret.finish_pending_work()
    with listen(stack) as listener, secret.break_at(step) as remove_fault:
        observer = _Observer(stack, secret, listener, step)
        secret.rotate()
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while pending := observer.describe_pending():
            if time.monotonic() > deadline:
                missing = f"{pending} is missing after {TIMEOUT_SECONDS:.0f} s."
                raise LocalError(
                    " ".join([f"The drill failed at {step}: {missing}", *observer.describe_failed_executions()])
                )
            time.sleep(_POLL_SECONDS)
            observer.refresh()
            if step in TRANSIENT_STEPS and observer.trace.failure and not observer.trace.fault_removed_at:
                remove_fault()
                observer.trace = replace(observer.trace, fault_removed_at=time.time())
            on_change(observer.trace, pending)
        on_change(observer.trace, "the functions' logs")
        return observer.complete_trace()


class _Observer:
    """Extends a trace with what has happened since."""

    def __init__(self, stack: RunningStack, secret: DemoSecret, listener: NotificationListener, step: str) -> None:
        self._stack, self._secret, self._listener = stack, secret, listener
        self._executions = _Executions(stack, secret.arn)
        self._values: dict[str, str] = {}
        versions = secret.read_versions()
        original_version = next((version for version, labels in versions.items() if "AWSCURRENT" in labels), None)
        if original_version is None:
            raise LocalError(f"{secret.name} has no version with AWSCURRENT: start the stack again with `make up`.")
        self.trace = Trace(step, secret.arn, time.time(), original_version, versions, is_working=True)
        self._changed_at = time.monotonic()
        self._read_values(versions)

    def refresh(self) -> None:
        """Add what has happened since the last call."""
        before, versions = self.trace, self._secret.read_versions()
        self._read_values(versions)
        trace = replace(
            before,
            versions=versions,
            is_working=self._secret.is_working(),
            messages=(*before.messages, *self._listener.receive(before.secret_arn)),
            executions=tuple(self._executions.list_started_since(before.began_at)),
            rows=tuple(self._read_rows("incidents_table_name", "opened_at", before.began_at)),
        )
        if trace.is_recovered and trace.failure and not trace.recovered_at:
            trace = replace(trace, recovered_at=time.time())
        if (trace.messages, trace.executions) != (before.messages, before.executions):
            self._changed_at = time.monotonic()
        self.trace = trace

    def describe_pending(self) -> str:
        """Say what is still to come; empty when the drill is over."""
        trace = self.trace
        if not trace.failure:
            return "AWS's RotationFailed"
        if self._is_abandoned():
            return ""
        if not trace.rows:
            return "an incident"
        if any(row.get("state") != "closed" for row in trace.rows):
            return f"the end of the incident (last state: {self._executions.find_last_state() or 'none'})"
        if any(execution.status == "RUNNING" for execution in trace.executions):
            return "the end of its executions"
        return "" if time.monotonic() - self._changed_at > _QUIET_SECONDS else "late messages"

    def _is_abandoned(self) -> bool:
        """Whether all executions have ended and nothing has arrived for a while.

        An execution with a failed step still succeeds when its last-resort notification was sent.
        """
        statuses = [execution.status for execution in self.trace.executions]
        is_over = bool(statuses) and "RUNNING" not in statuses
        return is_over and time.monotonic() - self._changed_at > _ABANDONED_SECONDS

    def describe_failed_executions(self) -> list[str]:
        """Return a sentence for each execution that failed or has a failed step."""
        return [
            sentence for execution in self.trace.executions if (sentence := expectations.describe_failure(execution))
        ]

    def complete_trace(self) -> Trace:
        """Return the trace with all places where a value could leak."""
        trail = self._read_rows("audit_trail_table_name", "recorded", self.trace.began_at)
        texts = {"the audit trail": json.dumps(list(trail), default=str)}
        if emulator := self._stack.emulator:
            # It contains the beginnings of notifications.
            texts["the log of the embedded AWS"] = emulator.log.read_text(encoding="utf-8", errors="replace")
        values = frozenset(self._list_values_and_passwords())
        return replace(self.trace, values=values, logs=dict(self._read_logs()), texts=texts)

    def _read_logs(self) -> Iterator[tuple[str, str]]:
        """Yield each log group with what its function has logged since the start."""
        logs, list_started_since = self._stack.client("logs"), int(self.trace.began_at * 1000)
        for page in logs.get_paginator("describe_log_groups").paginate():
            for name in (group["logGroupName"] for group in page["logGroups"]):
                written = logs.get_paginator("filter_log_events").paginate(
                    logGroupName=name, startTime=list_started_since
                )
                yield name, "".join(event["message"] for events in written for event in events["events"])

    def _read_values(self, versions: Mapping[str, Any]) -> None:
        for version in versions:
            if version not in self._values and (value := self._secret.read_value(version)):
                self._values[version] = value

    def _list_values_and_passwords(self) -> Iterator[str]:
        for value in self._values.values():
            yield value
            with contextlib.suppress(ValueError, LookupError, TypeError):  # Not as the demo writes it: no password.
                yield json.loads(value)["password"]

    def _read_rows(self, table: str, key: str, list_started_since: float) -> Iterator[Row]:
        """Yield the secret's rows from this time on."""
        pages = (
            self._stack.client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self._stack.output(table),
                KeyConditionExpression=f"secret_arn = :arn AND {key} >= :since",
                ExpressionAttributeValues={
                    ":arn": {"S": self._secret.arn},
                    ":since": {"S": _to_timestamp(list_started_since)},
                },
                ConsistentRead=True,
            )
        )
        for page in pages:
            yield from ({name: _deserialize(value) for name, value in item.items()} for item in page["Items"])


class _Executions:
    """Reads the executions of the workflow for a secret."""

    def __init__(self, stack: RunningStack, secret_arn: str) -> None:
        self._states, self._machine = stack.client("stepfunctions"), stack.output("state_machine_arn")
        self._secret_arn = secret_arn
        self._is_ours: dict[str, bool] = {}
        self._known: dict[str, Execution] = {}

    def list_started_since(self, began_at: float) -> Iterator[Execution]:
        """Yield the executions that started at or after this time, in order."""
        pages = self._states.get_paginator("list_executions").paginate(stateMachineArn=self._machine)
        listed = (entry for page in pages for entry in page["executions"])
        # AWS lists the latest first: by their end, or by their start while they run.
        recent = itertools.takewhile(lambda entry: _read_last_activity(entry) >= began_at, listed)
        started = ((entry["startDate"].timestamp(), entry["executionArn"], entry["status"]) for entry in recent)
        for at, arn, status in sorted(started):
            if at >= began_at and self._concerns_secret(arn):
                yield self._read(arn, status)

    def find_last_state(self) -> str:
        """Return the state that the first execution exited last; empty when there is none."""
        first = next(iter(self._known.values()), None)
        return first.exits[-1].state if first and first.exits else ""

    def _concerns_secret(self, arn: str) -> bool:
        if arn not in self._is_ours:
            described = self._states.describe_execution(executionArn=arn)
            self._is_ours[arn] = self._secret_arn in described.get("input", "")
        return self._is_ours[arn]

    def _read(self, arn: str, status: str) -> Execution:
        known = self._known.get(arn)
        if known is None or known.status == "RUNNING":
            pages = self._states.get_paginator("get_execution_history").paginate(executionArn=arn)
            events = [event for page in pages for event in page["events"]]
            exits = tuple(_read_exit(event) for event in events if "stateExitedEventDetails" in event)
            raw = json.dumps(events, default=datetime.isoformat)
            failure = None if status == "RUNNING" else _read_failure(events)
            self._known[arn] = Execution(arn, status, exits, raw, failure)
        return self._known[arn]


def _read_last_activity(entry: Mapping[str, Any]) -> float:
    return (entry.get("stopDate") or entry["startDate"]).timestamp()


def _read_exit(event: Mapping[str, Any]) -> StateExit:
    exited = event["stateExitedEventDetails"]
    try:
        data = json.loads(exited.get("output") or "null")
    except ValueError:
        data = None
    return StateExit(event["timestamp"].timestamp(), exited.get("name", ""), data)


def _read_failure(events: Sequence[Mapping[str, Any]]) -> ExecutionFailure | None:
    """Read the failure from the last event of its kind: a redriven execution has several."""
    for event in reversed(events):
        if kind := _FAILURE_KINDS.get(event["type"]):
            details = event.get(f"{event['type'][0].lower()}{event['type'][1:]}EventDetails") or {}
            error = ": ".join(text for text in (details.get("error"), details.get("cause")) if text)
            return ExecutionFailure(event["timestamp"].timestamp(), kind, error)
    return None


def _to_timestamp(seconds: float) -> str:
    """Format a time as in the tables, truncated to seconds: rows of the same second count as later."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
