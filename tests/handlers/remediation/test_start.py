"""Each event starts one execution, however often it is delivered, and no free text gets into its input."""

import io
import json
from dataclasses import asdict
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from handlers.environment import InvalidEnvironment
from handlers.remediation import claim
from handlers.remediation import start as remediation_start
from rotation_guard.domain.event_parser import MalformedEvent, parse_signal

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:remediation"
NAMED = {"detail", "additionalEventData", "id", "time", "eventID", "eventTime", "eventName"}
SECRET = "hunter2, and {\"password\": 'correct horse battery staple'}"


@pytest.fixture
def executions(aws):
    """Simulates Step Functions, which accepts a name once: name -> input of each execution."""
    executions = {}

    def start(request):
        if request["name"] in executions:
            return aws.Refusal("ExecutionAlreadyExists")
        executions[request["name"]] = request["input"]
        arn = request["stateMachineArn"].replace("stateMachine", "execution")
        return {"executionArn": f"{arn}:{request['name']}", "startDate": datetime.now(UTC)}

    aws.answer("StartExecution", start)
    return executions


@pytest.fixture
def start(executions, context):
    return lambda event: remediation_start.handler(event, context)


@pytest.fixture
def log_text(monkeypatch):
    """Returns what the functions have logged."""
    lines = io.StringIO()
    for function in (remediation_start, claim):
        monkeypatch.setattr(function.logger.registered_handler, "stream", lines)
    return lines.getvalue


@pytest.mark.parametrize(
    "name",
    [
        "rotation-failed",
        "rotation-abandoned",
        "test-rotation-failed",
        "rotation-stuck",
        "rotation-succeeded",
        "secret-label-updated",
        "incident-stalled",
    ],
)
def test_an_event_starts_an_execution_with_its_signal_as_input(aws, recorded, start, executions, name):
    event = recorded(name)

    assert start(event) == {"outcome": "started"}

    [request] = aws.requests("StartExecution")
    assert request["stateMachineArn"] == MACHINE
    [(execution, execution_input)] = executions.items()
    signal = parse_signal(event)
    assert signal is not None
    assert json.loads(execution_input) == {"heard": asdict(signal)}
    assert execution.startswith(signal.kind.replace(" ", ""))
    assert len(execution) <= 80


@pytest.mark.parametrize("name", ["rotation-started", "get-secret-value", "put-secret-value", "instance-stopped"])
def test_an_event_that_does_not_concern_remediation_starts_nothing(recorded, start, executions, name):
    assert start(recorded(name)) == {"outcome": "passed"}
    assert executions == {}


def test_three_copies_of_an_event_start_one_execution(recorded, start, executions):
    event = recorded("rotation-failed")

    answers = [start({**event, "id": delivery}) for delivery in ("a", "b", "c")]

    assert [answer["outcome"] for answer in answers] == ["started", "known", "known"]
    assert len(executions) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"eventID": "another"},
        {"eventName": "RotationAbandoned"},
        {"additionalEventData": {"SecretId": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:other-Ab12Cd"}},
    ],
)
def test_two_events_start_two_executions(recorded, start, executions, change):
    event = recorded("rotation-failed")
    start(event)

    start({**event, "detail": event["detail"] | change})

    assert len(executions) == 2


def test_a_drill_and_the_event_that_it_simulates_start_two_executions(recorded, start, executions):
    event = recorded("rotation-failed")
    start(event)

    start(event | {"source": "rotation-guard.drill"})

    assert len(executions) == 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_start_that_crashes_is_made_once(aws, recorded, start, executions, when):
    aws.crash(1, when)
    with pytest.raises(aws.Crash):
        start(recorded("rotation-failed"))
    aws.crash(0, "")

    assert start(recorded("rotation-failed"))["outcome"] == ("started" if when == "before" else "known")

    assert len(executions) == 1


@pytest.mark.parametrize("code", ["ThrottlingException", "StateMachineDeleting", "AccessDeniedException"])
def test_an_error_of_step_functions_is_left_to_lambdas_retry(aws, recorded, start, code):
    aws.answer("StartExecution", lambda _: aws.Refusal(code))

    with pytest.raises(ClientError, match=code):
        start(recorded("rotation-failed"))


@pytest.mark.parametrize("event", [{}, [], None, {"detail": {"eventName": "RotationFailed"}}])
def test_a_malformed_event_raises(start, executions, event):
    with pytest.raises(MalformedEvent):
        start(event)

    assert executions == {}


def test_an_incomplete_environment_raises(recorded, start, monkeypatch):
    monkeypatch.delenv("STATE_MACHINE_ARN")

    with pytest.raises(InvalidEnvironment, match=r"^STATE_MACHINE_ARN must be set"):
        start(recorded("rotation-failed"))


@pytest.mark.parametrize(
    "name", ["rotation-failed", "rotation-abandoned", "test-rotation-failed", "rotation-succeeded"]
)
def test_a_secret_value_in_any_text_of_an_event_is_stored_nowhere(
    aws, scene, recorded, start, executions, log_text, name
):
    event = recorded(name)
    detail = event["detail"]
    detail["additionalEventData"] = {"SecretId": scene.secret(), "value": SECRET}
    for part in (event, detail):
        part |= dict.fromkeys(set(part) - NAMED, SECRET)
    detail |= {"requestParameters": {"secretString": SECRET}, "errorMessage": f"{SECRET} during setSecret step"}

    start(event)
    [execution_input] = executions.values()
    answer = scene.claim(json.loads(execution_input)["heard"])

    outputs = [
        execution_input,
        *executions,
        json.dumps(answer),
        json.dumps(aws.rows("incidents"), default=str),
        log_text(),
    ]
    assert json.loads(execution_input)["heard"]["failed_step"] == "setSecret"
    assert log_text().count("\n") == 2
    assert not [text for text in outputs if "hunter2" in text or "horse" in text]


def test_an_error_message_contains_no_text_of_the_event(recorded, start):
    with pytest.raises(MalformedEvent) as raised:
        start(recorded("rotation-failed") | {"time": SECRET, "detail": {"eventName": SECRET}})

    assert "hunter2" not in str(raised.value)


def test_the_time_of_an_event_is_passed_on_unchanged(recorded, start, executions):
    event = recorded("rotation-failed")
    event["detail"]["eventTime"] = "2036-03-01T00:50:20Z"

    start(event)

    # The next step handles future times: it knows when the execution started by AWS's clock.
    [execution_input] = executions.values()
    assert json.loads(execution_input)["heard"]["occurred_at"] == "2036-03-01T00:50:20Z"
