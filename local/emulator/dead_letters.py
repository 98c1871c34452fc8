"""Sends messages to dead-letter queues. Runs inside the emulator."""

import hashlib
import logging
import time
from collections.abc import Mapping

from ministack.core.concurrency import esm_wake
from ministack.core.responses import new_uuid
from ministack.services import sqs

_log = logging.getLogger("dead-letters")


def send(queue_arn: str, body: str, attributes: Mapping[str, str] | None = None) -> bool:
    """Send a message to a queue; return False, and log the message, when the queue does not exist."""
    queue = sqs._queue_by_arn(queue_arn)
    if queue is None:
        _log.error("dead-letter queue %s does not exist; lost message: %s", queue_arn, body)
        return False
    now = time.time()
    message_attributes = {
        name: {"DataType": "String", "StringValue": value} for name, value in (attributes or {}).items()
    }
    message = {
        "id": new_uuid(),
        "body": body,
        "md5_body": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "md5_attrs": sqs._md5_msg_attrs(message_attributes),
        "receipt_handle": None,
        "sent_at": now,
        "visible_at": now + sqs.queue_delay(queue),
        "receive_count": 0,
        "message_attributes": message_attributes,
    }
    sqs._ensure_msg_fields(message)
    with sqs._queues_lock:
        queue["messages"].append(message)
    esm_wake.set()
    return True
