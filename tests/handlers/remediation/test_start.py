"""One execution for each event, however often it is delivered, and nothing in its input that others wrote."""

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
def started(aws):
    """Plays Step Functions, which takes a name once: name -> input of each execution."""
    executions = {}

    def start(asked):
        if asked["name"] in executions:
            return aws.Refusal("ExecutionAlreadyExists")
        executions[asked["name"]] = asked["input"]
        arn = asked["stateMachineArn"].replace("stateMachine", "execution")
        return {"executionArn": f"{arn}:{asked['name']}", "startDate": datetime.now(UTC)}

    aws.answer("StartExecution", start)
    return executions


@pytest.fixture
def start(started, context):
    return lambda event: remediation_start.handler(event, context)


@pytest.fixture
def logged(monkeypatch):
    """What the functions write into their logs."""
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
def test_an_event_starts_an_execution_whose_input_is_what_was_heard(aws, recorded, start, started, name):
    event = recorded(name)

    assert start(event) == {"outcome": "started"}

    [asked] = aws.asked("StartExecution")
    assert asked["stateMachineArn"] == MACHINE
    [(execution, given)] = started.items()
    told = parse_signal(event)
    assert told is not None
    assert json.loads(given) == {"heard": asdict(told)}
    assert execution.startswith(told.kind.replace(" ", ""))
    assert len(execution) <= 80


@pytest.mark.parametrize("name", ["rotation-started", "get-secret-value", "put-secret-value", "instance-stopped"])
def test_what_is_no_matter_of_remediation_starts_nothing(recorded, start, started, name):
    assert start(recorded(name)) == {"outcome": "passed"}
    assert started == {}


def test_three_copies_of_an_event_are_one_execution(recorded, start, started):
    event = recorded("rotation-failed")

    answers = [start({**event, "id": delivery}) for delivery in ("a", "b", "c")]

    assert [answer["outcome"] for answer in answers] == ["started", "known", "known"]
    assert len(started) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"eventID": "another"},
        {"eventName": "RotationAbandoned"},
        {"additionalEventData": {"SecretId": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:other-Ab12Cd"}},
    ],
)
def test_two_events_are_two_executions(recorded, start, started, change):
    event = recorded("rotation-failed")
    start(event)

    start({**event, "detail": event["detail"] | change})

    assert len(started) == 2


def test_the_drill_and_what_it_plays_are_two_executions(recorded, start, started):
    event = recorded("rotation-failed")
    start(event)

    start(event | {"source": "rotation-guard.drill"})

    assert len(started) == 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_start_that_was_cut_short_is_made_once(aws, recorded, start, started, when):
    aws.crash(1, when)
    with pytest.raises(aws.Crash):
        start(recorded("rotation-failed"))
    aws.crash(0, "")

    assert start(recorded("rotation-failed"))["outcome"] == ("started" if when == "before" else "known")

    assert len(started) == 1


@pytest.mark.parametrize("code", ["ThrottlingException", "StateMachineDeleting", "AccessDeniedException"])
def test_what_step_functions_does_not_take_is_for_lambda_to_try_again(aws, recorded, start, code):
    aws.answer("StartExecution", lambda _: aws.Refusal(code))

    with pytest.raises(ClientError, match=code):
        start(recorded("rotation-failed"))


@pytest.mark.parametrize("event", [{}, [], None, {"detail": {"eventName": "RotationFailed"}}])
def test_what_is_no_event_goes_to_the_dead_letters(start, started, event):
    with pytest.raises(MalformedEvent):
        start(event)

    assert started == {}


def test_an_incomplete_environment_is_told_as_what_it_is(recorded, start, monkeypatch):
    monkeypatch.delenv("STATE_MACHINE_ARN")

    with pytest.raises(InvalidEnvironment, match=r"^STATE_MACHINE_ARN must be set"):
        start(recorded("rotation-failed"))


@pytest.mark.parametrize(
    "name", ["rotation-failed", "rotation-abandoned", "test-rotation-failed", "rotation-succeeded"]
)
def test_a_secret_value_in_any_text_of_an_event_is_held_nowhere(aws, scene, recorded, start, started, logged, name):
    event = recorded(name)
    detail = event["detail"]
    detail["additionalEventData"] = {"SecretId": scene.secret(), "value": SECRET}
    for place in (event, detail):
        place |= dict.fromkeys(set(place) - NAMED, SECRET)
    detail |= {"requestParameters": {"secretString": SECRET}, "errorMessage": f"{SECRET} during setSecret step"}

    start(event)
    [given] = started.values()
    answer = scene.claim(json.loads(given)["heard"])

    shown = [given, *started, json.dumps(answer), json.dumps(aws.rows("incidents"), default=str), logged()]
    assert json.loads(given)["heard"]["failed_step"] == "setSecret"
    assert logged().count("\n") == 2
    assert not [text for text in shown if "hunter2" in text or "horse" in text]


def test_the_words_of_an_error_are_no_secret_either(recorded, start):
    with pytest.raises(MalformedEvent) as raised:
        start(recorded("rotation-failed") | {"time": SECRET, "detail": {"eventName": SECRET}})

    assert "hunter2" not in str(raised.value)


def test_the_time_of_an_event_is_passed_on_whatever_the_clock_of_the_function_says(recorded, start, started):
    event = recorded("rotation-failed")
    event["detail"]["eventTime"] = "2036-03-01T00:50:20Z"

    start(event)

    # What is to come is for the next step, which knows when the execution started by AWS's clock.
    [given] = started.values()
    assert json.loads(given)["heard"]["occurred_at"] == "2036-03-01T00:50:20Z"
