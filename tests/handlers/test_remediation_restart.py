"""Each dependent is restarted once, whatever is lost on the way, and only what may be."""

import itertools
import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from handlers import remediation_restart
from handlers.adapters import clients
from handlers.adapters.incidents import LostRace
from handlers.adapters.items import item
from handlers.domain.restarts import PassingTrouble
from tests.handlers.dependents import (
    AUTOMATION,
    DOCUMENT,
    FUNCTION,
    LABELS,
    OPENED_AT,
    PASSWORD,
    SECRET,
    SERVICE,
    WRITES,
    Crash,
    Dependents,
    refusal,
)

OTHER = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:billing/db-Ab12Cd"


def ms(seconds_ago=0.0):
    return int((datetime.now(UTC).timestamp() - seconds_ago) * 1000)


@pytest.fixture
def dependents(aws, monkeypatch):
    monkeypatch.setenv("KILL_SWITCH_PARAMETER_NAME", "/rotation-guard/kill-switch")
    aws.client("ssm").put_parameter(Name="/rotation-guard/kill-switch", Value="go", Type="String")
    aws.create_tables("incidents")
    return Dependents(aws)


@pytest.fixture
def wanted(aws):
    """Writes the row of an incident that wants these restarted."""

    def write(*arns, secret=SECRET, since=None):
        entries = [{"target": LABELS[arn], "arn": arn, "state": "wanted", "why": ""} for arn in arns]
        row = {
            "secret_arn": secret,
            "opened_at": OPENED_AT,
            "state": "restarting",
            "restarts": entries,
            "restarts_wanted_at": ms(60) if since is None else since,
        }
        aws.client("dynamodb").put_item(TableName="incidents", Item=item(row))

    return write


@pytest.fixture
def row(aws):
    """Reads a row of the table by its key."""
    return lambda arn=SECRET: next((row for row in aws.rows("incidents") if row["secret_arn"] == arn), None)


@pytest.fixture
def restart(context):
    def run(execution="execution-1", secret=SECRET):
        event = {
            "execution": execution,
            "incident": {"secret_arn": secret, "opened_at": OPENED_AT},
            "version": "version-2",
        }
        return remediation_restart.handler(event, context)["state"]

    return run


def states(row):
    return {entry["target"]: entry["state"] for entry in row["restarts"]}


def test_each_is_started_once_and_written_down_with_what_it_is_watched_by(dependents, wanted, restart, row):
    wanted(SERVICE, FUNCTION, DOCUMENT)

    assert restart() == "waiting"

    written = row()
    assert set(states(written).values()) == {"started"}
    handles = {entry["arn"]: entry["handle"] for entry in written["restarts"]}
    assert (handles[SERVICE], handles[DOCUMENT]) == ("ecs-svc/2", f"{AUTOMATION}1")
    assert [(one["action"], one["target"], one["outcome"]) for one in written["actions"]] == [
        ("restart", label, "started") for label in LABELS.values()
    ]
    assert all(one["at"].endswith("Z") for one in written["actions"])
    assert row(f"target#{SERVICE}")["holder"] == "execution-1"
    assert row(f"target#{SERVICE}")["handle"] == "ecs-svc/2"

    assert restart() == "waiting"
    assert set(dependents.started.values()) == {1}
    assert row() == written


def test_a_function_keeps_all_its_other_variables_and_nobody_sees_them(aws, dependents, wanted, restart, row, capsys):
    wanted(FUNCTION)

    restart()

    [asked] = aws.asked("UpdateFunctionConfiguration")
    token = row()["restarts"][0]["handle"]
    assert asked["Environment"]["Variables"] == {"DB_PASSWORD": PASSWORD, "ROTATION_GUARD_RESTARTED_FOR": token}
    assert PASSWORD not in json.dumps(aws.rows("incidents"), default=str) + capsys.readouterr().out


