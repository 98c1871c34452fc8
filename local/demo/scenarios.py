"""Demonstrates the product on a running stack: an audit run, a failing rotation, an event that the user puts.

Each scenario yields its steps as they complete, with their durations; a step that does not happen is a LocalError.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..deploy.deployment import Progress, RunningStack, ignore_progress
from ..errors import LocalError
from . import portfolio
from .event_log import SentEvent
from .secret import DemoSecret

SOURCE = "rotation-guard.drill"

_TIMEOUT_SECONDS = 30.0
_OBSERVATION_SECONDS = 3.0
_POLL_SECONDS = 0.012
# Long enough for the next poll to receive other messages, short enough for other readers to receive these.
_VISIBILITY_SECONDS = 1

Check = Callable[[], Any]


@dataclass(frozen=True)
class StepResult:
    """A step of a scenario that has completed."""

    text: str
    milliseconds: float | None = None


def run_audit(stack: RunningStack, progress: Progress = ignore_progress) -> Iterator[StepResult]:
    """Run the audit once: two of the demo secrets are audited, and neither is overdue."""
    progress("auditing the secrets")
    result, milliseconds = _invoke_audit(stack)
    counts = (result.get("checked"), result.get("flagged"))
    if counts != (2, 0):
        raise LocalError(f"The audit run must check 2 secrets and flag 0; it checked {counts[0]}, flagged {counts[1]}.")
    yield StepResult("audit run: checked 2, flagged 0", milliseconds)


def audit_portfolio(stack: RunningStack, progress: Progress = ignore_progress) -> Iterator[StepResult]:
    """Create secrets with dates in the past and audit them: every verdict must occur."""
    progress("creating a portfolio of secrets")
    secrets = list(portfolio.build_secrets(stack, datetime.now(UTC)))
    began = time.perf_counter()
    portfolio.seed(stack, secrets)
    yield StepResult(f"portfolio: {len(secrets)} secrets, {len(portfolio.VERDICTS)} verdicts", _measure_ms(began))
    progress(f"auditing {len(secrets)} secrets")
    result, milliseconds = _invoke_audit(stack)
    run = stack.client("dynamodb").get_item(
        TableName=stack.output("runs_table_name"),
        Key={"audit": {"S": "rotation"}, "run_id": {"S": result["run_id"]}},
        ConsistentRead=True,
    )["Item"]
    missing = set(portfolio.VERDICTS) - set(run["verdicts"]["M"])
    if missing:
        raise LocalError(f"The audit run must find every verdict; it did not find {', '.join(sorted(missing))}.")
    yield StepResult(f"audit run: checked {result['checked']}, flagged {result['flagged']}", milliseconds)


def _invoke_audit(stack: RunningStack) -> tuple[dict[str, Any], float]:
    """Invoke the audit's function; return its result, and how many milliseconds it took."""
    began = time.perf_counter()
    response = stack.client("lambda").invoke(FunctionName=stack.output("function_name"), Payload=b"{}")
    milliseconds, result = _measure_ms(began), json.loads(response["Payload"].read())
    if "FunctionError" in response:
        raise LocalError(f"The audit run failed: {result.get('errorMessage', result)}")
    return result, milliseconds


def fail_rotation(
    stack: RunningStack, step: str = "setSecret", progress: Progress = ignore_progress
) -> Iterator[StepResult]:
    """Fail the demo secret's rotation once at this step, and follow it: notifications, records, repair."""
    progress("waiting for the end of earlier rotations and incidents")
    secret = DemoSecret(stack)
    secret.finish_pending_work()
    progress(f"waiting for the rotation to fail at {step}")
    with secret.break_at(step):
        sent_event = secret.rotate_and_wait("RotationFailed")
    yield StepResult(f"{secret.name} failed to rotate at {step}, and AWS sent RotationFailed")
    arn, put_at = secret.arn, sent_event.put_at
    checks: dict[str, Check] = {
        "notification on the failures topic": lambda: _has_message(stack, "failures", sent_event.id),
        "row in the audit trail": lambda: _has_audit_row(stack, sent_event),
        "incident opened": lambda: _has_incident(stack, sent_event),
        "notification on the remediation topic": lambda: _has_message(stack, "remediation", arn, put_at),
        "secret repaired, incident closed": lambda: _has_incident(stack, sent_event, "closed") and secret.is_working(),
    }
    yield from _wait_for_each(put_at, checks, progress)


