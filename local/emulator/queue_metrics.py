"""Publishes the metrics of SQS queues once a minute, as SQS does. Runs inside the emulator.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html. Ages
are in the compressed seconds of alarms (`alarms.py`): after 18 seconds a message is 15 minutes old. Unlike on AWS, a
message keeps its age when a redrive policy moves it to a dead-letter queue.
"""

import time
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import sqs

from .alarms import ALARM_TIME_SCALE
from .metrics import COUNT, SECONDS, publish

_MAX_RECEIVES = 3
"""A message that was received more often is a "poison pill", whose age is not reported."""
_ACTIVE_SECONDS = 6 * 3600 * ALARM_TIME_SCALE
"""How long a queue without messages stays active, and so reports metrics."""

_active_until: dict[Any, float] = {}
"""Queue -> when it becomes inactive, in epoch seconds. Unlike on AWS, calls without messages do not count."""


def publish_queue_metrics() -> None:
    """Publish the metrics of every active queue."""
    now = time.time()
    queues = sqs._queues.all_items()
    for scope in _active_until.keys() - {scope for scope, _ in queues}:
        del _active_until[scope]
    for scope, queue in queues:
        if queue["messages"] or scope not in _active_until:
            _active_until[scope] = now + _ACTIVE_SECONDS
        if _active_until[scope] >= now:
            account_id, region, _ = scope
            with request_scope(account_id, region):
                _publish(queue, now)


def _publish(queue: dict[str, Any], now: float) -> None:
    with sqs._queues_lock:
        sqs._expire_retained(queue)
        messages = list(queue["messages"])
    dimensions = {"QueueName": queue["name"]}
    visible = sum(message["visible_at"] <= now for message in messages)
    received = [message for message in messages if message["visible_at"] > now and message["receive_count"]]
    publish("AWS/SQS", "ApproximateNumberOfMessagesVisible", visible, COUNT, dimensions)
    publish("AWS/SQS", "ApproximateNumberOfMessagesNotVisible", len(received), COUNT, dimensions)
    if ages := [now - message["sent_at"] for message in messages if message["receive_count"] <= _MAX_RECEIVES]:
        publish("AWS/SQS", "ApproximateAgeOfOldestMessage", max(ages) / ALARM_TIME_SCALE, SECONDS, dimensions)
