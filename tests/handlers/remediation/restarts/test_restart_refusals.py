"""What AWS refuses, is too busy for or does not answer at all, when something is to be restarted."""

import json

import pytest
from botocore import session

from rotation_guard.domain.remediation.restarts import TransientError
from tests.handlers.remediation.dependents import (
    DOCUMENT,
    FUNCTION,
    LABELS,
    NETWORK_ERRORS,
    PASSWORD,
    SERVICE,
    Crash,
    refusal,
    unreachable,
)
from tests.handlers.remediation.restarts.errors import BUSY, FINAL, OPERATIONS, PASSING, STARTING, cases

TARGETS = {"ecs": SERVICE, "lambda": FUNCTION, "ssm": DOCUMENT}
ANSWERS = {
    "UpdateService": "update_service",
    "DescribeServices": "describe_services",
    "GetFunctionConfiguration": "get_function",
    "UpdateFunctionConfiguration": "update_function",
    "StartAutomationExecution": "start_automation",
}


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_every_error_of_an_operation_is_final_passing_or_a_reason_to_wait(service, operation):
    model = session.get_session().get_service_model(service).operation_model(operation)

    assert set(OPERATIONS[service, operation]) == {shape.name for shape in model.error_shapes}


@pytest.mark.parametrize(("service", "operation", "code"), cases(STARTING, FINAL))
def test_what_cannot_be_restarted_is_told_by_the_code_alone(
    aws, dependents, wanted, restart, row, capsys, service, operation, code
):
    aws.answer(operation, lambda asked: refusal(aws, code))
    wanted(TARGETS[service])

    assert restart() == "failed"
    assert PASSWORD not in json.dumps(aws.rows("incidents"), default=str) + capsys.readouterr().out

    [entry] = row()["restarts"]
    assert entry["state"] == "failed"
    assert entry["why"] == f"AWS refused it: {code}." or "the response was lost" in entry["why"]
    assert row(f"target#{TARGETS[service]}")["problem"] == entry["why"]
    assert row()["actions"][0]["reason"] == entry["why"]


def test_a_service_that_ecs_does_not_find_is_told(aws, dependents, wanted, restart, row):
    aws.answer("DescribeServices", lambda asked: {"services": [], "failures": [{"reason": "MISSING"}]})
    wanted(SERVICE)

    assert restart() == "failed"
    assert row()["restarts"][0]["why"] == "The service does not exist in ECS."


def test_a_service_whose_deployments_are_made_by_another_controller_is_told(aws, dependents, wanted, restart, row):
    dependents.service["deployments"] = []
    aws.answer("UpdateService", lambda asked: {"service": dependents.service})
    wanted(SERVICE)

    assert restart() == "failed"
    assert row()["restarts"][0]["why"] == "ECS does not manage its deployments."


def _others(service):
    return [arn for kind, arn in TARGETS.items() if kind != service]


def _states(service, state):
    return {LABELS[TARGETS[service]]: state, **{LABELS[arn]: "started" for arn in _others(service)}}


@pytest.mark.parametrize(("service", "operation", "code"), cases(STARTING, PASSING))
def test_passing_trouble_is_for_another_try_and_keeps_no_other_waiting(
    aws, dependents, wanted, restart, row, states, capsys, service, operation, code
):
    aws.answer(operation, lambda asked: refusal(aws, code))
    wanted(*TARGETS.values())

    with pytest.raises(TransientError, match=f"^{code}$"):
        restart()

    assert states() == _states(service, "wanted")
    assert [entry["why"] for entry in row()["restarts"] if entry["why"]] == [f"AWS did not respond: {code}."]
    assert PASSWORD not in json.dumps(row(), default=str) + capsys.readouterr().out
    aws.answer(operation, getattr(dependents, ANSWERS[operation]))
    assert restart() == "waiting"
    assert dependents.started == dict.fromkeys(TARGETS.values(), 1)
    assert {entry["why"] for entry in row()["restarts"]} == {""}


@pytest.mark.parametrize("error", NETWORK_ERRORS)
@pytest.mark.parametrize(("service", "operation"), STARTING)
def test_a_target_that_cannot_be_reached_keeps_no_other_from_its_turn(
    aws, dependents, wanted, restart, row, states, logged, service, operation, error
):
    aws.answer(operation, unreachable(error))
    wanted(*TARGETS.values())

    with pytest.raises(TransientError, match=f"^{error}$"):
        restart()

    assert states() == _states(service, "wanted")
    assert PASSWORD not in json.dumps(row(), default=str) + logged()
    aws.answer(operation, getattr(dependents, ANSWERS[operation]))
    assert restart() == "waiting"
    assert dependents.started == dict.fromkeys(TARGETS.values(), 1)


