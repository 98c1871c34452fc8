"""Restarts that AWS refuses, is too busy for, or does not respond to."""

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
def test_every_error_of_an_operation_is_classified(service, operation):
    model = session.get_session().get_service_model(service).operation_model(operation)

    assert set(OPERATIONS[service, operation]) == {shape.name for shape in model.error_shapes}


@pytest.mark.parametrize(("service", "operation", "code"), cases(STARTING, FINAL))
def test_a_final_error_fails_the_restart_and_only_its_code_is_stored(
    aws, dependents, write_wanted, restart, row, capsys, service, operation, code
):
    aws.answer(operation, lambda request: refusal(aws, code))
    write_wanted(TARGETS[service])

    assert restart() == "failed"
    assert PASSWORD not in json.dumps(aws.rows("incidents"), default=str) + capsys.readouterr().out

    [entry] = row()["restarts"]
    assert entry["state"] == "failed"
    assert entry["why"] == f"AWS refused it: {code}." or "the response was lost" in entry["why"]
    assert row(f"target#{TARGETS[service]}")["problem"] == entry["why"]
    assert row()["actions"][0]["reason"] == entry["why"]


def test_the_restart_of_a_service_that_ecs_does_not_find_fails(aws, dependents, write_wanted, restart, row):
    aws.answer("DescribeServices", lambda request: {"services": [], "failures": [{"reason": "MISSING"}]})
    write_wanted(SERVICE)

    assert restart() == "failed"
    assert row()["restarts"][0]["why"] == "The service does not exist in ECS."


def test_the_restart_of_a_service_with_another_deployment_controller_fails(aws, dependents, write_wanted, restart, row):
    dependents.service["deployments"] = []
    aws.answer("UpdateService", lambda request: {"service": dependents.service})
    write_wanted(SERVICE)

    assert restart() == "failed"
    assert row()["restarts"][0]["why"] == "ECS does not manage its deployments."


def _others(service):
    return [arn for kind, arn in TARGETS.items() if kind != service]


def _states(service, state):
    return {LABELS[TARGETS[service]]: state, **{LABELS[arn]: "started" for arn in _others(service)}}


@pytest.mark.parametrize(("service", "operation", "code"), cases(STARTING, PASSING))
def test_a_transient_error_is_retried_and_delays_no_other_target(
    aws, dependents, write_wanted, restart, row, states, capsys, service, operation, code
):
    aws.answer(operation, lambda request: refusal(aws, code))
    write_wanted(*TARGETS.values())

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
def test_a_network_error_is_retried_and_delays_no_other_target(
    aws, dependents, write_wanted, restart, row, states, log_text, service, operation, error
):
    aws.answer(operation, unreachable(error))
    write_wanted(*TARGETS.values())

    with pytest.raises(TransientError, match=f"^{error}$"):
        restart()

    assert states() == _states(service, "wanted")
    assert PASSWORD not in json.dumps(row(), default=str) + log_text()
    aws.answer(operation, getattr(dependents, ANSWERS[operation]))
    assert restart() == "waiting"
    assert dependents.started == dict.fromkeys(TARGETS.values(), 1)


def test_an_unexpected_error_delays_no_other_target(aws, dependents, write_wanted, restart, states):
    def raise_error(request):
        raise LookupError("what the client does with an answer that it cannot read")

    aws.answer("DescribeServices", raise_error)
    write_wanted(*TARGETS.values())

    with pytest.raises(LookupError):
        restart()

    assert states() == _states("ecs", "wanted")


def test_a_table_error_for_one_target_delays_no_other(aws, dependents, write_wanted, restart, states):
    def fail_for_service(request):
        if request["Key"]["secret_arn"]["S"] == f"target#{SERVICE}":
            return unreachable("ReadTimeoutError")(request)
        return dependents.update_item(request)

    aws.answer("UpdateItem", fail_for_service)
    write_wanted(*TARGETS.values())

    with pytest.raises(Exception, match="Read timeout"):
        restart()

    assert states() == _states("ecs", "wanted")