def test_a_function_whose_variables_cannot_be_read_keeps_them(aws, dependents, wanted, restart, row):
    dependents.function["Environment"] = {"Error": {"ErrorCode": "AccessDeniedException", "Message": "no key"}}
    wanted(FUNCTION)

    assert restart() == "failed"

    assert aws.asked("UpdateFunctionConfiguration") == []
    assert "by hand" in row()["restarts"][0]["why"]


def test_a_function_that_somebody_changes_in_between_keeps_that_change(aws, dependents, wanted, restart):
    def changed_once(asked):
        if not dependents.started and dependents.function["RevisionId"] == "revision-0":
            dependents.function |= {"RevisionId": "revision-x", "Environment": {"Variables": {"NEW": "1"}}}
        return dependents.update_function(asked)

    aws.answer("UpdateFunctionConfiguration", changed_once)
    wanted(FUNCTION)

    assert restart() == "waiting"

    variables = dependents.function["Environment"]["Variables"]
    assert set(variables) == {"NEW", "ROTATION_GUARD_RESTARTED_FOR"}


def test_a_function_that_is_changed_all_the_time_is_tried_again_later(aws, dependents, wanted, restart, row):
    aws.answer("UpdateFunctionConfiguration", lambda asked: aws.Refusal("PreconditionFailedException", 412))
    wanted(FUNCTION)

    with pytest.raises(PassingTrouble):
        restart()

    assert states(row()) == {"lambda:orders-api": "wanted"}


@pytest.mark.parametrize(("repeats_automations", "tells_whole_seconds"), [(True, True), (False, False)])
def test_a_crash_before_or_after_any_write_restarts_nothing_twice(
    aws, dependents, wanted, restart, row, repeats_automations, tells_whole_seconds
):
    dependents.repeats_automations = repeats_automations
    dependents.tells_whole_seconds = tells_whole_seconds
    crashed = 0
    for number, when in ((number, when) for number in itertools.count(1) for when in ("before", "after")):
        dependents.started.clear()
        _forget(aws, dependents)
        wanted(SERVICE, FUNCTION, DOCUMENT)
        dependents.crash(number, when)
        try:
            restart()
            break
        except Crash:
            crashed += 1
        dependents.crash(0, "")

        answer = restart()

        assert dependents.started == {SERVICE: 1, FUNCTION: 1, DOCUMENT: 1}, (number, when)
        written = states(row())
        lost = not repeats_automations and written["ssm:restart-orders"] == "failed"
        assert answer == "waiting"
        assert {state for target, state in written.items() if target != "ssm:restart-orders" or not lost} == {"started"}
        outcomes = [one["target"] for one in row()["actions"]]
        assert sorted(outcomes) == sorted(LABELS.values())
    assert crashed == 2 * len(LABELS) * 4


def _forget(aws, dependents):
    dependents.service["deployments"] = [dependents.deployment("ecs-svc/1", 3600)]
    dependents.function["Environment"] = {"Variables": {}}
    dependents._tokens.clear()
    for stored in aws.client("dynamodb").scan(TableName="incidents")["Items"]:
        key = {name: stored[name] for name in ("secret_arn", "opened_at")}
        aws.client("dynamodb").delete_item(TableName="incidents", Key=key)


@pytest.mark.parametrize("number", [2, 3])
def test_a_deployment_is_found_again_however_late_the_function_comes_back(
    aws, dependents, wanted, restart, row, number
):
    wanted(SERVICE)
    dependents.crash(number, "after")
    with pytest.raises(Crash):
        restart()
    dependents.crash(0, "")
    dependents.service["deployments"][0] = dependents.deployment("ecs-svc/2", 300)
    aws.client("dynamodb").update_item(
        TableName="incidents",
        Key=item({"secret_arn": f"target#{SERVICE}", "opened_at": "restart"}),
        UpdateExpression="SET started_at = :then",
        ExpressionAttributeValues=item({":then": ms(300)}),
    )

    assert restart() == "waiting"

    assert dependents.started == {SERVICE: 1}
    assert row()["restarts"][0]["handle"] == "ecs-svc/2"


