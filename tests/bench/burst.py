"""Three thousand rotations that fail at once: whether each failure is delivered to every subscriber once.

Each failure is about another secret; executions, rows and notifications are counted by secret.
"""

import json
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.deploy import deployment
from local.deploy.deployment import RunningStack
from local.waiting import eventually
from tests.paths import EVENTS

from .figures import Figure

AT_ONCE = 3000
TIMEOUT_SECONDS = 1800.0
_EVENT = EVENTS / "rotation-failed.json"
_RECORDED_FOR = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-Ab12Cd"
_CONFIG = {"settleMinutes": 0, "remediationMode": "notify"}


def deliveries(count: int = AT_ONCE) -> Iterator[Figure]:
    """Three thousand failures, put as fast as possible, and their deliveries."""
    with (
        tempfile.TemporaryDirectory() as directory,
        deployment.deploy_temporarily(Path(directory) / ".local", config=_CONFIG, wait_scale=0.01) as stack,
    ):
        yield from _figures(stack, count)


def _figures(stack: RunningStack, count: int) -> Iterator[Figure]:
    arns = [f"arn:aws:secretsmanager:eu-west-1:111122223333:secret:burst/{n}-Bn{n:04}" for n in range(count)]
    began = time.time()
    _put(stack, [_failure(arn) for arn in arns])
    put = time.time() - began
    notifications: Counter[str] = Counter()

    def is_over() -> bool:
        notifications.update(_receive_notifications(stack))
        executions = _executions(stack)
        return (
            len(executions) >= count and "RUNNING" not in executions.values() and sum(notifications.values()) >= count
        )

    eventually(is_over, f"the end of {count} executions", TIMEOUT_SECONDS, 1)
    seconds = time.time() - began
    executions = _executions(stack)
    executions_per_secret = Counter(_read_secret(stack, execution) for execution in executions)
    rows = Counter(row["secret_arn"]["S"] for row in _rows(stack))
    yield Figure(f"{count} failures at once: put", put, "s")
    yield Figure("until all executions had ended", seconds, "s")
    for what, counts in (
        ("execution", executions_per_secret),
        ("row in the audit trail", rows),
        ("notification", notifications),
    ):
        yield Figure(f"failures with exactly one {what}", _count_exactly_once(counts, arns), "", exactly=count)
    yield Figure("executions that did not succeed", _count_failures(executions.values()), "", exactly=0)
    yield Figure("messages in dead-letter queues", _dead_letters(stack), "", exactly=0)


def _failure(arn: str) -> dict[str, Any]:
    event = json.loads(_EVENT.read_text().replace(_RECORDED_FOR, arn))
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    event["detail"] |= {"eventTime": at, "eventID": str(uuid.uuid4()), "requestID": f"Rotation-{arn}-{uuid.uuid4()}"}
    return event


def _put(stack: RunningStack, events: list[dict[str, Any]]) -> None:
    entries = [
        {
            "Source": "rotation-guard.drill",
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
            "Resources": event["resources"],
        }
        for event in events
    ]
    for start in range(0, len(entries), 10):
        answer = stack.client("events").put_events(Entries=entries[start : start + 10])
        if answer["FailedEntryCount"]:
            raise RuntimeError(f"EventBridge refused events: {answer}")


def _executions(stack: RunningStack) -> dict[str, str]:
    """Return the status of each execution."""
    pages = stack.client("stepfunctions").get_paginator("list_executions")
    machine = stack.output("state_machine_arn")
    executions = (execution for page in pages.paginate(stateMachineArn=machine) for execution in page["executions"])
    return {execution["executionArn"]: execution["status"] for execution in executions}


def _read_secret(stack: RunningStack, execution: str) -> str:
    signal = json.loads(stack.client("stepfunctions").describe_execution(executionArn=execution)["input"])["heard"]
    return signal["secret_arn"]


def _rows(stack: RunningStack) -> Iterator[dict[str, Any]]:
    pages = stack.client("dynamodb").get_paginator("scan")
    for page in pages.paginate(TableName=stack.output("audit_trail_table_name"), ConsistentRead=True):
        yield from page["Items"]


def _receive_notifications(stack: RunningStack) -> Iterator[str]:
    """Yield the secrets of new notifications on the failures topic."""
    sqs, url = stack.client("sqs"), stack.inbox["failures"]
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        entries = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(messages)]
        sqs.delete_message_batch(QueueUrl=url, Entries=entries)
        for message in messages:
            event = json.loads(json.loads(message["Body"])["Message"])
            yield event["detail"]["additionalEventData"]["SecretId"]


def _dead_letters(stack: RunningStack) -> int:
    kinds = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    urls = [url for name, url in stack.outputs.items() if name.endswith("dead_letters_url")]
    answers = [stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=kinds) for url in urls]
    return sum(int(answer["Attributes"][kind]) for answer in answers for kind in kinds)


def _count_exactly_once(counts: Counter[str], arns: Iterable[str]) -> int:
    return sum(counts[arn] == 1 for arn in arns)


def _count_failures(statuses: Iterable[str]) -> int:
    return sum(status != "SUCCEEDED" for status in statuses)
