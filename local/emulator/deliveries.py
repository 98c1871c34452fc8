"""Deliveries of EventBridge, Scheduler and SNS that are tried again or end in the dead letters, as AWS makes them.

Runs inside the emulator. MiniStack tries once, and what does not arrive is gone. Here:

- EventBridge and Scheduler: what cannot arrive, since the target does not exist, goes to the target's dead-letter queue
  at once; another failure is tried again within the target's retry policy, by itself 24 hours and 185 times
  (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html).
- SNS: an endpoint that does not exist or lets nobody in is a client-side error, and goes to the subscription's
  dead-letter queue at once (https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html).

Each of them publishes the metrics that its service has of that: AWS/Events by rule
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html), AWS/Scheduler by group
(https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html), AWS/SNS by topic
(https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html).

What has no dead-letter queue is dropped, as by AWS, and the log says so. A function that exists takes every event: what
becomes of it is Lambda's (`lambda_service.py`).
"""

import contextvars
import http.client
import json
import logging
import threading
import time
import urllib.error
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ministack.core.arn import ArnParseError, parse_arn
from ministack.services import eventbridge, lambda_svc, sns, sqs, stepfunctions

from . import dead_letters, lambda_service
from .metrics import publish
from .queue_lock import hold_lock

Target = dict[str, Any]

NO_RESOURCE, INTERNAL_ERROR = "NO_RESOURCE", "INTERNAL_ERROR"
"""Error codes of EventBridge's dead letters."""
ATTEMPTS, AGE_SECONDS = 185, 86_400
"""What EventBridge and Scheduler do of themselves."""
HTTP_ATTEMPTS = 4
"""One and the three retries that SNS makes of itself before it waits for long."""

_log = logging.getLogger("deliveries")
_first_wait, _longest_wait = lambda_svc._LAMBDA_ASYNC_RETRY_BASE_SECONDS, lambda_svc._LAMBDA_ASYNC_RETRY_MAX_SECONDS
_send_to_queue_by_ministack = hold_lock(eventbridge._dispatch_to_sqs)
_publish_by_ministack = eventbridge._dispatch_to_sns
_start_by_ministack = eventbridge._dispatch_to_stepfunctions
_invoke_target_by_ministack = eventbridge._invoke_target
_fill_queue_by_ministack = hold_lock(sns._deliver_to_sqs)


class Undeliverable(Exception):
    """The target does not exist, so that there is no use in trying again."""


@dataclass
class Delivery:
    """An event on its way to one target of a rule or a schedule."""

    target: Target
    rule_arn: str
    began_at: float = field(default_factory=time.time)
    attempts: int = 0

    def publish(self, of_rule: str | None, of_schedule: str | None) -> None:
        """Count one under the name that EventBridge, or Scheduler, has for it; None where it has none."""
        resource = self.rule_arn.split(":", 5)[-1].split("/")
        match resource:
            case ["schedule", group, _] if of_schedule:
                publish("AWS/Scheduler", of_schedule, 1, dimensions={"ScheduleGroup": group})
            case ["rule", name] if of_rule:
                publish("AWS/Events", of_rule, 1, dimensions={"RuleName": name})
            case ["rule", bus, name] if of_rule:
                publish("AWS/Events", of_rule, 1, dimensions={"EventBusName": bus, "RuleName": name})


_current: contextvars.ContextVar[Delivery] = contextvars.ContextVar("delivery")


