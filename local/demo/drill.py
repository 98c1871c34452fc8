"""A drill: a rotation is broken on purpose, and the whole path heals it while somebody looks on."""

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
from .notification_listener import Ears, listening
from .secret import STEPS, DemoSecret
from .trace import Ended, Execution, Left, Row, Trace

PASSING = ("createSecret", "setSecret")
"""What breaks at these is gone after the first failure, so that a retry heals it; at the others it stays."""
STORIES = {
    "createSecret": "there is no new value yet, and what broke it passes: a retry heals it",
    "setSecret": "there is a new value that nobody uses, and what broke it passes: a retry heals it",
    "testSecret": "the database takes the new value alone, and it stays broken: AWSCURRENT has to be rolled forward",
    "finishSecret": "the new value was tested, and it stays broken: AWSCURRENT has to be rolled forward",
}
"""A step -> what is true after it broke, and what is to come."""
PATIENCE_SECONDS = 60.0
_QUIET_SECONDS = 0.5
"""How long nothing more may come before a drill is over: several times what a delivery takes."""
_GIVEN_UP_SECONDS = 2.0
"""The same where no execution runs any more: an incident that they have left open, nobody will close."""
_EVERY_SECONDS = 0.03
_READ = TypeDeserializer().deserialize
_ENDS = {"ExecutionFailed": "failed", "ExecutionAborted": "aborted", "ExecutionTimedOut": "timed out"}
"""An event of an execution's history -> how it ended."""

Shows = Callable[[Trace, str], None]
"""Is told what is known so far, and what is waited for."""


def steps(named: str | None) -> tuple[str, ...]:
    """The steps to break at: the named one, or all four; raises LocalError for one that there is not."""
    if not named:
        return STEPS
    if named not in STEPS:
        raise LocalError(f"There is no step {named!r} to break at: STEP is one of {', '.join(STEPS)}.")
    return (named,)


def run(stack: RunningStack, step: str, shows: Shows = lambda trace, waits: None) -> Trace:
    """Break the demo secret's rotation at this step, and look on until it is healed and nothing more comes.

    Raises LocalError, saying what did not happen, when it takes too long; the break is removed in any case.
    """
    secret = DemoSecret(stack)
    secret.settle()
    with listening(stack) as ears, secret.broken_at(step) as mend:
        watch = _Watch(stack, secret, ears, step)
        secret.rotate()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while waits := watch.waits_for():
            if time.monotonic() > deadline:
                missing = f"{waits} is missing after {PATIENCE_SECONDS:.0f} s."
                raise LocalError(" ".join([f"Broken at {step}: {missing}", *watch.failed_executions()]))
            time.sleep(_EVERY_SECONDS)
            watch.look()
            if step in PASSING and watch.trace.failure and not watch.trace.mended_at:
                mend()
                watch.trace = replace(watch.trace, mended_at=time.time())
            shows(watch.trace, waits)
        return watch.whole()


class _Watch:
    """Whoever looks on: the trace, which grows."""

    def __init__(self, stack: RunningStack, secret: DemoSecret, ears: Ears, step: str) -> None:
        self._stack, self._secret, self._ears = stack, secret, ears
        self._executions = _Executions(stack, secret.arn)
        self._values: dict[str, str] = {}
        versions = secret.versions()
        before = next((version for version, labels in versions.items() if "AWSCURRENT" in labels), None)
        if before is None:
            raise LocalError(f"{secret.name} has no version with AWSCURRENT: start the stack anew with `make up`.")
        self.trace = Trace(step, secret.arn, time.time(), before, versions, works=True)
        self._changed_at = time.monotonic()
        self._read_values(versions)

    def look(self) -> None:
        """See what has come since."""
        before, versions = self.trace, self._secret.versions()
        self._read_values(versions)
        trace = replace(
            before,
            versions=versions,
            works=self._secret.works(),
            messages=(*before.messages, *self._ears.heard(before.secret_arn)),
            executions=tuple(self._executions.since(before.began_at)),
            rows=tuple(self._rows("incidents_table_name", "opened_at", before.began_at)),
        )
        if trace.is_healed and trace.failure and not trace.healed_at:
            trace = replace(trace, healed_at=time.time())
        if (trace.messages, trace.executions) != (before.messages, before.executions):
            self._changed_at = time.monotonic()
        self.trace = trace

    def waits_for(self) -> str:
        """What is still to come; empty when nothing is."""
        trace = self.trace
        if not trace.failure:
            return "AWS's RotationFailed"
        if self._is_given_up():
            return ""
        if not trace.rows:
            return "an incident"
        if any(row.get("state") != "closed" for row in trace.rows):
            return f"the end of the incident, now past {self._executions.state() or 'nothing'},"
        if any(execution.status == "RUNNING" for execution in trace.executions):
            return "the end of its executions"
        return "" if time.monotonic() - self._changed_at > _QUIET_SECONDS else "what may still come"

    def _is_given_up(self) -> bool:
        """Whether nobody works on it any more: all executions have ended, and nothing has come for a while.

        One whose step failed for good has succeeded, where it could tell people so.
        """
        statuses = [execution.status for execution in self.trace.executions]
        is_over = bool(statuses) and "RUNNING" not in statuses
        return is_over and time.monotonic() - self._changed_at > _GIVEN_UP_SECONDS

    def failed_executions(self) -> list[str]:
        """A sentence on each execution that failed, or a step of which did."""
        return [sentence for execution in self.trace.executions if (sentence := expectations.failure(execution))]

    def whole(self) -> Trace:
        """The trace, with everything else in which a value might be found."""
        trail = self._rows("audit_trail_table_name", "recorded", self.trace.began_at)
        texts = {"the audit trail": json.dumps(list(trail), default=str)}
        if emulator := self._stack.emulator:
            # The beginnings of what people are told are there, too.
            texts["the log of the embedded AWS"] = emulator.log.read_text(encoding="utf-8", errors="replace")
        values = frozenset(self._values_and_passwords())
        return replace(self.trace, values=values, logs=dict(self._logs()), texts=texts)

    def _logs(self) -> Iterator[tuple[str, str]]:
        """What the functions have logged since: log group, and all of it."""
        logs, since = self._stack.client("logs"), int(self.trace.began_at * 1000)
        for page in logs.get_paginator("describe_log_groups").paginate():
            for name in (group["logGroupName"] for group in page["logGroups"]):
                written = logs.get_paginator("filter_log_events").paginate(logGroupName=name, startTime=since)
                yield name, "".join(event["message"] for events in written for event in events["events"])

    def _read_values(self, versions: Mapping[str, Any]) -> None:
        for version in versions:
            if version not in self._values and (value := self._secret.value(version)):
                self._values[version] = value

    def _values_and_passwords(self) -> Iterator[str]:
        for value in self._values.values():
            yield value
            with contextlib.suppress(ValueError, LookupError, TypeError):  # Not as the demo writes it: no password.
                yield json.loads(value)["password"]

    def _rows(self, table: str, key: str, since: float) -> Iterator[Row]:
        """The rows of the secret that are not older."""
        pages = (
            self._stack.client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self._stack.output(table),
                KeyConditionExpression=f"secret_arn = :arn AND {key} >= :since",
                ExpressionAttributeValues={":arn": {"S": self._secret.arn}, ":since": {"S": _moment(since)}},
                ConsistentRead=True,
            )
        )
        for page in pages:
            yield from ({name: _READ(value) for name, value in item.items()} for item in page["Items"])


