"""Retries deliveries of EventBridge, Scheduler and SNS as AWS does, and uses their dead-letter queues.

Runs inside the emulator. MiniStack tries once and loses what it cannot deliver. Here:

- EventBridge and Scheduler: an event for a target that does not exist goes to the target's dead-letter queue at once;
  other failures are retried within the target's retry policy, by default for 24 hours and 185 times
  (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html).
- SNS: an endpoint that does not exist or denies access is a client-side error; the message goes to the subscription's
  dead-letter queue at once (https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html).

Each publishes its service's metrics: AWS/Events by rule
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html), AWS/Scheduler by group
(https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html), AWS/SNS by topic
(https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html).

Without a dead-letter queue the event is dropped and logged, as by AWS. A function that exists accepts every event;
`lambda_service.py` runs it.
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
from ministack.core.responses import new_uuid
from ministack.services import eventbridge, lambda_svc, sns, sqs, stepfunctions

from . import dead_letters, lambda_service
from .metrics import publish
from .queue_lock import hold_lock

Target = dict[str, Any]

NO_RESOURCE, NO_PERMISSIONS, INTERNAL_ERROR = "NO_RESOURCE", "NO_PERMISSIONS", "INTERNAL_ERROR"
SDK_CLIENT_ERROR = "SDK_CLIENT_ERROR"
"""Error codes of EventBridge's dead letters."""
RETRIES, AGE_SECONDS = 185, 86_400
"""The default retry policy of EventBridge and Scheduler."""
HTTP_ATTEMPTS = 4
"""The first attempt and the three immediate retries of SNS."""

_log = logging.getLogger("deliveries")
_first_wait_seconds, _longest_wait_seconds = (
    lambda_svc._LAMBDA_ASYNC_RETRY_BASE_SECONDS,
    lambda_svc._LAMBDA_ASYNC_RETRY_MAX_SECONDS,
)
_send_to_queue_by_ministack = hold_lock(eventbridge._dispatch_to_sqs)
_publish_by_ministack = eventbridge._dispatch_to_sns
_start_by_ministack = eventbridge._dispatch_to_stepfunctions
_invoke_target_by_ministack = eventbridge._invoke_target
_deliver_to_queue_by_ministack = hold_lock(sns._deliver_to_sqs)


class TargetNotFoundError(Exception):
    """The target does not exist: retries are useless."""


class NotPermittedError(Exception):
    """The target does not admit the sender: retries are useless."""


class NotRetriableError(Exception):
    """The target refused the event: retries are useless."""


class RetryLaterError(Exception):
    """The target asks to wait before the next attempt."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


@dataclass
class Delivery:
    """The delivery of an event to a target of a rule or a schedule."""

    target: Target
    rule_arn: str
    began_at: float = field(default_factory=time.time)
    attempts: int = 0

    @property
    def is_scheduled(self) -> bool:
        """Whether Scheduler delivers it, and not a rule."""
        return ":schedule/" in self.rule_arn

    @property
    def scheduled_at(self) -> str:
        """The time of a schedule's invocation, the same for every attempt."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.began_at))

    def describe_sender(self) -> dict[str, str]:
        """The attributes of a dead letter that say who sent it: a rule or a schedule
        (https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html)."""
        if not self.is_scheduled:
            return {"RULE_ARN": self.rule_arn}
        return {
            "SCHEDULE_ARN": self.rule_arn,
            "SCHEDULED_TIME": self.scheduled_at,
            "EXECUTION_ID": new_uuid(),
            "IS_PAYLOAD_TRUNCATED": "false",
        }

    def publish(self, rule_metric: str | None, schedule_metric: str | None) -> None:
        """Count one in the metric of EventBridge or of Scheduler; None where the service has no such metric."""
        resource = self.rule_arn.split(":", 5)[-1].split("/")
        match resource:
            case ["schedule", group, _] if schedule_metric:
                publish("AWS/Scheduler", schedule_metric, 1, dimensions={"ScheduleGroup": group})
            case ["rule", name] if rule_metric:
                publish("AWS/Events", rule_metric, 1, dimensions={"RuleName": name})
            case ["rule", bus, name] if rule_metric:
                publish("AWS/Events", rule_metric, 1, dimensions={"EventBusName": bus, "RuleName": name})


_current: contextvars.ContextVar[Delivery] = contextvars.ContextVar("delivery")


def install() -> None:
    """Deliver events and notifications."""
    eventbridge._invoke_target = invoke_target  # ty: ignore[invalid-assignment]
    eventbridge._dispatch_to_lambda = lambda arn, payload: _attempt(_invoke_function, arn, payload)  # ty: ignore[invalid-assignment]
    eventbridge._dispatch_to_sqs = lambda spec, payload, options=None: _attempt(  # ty: ignore[invalid-assignment]
        _send_to_queue, spec, payload, options
    )
    eventbridge._dispatch_to_sns = lambda arn, payload: _attempt(_publish_to_topic, arn, payload)  # ty: ignore[invalid-assignment]
    eventbridge._dispatch_to_stepfunctions = lambda arn, payload: _attempt(  # ty: ignore[invalid-assignment]
        _start_execution, arn, payload
    )
    sns._deliver_to_sqs = deliver_to_queue  # ty: ignore[invalid-assignment]
    sns._deliver_to_lambda = deliver_to_function  # ty: ignore[invalid-assignment]
    sns._deliver_to_http = deliver_to_url  # ty: ignore[invalid-assignment]


