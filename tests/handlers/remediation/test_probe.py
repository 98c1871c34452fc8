"""Only an unambiguous answer of a probe counts, and nothing else of its response is kept."""

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
VERSIONS: dict[str, Any] = {"current": "current-id", "pending": "pending-id", "previous": "previous-id"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(PLANTED),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["works", "Works", "works ", PLANTED]) | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


def build_response(payload, **more):
    """A response of Lambda with this payload, which is serialized as JSON unless it is bytes."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return {"StatusCode": 200, "Payload": StreamingBody(io.BytesIO(body), len(body)), **more}


def build_working():
    return build_response({"works": True})


def build_broken():
    return build_response({"works": False})


def build_failed():
    return build_response({"errorMessage": PLANTED, "errorType": PLANTED, "works": True}, FunctionError="Unhandled")


@pytest.fixture
def probe(aws, context):
    """Runs the step with Lambda's answers by label: a response, a refusal, or an exception of its client."""

    def run(answers, **overrides):
        def respond(request):
            answer = answers[json.loads(request["Payload"])["VersionStage"]]
            if isinstance(answer, Exception) and not isinstance(answer, aws.Refusal):
                raise answer
            return answer

        aws.answer("Invoke", respond)
        aws.forget()
        diagnosis = Diagnosis.from_payload(
            {"secret_arn": SECRET, "name": "orders/db", **VERSIONS, **overrides}
        ).to_payload()
        event = {"incident": {"secret_arn": SECRET, "opened_at": "now"}, "diagnosis": diagnosis, "probe": FUNCTION}
        # Step Functions passes answers as JSON.
        return json.loads(json.dumps(remediation_probe.handler(event, context)))

    return run


@pytest.fixture
def probe_requests(aws):
    """Lists the payloads of the probe's invocations, in order."""
    return lambda: [json.loads(request["Payload"]) for request in aws.requests("Invoke")]


def test_current_is_probed_first_and_then_pending(aws, probe, probe_requests):
    answer = probe({"AWSPENDING": build_working(), "AWSCURRENT": build_broken()})

    assert answer == {"current": "broken", "pending": "works", "previous": "unknown", "notes": []}
    assert probe_requests() == [
        {"SecretId": SECRET, "VersionId": "current-id", "VersionStage": "AWSCURRENT"},
        {"SecretId": SECRET, "VersionId": "pending-id", "VersionStage": "AWSPENDING"},
    ]
    # Any other parameter, such as LogType for the tail of the function's log, would return text of the probe.
    assert [set(call) for call in aws.requests("Invoke")] == [{"FunctionName", "Payload"}] * 2
    assert {call["FunctionName"] for call in aws.requests("Invoke")} == {FUNCTION}


@pytest.mark.parametrize(
    ("pending", "current", "fallback", "is_probed"),
    [
        (build_broken, build_broken, True, True),
        (build_failed, build_broken, True, True),
        (build_broken, build_broken, False, False),
        (build_working, build_broken, True, False),
        (build_broken, build_working, True, False),
        (build_broken, build_failed, True, False),
    ],
)
def test_previous_is_probed_only_if_a_rollback_is_possible(
    probe, probe_requests, pending, current, fallback, is_probed
):
    answers = {"AWSPENDING": pending(), "AWSCURRENT": current(), "AWSPREVIOUS": build_working()}

    answer = probe(answers, fallback=fallback)

    assert answer["previous"] == ("works" if is_probed else "unknown")
    assert ("AWSPREVIOUS" in [request["VersionStage"] for request in probe_requests()]) is is_probed


def test_previous_is_probed_if_no_version_is_pending(probe, probe_requests):
    answer = probe({"AWSCURRENT": build_broken(), "AWSPREVIOUS": build_working()}, pending=None, fallback=True)

    assert answer == {"current": "broken", "pending": "absent", "previous": "works", "notes": []}


def test_missing_versions_are_absent_and_not_probed(probe, probe_requests):
    answer = probe({}, pending=None, current=None, previous=None, fallback=True)

    assert answer == {"current": "absent", "pending": "absent", "previous": "absent", "notes": []}
    assert probe_requests() == []


def test_other_fields_of_a_response_are_ignored_and_not_logged(probe, log_text):
    answer = probe({"AWSPENDING": build_response({"works": True, "password": PLANTED}), "AWSCURRENT": build_broken()})

    assert answer == {"current": "broken", "pending": "works", "previous": "unknown", "notes": []}
    assert "probed" in log_text()
    assert PLANTED not in log_text()


def build_refusal(code):
    return lambda aws: aws.Refusal(code, message=PLANTED)


