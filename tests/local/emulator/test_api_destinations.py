"""API destinations in the embedded AWS: the request, retries, and dead letters, with MiniStack in this process."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.core import responses
from ministack.services import cloudwatch, eventbridge, sqs

from local.emulator import api_destinations, deliveries
from local.waiting import eventually
from tests.receivers.server import Answer, Receivers, serve

REGION, ACCOUNT = "eu-west-1", "111122223333"
DEAD_LETTERS = f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead-letters"
RULE = {"Name": "incidents", "Arn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/incidents"}
DETAIL = {"schema": "rotation-guard/1", "number": 7}
EVENT = {
    "EventId": "1", "Source": "test", "DetailType": "t", "Detail": json.dumps(DETAIL), "Time": 0, "Resources": []
}  # fmt: skip
ADDRESS = "https://receiver.example.com"
_PATCHED = ("_invoke_target", "_dispatch_to_api_destination")


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    with serve() as receivers:
        yield receivers


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch, receivers: Receivers) -> Iterator[None]:
    for name in _PATCHED:
        monkeypatch.setattr(eventbridge, name, getattr(eventbridge, name))
    monkeypatch.setattr(eventbridge, "_invoke_target", deliveries.invoke_target)
    api_destinations.install()
    monkeypatch.setattr(deliveries, "_first_wait_seconds", 0.001)
    monkeypatch.setattr(api_destinations, "TIMEOUT_SECONDS", 0.2)
    with responses.request_scope(ACCOUNT, REGION):
        for service in (sqs, cloudwatch, eventbridge):
            service.reset()
        sqs._act_create_queue({"QueueName": "dead-letters"}, "")
        api_destinations.set_receivers({ADDRESS: receivers.url("webhook")})
        eventbridge._create_connection(
            {
                "Name": "hook",
                "AuthorizationType": "API_KEY",
                "AuthParameters": {
                    "ApiKeyAuthParameters": {"ApiKeyName": "X-Sent-By", "ApiKeyValue": "rotation-guard"},
                    "InvocationHttpParameters": {
                        "HeaderParameters": [{"Key": "X-Api-Key", "Value": "k"}],
                        "QueryStringParameters": [{"Key": "sp", "Value": "/a b"}],
                        "BodyParameters": [{"Key": "routing_key", "Value": "secret"}],
                    },
                },
            }
        )
        eventbridge._create_api_destination(
            {
                "Name": "hook",
                "ConnectionArn": f"arn:aws:events:{REGION}:{ACCOUNT}:connection/hook",
                "InvocationEndpoint": f"{ADDRESS}/path",
                "HttpMethod": "POST",
            }
        )
        yield
    api_destinations.set_receivers({})


def send(name: str = "hook", **policy: int) -> None:
    target = {
        "Id": "t",
        "Arn": f"arn:aws:events:{REGION}:{ACCOUNT}:api-destination/{name}",
        "InputPath": "$.detail",
        "DeadLetterConfig": {"Arn": DEAD_LETTERS},
        "RetryPolicy": policy,
    }
    eventbridge._invoke_target(target, EVENT, RULE)


def wait_for_dead_letter() -> dict[str, str]:
    """Return the attributes of the only dead letter, once it is there."""
    queue = sqs._queue_by_arn(DEAD_LETTERS)
    assert queue is not None
    [message] = eventually(lambda: queue["messages"], "a dead letter")
    return {name: value["StringValue"] for name, value in message["message_attributes"].items()}


def wait_for_statuses(receivers: Receivers, count: int) -> list[int]:
    """Return the answers of the first requests."""
    requests = eventually(
        lambda: found if len(found := receivers.requests("webhook")) >= count else None, "the requests"
    )
    return [request.status for request in requests]


def count_dead_letters() -> int:
    queue: Any = sqs._queue_by_arn(DEAD_LETTERS)
    return len(queue["messages"])


def test_a_request_has_what_the_connection_adds(receivers: Receivers) -> None:
    send()

    wait_for_statuses(receivers, 1)
    [request] = receivers.requests("webhook")
    assert (request.path, request.query) == ("/webhook/path", {"sp": "/a b"})
    assert request.headers["X-Sent-By"] == "rotation-guard"
    assert request.headers["X-Api-Key"] == "k"
    assert request.headers["User-Agent"] == "Amazon/EventBridge/ApiDestinations"
    assert request.json == {**DETAIL, "routing_key": "secret"}


@pytest.mark.parametrize("status", [401, 407, 409, 429, 500, 502, 503])
def test_a_failure_that_may_pass_is_retried(receivers: Receivers, status: int) -> None:
    receivers.answer("webhook", Answer(status), Answer(status))

    send(MaximumRetryAttempts=5)

    assert wait_for_statuses(receivers, 3) == [status, status, 204]
    assert count_dead_letters() == 0


@pytest.mark.parametrize("status", [301, 400, 403, 404, 410])
def test_a_refusal_is_a_dead_letter_at_once(receivers: Receivers, status: int) -> None:
    receivers.answer("webhook", Answer(status))

    send(MaximumRetryAttempts=5)

    attributes = wait_for_dead_letter()
    assert attributes["ERROR_CODE"] == "SDK_CLIENT_ERROR"
    assert str(status) in attributes["ERROR_MESSAGE"]
    assert attributes["RETRY_ATTEMPTS"] == "0"
    assert "secret" not in json.dumps(attributes)
    assert wait_for_statuses(receivers, 1) == [status]


def test_what_fails_until_the_retries_are_used_up_is_a_dead_letter(receivers: Receivers) -> None:
    receivers.answer("webhook", *[Answer(503)] * 3)

    send(MaximumRetryAttempts=2)

    assert wait_for_dead_letter()["RETRY_ATTEMPTS"] == "2"
    assert wait_for_statuses(receivers, 3) == [503] * 3


def test_a_slow_receiver_is_retried(receivers: Receivers) -> None:
    receivers.answer("webhook", Answer(204, seconds=0.5))

    send(MaximumRetryAttempts=2)

    assert wait_for_statuses(receivers, 2) == [204, 204]
    assert count_dead_letters() == 0


def test_a_wait_beyond_the_age_of_the_event_is_a_dead_letter(receivers: Receivers) -> None:
    receivers.answer("webhook", Answer(429, {"Retry-After": "3600"}))

    send(MaximumEventAgeInSeconds=60)

    assert "429" in wait_for_dead_letter()["ERROR_MESSAGE"]


def test_a_receiver_that_asks_to_wait_is_not_asked_before(
    receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    attempt_later = deliveries.attempt_later

    def note(seconds: float, *rest: Any) -> None:
        waits.append(seconds)
        attempt_later(0, *rest)

    monkeypatch.setattr(deliveries, "attempt_later", note)
    receivers.answer("webhook", Answer(429, {"Retry-After": "7"}), Answer(503, {"Retry-After": "soon"}))

    send(MaximumRetryAttempts=5)

    assert wait_for_statuses(receivers, 3) == [429, 503, 204]
    assert waits[:2] == [0, 7.0]
    assert waits[2] < 1


def test_a_destination_that_does_not_exist_is_a_dead_letter() -> None:
    send("gone")

    assert wait_for_dead_letter()["ERROR_CODE"] == "NO_RESOURCE"