def put_event(
    stack: RunningStack, event: Mapping[str, Any], copies: int = 1, progress: Progress = ignore_progress
) -> Iterator[StepResult]:
    """Put an event on the bus, with the drill source in place of an AWS source, and show its effects."""
    source = str(event["source"])
    entry = {
        "Source": SOURCE if source.startswith("aws.") else source,
        "DetailType": str(event["detail-type"]),
        "Detail": json.dumps(event["detail"]),
        "Resources": [str(resource) for resource in event.get("resources") or []],
    }
    progress("putting the event")
    began, put_at, ids = time.perf_counter(), time.time(), []
    for start in range(0, copies, 10):
        response = stack.client("events").put_events(Entries=[entry] * min(10, copies - start))
        for result in response["Entries"]:
            if "EventId" not in result:
                raise LocalError(f"EventBridge rejected the event: {result.get('ErrorMessage')}")
            ids.append(result["EventId"])
    yield StepResult(f"EventBridge accepted {copies} {'copy' if copies == 1 else 'copies'}", _measure_ms(began))
    progress("looking for notifications and rows of the event")
    # All copies share CloudTrail's event id; without one, each copy is a separate event.
    event_id = event["detail"].get("eventID")
    yield from _observe_event(stack, put_at, {str(event_id)} if event_id else set(ids))


def _observe_event(stack: RunningStack, put_at: float, ids: set[str]) -> Iterator[StepResult]:
    """Yield the effects of these events, once no more seem to come."""
    table, deadline = stack.output("audit_trail_table_name"), time.time() + _OBSERVATION_SECONDS
    rows: dict[str, float] = {}
    notifications: dict[str, float] = {}
    while (now := time.time()) < deadline and (not rows or now < max(*rows.values(), *notifications.values(), 0) + 0.4):
        for item in _scan(stack, table):
            if any(event_id in item["recorded"]["S"] for event_id in ids):
                rows.setdefault(item["recorded"]["S"], now)
        for message in _receive_messages(stack, "failures"):
            if any(event_id in message["Body"] for event_id in ids):
                notifications.setdefault(message["MessageId"], now)
        time.sleep(_POLL_SECONDS)
    if not rows and not notifications:
        yield StepResult(
            f"no notification and no row within {_OBSERVATION_SECONDS:.0f} s: no rule matches the event, or see the log"
        )
        return
    for text, times in (("rows in the audit trail", rows), ("notifications on the failures topic", notifications)):
        yield StepResult(f"{text}: {len(times)}", (max(times.values()) - put_at) * 1000 if times else None)
    incidents = [item for item in _scan(stack, stack.output("incidents_table_name")) if _mentions(item, ids)]
    yield StepResult(f"incidents with the event: {len(incidents)}")


def _wait_for_each(put_at: float, checks: dict[str, Check], progress: Progress) -> Iterator[StepResult]:
    """Yield each check when it first succeeds, with the time since the event was put."""
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while checks:
        progress(f"waiting for: {', '.join(checks)}")
        for text, check in list(checks.items()):
            if check():
                del checks[text]
                yield StepResult(text, (time.time() - put_at) * 1000)
        if checks and time.monotonic() > deadline:
            raise LocalError(f"Missing after {_TIMEOUT_SECONDS:.0f} s: {', '.join(checks)}. `make up` starts again.")
        if checks:
            time.sleep(_POLL_SECONDS)


def _receive_messages(stack: RunningStack, topic: str) -> list[dict[str, Any]]:
    """Receive some messages of an inbox without deleting them."""
    if topic not in stack.inbox:
        raise LocalError(f"This stack has no inbox for {topic}: it exports no {topic}_topic_arn.")
    return (
        stack.client("sqs")
        .receive_message(
            QueueUrl=stack.inbox[topic],
            MaxNumberOfMessages=10,
            VisibilityTimeout=_VISIBILITY_SECONDS,
            MessageSystemAttributeNames=["SentTimestamp"],
        )
        .get("Messages", [])
    )


def _has_message(stack: RunningStack, topic: str, text: str, since: float = 0.0) -> bool:
    # A message's time is truncated to milliseconds.
    return any(
        text in message["Body"] and int(message["Attributes"]["SentTimestamp"]) >= int(since * 1000)
        for message in _receive_messages(stack, topic)
    )


def _has_audit_row(stack: RunningStack, sent_event: SentEvent) -> bool:
    rows = _query_rows(stack, "audit_trail_table_name", sent_event.secret_arn)
    return any(sent_event.id in row["recorded"]["S"] for row in rows)


def _has_incident(stack: RunningStack, sent_event: SentEvent, state: str = "") -> bool:
    rows = _query_rows(stack, "incidents_table_name", sent_event.secret_arn)
    return any(_mentions(row, {sent_event.id}) and state in row["state"]["S"] for row in rows)


def _query_rows(stack: RunningStack, table: str, secret_arn: str) -> list[dict[str, Any]]:
    """Return all rows of a secret."""
    pages = (
        stack.client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=stack.output(table),
            KeyConditionExpression="secret_arn = :arn",
            ExpressionAttributeValues={":arn": {"S": secret_arn}},
            ConsistentRead=True,
        )
    )
    return [item for page in pages for item in page["Items"]]


def _scan(stack: RunningStack, table: str) -> list[dict[str, Any]]:
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [item for page in pages for item in page["Items"]]


def _mentions(item: Mapping[str, Any], ids: set[str]) -> bool:
    text = json.dumps(item)
    return any(event_id in text for event_id in ids)


def _measure_ms(began: float) -> float:
    return (time.perf_counter() - began) * 1000