def test_an_automation_that_is_written_down_is_not_asked_for_again(aws, dependents, wanted, restart, row):
    dependents.repeats_automations = False
    wanted(DOCUMENT)
    dependents.crash(3, "after")
    with pytest.raises(Crash):
        restart()
    dependents.crash(0, "")

    assert restart() == "waiting"

    assert row()["restarts"][0]["handle"] == f"{AUTOMATION}1"


def test_what_could_not_be_started_and_then_could_covers_others_after_all(aws, dependents, wanted, restart, row):
    aws.answer("StartAutomationExecution", lambda asked: aws.Refusal("AccessDeniedException"))
    wanted(DOCUMENT)
    dependents.crash(3, "before")
    with pytest.raises(Crash):
        restart()
    dependents.crash(0, "")
    aws.answer("StartAutomationExecution", dependents.start_automation)

    assert restart() == "waiting"

    assert "problem" not in row(f"target#{DOCUMENT}")
    assert row(f"target#{DOCUMENT}")["handle"] == f"{AUTOMATION}1"


def test_an_automation_whose_answer_was_lost_is_told(aws, dependents, wanted, restart, row):
    dependents.repeats_automations = False
    wanted(DOCUMENT)
    dependents.crash(2, "after")
    with pytest.raises(Crash):
        restart()
    dependents.crash(0, "")

    assert restart() == "failed"

    assert "the answer was lost" in row()["restarts"][0]["why"]
    assert dependents.started == {DOCUMENT: 1}


def test_a_deployment_of_before_is_not_taken_for_the_restart(dependents, wanted, restart):
    dependents.service["deployments"] = [dependents.deployment("ecs-svc/1", 5)]
    wanted(SERVICE)

    restart()

    assert dependents.started == {SERVICE: 1}


def test_a_restart_that_another_began_since_the_value_was_in_use_covers_this_one(dependents, wanted, restart, row):
    wanted(SERVICE, secret=OTHER, since=ms(120))
    wanted(SERVICE, since=ms(60))

    assert [restart("execution-2", OTHER), restart("execution-1")] == ["waiting", "waiting"]

    assert dependents.started == {SERVICE: 1}
    [entry] = row()["restarts"]
    assert (entry["state"], entry["handle"]) == ("covered", "ecs-svc/2")
    assert "covers it" in entry["why"]
    assert row()["actions"][0]["outcome"] == "covered"


def test_a_restart_that_another_began_before_the_value_was_in_use_does_not(dependents, wanted, restart, row):
    wanted(DOCUMENT, secret=OTHER, since=ms(60))
    restart("execution-2", OTHER)
    wanted(DOCUMENT, since=ms(-1))

    restart("execution-1")

    assert dependents.started == {DOCUMENT: 2}
    assert states(row()) == {"ssm:restart-orders": "started"}


def test_a_restart_that_another_could_not_begin_covers_nothing(aws, dependents, wanted, restart, row):
    aws.answer("StartAutomationExecution", lambda asked: aws.Refusal("AccessDeniedException"))
    wanted(DOCUMENT, secret=OTHER)
    assert restart("execution-2", OTHER) == "failed"
    aws.answer("StartAutomationExecution", dependents.start_automation)
    wanted(DOCUMENT)

    assert restart("execution-1") == "waiting"

    assert states(row()) == {"ssm:restart-orders": "started"}
    assert "problem" not in row(f"target#{DOCUMENT}")


def test_two_executions_at_once_start_one_restart(aws, dependents, wanted, restart, row):
    wanted(SERVICE, secret=OTHER)
    wanted(SERVICE)
    other = []

    def overtaken(asked):
        if not other:
            other.append(None)
            other[0] = restart("execution-2", OTHER)
        return dependents.update_item(asked)

    aws.answer("UpdateItem", overtaken)

    assert restart("execution-1") == "waiting"

    assert other == ["waiting"]
    assert dependents.started == {SERVICE: 1}
    assert states(row()) == {"ecs:shop/orders": "covered"}


