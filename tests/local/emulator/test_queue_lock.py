"""A message that arrives while another thread deletes messages is not lost."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.services import sqs

from local.emulator import deliveries, queue_lock

ARN = "arn:aws:sqs:us-east-1:000000000000:busy"
_WAIT_SECONDS = 0.1


class Interrupted(list[dict[str, Any]]):
    """Messages to which one thread adds just after another has read them, and before it writes them."""

    def __init__(self, messages: list[dict[str, Any]], add: Any) -> None:
        super().__init__(messages)
        self._adding = threading.Thread(target=add)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield from list(super().__iter__())
        if not self._adding.ident:
            self._adding.start()
            self._adding.join(_WAIT_SECONDS)

    def added(self) -> None:
        self._adding.join(5)


@pytest.fixture(scope="module", autouse=True)
def _installed():
    before = {name: getattr(sqs, name) for name in (*queue_lock._LOCKED_FUNCTIONS, "_queues_lock")}
    handlers = dict(sqs._HANDLERS)
    queue_lock.install()
    yield
    for name, value in before.items():
        setattr(sqs, name, value)
    sqs._HANDLERS.update(handlers)


def _send(url: str) -> None:
    sqs._HANDLERS["SendMessage"]({"QueueUrl": url, "MessageBody": "new"}, url)


def _send_batch(url: str) -> None:
    entries = [{"Id": "1", "MessageBody": "new"}]
    sqs._HANDLERS["SendMessageBatch"]({"QueueUrl": url, "Entries": entries}, url)


def _from_rule(url: str) -> None:
    deliveries._send_to_queue_by_ministack(deliveries.parse_arn(ARN), "new", None)


def _from_topic(url: str) -> None:
    deliveries._deliver_to_queue_by_ministack(ARN, "new", True, "new", topic_arn="")


@pytest.mark.parametrize("add", [_send, _send_batch, _from_rule, _from_topic])
@pytest.mark.parametrize("take", ["DeleteMessage", "DeleteMessageBatch", "of an event source mapping"])
def test_a_message_that_arrives_while_another_is_deleted_is_kept(add, take):
    sqs.reset()
    url = sqs._act_create_queue({"QueueName": "busy"}, "")["QueueUrl"]
    sqs._act_send_message({"QueueUrl": url, "MessageBody": "old"}, url)
    queue = sqs._get_q(url)
    [received] = sqs._receive_messages_for_esm(url, 10)
    handle = received["receipt_handle"]
    messages = queue["messages"] = Interrupted(queue["messages"], lambda: add(url))

    match take:
        case "DeleteMessage":
            sqs._HANDLERS[take]({"QueueUrl": url, "ReceiptHandle": handle}, url)
        case "DeleteMessageBatch":
            sqs._HANDLERS[take]({"QueueUrl": url, "Entries": [{"Id": "1", "ReceiptHandle": handle}]}, url)
        case _:
            sqs._delete_messages_for_esm(url, {handle})

    messages.added()
    assert [message["body"] for message in queue["messages"]] == ["new"]