@pytest.mark.parametrize(
    ("answer", "note"),
    [
        (lambda _: build_failed(), "ended with an error"),
        (lambda _: build_response({"works": True}, FunctionError="Handled"), "ended with an error"),
        (lambda _: ReadTimeoutError(endpoint_url=PLANTED), "timed out after 10 s"),
        (lambda _: ConnectTimeoutError(endpoint_url=PLANTED), "could not be reached"),
        (build_refusal("AccessDeniedException"), "may not be called: access denied"),
        (build_refusal("ResourceNotFoundException"), "does not exist"),
        (build_refusal("TooManyRequestsException"), "was throttled"),
        (build_refusal("EC2ThrottledException"), "could not be called (EC2ThrottledException)"),
        (
            lambda _: build_response(b'{"works": true' + b" " * MAXIMUM_RESPONSE_BYTES + b"}"),
            "answered more than 65536 bytes",
        ),
        (
            lambda _: build_response({"works": True, "more": PLANTED * MAXIMUM_RESPONSE_BYTES}),
            "answered more than 65536 bytes",
        ),
        (lambda _: build_response(b""), UNANSWERED),
        (lambda _: build_response(PLANTED.encode()), UNANSWERED),
        (lambda _: build_response(b"[" * 60_000), UNANSWERED),
        (lambda _: build_response(b'{"works": true, "works": false}'), UNANSWERED),
        (lambda _: build_response(b'{"works": true} {"works": true}'), UNANSWERED),
        (lambda _: build_response(b'{"works": true, "' + PLANTED.encode() + b'": \xff}'), UNANSWERED),
        (lambda _: build_response({"works": "true"}), UNANSWERED),
        (lambda _: build_response({"works": 1}), UNANSWERED),
        (lambda _: build_response({"works": 0.0}), UNANSWERED),
        (lambda _: build_response({"works": None}), UNANSWERED),
        (lambda _: build_response({"works": {"works": True}}), UNANSWERED),
        (lambda _: build_response([["works", True]]), UNANSWERED),
        (lambda _: build_response([{"works": True}]), UNANSWERED),
        (lambda _: build_response(True), UNANSWERED),
        (lambda _: build_response('{"works": true}'), UNANSWERED),
        (lambda _: build_response({"Works": True}), UNANSWERED),
        (lambda _: build_response({"statusCode": 200, "body": '{"works": true}'}), UNANSWERED),
    ],
)
def test_any_other_response_is_unknown_and_noted_without_its_text(aws, probe, log_text, answer, note):
    result = probe({"AWSPENDING": answer(aws), "AWSCURRENT": build_working()})

    assert result == {
        "current": "works",
        "pending": "unknown",
        "previous": "unknown",
        "notes": [f"The probe of AWSPENDING {note}."],
    }
    assert PLANTED not in log_text()
    assert len(aws.requests("Invoke")) == 2


def test_every_probe_without_an_answer_has_a_note(probe):
    answer = probe({"AWSPENDING": build_failed(), "AWSCURRENT": build_response({})})

    assert answer["notes"] == [
        f"The probe of AWSCURRENT {UNANSWERED}.",
        "The probe of AWSPENDING ended with an error.",
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON)
def test_only_boolean_answers_count_and_no_text_of_a_response_is_repeated(probe, log_text, answer):
    is_plain = isinstance(answer, dict) and answer.get("works") in (True, False) and isinstance(answer["works"], bool)
    expected = {True: "works", False: "broken"}[answer["works"]] if is_plain else "unknown"

    result = probe({"AWSPENDING": build_response(answer), "AWSCURRENT": build_response({PLANTED: answer})})

    assert (result["pending"], result["current"]) == (expected, "unknown")
    assert result["notes"] == [
        f"The probe of {label} {UNANSWERED}."
        for label in (["AWSCURRENT"] if is_plain else ["AWSCURRENT", "AWSPENDING"])
    ]
    assert PLANTED not in log_text()


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_any_bytes_can_be_parsed(body):
    assert parse_response(body) in (None, "works", "broken")


# --- a probe that hangs -----------------------------------------------------------------------------------------------


@pytest.fixture
def unresponsive_lambda(monkeypatch):
    """A Lambda endpoint that accepts every call and never responds; yields the connections."""
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


def test_a_probe_that_hangs_times_out_and_is_invoked_once(unresponsive_lambda, context):
    diagnosis = Diagnosis(SECRET, "orders/db", pending="pending-id").to_payload()

    answer = remediation_probe.handler({"diagnosis": diagnosis, "probe": FUNCTION}, context)

    assert answer["pending"] == "unknown"
    assert answer["notes"] == ["The probe of AWSPENDING timed out after 1 s."]
    assert len(unresponsive_lambda) == 1
    assert clients.client("lambda", 1).meta.config.read_timeout == 1
    assert clients.client.cache_info().currsize == 1
