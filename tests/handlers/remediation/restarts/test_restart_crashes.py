"""A restart that is cut short is begun once all the same, whatever is lost on the way, and whoever goes on with it."""

import itertools
import time
from datetime import timedelta

import pytest

from handlers.adapters import clients
from handlers.adapters.items import to_item
from rotation_guard.domain.remediation.restarts import TransientError
from tests.handlers.remediation.dependents import AUTOMATION, DOCUMENT, FUNCTION, LABELS, SECRET, SERVICE, Crash

OTHER = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:billing/db-Ab12Cd"
ALL = (SERVICE, FUNCTION, DOCUMENT)
ONCE = dict.fromkeys(ALL, 1)
LATER = 4 * 3600
"""Seconds after which a workflow that has said nothing is overdue."""
WRITES = 1 + 4 * len(ALL) + 1
"""Until when it will be heard of; for each target its claim, the restart itself, its handle, and the incident's row;
and for the service, which deployments there were before."""
MOMENTS = [*itertools.product(range(1, WRITES + 1), ["before"]), (WRITES, "after")]
"""What ends after a write has left the same behind as what ends before the next: between the two it only reads."""


@pytest.fixture
def cut_short(aws, dependents, wanted, restart):
    """Starts the restarts of a fresh incident, and ends the function before or after its write of this number."""

    def run(number, when, **more):
        dependents.start_anew()
        for stored in aws.client("dynamodb").scan(TableName="incidents")["Items"]:
            key = {name: stored[name] for name in ("secret_arn", "opened_at")}
            aws.client("dynamodb").delete_item(TableName="incidents", Key=key)
        wanted(*ALL, **more)
        dependents.crash(number, when)
        with pytest.raises(Crash):
            restart()
        dependents.crash(0, "")

    return run


@pytest.fixture
def expire(aws):
    """Lets so much time pass that the workflow of an incident is overdue."""

    def run(secret=SECRET):
        [key] = [
            {name: row[name] for name in ("secret_arn", "opened_at")}
            for row in aws.rows("incidents")
            if row["secret_arn"] == secret
        ]
        aws.client("dynamodb").update_item(
            TableName="incidents",
            Key=to_item(key),
            UpdateExpression="SET alive_until = :past",
            ExpressionAttributeValues=to_item({":past": int(time.time()) - 1}),
        )

    return run


@pytest.mark.parametrize("number", [0, WRITES + 1])
def test_the_moments_at_which_it_may_be_cut_short_are_all_there_are(dependents, wanted, restart, number):
    wanted(*ALL)
    dependents.crash(number, "before")

    assert restart() == "waiting"


@pytest.mark.parametrize(("number", "when"), MOMENTS)
@pytest.mark.parametrize(("repeats_automations", "minutes_ahead"), [(True, 3), (False, -3)])
def test_a_crash_before_or_after_any_write_restarts_nothing_twice(
    dependents, cut_short, restart, row, states, repeats_automations, minutes_ahead, number, when
):
    dependents.repeats_automations = repeats_automations
    dependents.is_ahead = timedelta(minutes=minutes_ahead)
    cut_short(number, when)

    assert restart() == "waiting"

    assert dependents.started == ONCE
    expected = dict.fromkeys(LABELS.values(), "started")
    if not repeats_automations and states()["ssm:restart-orders"] == "failed":
        expected["ssm:restart-orders"] = "failed"
    assert states() == expected
    assert sorted(action["target"] for action in row()["actions"]) == sorted(LABELS.values())


@pytest.mark.parametrize(("number", "when"), MOMENTS)
def test_another_execution_goes_on_where_one_has_died(
    dependents, cut_short, restart, watch, take_over, states, row, number, when
):
    cut_short(number, when)

    assert take_over("execution-2", time.time() + LATER)
    assert restart("execution-2") == "waiting"
    assert restart("execution-2") == "waiting"

    assert dependents.started == ONCE
    dependents.settle()
    assert watch("execution-2") == "settled"
    assert dependents.started == ONCE
    assert set(states().values()) == {"settled"}
    assert row()["ended_by"] == "execution-2"