def test_who_is_overtaken_time_and_again_is_told(aws, dependents, wanted, restart):
    aws.answer("UpdateItem", lambda asked: aws.Refusal("ConditionalCheckFailedException"))
    wanted(SERVICE)

    with pytest.raises(LostRace):
        restart()

    assert dependents.started == {}


def test_what_another_invocation_has_written_is_not_written_over(aws, dependents, wanted, restart, row):
    wanted(DOCUMENT, FUNCTION)
    twice = []

    def overtaken(asked):
        if asked["Key"]["secret_arn"]["S"] == SECRET and not twice:
            twice.append(None)
            restart()
        return dependents.update_item(asked)

    aws.answer("UpdateItem", overtaken)
    with pytest.raises(LostRace):
        restart()

    assert set(states(row()).values()) == {"started"}
    assert len(row()["actions"]) == 2
    assert dependents.started == {DOCUMENT: 1, FUNCTION: 1}


@pytest.mark.parametrize("value", ["stop", "", "gone", "no go"])
def test_the_kill_switch_stops_every_restart(aws, dependents, wanted, restart, row, value):
    aws.answer("GetParameter", lambda asked: {"Parameter": {"Value": value}})
    wanted(SERVICE, FUNCTION)

    assert restart() == "settled"

    assert dependents.started == {}
    assert states(row()) == {"ecs:shop/orders": "refused", "lambda:orders-api": "refused"}
    assert row()["restarts"][0]["why"] == "The kill switch says stop, so nothing was restarted."
    assert [one["outcome"] for one in row()["actions"]] == ["refused", "refused"]


def test_a_kill_switch_that_is_gone_stops_too(aws, dependents, wanted, restart, row):
    aws.client("ssm").delete_parameter(Name="/rotation-guard/kill-switch")
    wanted(FUNCTION)

    assert restart() == "settled"

    assert states(row()) == {"lambda:orders-api": "refused"}


def test_a_kill_switch_that_cannot_be_read_lets_nothing_happen(aws, dependents, wanted, restart):
    aws.answer("GetParameter", lambda asked: aws.Refusal("AccessDeniedException"))
    wanted(FUNCTION)

    with pytest.raises(ClientError):
        restart()

    assert dependents.started == {}


def test_go_is_go_in_any_case(aws, dependents, wanted, restart):
    aws.answer("GetParameter", lambda asked: {"Parameter": {"Value": " GO\n"}})
    wanted(FUNCTION)

    assert restart() == "waiting"


def test_what_was_started_before_the_stop_is_waited_for(aws, dependents, wanted, restart):
    wanted(FUNCTION)
    restart()
    aws.answer("GetParameter", lambda asked: {"Parameter": {"Value": "stop"}})

    assert restart() == "waiting"


@pytest.mark.parametrize(
    ("arn", "operation", "code"),
    [
        (SERVICE, "UpdateService", "ServiceNotFoundException"),
        (SERVICE, "UpdateService", "ServiceNotActiveException"),
        (SERVICE, "UpdateService", "InvalidParameterException"),
        (SERVICE, "DescribeServices", "ClusterNotFoundException"),
        (SERVICE, "DescribeServices", "AccessDeniedException"),
        (FUNCTION, "GetFunctionConfiguration", "ResourceNotFoundException"),
        (FUNCTION, "UpdateFunctionConfiguration", "AccessDeniedException"),
        (FUNCTION, "UpdateFunctionConfiguration", "InvalidParameterValueException"),
        (DOCUMENT, "StartAutomationExecution", "AutomationDefinitionNotFoundException"),
        (DOCUMENT, "StartAutomationExecution", "InvalidAutomationExecutionParametersException"),
        (DOCUMENT, "StartAutomationExecution", "AccessDeniedException"),
    ],
)
def test_what_cannot_be_restarted_is_told_by_the_code_alone(
    aws, dependents, wanted, restart, row, capsys, arn, operation, code
):
    aws.answer(operation, lambda asked: refusal(aws, code))
    wanted(arn)

    assert restart() == "failed"
    assert PASSWORD not in json.dumps(aws.rows("incidents"), default=str) + capsys.readouterr().out

    [entry] = row()["restarts"]
    assert (entry["state"], entry["why"]) == ("failed", f"AWS refused it: {code}.")
    assert row(f"target#{arn}")["problem"] == entry["why"]
    assert row()["actions"][0]["reason"] == entry["why"]


