"""Failed deliveries, with MiniStack's services in this process and a target that fails on request."""

import asyncio
import io
import json
import urllib.error
from collections.abc import Callable, Iterator
from datetime import datetime
from email.message import Message
from typing import Any

import pytest
from ministack.core import responses
from ministack.services import cloudwatch, eventbridge, scheduler, sns, sqs

from local.emulator import deliveries
from local.waiting import eventually

REGION, ACCOUNT = "eu-west-1", "111122223333"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:target"
DEAD_LETTERS = f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead-letters"
RULE = {"Name": "failures", "Arn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/failures"}
EVENT = {"EventId": "1", "Source": "test", "DetailType": "t", "Detail": '{"number": 7}', "Time": 0, "Resources": []}
_PATCHED = {
    eventbridge: ("_invoke_target", *(f"_dispatch_to_{to}" for to in ("lambda", "sqs", "sns", "stepfunctions"))),
    sns: ("_deliver_to_sqs", "_deliver_to_lambda", "_deliver_to_http"),
}


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = {(module, name): getattr(module, name) for module, names in _PATCHED.items() for name in names}
    deliveries.install()
    monkeypatch.setattr(deliveries, "_first_wait_seconds", 0.001)
    with responses.request_scope(ACCOUNT, REGION):
        for service in (sqs, sns, cloudwatch):
            service.reset()
        for arn in (QUEUE, DEAD_LETTERS):
            sqs._act_create_queue({"QueueName": arn.rpartition(":")[2]}, "")
        yield
    for (module, name), function in before.items():
        setattr(module, name, function)


def messages(arn: str) -> list[dict[str, Any]]:
    queue = sqs._queue_by_arn(arn)
    assert queue is not None
    return queue["messages"]


def bodies(arn: str) -> list[Any]:
    return [json.loads(message["body"]) for message in messages(arn)]


def read_attributes() -> dict[str, str]:
    """Return the attributes of the only dead letter."""
    [message] = messages(DEAD_LETTERS)
    return {name: value["StringValue"] for name, value in message["message_attributes"].items()}


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Makes the target's service fail this many times; returns a list that each attempt extends."""

    def fail(times: int) -> list[int]:
        attempts: list[int] = []
        send = deliveries._send_to_queue_by_ministack

        def fail_at_first(*arguments: Any) -> None:
            attempts.append(len(attempts) + 1)
            if len(attempts) <= times:
                raise ConnectionError("no answer")
            send(*arguments)

        monkeypatch.setattr(deliveries, "_send_to_queue_by_ministack", fail_at_first)
        return attempts

    return fail


def target(**policy: int) -> dict[str, Any]:
    return {"Id": "1", "Arn": QUEUE, "DeadLetterConfig": {"Arn": DEAD_LETTERS}, "RetryPolicy": policy}


