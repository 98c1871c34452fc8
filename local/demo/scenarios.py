"""The product at work on a running stack: one audit run, one rotation that fails on purpose, one event put by hand.

Each story yields what happened, as it happens, and after how many milliseconds; what did not happen is a LocalError.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..deploy.deployment import RunningStack
from ..errors import LocalError
from . import portfolio
from .event_log import SentEvent
from .secret import DemoSecret

SOURCE = "rotation-guard.drill"

_PATIENCE_SECONDS = 30.0
_GLANCE_SECONDS = 3.0
_EVERY_SECONDS = 0.012
# Long enough for the next look to see other messages, short enough for others to see these.
_HIDDEN_SECONDS = 1

Look = Callable[[], Any]


@dataclass(frozen=True)
class Happened:
    """One thing that happened."""

    what: str
    milliseconds: float | None = None


def audit_run(stack: RunningStack) -> Iterator[Happened]:
    """One run of the audit; of the demo secrets two are audited, and none is overdue."""
    began = time.perf_counter()
    answer = stack.client("lambda").invoke(FunctionName=stack.output("function_name"), Payload=b"{}")
    took = _since(began)
    told = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise LocalError(f"The audit run failed: {told.get('errorMessage', told)}")
    found = (told.get("checked"), told.get("flagged"))
    if found != (2, 0):
        raise LocalError(
            f"The audit run should have checked 2 and flagged 0, it checked {found[0]}, flagged {found[1]}."
        )
    yield Happened("audit run: checked 2, flagged 0", took)


def portfolio_audit(stack: RunningStack) -> Iterator[Happened]:
    """Some sixty secrets whose dates lie in the past, and one run of the audit: it finds every verdict it should."""
    secrets = list(portfolio.entries(stack, datetime.now(UTC)))
    began = time.perf_counter()
    portfolio.seed(stack, secrets)
    yield Happened(f"portfolio: {len(secrets)} secrets, {len(portfolio.VERDICTS)} verdicts", _since(began))
    began = time.perf_counter()
    answer = stack.client("lambda").invoke(FunctionName=stack.output("function_name"), Payload=b"{}")
    took, told = _since(began), json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise LocalError(f"The audit run failed: {told.get('errorMessage', told)}")
    run = stack.client("dynamodb").get_item(
        TableName=stack.output("runs_table_name"),
        Key={"audit": {"S": "rotation"}, "run_id": {"S": told["run_id"]}},
        ConsistentRead=True,
    )["Item"]
    missing = set(portfolio.VERDICTS) - set(run["verdicts"]["M"])
    if missing:
        raise LocalError(
            f"The audit run should have found every verdict, it did not find {', '.join(sorted(missing))}."
        )
    yield Happened(f"audit run: checked {told['checked']}, flagged {told['flagged']}", took)


def failed_rotation(stack: RunningStack, step: str = "setSecret") -> Iterator[Happened]:
    """The demo secret's rotation breaks once, at this step: who hears of it, what is written down, that it heals."""
    secret = DemoSecret(stack)
    secret.settle()
    with secret.broken_at(step):
        sent = secret.rotated("RotationFailed")
    yield Happened(f"{secret.name} broke at {step}, and AWS sent RotationFailed")
    yield from _watch(
        sent.put_at,
        {
            "notice on the failures topic": lambda: _message(stack, "failures", sent.id),
            "row in the audit trail": lambda: _audit_row(stack, sent),
            "incident": lambda: _incident(stack, sent),
            "readable notice on the remediation topic": lambda: _message(
                stack, "remediation", secret.name, sent.put_at
            ),
            "healed, and its incident closed": lambda: _incident(stack, sent, "closed") and secret.works(),
        },
    )


