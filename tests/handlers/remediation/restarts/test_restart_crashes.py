"""A restart happens once even if a step crashes, a response is lost, or another execution continues."""

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
"""Seconds after which a workflow without a sign of life is overdue."""
WRITES = 1 + 4 * len(ALL) + 1
"""The workflow's deadline; for each target its claim, the restart itself, its id, and the incident's row; and for the
service, the deployments from before."""
CRASH_POINTS = [*itertools.product(range(1, WRITES + 1), ["before"]), (WRITES, "after")]
"""A crash after a write equals one before the next write: between the two the step only reads."""


@pytest.fixture
def crash_restart(aws, dependents, write_wanted, restart):
    """Restarts for a new incident, and ends the function before or after its write with this number."""

    def run(number, when, **more):
        dependents.reset()
        for stored in aws.client("dynamodb").scan(TableName="incidents")["Items"]:
            key = {name: stored[name] for name in ("secret_arn", "opened_at")}
            aws.client("dynamodb").delete_item(TableName="incidents", Key=key)
        write_wanted(*ALL, **more)
        dependents.crash(number, when)
        with pytest.raises(Crash):
            restart()
        dependents.crash(0, "")

    return run


@pytest.fixture
def expire(aws):
    """Makes the workflow of an incident overdue."""

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
def test_the_crash_points_are_all_writes_of_a_restart(dependents, write_wanted, restart, number):
    write_wanted(*ALL)
    dependents.crash(number, "before")

    assert restart() == "waiting"


@pytest.mark.parametrize(("number", "when"), CRASH_POINTS)
@pytest.mark.parametrize(("repeats_automations", "minutes_ahead"), [(True, 3), (False, -3)])
def test_a_crash_before_or_after_any_write_restarts_nothing_twice(
    dependents, crash_restart, restart, row, states, repeats_automations, minutes_ahead, number, when
):
    dependents.repeats_automations = repeats_automations
    dependents.clock_offset = timedelta(minutes=minutes_ahead)
    crash_restart(number, when)

    assert restart() == "waiting"

    assert dependents.started == ONCE
    expected = dict.fromkeys(LABELS.values(), "started")
    if not repeats_automations and states()["ssm:restart-orders"] == "failed":
        expected["ssm:restart-orders"] = "failed"
    assert states() == expected
    assert sorted(action["target"] for action in row()["actions"]) == sorted(LABELS.values())


@pytest.mark.parametrize(("number", "when"), CRASH_POINTS)
def test_another_execution_continues_after_a_crash(
    dependents, crash_restart, restart, watch, take_over, states, row, number, when
):
    crash_restart(number, when)

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
def test_another_execution_continues_after_a_crash_while_watching(
    dependents, write_wanted, restart, watch, take_over, states, row, expire, number, when
):
    write_wanted(*ALL)
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


@pytest.mark.parametrize(("number", "when"), CRASH_POINTS)
def test_an_execution_that_waits_for_the_restart_of_a_dead_one_starts_it(
    dependents, write_wanted, crash_restart, restart, watch, states, expire, take_over, number, when
):
    crash_restart(number, when)
    write_wanted(*ALL, secret=OTHER, execution="execution-2")
    restart("execution-2", OTHER)
    expire()

    for _ in range(2):
        watch("execution-2", OTHER)
        restart("execution-2", OTHER)

    assert dependents.started == ONCE
    dependents.settle()
    assert watch("execution-2", OTHER) == "settled"
    # Nothing is restarted again when another execution finally continues the first incident.
    assert take_over("execution-3", time.time() + LATER)
    assert restart("execution-3") in ("waiting", "settled")
    assert watch("execution-3") == "settled"
    assert dependents.started == ONCE
    assert set(states().values()) | set(states(OTHER).values()) == {"settled"}


def test_an_execution_that_was_replaced_does_nothing(dependents, write_wanted, restart, watch, take_over, row):
    write_wanted(*ALL, alive_until=100)
    assert take_over("execution-2", 200)
    before = row()

    assert [restart(), watch()] == ["not_owned", "not_owned"]

    assert row() == before
    assert dependents.started == {}


@pytest.fixture
def replace_execution(aws, dependents):
    """Another execution takes over the restarts right before this one first writes a result."""

    def answer_after_takeover(request):
        if request["Key"]["secret_arn"]["S"] == SECRET and ":read" in request["ExpressionAttributeValues"]:
            aws.answer("UpdateItem", dependents.update_item)
            aws.client("dynamodb").update_item(
                TableName="incidents",
                Key=request["Key"],
                UpdateExpression="SET ended_by = :other",
                ExpressionAttributeValues=to_item({":other": "execution-2"}),
            )
        return dependents.update_item(request)

    return lambda: aws.answer("UpdateItem", answer_after_takeover)


def test_an_execution_that_is_replaced_while_it_restarts_stops(
    dependents, write_wanted, restart, replace_execution, row
):
    write_wanted(*ALL)
    replace_execution()

    assert restart() == "not_owned"

    assert dependents.started == {SERVICE: 1}
    assert "actions" not in row()
    assert [restart(), restart("execution-2")] == ["not_owned", "waiting"]
    assert dependents.started == ONCE


