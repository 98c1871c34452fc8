"""Each dependent is restarted once, and only what may be."""

import json

import pytest
from botocore.exceptions import ClientError

from handlers.adapters.items import to_item
from rotation_guard.domain.remediation.restarts import TransientError
from tests.handlers.remediation.dependents import (
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
)

OTHER = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:billing/db-Ab12Cd"


def test_each_is_started_once_and_written_down_with_what_it_is_watched_by(dependents, wanted, restart, row):
    wanted(SERVICE, FUNCTION, DOCUMENT)

    assert restart() == "waiting"

    written = row()
    assert {entry["state"] for entry in written["restarts"]} == {"started"}
    handles = {entry["arn"]: entry["handle"] for entry in written["restarts"]}
    assert (handles[SERVICE], handles[DOCUMENT]) == ("ecs-svc/2", f"{AUTOMATION}1")
    assert [(action["action"], action["target"], action["outcome"]) for action in written["actions"]] == [
        ("restart", label, "started") for label in LABELS.values()
    ]
    assert all(action["at"].endswith("Z") for action in written["actions"])
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
    assert "manually" in row()["restarts"][0]["why"]


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


def test_a_function_that_is_changed_all_the_time_is_tried_again_later(aws, dependents, wanted, restart, states):
    aws.answer("UpdateFunctionConfiguration", lambda asked: aws.Refusal("PreconditionFailedException", 412))
    wanted(FUNCTION)

    with pytest.raises(TransientError):
        restart()

    assert states() == {"lambda:orders-api": "wanted"}


def test_what_is_refused_already_stays_so_and_asks_aws_nothing(aws, dependents, restart, row):
    entry = {"target": "ecs:shop/x", "arn": SERVICE, "state": "refused", "why": "It is not listed."}
    stored = {"secret_arn": SECRET, "opened_at": OPENED_AT, "restarts": [entry]}
    aws.client("dynamodb").put_item(TableName="incidents", Item=to_item(stored))

    assert restart() == "settled"

    assert row() == stored
    assert [aws.asked(operation) for operation in WRITES] == [[], [], [], []]


@pytest.mark.parametrize("value", ["stop", "", "gone", "no go"])
def test_the_kill_switch_stops_every_restart(aws, dependents, wanted, restart, row, value, states):
    aws.answer("GetParameter", lambda asked: {"Parameter": {"Value": value}})
    wanted(SERVICE, FUNCTION)

    assert restart() == "settled"

    assert dependents.started == {}
    assert states() == {"ecs:shop/orders": "refused", "lambda:orders-api": "refused"}
    assert row()["restarts"][0]["why"] == "The kill switch says stop, so nothing was restarted."
    assert [action["outcome"] for action in row()["actions"]] == ["refused", "refused"]


def test_a_kill_switch_that_is_gone_stops_too(aws, dependents, wanted, restart, states):
    aws.client("ssm").delete_parameter(Name="/rotation-guard/kill-switch")
    wanted(FUNCTION)

    assert restart() == "settled"

    assert states() == {"lambda:orders-api": "refused"}


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


def test_what_was_started_by_a_step_that_died_before_the_stop_is_not_said_to_be_refused(
    aws, dependents, wanted, restart, states
):
    wanted(FUNCTION)
    dependents.crash(5, "before")
    with pytest.raises(Crash):
        restart()
    dependents.crash(0, "")
    assert (dependents.started, states()) == ({FUNCTION: 1}, {"lambda:orders-api": "wanted"})
    aws.answer("GetParameter", lambda asked: {"Parameter": {"Value": "stop"}})

    assert restart() == "waiting"

    assert states() == {"lambda:orders-api": "started"}