def invoke_target(target: Target, event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
    """Deliver an event to a target; `rule` is a schedule when Scheduler delivers it."""
    delivery = Delivery(target, rule.get("Arn", ""))
    if delivery.is_scheduled:
        target, event = _prepare_scheduled(delivery, event)
    token = _current.set(delivery)
    try:
        _invoke_target_by_ministack(target, event, rule, view)
    finally:
        _current.reset(token)


def _prepare_scheduled(delivery: Delivery, event: dict[str, Any]) -> tuple[Target, dict[str, Any]]:
    """Return target and event with the scheduled time, and with what PutEvents gets where the target is a bus
    (https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html,
    https://docs.aws.amazon.com/scheduler/latest/APIReference/API_EventBridgeParameters.html)."""
    target = dict(delivery.target)
    if "Input" in target:
        target["Input"] = target["Input"].replace("<aws.scheduler.scheduled-time>", delivery.scheduled_at)
    parameters = target.get("EventBridgeParameters") or {}
    # The schedule's ARN stays in `resources`, as MiniStack has it.
    return target, {**event, **{key: parameters[key] for key in ("Source", "DetailType") if key in parameters}}


def _attempt(deliver: Callable[..., None], target: Any, payload: str, *options: Any) -> None:
    """Deliver, or retry later, or send to the dead-letter queue."""
    delivery = _current.get()
    delivery.attempts += 1
    try:
        deliver(target, payload, *options)
        delivery.publish("Invocations", None)
    except TargetNotFoundError as error:
        delivery.publish(None, "TargetErrorCount")
        _give_up(delivery, payload, NO_RESOURCE, str(error))
    except NotPermittedError as error:
        delivery.publish(None, "TargetErrorCount")
        _give_up(delivery, payload, NO_PERMISSIONS, str(error))
    except NotRetriableError as error:
        delivery.publish(None, "TargetErrorCount")
        _give_up(delivery, payload, SDK_CLIENT_ERROR, str(error))
    except Exception as error:  # noqa: BLE001 - no error may drop the event
        _log.exception("delivery to %s failed", target)
        delivery.publish(None, "TargetErrorCount")
        policy = delivery.target.get("RetryPolicy") or {}
        retries = policy.get("MaximumRetryAttempts", RETRIES)
        age = policy.get("MaximumEventAgeInSeconds", AGE_SECONDS)
        wait = min(_first_wait_seconds * 2 ** (delivery.attempts - 1), _longest_wait_seconds)
        wait = max(wait, error.seconds if isinstance(error, RetryLaterError) else 0.0)
        if delivery.attempts > retries:
            _give_up(delivery, payload, INTERNAL_ERROR, str(error), "MaximumRetryAttempts")
        elif time.time() + wait - delivery.began_at > age:
            _give_up(delivery, payload, INTERNAL_ERROR, str(error), "MaximumEventAgeInSeconds")
        else:
            attempt_later(wait, deliver, target, payload, *options)


def attempt_later(seconds: float, deliver: Callable[..., None], target: Any, payload: str, *options: Any) -> None:
    """Deliver the event of the current delivery in the background, after this wait."""
    context = contextvars.copy_context()
    later = threading.Timer(seconds, context.run, (_attempt, deliver, target, payload, *options))
    later.daemon = True
    later.start()


def _give_up(delivery: Delivery, payload: str, code: str, reason: str, exhausted: str = "") -> None:
    """Send an event to the target's dead-letter queue; `exhausted` is the limit that ended the retries, if one did."""
    arn, retries = delivery.target.get("Arn", ""), delivery.attempts - 1
    _log.warning("%s: not delivered to %s after %d retries: %s", delivery.rule_arn, arn, retries, reason)
    delivery.publish("Invocations", "InvocationDroppedCount")
    delivery.publish("FailedInvocations", None)
    queue = (delivery.target.get("DeadLetterConfig") or {}).get("Arn")
    if queue:
        attributes = {"TARGET_ARN": arn, "ERROR_CODE": code, "ERROR_MESSAGE": reason, "RETRY_ATTEMPTS": str(retries)}
        if exhausted:
            attributes["EXHAUSTED_RETRY_CONDITION"] = exhausted
        if dead_letters.send(queue, payload, attributes | delivery.describe_sender()):
            delivery.publish("InvocationsSentToDlq", "InvocationsSentToDeadLetterCount")
        else:
            delivery.publish("InvocationsFailedToBeSentToDlq", "InvocationsFailedToBeSentToDeadLetterCount")


def _invoke_function(arn: str, payload: str) -> None:
    function, config, name = lambda_svc._get_func_record_for_ref(arn)
    if not function or not config:
        raise TargetNotFoundError(f"function {name} does not exist")
    lambda_service.invoke_async(lambda_svc._execution_record_for_config(function, config), json.loads(payload))


def _send_to_queue(spec: Any, payload: str, options: dict[str, Any] | None) -> None:
    if sqs._queue_by_arn(str(spec)) is None:
        raise TargetNotFoundError(f"queue {spec} does not exist")
    _send_to_queue_by_ministack(spec, payload, options)


def _publish_to_topic(arn: str, payload: str) -> None:
    if sns._topic_by_arn_any_scope(arn) is None:
        raise TargetNotFoundError(f"topic {arn} does not exist")
    _publish_by_ministack(arn, payload)


def _start_execution(arn: str, payload: str) -> None:
    if stepfunctions._resolve_state_machine_arn(arn) is None:
        raise TargetNotFoundError(f"state machine {arn} does not exist")
    _start_by_ministack(arn, payload)


def deliver_to_queue(
    endpoint: str, envelope: str, raw: bool, raw_message: str, *, topic_arn: str = "", **options: Any
) -> None:
    """Deliver a notification to a subscribed queue."""
    if sqs._queue_by_arn(endpoint) is None:
        reason = f"queue {endpoint} does not exist"
    elif not sqs.queue_policy_allows(endpoint, "sns.amazonaws.com", topic_arn, _read_account(topic_arn)):
        reason = f"the policy of queue {endpoint} does not allow {topic_arn}"
    else:
        _deliver_to_queue_by_ministack(endpoint, envelope, raw, raw_message, topic_arn=topic_arn, **options)
        return
    _dead_letter_notification(topic_arn, endpoint, raw_message if raw else envelope, reason)


def deliver_to_function(endpoint: str, envelope: str, topic_arn: str, subscription_arn: str, *_: Any) -> None:
    """Invoke a subscribed function asynchronously with a notification."""
    function, config, name = lambda_svc._get_func_record_for_ref(endpoint)
    if not function or not config:
        _dead_letter_notification(topic_arn, endpoint, envelope, f"function {name} does not exist")
        return
    notification = {"EventVersion": "1.0", "EventSubscriptionArn": subscription_arn, "EventSource": "aws:sns"}
    records = {"Records": [{**notification, "Sns": json.loads(envelope)}]}
    lambda_service.invoke_async(lambda_svc._execution_record_for_config(function, config), records)


async def deliver_to_url(endpoint: str, payload: str) -> None:
    """Post a notification to a subscribed URL; a 4xx response except 429 is a client-side error and is not retried."""
    reason = ""
    for attempt in range(HTTP_ATTEMPTS):
        try:
            sns._http_post_sync(endpoint, payload, "Notification")
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = str(error)
            refused = isinstance(error, urllib.error.HTTPError) and 400 <= error.code < 500 and error.code != 429
            if refused or attempt + 1 == HTTP_ATTEMPTS:
                break
            time.sleep(_first_wait_seconds)
        else:
            return
    _dead_letter_notification(_read_topic(payload), endpoint, payload, reason)


def _dead_letter_notification(topic_arn: str, endpoint: str, body: str, reason: str) -> None:
    _log.warning("%s: not delivered to %s: %s", topic_arn, endpoint, reason)
    dimensions = {"TopicName": topic_arn.rpartition(":")[2]}
    publish("AWS/SNS", "NumberOfNotificationsFailed", 1, dimensions=dimensions)
    if queue := _find_dead_letter_queue(topic_arn, endpoint):
        is_sent = dead_letters.send(queue, body, {"ErrorMessage": reason})
        redriven = "NumberOfNotificationsRedrivenToDlq" if is_sent else "NumberOfNotificationsFailedToRedriveToDlq"
        publish("AWS/SNS", redriven, 1, dimensions=dimensions)


def _find_dead_letter_queue(topic_arn: str, endpoint: str) -> str | None:
    """Return the dead-letter queue of an endpoint's subscription; None when it has none."""
    topic = sns._topic_by_arn_any_scope(topic_arn) or {}
    for subscription in topic.get("subscriptions", []):
        policy = subscription.get("attributes", {}).get("RedrivePolicy")
        if subscription.get("endpoint") == endpoint and policy:
            return json.loads(policy).get("deadLetterTargetArn")
    return None


def _read_topic(payload: str) -> str:
    """Return the topic from a notification's envelope; empty for raw delivery."""
    try:
        return json.loads(payload).get("TopicArn", "")
    except (ValueError, AttributeError):
        return ""


def _read_account(arn: str) -> str:
    try:
        return parse_arn(arn).account_id
    except ArnParseError:
        return ""