def test_an_error_that_nobody_expected_keeps_no_other_from_its_turn(aws, dependents, wanted, restart, states):
    def broken(asked):
        raise LookupError("what the client does with an answer that it cannot read")

    aws.answer("DescribeServices", broken)
    wanted(*TARGETS.values())

    with pytest.raises(LookupError):
        restart()

    assert states() == _states("ecs", "wanted")


def test_a_table_that_fails_for_one_keeps_no_other_from_its_turn(aws, dependents, wanted, restart, states):
    def unanswered(asked):
        if asked["Key"]["secret_arn"]["S"] == f"target#{SERVICE}":
            return unreachable("ReadTimeoutError")(asked)
        return dependents.update_item(asked)

    aws.answer("UpdateItem", unanswered)
    wanted(*TARGETS.values())

    with pytest.raises(Exception, match="Read timeout"):
        restart()

    assert states() == _states("ecs", "wanted")


def test_what_made_trouble_has_its_turn_after_the_others(aws, dependents, wanted, restart):
    aws.answer("UpdateService", unreachable("ReadTimeoutError"))
    wanted(SERVICE, FUNCTION)
    aws.answer("GetFunctionConfiguration", unreachable("ReadTimeoutError"))
    with pytest.raises(TransientError):
        restart()
    wanted_again = aws.rows("incidents")
    [incident] = [row for row in wanted_again if "restarts" in row]
    incident["restarts"][1]["why"] = ""
    aws.put("incidents", incident)
    aws.forget()

    with pytest.raises(TransientError):
        restart()

    order = [name for name, _ in aws._calls if name in ("DescribeServices", "GetFunctionConfiguration")]
    assert order == ["GetFunctionConfiguration", "DescribeServices"]


# --- what AWS is busy with -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("service", "operation", "code"), cases(STARTING, BUSY))
def test_what_aws_is_busy_with_is_wanted_still_and_no_error(
    aws, dependents, wanted, restart, row, states, service, operation, code
):
    aws.answer(operation, lambda asked: refusal(aws, code))
    wanted(*TARGETS.values())

    assert [restart(), restart()] == ["wanted", "wanted"]

    assert states() == _states(service, "wanted")
    assert [entry["why"] for entry in row()["restarts"] if entry["why"]] == [f"AWS is busy with it: {code}."]
    assert len(row()["actions"]) == 2
    aws.answer(operation, getattr(dependents, ANSWERS[operation]))
    assert restart() == "waiting"
    assert dependents.started == dict.fromkeys(TARGETS.values(), 1)


@pytest.mark.parametrize("busy", [{"LastUpdateStatus": "InProgress"}, {"State": "Pending"}])
def test_a_function_that_is_being_updated_is_restarted_afterwards(aws, dependents, wanted, restart, watch, busy):
    before = dict(dependents.function)
    dependents.function |= busy
    wanted(FUNCTION)

    assert [restart(), watch(), restart()] == ["wanted", "wanted", "wanted"]
    assert dependents.started == {}

    dependents.function = before
    assert [restart(), watch()] == ["waiting", "waiting"]
    dependents.settle()
    assert watch() == "settled"
    assert dependents.started == {FUNCTION: 1}


def test_a_function_whose_update_is_this_restart_is_not_waited_for_before_it(dependents, wanted, restart):
    wanted(FUNCTION)
    dependents.crash(3, "after")
    with pytest.raises(Crash):
        restart()
    dependents.crash(0, "")
    assert dependents.function["LastUpdateStatus"] == "InProgress"

    assert restart() == "waiting"
    assert dependents.started == {FUNCTION: 1}


@pytest.mark.parametrize("state", ["Failed", "Deleting"])
def test_a_function_that_no_update_helps_is_told(dependents, wanted, restart, row, state):
    dependents.function["State"] = state
    wanted(FUNCTION)

    assert restart() == "failed"
    assert row()["restarts"][0]["why"] == f"The function is in state {state}."


def test_an_automation_is_started_once_another_has_ended(dependents, wanted, restart, watch):
    dependents.most_automations = 1
    dependents.automations["another"] = "InProgress"
    wanted(DOCUMENT)

    assert [restart(), watch(), restart()] == ["wanted", "wanted", "wanted"]

    dependents.automations["another"] = "Success"
    assert [restart(), watch()] == ["waiting", "waiting"]
    assert dependents.started == {DOCUMENT: 1}


def test_what_aws_is_busy_with_is_not_started_once_the_kill_switch_says_stop(aws, dependents, wanted, restart, states):
    dependents.function["State"] = "Pending"
    wanted(FUNCTION)
    restart()
    aws.answer("GetParameter", lambda asked: {"Parameter": {"Value": "stop"}})

    assert restart() == "settled"
    assert states() == {"lambda:orders-api": "refused"}