def test_an_execution_that_is_replaced_while_it_watches_writes_nothing(
    dependents, write_wanted, restart, watch, replace_execution, states
):
    write_wanted(*ALL)
    restart()
    dependents.settle()
    replace_execution()

    assert watch() == "not_owned"

    assert set(states().values()) == {"started"}
    assert watch("execution-2") == "settled"


@pytest.mark.parametrize("state", ["open", "closed"])
def test_an_incident_that_is_not_being_restarted_is_not_changed(dependents, write_wanted, restart, watch, row, state):
    write_wanted(*ALL, state=state)
    before = row()

    assert [restart(), watch()] == ["not_owned", "not_owned"]

    assert row() == before
    assert dependents.started == {}


@pytest.mark.parametrize("step", ["restart", "watch"])
def test_an_incident_whose_row_is_missing_raises(request, dependents, step):
    with pytest.raises(RuntimeError, match="has no row"):
        request.getfixturevalue(step)()


@pytest.mark.parametrize(
    ("changes", "now", "expected"),
    [
        ({"alive_until": 1000}, 1000, False),
        ({"alive_until": 1000}, 1001, True),
        ({}, 1, True),
        ({"alive_until": 1000, "execution": "execution-2"}, 1, False),
    ],
)
def test_restarts_are_taken_over_when_their_workflow_is_overdue(
    dependents, write_wanted, take_over, row, changes, now, expected
):
    write_wanted(SERVICE, **changes)

    assert take_over("execution-2", now) is expected
    assert take_over("execution-2", now) is False

    if expected:
        assert (row()["ended_by"], row()["alive_until"]) == ("execution-2", now + 3600)


def test_only_one_of_two_executions_takes_over(aws, dependents, write_wanted, take_over):
    write_wanted(SERVICE, alive_until=1000)
    answers = []

    def take_over_concurrently(request):
        aws.answer("UpdateItem", dependents.update_item)
        answers.append(take_over("execution-3", 2000))
        return dependents.update_item(request)

    aws.answer("UpdateItem", take_over_concurrently)

    assert take_over("execution-2", 2000) is False
    assert answers == [True]


@pytest.mark.parametrize("step", ["restart", "watch"])
def test_a_step_extends_the_deadline_of_the_workflow(request, dependents, write_wanted, row, step):
    write_wanted(SERVICE, alive_until=1000)
    run = request.getfixturevalue(step)
    before = time.time()

    run()

    first = row()["alive_until"]
    assert first >= before + 1800
    run()
    assert row()["alive_until"] == first


@pytest.mark.parametrize("number", [4, 5])
def test_a_deployment_is_recognized_however_late_the_step_is_retried(dependents, write_wanted, restart, row, number):
    write_wanted(SERVICE)
    dependents.crash(number, "after")
    with pytest.raises(Crash):
        restart()
    dependents.crash(0, "")
    dependents.service["deployments"][0] = dependents.deployment("ecs-svc/2", 3000)

    assert restart() == "waiting"

    assert dependents.started == {SERVICE: 1}
    assert row()["restarts"][0]["handle"] == "ecs-svc/2"


@pytest.mark.parametrize("minutes_ahead", [-3, 0, 3])
def test_an_earlier_deployment_is_not_mistaken_for_the_restart_despite_clock_skew(
    dependents, write_wanted, restart, minutes_ahead
):
    dependents.clock_offset = timedelta(minutes=minutes_ahead)
    dependents.service["deployments"] = [dependents.deployment("ecs-svc/1", 5)]
    write_wanted(SERVICE)

    assert restart() == "waiting"

    assert dependents.started == {SERVICE: 1}


def test_two_concurrent_invocations_start_one_deployment(aws, dependents, write_wanted, restart, states):
    write_wanted(SERVICE)
    answers = []

    def restart_concurrently(request):
        if not answers:
            answers.append(None)
            answers[0] = restart()
        return dependents.describe_services(request)

    aws.answer("DescribeServices", restart_concurrently)
    answers.append(restart())

    assert answers == ["waiting", "waiting"]
    assert dependents.started == {SERVICE: 1}
    assert states() == {"ecs:shop/orders": "started"}


def test_a_recorded_automation_is_not_started_again(aws, dependents, write_wanted, restart, row):
    dependents.repeats_automations = False
    write_wanted(DOCUMENT)
    dependents.crash(4, "after")
    with pytest.raises(Crash):
        restart()
    dependents.crash(0, "")

    assert restart() == "waiting"

    assert row()["restarts"][0]["handle"] == f"{AUTOMATION}1"


def test_an_automation_whose_response_was_lost_has_failed(aws, dependents, write_wanted, restart, row):
    dependents.repeats_automations = False
    write_wanted(DOCUMENT)
    dependents.crash(3, "after")
    with pytest.raises(Crash):
        restart()
    dependents.crash(0, "")

    assert restart() == "failed"

    assert "the response was lost" in row()["restarts"][0]["why"]
    assert dependents.started == {DOCUMENT: 1}


def test_a_deployment_is_requested_once_however_the_call_ends(aws, dependents, write_wanted, restart):
    aws.answer("UpdateService", lambda request: aws.Refusal("ServerException", 500))
    write_wanted(SERVICE)

    with pytest.raises(TransientError):
        restart()

    assert len(aws.requests("UpdateService")) == 1
    assert clients._SERVICE_CONFIGS["ecs"].retries["total_max_attempts"] == 1