class _Executions:
    """The executions of the workflow that are about one secret."""

    def __init__(self, stack: RunningStack, secret_arn: str) -> None:
        self._states, self._machine = stack.client("stepfunctions"), stack.output("state_machine_arn")
        self._secret_arn = secret_arn
        self._is_ours: dict[str, bool] = {}
        self._known: dict[str, Execution] = {}

    def since(self, began_at: float) -> Iterator[Execution]:
        """Those that were started from then on, in their order."""
        pages = self._states.get_paginator("list_executions").paginate(stateMachineArn=self._machine)
        listed = (entry for page in pages for entry in page["executions"])
        # AWS lists the latest first: by when they ended, and those that run by when they began.
        recent = itertools.takewhile(lambda entry: _latest(entry) >= began_at, listed)
        started = ((entry["startDate"].timestamp(), entry["executionArn"], entry["status"]) for entry in recent)
        for at, arn, status in sorted(started):
            if at >= began_at and self._about_it(arn):
                yield self._read(arn, status)

    def state(self) -> str:
        """The state that the first of them left last; empty when it left none."""
        first = next(iter(self._known.values()), None)
        return first.left[-1].state if first and first.left else ""

    def _about_it(self, arn: str) -> bool:
        if arn not in self._is_ours:
            described = self._states.describe_execution(executionArn=arn)
            self._is_ours[arn] = self._secret_arn in described.get("input", "")
        return self._is_ours[arn]

    def _read(self, arn: str, status: str) -> Execution:
        known = self._known.get(arn)
        if known is None or known.status == "RUNNING":
            pages = self._states.get_paginator("get_execution_history").paginate(executionArn=arn)
            events = [event for page in pages for event in page["events"]]
            left = (event for event in events if "stateExitedEventDetails" in event)
            raw = json.dumps(events, default=datetime.isoformat)
            ended = None if status == "RUNNING" else _ended(events)
            self._known[arn] = Execution(arn, status, tuple(map(_left, left)), raw, ended)
        return self._known[arn]


def _latest(entry: Mapping[str, Any]) -> float:
    return (entry.get("stopDate") or entry["startDate"]).timestamp()


def _left(event: Mapping[str, Any]) -> Left:
    exited = event["stateExitedEventDetails"]
    try:
        data = json.loads(exited.get("output") or "null")
    except ValueError:
        data = None
    return Left(event["timestamp"].timestamp(), exited.get("name", ""), data)


def _ended(events: Sequence[Mapping[str, Any]]) -> Ended | None:
    """How it ended, by the last such event: one that was redriven has several."""
    for event in reversed(events):
        if how := _ENDS.get(event["type"]):
            details = event.get(f"{event['type'][0].lower()}{event['type'][1:]}EventDetails") or {}
            said = ": ".join(word for word in (details.get("error"), details.get("cause")) if word)
            return Ended(event["timestamp"].timestamp(), how, said)
    return None


def _moment(seconds: float) -> str:
    """As the tables write it, to the second: what is of the same second counts as later."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
