"""What a probe says is believed only where it is plain, and nothing else of it is kept."""

import io
import json
import socket
import threading
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from botocore.response import StreamingBody
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.adapters import clients
from handlers.adapters.probes import MAXIMUM_RESPONSE_BYTES, parse_response
from handlers.remediation import probe as remediation_probe
from rotation_guard.domain.remediation.diagnosis import Diagnosis

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/db-Ab12Cd"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:orders-probe"
PLANTED = "hunter2"
UNANSWERED = "answered neither works: true nor works: false"
FOUND: dict[str, Any] = {"current": "current-id", "pending": "pending-id", "previous": "previous-id"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(PLANTED),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["works", "Works", "works ", PLANTED]) | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


def said(payload, **more):
    """A response of Lambda's whose payload is this, written as JSON unless it is bytes already."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return {"StatusCode": 200, "Payload": StreamingBody(io.BytesIO(body), len(body)), **more}


def works():
    return said({"works": True})


def broken():
    return said({"works": False})


def failed():
    return said({"errorMessage": PLANTED, "errorType": PLANTED, "works": True}, FunctionError="Unhandled")


@pytest.fixture
def probe(aws, context):
    """Runs the step, with what Lambda answers for each label: a response, a refusal, or an exception of its client."""

    def run(answers, **found):
        def invoked(asked):
            answer = answers[json.loads(asked["Payload"])["VersionStage"]]
            if isinstance(answer, Exception) and not isinstance(answer, aws.Refusal):
                raise answer
            return answer

        aws.answer("Invoke", invoked)
        aws.forget()
        diagnosis = Diagnosis.from_payload({"secret_arn": SECRET, "name": "orders/db", **FOUND, **found}).to_payload()
        event = {"incident": {"secret_arn": SECRET, "opened_at": "now"}, "diagnosis": diagnosis, "probe": FUNCTION}
        # What a step answers goes through JSON.
        return json.loads(json.dumps(remediation_probe.handler(event, context)))

    return run


@pytest.fixture
def asked(aws):
    """What the probe was asked, in order."""
    return lambda: [json.loads(request["Payload"]) for request in aws.asked("Invoke")]


def test_the_probe_is_asked_for_current_first_and_then_for_pending(aws, probe, asked):
    answer = probe({"AWSPENDING": works(), "AWSCURRENT": broken()})

    assert answer == {"current": "broken", "pending": "works", "previous": "unknown", "notes": []}
    assert asked() == [
        {"SecretId": SECRET, "VersionId": "current-id", "VersionStage": "AWSCURRENT"},
        {"SecretId": SECRET, "VersionId": "pending-id", "VersionStage": "AWSPENDING"},
    ]
    # Anything else that Lambda is asked for, such as the end of the function's log, would bring its text here.
    assert [set(call) for call in aws.asked("Invoke")] == [{"FunctionName", "Payload"}] * 2
    assert {call["FunctionName"] for call in aws.asked("Invoke")} == {FUNCTION}


@pytest.mark.parametrize(
    ("pending", "current", "fallback", "is_asked"),
    [
        (broken, broken, True, True),
        (failed, broken, True, True),
        (broken, broken, False, False),
        (works, broken, True, False),
        (broken, works, True, False),
        (broken, failed, True, False),
    ],
)
def test_previous_is_asked_for_only_where_it_may_be_fallen_back_to(probe, asked, pending, current, fallback, is_asked):
    answers = {"AWSPENDING": pending(), "AWSCURRENT": current(), "AWSPREVIOUS": works()}

    answer = probe(answers, fallback=fallback)

    assert answer["previous"] == ("works" if is_asked else "unknown")
    assert ("AWSPREVIOUS" in [question["VersionStage"] for question in asked()]) is is_asked


def test_where_no_version_is_pending_the_previous_one_is_asked_for(probe, asked):
    answer = probe({"AWSCURRENT": broken(), "AWSPREVIOUS": works()}, pending=None, fallback=True)

    assert answer == {"current": "broken", "pending": "absent", "previous": "works", "notes": []}


def test_what_is_not_there_is_absent_and_not_asked_for(probe, asked):
    answer = probe({}, pending=None, current=None, previous=None, fallback=True)

    assert answer == {"current": "absent", "pending": "absent", "previous": "absent", "notes": []}
    assert asked() == []


def test_more_than_the_answer_is_passed_over(probe, logged):
    answer = probe({"AWSPENDING": said({"works": True, "password": PLANTED}), "AWSCURRENT": broken()})

    assert answer == {"current": "broken", "pending": "works", "previous": "unknown", "notes": []}
    assert "probed" in logged()
    assert PLANTED not in logged()


def refused(code):
    return lambda aws: aws.Refusal(code, message=PLANTED)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda _: failed(), "ended with an error"),
        (lambda _: said({"works": True}, FunctionError="Handled"), "ended with an error"),
        (lambda _: ReadTimeoutError(endpoint_url=PLANTED), "timed out after 10 s"),
        (lambda _: ConnectTimeoutError(endpoint_url=PLANTED), "could not be reached"),
        (refused("AccessDeniedException"), "may not be called: access denied"),
        (refused("ResourceNotFoundException"), "does not exist"),
        (refused("TooManyRequestsException"), "was throttled"),
        (refused("EC2ThrottledException"), "could not be called (EC2ThrottledException)"),
        (lambda _: said(b'{"works": true' + b" " * MAXIMUM_RESPONSE_BYTES + b"}"), "answered more than 65536 bytes"),
        (lambda _: said({"works": True, "more": PLANTED * MAXIMUM_RESPONSE_BYTES}), "answered more than 65536 bytes"),
        (lambda _: said(b""), UNANSWERED),
        (lambda _: said(PLANTED.encode()), UNANSWERED),
        (lambda _: said(b"[" * 60_000), UNANSWERED),
        (lambda _: said(b'{"works": true, "works": false}'), UNANSWERED),
        (lambda _: said(b'{"works": true} {"works": true}'), UNANSWERED),
        (lambda _: said(b'{"works": true, "' + PLANTED.encode() + b'": \xff}'), UNANSWERED),
        (lambda _: said({"works": "true"}), UNANSWERED),
        (lambda _: said({"works": 1}), UNANSWERED),
        (lambda _: said({"works": 0.0}), UNANSWERED),
        (lambda _: said({"works": None}), UNANSWERED),
        (lambda _: said({"works": {"works": True}}), UNANSWERED),
        (lambda _: said([["works", True]]), UNANSWERED),
        (lambda _: said([{"works": True}]), UNANSWERED),
        (lambda _: said(True), UNANSWERED),
        (lambda _: said('{"works": true}'), UNANSWERED),
        (lambda _: said({"Works": True}), UNANSWERED),
        (lambda _: said({"statusCode": 200, "body": '{"works": true}'}), UNANSWERED),
    ],
)
def test_whatever_is_no_answer_is_unknown_and_said_in_our_words_alone(aws, probe, logged, answer, why):
    found = probe({"AWSPENDING": answer(aws), "AWSCURRENT": works()})

    assert found == {
        "current": "works",
        "pending": "unknown",
        "previous": "unknown",
        "notes": [f"The probe of AWSPENDING {why}."],
    }
    assert PLANTED not in logged()
    assert len(aws.asked("Invoke")) == 2


def test_every_question_that_is_not_answered_has_a_note(probe):
    answer = probe({"AWSPENDING": failed(), "AWSCURRENT": said({})})

    assert answer["notes"] == [
        f"The probe of AWSCURRENT {UNANSWERED}.",
        "The probe of AWSPENDING ended with an error.",
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(JSON)
def test_whatever_a_probe_answers_only_plain_words_count_and_none_is_repeated(probe, logged, answer):
    plain = isinstance(answer, dict) and answer.get("works") in (True, False) and isinstance(answer["works"], bool)
    expected = {True: "works", False: "broken"}[answer["works"]] if plain else "unknown"

    found = probe({"AWSPENDING": said(answer), "AWSCURRENT": said({PLANTED: answer})})

    assert (found["pending"], found["current"]) == (expected, "unknown")
    assert found["notes"] == [
        f"The probe of {label} {UNANSWERED}." for label in (["AWSCURRENT"] if plain else ["AWSCURRENT", "AWSPENDING"])
    ]
    assert PLANTED not in logged()


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_no_bytes_are_too_strange_to_be_read(body):
    assert parse_response(body) in (None, "works", "broken")


# --- a probe that hangs -----------------------------------------------------------------------------------------------


@pytest.fixture
def hanging(monkeypatch):
    """A Lambda that takes every call and never answers; gives the connections that were made."""
    connections = []

    def serve():
        while True:
            try:
                connections.append(server.accept()[0])
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("PROBE_TIMEOUT_SECONDS", "1")
        clients.client.cache_clear()
        yield connections
        server.shutdown(socket.SHUT_RDWR)
    for connection in connections:
        connection.close()
    clients.client.cache_clear()


def test_a_probe_that_hangs_is_given_up_in_time_and_asked_once(hanging, context):
    diagnosis = Diagnosis(SECRET, "orders/db", pending="pending-id").to_payload()

    answer = remediation_probe.handler({"diagnosis": diagnosis, "probe": FUNCTION}, context)

    assert answer["pending"] == "unknown"
    assert answer["notes"] == ["The probe of AWSPENDING timed out after 1 s."]
    assert len(hanging) == 1
    assert clients.client("lambda", 1).meta.config.read_timeout == 1
    assert clients.client.cache_info().currsize == 1