@pytest.mark.parametrize(("number", "when"), [*itertools.product((1, 2, 3, 4), ("before", "after"))])
def test_another_execution_goes_on_where_one_has_died_watching(
    dependents, wanted, restart, watch, take_over, states, row, expire, number, when
):
    wanted(*ALL)
    restart()
    dependents.settle()
    expire()
    dependents.crash(number, when)
    with pytest.raises(Crash):
        watch()
    dependents.crash(0, "")

    assert take_over("execution-2", time.time() + LATER)
    assert [restart("execution-2"), watch("execution-2")][-1] == "settled"

    assert dependents.started == ONCE
    assert set(states().values()) == {"settled"}
    settled = [action["target"] for action in row()["actions"] if action["outcome"] == "settled"]
    assert sorted(settled) == sorted(LABELS.values())


@pytest.mark.parametrize(("number", "when"), MOMENTS)
def test_whoever_waits_for_the_restart_of_one_that_died_begins_it(
    dependents, wanted, cut_short, restart, watch, states, expire, take_over, number, when
):
    cut_short(number, when)
    wanted(*ALL, secret=OTHER, execution="execution-2")
    restart("execution-2", OTHER)
    expire()

    for _ in range(2):
        watch("execution-2", OTHER)
        restart("execution-2", OTHER)

    assert dependents.started == ONCE
    dependents.settle()
    assert watch("execution-2", OTHER) == "settled"
    # And nothing is restarted once more when somebody goes on with the first incident at last.
    assert take_over("execution-3", time.time() + LATER)
    assert restart("execution-3") in ("waiting", "settled")
    assert watch("execution-3") == "settled"
    assert dependents.started == ONCE
    assert set(states().values()) | set(states(OTHER).values()) == {"settled"}


def test_an_execution_that_was_replaced_does_nothing_more(dependents, wanted, restart, watch, take_over, row):
    wanted(*ALL, alive_until=100)
    assert take_over("execution-2", 200)
    before = row()

    assert [restart(), watch()] == ["not_owned", "not_owned"]

    assert row() == before
    assert dependents.started == {}


@pytest.fixture
def replaced_in_the_middle(aws, dependents):
    """Another execution takes the restarts over just before this one first writes what became of one of them."""

    def taken_over(asked):
        if asked["Key"]["secret_arn"]["S"] == SECRET and ":read" in asked["ExpressionAttributeValues"]:
            aws.answer("UpdateItem", dependents.update_item)
            aws.client("dynamodb").update_item(
                TableName="incidents",
                Key=asked["Key"],
                UpdateExpression="SET ended_by = :other",
                ExpressionAttributeValues=to_item({":other": "execution-2"}),
            )
        return dependents.update_item(asked)

    return lambda: aws.answer("UpdateItem", taken_over)


def test_an_execution_that_is_replaced_while_it_restarts_does_nothing_more(
    dependents, wanted, restart, replaced_in_the_middle, row
):
    wanted(*ALL)
    replaced_in_the_middle()

    assert restart() == "not_owned"

    assert dependents.started == {SERVICE: 1}
    assert "actions" not in row()
    assert [restart(), restart("execution-2")] == ["not_owned", "waiting"]
    assert dependents.started == ONCE


def test_an_execution_that_is_replaced_while_it_watches_writes_nothing_more(
    dependents, wanted, restart, watch, replaced_in_the_middle, states
):
    wanted(*ALL)
    restart()
    dependents.settle()
    replaced_in_the_middle()

    assert watch() == "not_owned"

    assert set(states().values()) == {"started"}
    assert watch("execution-2") == "settled"


@pytest.mark.parametrize("state", ["open", "closed"])
def test_an_incident_that_is_not_being_restarted_is_left_alone(dependents, wanted, restart, watch, row, state):
    wanted(*ALL, state=state)
    before = row()

    assert [restart(), watch()] == ["not_owned", "not_owned"]

    assert row() == before
    assert dependents.started == {}


@pytest.mark.parametrize("step", ["restart", "watch"])
def test_an_incident_whose_row_is_missing_is_an_error(request, dependents, step):
    with pytest.raises(RuntimeError, match="has no row"):
        request.getfixturevalue(step)()


