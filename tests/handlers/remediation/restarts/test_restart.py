"""Each dependent is restarted once, and only if it may be restarted."""

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


def test_each_dependent_is_restarted_once_and_recorded_with_its_restart_id(dependents, write_wanted, restart, row):
    write_wanted(SERVICE, FUNCTION, DOCUMENT)

    assert restart() == "waiting"

    stored_row = row()
    assert {entry["state"] for entry in stored_row["restarts"]} == {"started"}
    handles = {entry["arn"]: entry["handle"] for entry in stored_row["restarts"]}
    assert (handles[SERVICE], handles[DOCUMENT]) == ("ecs-svc/2", f"{AUTOMATION}1")
    assert [(action["action"], action["target"], action["outcome"]) for action in stored_row["actions"]] == [
        ("restart", label, "started") for label in LABELS.values()
    ]
    assert all(action["at"].endswith("Z") for action in stored_row["actions"])
    assert row(f"target#{SERVICE}")["holder"] == "execution-1"
    assert row(f"target#{SERVICE}")["handle"] == "ecs-svc/2"

    assert restart() == "waiting"
    assert set(dependents.started.values()) == {1}
    assert row() == stored_row


def test_a_function_keeps_its_other_variables_and_none_is_logged_or_stored(
    aws, dependents, write_wanted, restart, row, capsys
):
    write_wanted(FUNCTION)

    restart()

    [request] = aws.requests("UpdateFunctionConfiguration")
    token = row()["restarts"][0]["handle"]
    assert request["Environment"]["Variables"] == {"DB_PASSWORD": PASSWORD, "ROTATION_GUARD_RESTARTED_FOR": token}
    assert PASSWORD not in json.dumps(aws.rows("incidents"), default=str) + capsys.readouterr().out


def test_a_function_whose_variables_cannot_be_read_is_not_updated(aws, dependents, write_wanted, restart, row):
    dependents.function["Environment"] = {"Error": {"ErrorCode": "AccessDeniedException", "Message": "no key"}}
    write_wanted(FUNCTION)

    assert restart() == "failed"

    assert aws.requests("UpdateFunctionConfiguration") == []
    assert "manually" in row()["restarts"][0]["why"]


def test_a_concurrent_change_of_a_function_is_kept(aws, dependents, write_wanted, restart):
    def change_concurrently(request):
        if not dependents.started and dependents.function["RevisionId"] == "revision-0":
            dependents.function |= {"RevisionId": "revision-x", "Environment": {"Variables": {"NEW": "1"}}}
        return dependents.update_function(request)

    aws.answer("UpdateFunctionConfiguration", change_concurrently)
    write_wanted(FUNCTION)

    assert restart() == "waiting"

    variables = dependents.function["Environment"]["Variables"]
    assert set(variables) == {"NEW", "ROTATION_GUARD_RESTARTED_FOR"}


def test_a_function_that_keeps_changing_is_retried_later(aws, dependents, write_wanted, restart, states):
    aws.answer("UpdateFunctionConfiguration", lambda request: aws.Refusal("PreconditionFailedException", 412))
    write_wanted(FUNCTION)

    with pytest.raises(TransientError):
        restart()

    assert states() == {"lambda:orders-api": "wanted"}


def test_a_refused_restart_stays_refused_without_a_call_of_aws(aws, dependents, restart, row):
    entry = {"target": "ecs:shop/x", "arn": SERVICE, "state": "refused", "why": "It is not listed."}
    stored = {"secret_arn": SECRET, "opened_at": OPENED_AT, "restarts": [entry]}
    aws.client("dynamodb").put_item(TableName="incidents", Item=to_item(stored))

    assert restart() == "settled"

    assert row() == stored
    assert [aws.requests(operation) for operation in WRITES] == [[], [], [], []]


@pytest.mark.parametrize("value", ["stop", "", "gone", "no go"])
def test_the_kill_switch_stops_every_restart(aws, dependents, write_wanted, restart, row, value, states):
    aws.answer("GetParameter", lambda request: {"Parameter": {"Value": value}})
    write_wanted(SERVICE, FUNCTION)

    assert restart() == "settled"

    assert dependents.started == {}
    assert states() == {"ecs:shop/orders": "refused", "lambda:orders-api": "refused"}
    assert row()["restarts"][0]["why"] == "The kill switch says stop, so nothing was restarted."
    assert [action["outcome"] for action in row()["actions"]] == ["refused", "refused"]


def test_a_missing_kill_switch_stops_every_restart(aws, dependents, write_wanted, restart, states):
    aws.client("ssm").delete_parameter(Name="/rotation-guard/kill-switch")
    write_wanted(FUNCTION)

    assert restart() == "settled"

    assert states() == {"lambda:orders-api": "refused"}


def test_a_kill_switch_that_cannot_be_read_permits_no_restart(aws, dependents, write_wanted, restart):
    aws.answer("GetParameter", lambda request: aws.Refusal("AccessDeniedException"))
    write_wanted(FUNCTION)

    with pytest.raises(ClientError):
        restart()

    assert dependents.started == {}


def test_go_is_accepted_in_any_case_and_with_whitespace(aws, dependents, write_wanted, restart):
    aws.answer("GetParameter", lambda request: {"Parameter": {"Value": " GO\n"}})
    write_wanted(FUNCTION)

    assert restart() == "waiting"


def test_a_restart_from_before_the_stop_is_waited_for(aws, dependents, write_wanted, restart):
    write_wanted(FUNCTION)
    restart()
    aws.answer("GetParameter", lambda request: {"Parameter": {"Value": "stop"}})

    assert restart() == "waiting"


def test_a_restart_by_a_step_that_crashed_before_the_stop_counts_as_started(
    aws, dependents, write_wanted, restart, states
):
    write_wanted(FUNCTION)
    dependents.crash(5, "before")
    with pytest.raises(Crash):
        restart()
    dependents.crash(0, "")
    assert (dependents.started, states()) == ({FUNCTION: 1}, {"lambda:orders-api": "wanted"})
    aws.answer("GetParameter", lambda request: {"Parameter": {"Value": "stop"}})

    assert restart() == "waiting"

    assert states() == {"lambda:orders-api": "started"}