def put_event(stack: RunningStack, event: Mapping[str, Any], copies: int = 1) -> Iterator[Happened]:
    """Put an event on the bus, from the drill source where it is one of AWS's own, and see what becomes of it."""
    source = str(event["source"])
    entry = {
        "Source": SOURCE if source.startswith("aws.") else source,
        "DetailType": str(event["detail-type"]),
        "Detail": json.dumps(event["detail"]),
        "Resources": [str(resource) for resource in event.get("resources") or []],
    }
    began, put_at, ids = time.perf_counter(), time.time(), []
    for start in range(0, copies, 10):
        answer = stack.client("events").put_events(Entries=[entry] * min(10, copies - start))
        for result in answer["Entries"]:
            if "EventId" not in result:
                raise LocalError(f"EventBridge refused the event: {result.get('ErrorMessage')}")
            ids.append(result["EventId"])
    yield Happened(f"EventBridge took {copies} {'copy' if copies == 1 else 'copies'}", _since(began))
    # CloudTrail's own id is the same in every copy; without one, each copy is an event of its own.
    known = {str(event["detail"].get("eventID"))} if event["detail"].get("eventID") else set(ids)
    yield from _traces(stack, put_at, known)


def _traces(stack: RunningStack, put_at: float, ids: set[str]) -> Iterator[Happened]:
    """Whatever shows of these events; looks for as long as something more may come."""
    table, deadline = stack.output("audit_trail_table_name"), time.time() + _GLANCE_SECONDS
    rows: dict[str, float] = {}
    notices: dict[str, float] = {}
    while (now := time.time()) < deadline and (not rows or now < max(*rows.values(), *notices.values(), 0) + 0.4):
        for item in _scan(stack, table):
            if any(id_ in item["recorded"]["S"] for id_ in ids):
                rows.setdefault(item["recorded"]["S"], now)
        for message in _messages(stack, "failures"):
            if any(id_ in message["Body"] for id_ in ids):
                notices.setdefault(message["MessageId"], now)
        time.sleep(_EVERY_SECONDS)
    if not rows and not notices:
        yield Happened(
            f"nothing heard or recorded it within {_GLANCE_SECONDS:.0f} s: no rule matches it, or see the log"
        )
        return
    for what, seen in (("rows in the audit trail", rows), ("notices on the failures topic", notices)):
        yield Happened(f"{what}: {len(seen)}", (max(seen.values()) - put_at) * 1000 if seen else None)
    incidents = [item for item in _scan(stack, stack.output("incidents_table_name")) if _mentions(item, ids)]
    yield Happened(f"incidents that hold it: {len(incidents)}")


def _watch(put_at: float, looks: dict[str, Look]) -> Iterator[Happened]:
    """Each thing when it is first seen, counted from the moment its event was put."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while looks:
        for what, look in list(looks.items()):
            if look():
                del looks[what]
                yield Happened(what, (time.time() - put_at) * 1000)
        if looks and time.monotonic() > deadline:
            raise LocalError(f"Missing after {_PATIENCE_SECONDS:.0f} s: {', '.join(looks)}. `make up` starts anew.")
        if looks:
            time.sleep(_EVERY_SECONDS)


def _messages(stack: RunningStack, topic: str) -> list[dict[str, Any]]:
    """Some messages of an inbox, left there."""
    if topic not in stack.inbox:
        raise LocalError(f"This stack has no inbox for {topic}: it exports no {topic}_topic_arn.")
    return (
        stack.client("sqs")
        .receive_message(
            QueueUrl=stack.inbox[topic],
            MaxNumberOfMessages=10,
            VisibilityTimeout=_HIDDEN_SECONDS,
            MessageSystemAttributeNames=["SentTimestamp"],
        )
        .get("Messages", [])
    )


def _message(stack: RunningStack, topic: str, text: str, since: float = 0.0) -> bool:
    # A message's time is cut to the millisecond.
    return any(
        text in message["Body"] and int(message["Attributes"]["SentTimestamp"]) >= int(since * 1000)
        for message in _messages(stack, topic)
    )


def _audit_row(stack: RunningStack, sent: SentEvent) -> bool:
    rows = _of_secret(stack, "audit_trail_table_name", sent.secret_arn)
    return any(sent.id in row["recorded"]["S"] for row in rows)


def _incident(stack: RunningStack, sent: SentEvent, state: str = "") -> bool:
    rows = _of_secret(stack, "incidents_table_name", sent.secret_arn)
    return any(_mentions(row, {sent.id}) and state in row["state"]["S"] for row in rows)


def _of_secret(stack: RunningStack, table: str, secret_arn: str) -> list[dict[str, Any]]:
    """The rows of a secret, all of them: more than a few may bear the same second."""
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
    return any(id_ in text for id_ in ids)


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000