def test_a_service_that_ecs_does_not_find_is_told(aws, dependents, wanted, restart, row):
    aws.answer("DescribeServices", lambda asked: {"services": [], "failures": [{"reason": "MISSING"}]})
    wanted(SERVICE)

    assert restart() == "failed"
    assert row()["restarts"][0]["why"] == "ECS does not know the service."


def test_a_service_whose_deployments_are_made_by_another_controller_is_told(aws, dependents, wanted, restart, row):
    dependents.service["deployments"] = []
    aws.answer("UpdateService", lambda asked: {"service": dependents.service})
    wanted(SERVICE)

    assert restart() == "failed"
    assert row()["restarts"][0]["why"] == "Its deployments are not made by ECS itself."


@pytest.mark.parametrize(
    ("arn", "operation", "code"),
    [
        (SERVICE, "UpdateService", "ThrottlingException"),
        (SERVICE, "DescribeServices", "ServerException"),
        (FUNCTION, "UpdateFunctionConfiguration", "ResourceConflictException"),
        (FUNCTION, "UpdateFunctionConfiguration", "ServiceFailure"),
        (DOCUMENT, "StartAutomationExecution", "AutomationExecutionLimitExceededException"),
    ],
)
def test_passing_trouble_is_for_another_try_and_keeps_no_other_waiting(
    aws, dependents, wanted, restart, row, arn, operation, code
):
    aws.answer(operation, lambda asked: refusal(aws, code))
    [other] = [one for one in (FUNCTION, DOCUMENT) if one != arn][:1]
    wanted(arn, other)

    with pytest.raises(PassingTrouble, match=f"^{code}$"):
        restart()

    assert states(row()) == {LABELS[arn]: "wanted", LABELS[other]: "started"}
    aws.answer(operation, getattr(dependents, OPERATIONS[operation]))
    assert restart() == "waiting"
    assert dependents.started == {arn: 1, other: 1}


OPERATIONS = {
    "UpdateService": "update_service",
    "DescribeServices": "describe_services",
    "UpdateFunctionConfiguration": "update_function",
    "StartAutomationExecution": "start_automation",
}


def test_a_deployment_is_asked_for_once_however_the_call_ends(aws, dependents, wanted, restart):
    aws.answer("UpdateService", lambda asked: aws.Refusal("ServerException", 500))
    wanted(SERVICE)

    with pytest.raises(PassingTrouble):
        restart()

    assert len(aws.asked("UpdateService")) == 1
    assert clients._OWN_PATIENCE["ecs"].retries["total_max_attempts"] == 1


def test_what_is_refused_already_stays_so_and_asks_aws_nothing(aws, dependents, restart, row):
    entry = {"target": "ecs:shop/x", "arn": SERVICE, "state": "refused", "why": "It is not listed."}
    stored = {"secret_arn": SECRET, "opened_at": OPENED_AT, "restarts": [entry]}
    aws.client("dynamodb").put_item(TableName="incidents", Item=item(stored))

    assert restart() == "settled"

    assert row() == stored
    assert [aws.asked(operation) for operation in WRITES] == [[], [], [], []]


def test_an_incident_that_does_not_say_since_when_is_covered_by_nothing_older(aws, dependents, wanted, restart):
    wanted(DOCUMENT, secret=OTHER)
    restart("execution-2", OTHER)
    entry = {"target": LABELS[DOCUMENT], "arn": DOCUMENT, "state": "wanted", "why": ""}
    aws.client("dynamodb").put_item(
        TableName="incidents", Item=item({"secret_arn": SECRET, "opened_at": OPENED_AT, "restarts": [entry]})
    )

    restart("execution-1")

    assert dependents.started == {DOCUMENT: 2}