def install() -> None:
    """Deliver from here on."""
    eventbridge._invoke_target = invoke_target  # ty: ignore[invalid-assignment]
    eventbridge._dispatch_to_lambda = lambda arn, payload: _attempt(_invoke, arn, payload)  # ty: ignore[invalid-assignment]
    eventbridge._dispatch_to_sqs = lambda spec, payload, options=None: _attempt(  # ty: ignore[invalid-assignment]
        _send, spec, payload, options
    )
    eventbridge._dispatch_to_sns = lambda arn, payload: _attempt(_publish, arn, payload)  # ty: ignore[invalid-assignment]
    eventbridge._dispatch_to_stepfunctions = lambda arn, payload: _attempt(  # ty: ignore[invalid-assignment]
        _start, arn, payload
    )
    sns._deliver_to_sqs = deliver_to_queue  # ty: ignore[invalid-assignment]
    sns._deliver_to_lambda = deliver_to_function  # ty: ignore[invalid-assignment]
    sns._deliver_to_http = deliver_to_url  # ty: ignore[invalid-assignment]


def invoke_target(target: Target, event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
    """Deliver an event to one target; `rule` is a schedule for Scheduler, which delivers by the same function."""
    token = _current.set(Delivery(target, rule.get("Arn", "")))
    try:
        _invoke_target_by_ministack(target, event, rule, view)
    finally:
        _current.reset(token)


def _attempt(deliver: Callable[..., None], target: Any, payload: str, *options: Any) -> None:
    """Deliver, or try again later, or send to the dead letters."""
    delivery = _current.get()
    delivery.attempts += 1
    try:
        deliver(target, payload, *options)
        delivery.publish("Invocations", None)
    except Undeliverable as error:
        delivery.publish(None, "TargetErrorCount")
        _give_up(delivery, payload, NO_RESOURCE, str(error))
    except Exception as error:  # noqa: BLE001 - whatever it was, the event is not dropped for it
        _log.exception("delivery to %s failed", target)
        delivery.publish(None, "TargetErrorCount")
        policy = delivery.target.get("RetryPolicy") or {}
        retries = policy.get("MaximumRetryAttempts", ATTEMPTS)
        age = policy.get("MaximumEventAgeInSeconds", AGE_SECONDS)
        wait = min(_first_wait * 2 ** (delivery.attempts - 1), _longest_wait)
        if delivery.attempts > retries or time.time() + wait - delivery.began_at > age:
            _give_up(delivery, payload, INTERNAL_ERROR, str(error))
        else:
            context = contextvars.copy_context()
            later = threading.Timer(wait, context.run, (_attempt, deliver, target, payload, *options))
            later.daemon = True
            later.start()


def _give_up(delivery: Delivery, payload: str, code: str, why: str) -> None:
    arn, retries = delivery.target.get("Arn", ""), delivery.attempts - 1
    _log.warning("%s: not delivered to %s after %d retries: %s", delivery.rule_arn, arn, retries, why)
    delivery.publish("Invocations", "InvocationDroppedCount")
    delivery.publish("FailedInvocations", None)
    queue = (delivery.target.get("DeadLetterConfig") or {}).get("Arn")
    if queue:
        named = {"RULE_ARN": delivery.rule_arn, "TARGET_ARN": arn, "ERROR_CODE": code, "ERROR_MESSAGE": why}
        if dead_letters.send(queue, payload, {**named, "RETRY_ATTEMPTS": str(retries)}):
            delivery.publish("InvocationsSentToDlq", "InvocationsSentToDeadLetterCount")
        else:
            delivery.publish("InvocationsFailedToBeSentToDlq", "InvocationsFailedToBeSentToDeadLetterCount")


def _invoke(arn: str, payload: str) -> None:
    function, config, name = lambda_svc._get_func_record_for_ref(arn)
    if not function or not config:
        raise Undeliverable(f"function {name} does not exist")
    lambda_service.invoke_async(lambda_svc._execution_record_for_config(function, config), json.loads(payload))


def _send(spec: Any, payload: str, options: dict[str, Any] | None) -> None:
    if sqs._queue_by_arn(str(spec)) is None:
        raise Undeliverable(f"queue {spec} does not exist")
    _send_to_queue_by_ministack(spec, payload, options)


def _publish(arn: str, payload: str) -> None:
    if sns._topic_by_arn_any_scope(arn) is None:
        raise Undeliverable(f"topic {arn} does not exist")
    _publish_by_ministack(arn, payload)


def _start(arn: str, payload: str) -> None:
    if stepfunctions._resolve_state_machine_arn(arn) is None:
        raise Undeliverable(f"state machine {arn} does not exist")
    _start_by_ministack(arn, payload)


def deliver_to_queue(
    endpoint: str, envelope: str, raw: bool, raw_message: str, *, topic_arn: str = "", **options: Any
) -> None:
    """Deliver a notice to a subscribed queue."""
    if sqs._queue_by_arn(endpoint) is None:
        why = f"queue {endpoint} does not exist"
    elif not sqs.queue_policy_allows(endpoint, "sns.amazonaws.com", topic_arn, _account(topic_arn)):
        why = f"the policy of queue {endpoint} does not let {topic_arn} in"
    else:
        _fill_queue_by_ministack(endpoint, envelope, raw, raw_message, topic_arn=topic_arn, **options)
        return
    _give_up_notice(topic_arn, endpoint, raw_message if raw else envelope, why)


def deliver_to_function(endpoint: str, envelope: str, topic_arn: str, subscription_arn: str, *_: Any) -> None:
    """Hand a notice to a subscribed function's queue of asynchronous invocations."""
    function, config, name = lambda_svc._get_func_record_for_ref(endpoint)
    if not function or not config:
        _give_up_notice(topic_arn, endpoint, envelope, f"function {name} does not exist")
        return
    notice = {"EventVersion": "1.0", "EventSubscriptionArn": subscription_arn, "EventSource": "aws:sns"}
    records = {"Records": [{**notice, "Sns": json.loads(envelope)}]}
    lambda_service.invoke_async(lambda_svc._execution_record_for_config(function, config), records)


async def deliver_to_url(endpoint: str, payload: str) -> None:
    """Post a notice to a subscribed address: what is refused (4xx, but 429) is a client-side error, the rest is not."""
    why = ""
    for attempt in range(HTTP_ATTEMPTS):
        try:
            sns._http_post_sync(endpoint, payload, "Notification")
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = str(error)
            refused = isinstance(error, urllib.error.HTTPError) and 400 <= error.code < 500 and error.code != 429
            if refused or attempt + 1 == HTTP_ATTEMPTS:
                break
            time.sleep(_first_wait)
        else:
            return
    _give_up_notice(_topic(payload), endpoint, payload, why)


def _give_up_notice(topic_arn: str, endpoint: str, body: str, why: str) -> None:
    _log.warning("%s: not delivered to %s: %s", topic_arn, endpoint, why)
    dimensions = {"TopicName": topic_arn.rpartition(":")[2]}
    publish("AWS/SNS", "NumberOfNotificationsFailed", 1, dimensions=dimensions)
    if queue := _dead_letters_of(topic_arn, endpoint):
        is_sent = dead_letters.send(queue, body, {"ErrorMessage": why})
        redriven = "NumberOfNotificationsRedrivenToDlq" if is_sent else "NumberOfNotificationsFailedToRedriveToDlq"
        publish("AWS/SNS", redriven, 1, dimensions=dimensions)


def _dead_letters_of(topic_arn: str, endpoint: str) -> str | None:
    """The dead-letter queue of the subscription of this endpoint; None where it has none."""
    topic = sns._topic_by_arn_any_scope(topic_arn) or {}
    for subscription in topic.get("subscriptions", []):
        policy = subscription.get("attributes", {}).get("RedrivePolicy")
        if subscription.get("endpoint") == endpoint and policy:
            return json.loads(policy).get("deadLetterTargetArn")
    return None


def _topic(payload: str) -> str:
    """The topic of a notice in its envelope; empty for a raw one."""
    try:
        return json.loads(payload).get("TopicArn", "")
    except (ValueError, AttributeError):
        return ""


def _account(arn: str) -> str:
    try:
        return parse_arn(arn).account_id
    except ArnParseError:
        return ""