@pytest.mark.parametrize(
    ("row_of", "now", "expected"),
    [
        ({"alive_until": 1000}, 1000, False),
        ({"alive_until": 1000}, 1001, True),
        ({}, 1, True),
        ({"alive_until": 1000, "execution": "execution-2"}, 1, False),
    ],
)
def test_restarts_are_taken_over_when_their_workflow_is_overdue(
    dependents, wanted, take_over, row, row_of, now, expected
):
    wanted(SERVICE, **row_of)

    assert take_over("execution-2", now) is expected
    assert take_over("execution-2", now) is False

    if expected:
        assert (row()["ended_by"], row()["alive_until"]) == ("execution-2", now + 3600)


def test_of_two_executions_one_takes_over(aws, dependents, wanted, take_over):
    wanted(SERVICE, alive_until=1000)
    answers = []

    def overtaken(asked):
        aws.answer("UpdateItem", dependents.update_item)
        answers.append(take_over("execution-3", 2000))
        return dependents.update_item(asked)

    aws.answer("UpdateItem", overtaken)

    assert take_over("execution-2", 2000) is False
    assert answers == [True]


@pytest.mark.parametrize("step", ["restart", "watch"])
def test_a_step_says_until_when_the_workflow_will_be_heard_of(request, dependents, wanted, row, step):
    wanted(SERVICE, alive_until=1000)
    run = request.getfixturevalue(step)
    before = time.time()

    run()

    first = row()["alive_until"]
    assert first >= before + 1800
    run()
    assert row()["alive_until"] == first


@pytest.mark.parametrize("number", [4, 5])
def test_a_deployment_is_found_again_however_late_the_function_comes_back(dependents, wanted, restart, row, number):
    wanted(SERVICE)
    dependents.crash(number, "after")
    with pytest.raises(Crash):
        restart()
    dependents.crash(0, "")
    dependents.service["deployments"][0] = dependents.deployment("ecs-svc/2", 3000)

    assert restart() == "waiting"

    assert dependents.started == {SERVICE: 1}
    assert row()["restarts"][0]["handle"] == "ecs-svc/2"


@pytest.mark.parametrize("minutes_ahead", [-3, 0, 3])
def test_a_deployment_of_before_is_not_taken_for_the_restart_whatever_the_clocks_say(
    dependents, wanted, restart, minutes_ahead
):
    dependents.is_ahead = timedelta(minutes=minutes_ahead)
    dependents.service["deployments"] = [dependents.deployment("ecs-svc/1", 5)]
    wanted(SERVICE)

    assert restart() == "waiting"

    assert dependents.started == {SERVICE: 1}


def test_two_invocations_at_once_begin_one_deployment(aws, dependents, wanted, restart, states):
    wanted(SERVICE)
    answers = []

    def overtaken(asked):
        if not answers:
            answers.append(None)
            answers[0] = restart()
        return dependents.describe_services(asked)

    aws.answer("DescribeServices", overtaken)
    answers.append(restart())

    assert answers == ["waiting", "waiting"]
    assert dependents.started == {SERVICE: 1}
    assert states() == {"ecs:shop/orders": "started"}


def test_an_automation_that_is_written_down_is_not_asked_for_again(aws, dependents, wanted, restart, row):
    dependents.repeats_automations = False
    wanted(DOCUMENT)
    dependents.crash(4, "after")
    with pytest.raises(Crash):
        restart()
    dependents.crash(0, "")

    assert restart() == "waiting"

    assert row()["restarts"][0]["handle"] == f"{AUTOMATION}1"


def test_an_automation_whose_answer_was_lost_is_told(aws, dependents, wanted, restart, row):
    dependents.repeats_automations = False
    wanted(DOCUMENT)
    dependents.crash(3, "after")
    with pytest.raises(Crash):
        restart()
    dependents.crash(0, "")

    assert restart() == "failed"

    assert "the response was lost" in row()["restarts"][0]["why"]
    assert dependents.started == {DOCUMENT: 1}


def test_a_deployment_is_asked_for_once_however_the_call_ends(aws, dependents, wanted, restart):
    aws.answer("UpdateService", lambda asked: aws.Refusal("ServerException", 500))
    wanted(SERVICE)

    with pytest.raises(TransientError):
        restart()

    assert len(aws.asked("UpdateService")) == 1
    assert clients._SERVICE_CONFIGS["ecs"].retries["total_max_attempts"] == 1