def test_a_failed_delivery_is_retried_until_it_succeeds(failing):
    attempts = failing(5)
    eventbridge._invoke_target(target(), EVENT, RULE)
    eventually(lambda: bodies(QUEUE), "the delivery")
    assert [event["detail"] for event in bodies(QUEUE)] == [{"number": 7}]
    assert len(attempts) == 6
    assert bodies(DEAD_LETTERS) == []


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_an_event_is_a_dead_letter_after_its_targets_retries(failing, retries):
    attempts = failing(99)
    eventbridge._invoke_target(target(MaximumRetryAttempts=retries), EVENT, RULE)
    eventually(lambda: bodies(DEAD_LETTERS), "the dead letter")
    assert len(attempts) == 1 + retries
    assert bodies(DEAD_LETTERS)[0]["detail"] == {"number": 7}
    assert (read_attributes()["RETRY_ATTEMPTS"], read_attributes()["ERROR_MESSAGE"]) == (str(retries), "no answer")
    assert (read_attributes()["RULE_ARN"], read_attributes()["TARGET_ARN"]) == (RULE["Arn"], QUEUE)
    assert read_attributes()["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"


def test_an_event_that_is_too_old_for_a_retry_is_a_dead_letter(failing):
    attempts = failing(99)
    eventbridge._invoke_target(target(MaximumEventAgeInSeconds=0), EVENT, RULE)
    eventually(lambda: bodies(DEAD_LETTERS), "the dead letter")
    assert len(attempts) == 1
    assert read_attributes()["EXHAUSTED_RETRY_CONDITION"] == "MaximumEventAgeInSeconds"


def test_two_deliveries_at_once_keep_their_own_counts(failing):
    failing(2)
    for _ in range(2):
        eventbridge._invoke_target(target(MaximumRetryAttempts=2), EVENT, RULE)
    eventually(lambda: len(bodies(QUEUE)) == 2, "both")
    assert bodies(DEAD_LETTERS) == []


def test_a_schedule_whose_target_is_missing_sends_a_dead_letter():
    gone = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:gone"
    scheduler._schedules["default/audit"] = {
        "Arn": f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/audit",
        "State": "ENABLED",
        "ScheduleExpression": "at(2020-01-01T00:00:00)",
        "Target": {"Arn": gone, "Input": '{"run": 1}', "DeadLetterConfig": {"Arn": DEAD_LETTERS}},
    }
    try:
        scheduler._tick_schedules()
    finally:
        scheduler.reset()
    assert bodies(DEAD_LETTERS) == [{"run": 1}]
    assert (read_attributes()["TARGET_ARN"], read_attributes()["ERROR_CODE"]) == (gone, "NO_RESOURCE")
    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
    assert read_attributes()["SCHEDULE_ARN"].endswith(":schedule/default/audit")
    assert {"EXECUTION_ID", "SCHEDULED_TIME", "IS_PAYLOAD_TRUNCATED"} <= read_attributes().keys()
    assert "RULE_ARN" not in read_attributes()


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Posts a notification to a URL with these responses, the last repeated; returns what was posted."""
    monkeypatch.setattr(sqs, "queue_policy_allows", lambda *_: True)
    topic = "arn:aws:sns:eu-west-1:111122223333:failures"
    policy = json.dumps({"deadLetterTargetArn": DEAD_LETTERS})
    subscription = {"endpoint": "https://pager.test/", "attributes": {"RedrivePolicy": policy}}
    monkeypatch.setattr(sns, "_topic_by_arn_any_scope", lambda arn: {"subscriptions": [subscription]})

    def post(*answers: Exception | None) -> list[str]:
        payloads: list[str] = []

        def answer(endpoint: str, payload: str, kind: str) -> int:
            payloads.append(payload)
            if error := answers[min(len(payloads), len(answers)) - 1]:
                raise error
            return 200

        monkeypatch.setattr(sns, "_http_post_sync", answer)
        payload = json.dumps({"TopicArn": topic, "Message": "heard"})
        asyncio.run(sns._deliver_to_http("https://pager.test/", payload))
        return payloads

    return post


def status(code: int) -> urllib.error.HTTPError:
    return urllib.error.HTTPError("https://pager.test/", code, "no", Message(), io.BytesIO())


@pytest.mark.parametrize("answer", [status(503), status(429), urllib.error.URLError("no route"), TimeoutError()])
def test_a_post_that_a_url_cannot_accept_now_is_retried(posted, answer):
    assert len(posted(answer, answer, None)) == 3
    assert bodies(DEAD_LETTERS) == []


@pytest.mark.parametrize(("answer", "posts"), [(status(503), 4), (ConnectionResetError(), 4), (status(403), 1)])
def test_a_post_that_never_arrives_is_a_dead_letter(posted, answer, posts):
    assert len(posted(answer)) == posts
    assert [letter["Message"] for letter in bodies(DEAD_LETTERS)] == ["heard"]


def sum_metrics(namespace: str, **dimensions: str) -> dict[str, float]:
    """The sum of each metric with exactly these dimensions."""
    key = "|".join(f"{name}={value}" for name, value in sorted(dimensions.items()))
    points_by_name = {
        name: points for (of, name, its), points in cloudwatch._metrics.items() if (of, its) == (namespace, key)
    }
    return {name: sum(point["Value"] for point in points) for name, points in points_by_name.items()}


def test_a_delivery_by_a_retry_is_not_a_failed_invocation(failing):
    """(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html)"""
    failing(2)
    eventbridge._invoke_target(target(), EVENT, RULE)
    eventually(lambda: sum_metrics("AWS/Events", RuleName="failures"), "the metrics")
    assert sum_metrics("AWS/Events", RuleName="failures") == {"Invocations": 1}


def test_a_rule_of_a_custom_bus_is_counted_under_both_names(failing):
    failing(99)
    rule = {"Name": "orders", "Arn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/shop/orders"}
    eventbridge._invoke_target(target(MaximumRetryAttempts=0), EVENT, rule)
    eventually(lambda: bodies(DEAD_LETTERS), "the dead letter")
    expected = {"Invocations": 1, "FailedInvocations": 1, "InvocationsSentToDlq": 1}
    eventually(lambda: sum_metrics("AWS/Events", EventBusName="shop", RuleName="orders") == expected, "the metrics")
    assert sum_metrics("AWS/Events", RuleName="orders") == {}


def test_a_schedule_is_counted_by_its_group(failing):
    """(https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html)"""
    failing(99)
    schedule = {"Name": "hourly", "Arn": f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/audit/hourly"}
    eventbridge._invoke_target(target(MaximumRetryAttempts=1), EVENT, schedule)
    expected = {"TargetErrorCount": 2, "InvocationDroppedCount": 1, "InvocationsSentToDeadLetterCount": 1}
    eventually(lambda: sum_metrics("AWS/Scheduler", ScheduleGroup="audit") == expected, "the metrics")
    assert sum_metrics("AWS/Events", RuleName="hourly") == {}


@pytest.mark.parametrize(
    ("letters", "redriven"),
    [
        (DEAD_LETTERS, "NumberOfNotificationsRedrivenToDlq"),
        (f"{DEAD_LETTERS}-gone", "NumberOfNotificationsFailedToRedriveToDlq"),
    ],
)
def test_an_undeliverable_notification_is_counted_by_its_topic(letters, redriven):
    """(https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html)"""
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:critical"
    policy = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": letters})}
    subscription = {"endpoint": f"{QUEUE}-gone", "protocol": "sqs", "confirmed": True, "attributes": policy}
    sns._topics[topic] = {"arn": topic, "subscriptions": [subscription]}
    sns._fanout(topic, "1", "notice", "subject")
    assert sum_metrics("AWS/SNS", TopicName="critical") == {"NumberOfNotificationsFailed": 1, redriven: 1}


def test_a_schedule_puts_an_event_on_a_bus_with_its_source_type_and_time():
    """https://docs.aws.amazon.com/scheduler/latest/APIReference/API_EventBridgeParameters.html"""
    rule = {"Name": "heard", "EventBusName": "default", "State": "ENABLED", "EventPattern": '{"source": ["mine"]}'}
    rule["Arn"] = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/heard"
    key = eventbridge._rule_key("heard", "default")
    eventbridge._ensure_default_bus()
    eventbridge._rules[key], eventbridge._targets[key] = rule, [{"Id": "queue", "Arn": QUEUE}]
    scheduler._schedules["default/canary"] = {
        "Name": "canary",
        "Arn": f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/canary",
        "State": "ENABLED",
        "ScheduleExpression": "at(2020-01-01T00:00:00)",
        "Target": {
            "Arn": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default",
            "Input": '{"at": "<aws.scheduler.scheduled-time>"}',
            "EventBridgeParameters": {"Source": "mine", "DetailType": "Canary"},
        },
    }
    try:
        scheduler._tick_schedules()
    finally:
        scheduler.reset()
        eventbridge.reset()

    [event] = bodies(QUEUE)
    assert (event["source"], event["detail-type"]) == ("mine", "Canary")
    assert datetime.fromisoformat(event["detail"]["at"]).tzinfo is not None