def test_targets_that_failed_are_retried_after_the_others(aws, dependents, write_wanted, restart):
    aws.answer("UpdateService", unreachable("ReadTimeoutError"))
    write_wanted(SERVICE, FUNCTION)
    aws.answer("GetFunctionConfiguration", unreachable("ReadTimeoutError"))
    with pytest.raises(TransientError):
        restart()
    rows = aws.rows("incidents")
    [incident] = [row for row in rows if "restarts" in row]
    incident["restarts"][1]["why"] = ""
    aws.put("incidents", incident)
    aws.forget()

    with pytest.raises(TransientError):
        restart()

    order = [name for name, _ in aws._calls if name in ("DescribeServices", "GetFunctionConfiguration")]
    assert order == ["GetFunctionConfiguration", "DescribeServices"]


# --- busy targets ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("service", "operation", "code"), cases(STARTING, BUSY))
def test_a_target_that_aws_is_busy_with_stays_wanted_without_an_error(
    aws, dependents, write_wanted, restart, row, states, service, operation, code
):
    aws.answer(operation, lambda request: refusal(aws, code))
    write_wanted(*TARGETS.values())

    assert [restart(), restart()] == ["wanted", "wanted"]

    assert states() == _states(service, "wanted")
    assert [entry["why"] for entry in row()["restarts"] if entry["why"]] == [f"AWS is busy with it: {code}."]
    assert len(row()["actions"]) == 2
    aws.answer(operation, getattr(dependents, ANSWERS[operation]))
    assert restart() == "waiting"
    assert dependents.started == dict.fromkeys(TARGETS.values(), 1)


@pytest.mark.parametrize("status", [{"LastUpdateStatus": "InProgress"}, {"State": "Pending"}])
def test_a_function_that_is_being_updated_is_restarted_afterwards(
    aws, dependents, write_wanted, restart, watch, status
):
    before = dict(dependents.function)
    dependents.function |= status
    write_wanted(FUNCTION)

    assert [restart(), watch(), restart()] == ["wanted", "wanted", "wanted"]
    assert dependents.started == {}

    dependents.function = before
    assert [restart(), watch()] == ["waiting", "waiting"]
    dependents.settle()
    assert watch() == "settled"
    assert dependents.started == {FUNCTION: 1}


def test_a_function_whose_update_is_this_restart_is_not_restarted_again(dependents, write_wanted, restart):
    write_wanted(FUNCTION)
    dependents.crash(3, "after")
    with pytest.raises(Crash):
        restart()
    dependents.crash(0, "")
    assert dependents.function["LastUpdateStatus"] == "InProgress"

    assert restart() == "waiting"
    assert dependents.started == {FUNCTION: 1}


@pytest.mark.parametrize("state", ["Failed", "Deleting"])
def test_the_restart_of_a_function_that_cannot_be_updated_fails(dependents, write_wanted, restart, row, state):
    dependents.function["State"] = state
    write_wanted(FUNCTION)

    assert restart() == "failed"
    assert row()["restarts"][0]["why"] == f"The function is in state {state}."


def test_an_automation_is_started_once_another_has_ended(dependents, write_wanted, restart, watch):
    dependents.most_automations = 1
    dependents.automations["another"] = "InProgress"
    write_wanted(DOCUMENT)

    assert [restart(), watch(), restart()] == ["wanted", "wanted", "wanted"]

    dependents.automations["another"] = "Success"
    assert [restart(), watch()] == ["waiting", "waiting"]
    assert dependents.started == {DOCUMENT: 1}


def test_a_busy_target_is_not_restarted_once_the_kill_switch_says_stop(aws, dependents, write_wanted, restart, states):
    dependents.function["State"] = "Pending"
    write_wanted(FUNCTION)
    restart()
    aws.answer("GetParameter", lambda request: {"Parameter": {"Value": "stop"}})

    assert restart() == "settled"
    assert states() == {"lambda:orders-api": "refused"}
