"""Each restart is watched until it has settled or failed, and what is lost on the way is looked at again."""

import itertools
import json
from datetime import UTC, datetime

import pytest
from botocore import session

from handlers import remediation_restart, remediation_watch
from handlers.adapters.automations import _FAILED, _SETTLED
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
    Crash,
    Dependents,
    refusal,
)

OTHER = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:billing/db-Ab12Cd"
HANDLES = {SERVICE: "ecs-svc/2", FUNCTION: "token", DOCUMENT: f"{AUTOMATION}1"}


@pytest.fixture
def dependents(aws):
    aws.create_tables("incidents")
    dependents = Dependents(aws)
    dependents.service["deployments"] = [
        dependents.deployment("ecs-svc/2", rollout="IN_PROGRESS"),
        dependents.deployment("ecs-svc/1", 3600, "ACTIVE"),
    ]
    dependents.function["LastUpdateStatus"] = "InProgress"
    dependents.automations[f"{AUTOMATION}1"] = "InProgress"
    return dependents


@pytest.fixture
def write(aws):
    def write(*entries, secret=SECRET, **more):
        row = {"secret_arn": secret, "opened_at": OPENED_AT, "state": "restarting", "restarts": list(entries), **more}
        aws.client("dynamodb").put_item(TableName="incidents", Item=item(row))

    return write


@pytest.fixture
def started(write):
    """Writes the row of an incident that has started these."""
    return lambda *arns: write(*(entry(arn, "started", HANDLES[arn]) for arn in arns))


@pytest.fixture
def row(aws):
    return lambda arn=SECRET: next(row for row in aws.rows("incidents") if row["secret_arn"] == arn)


@pytest.fixture
def watch(context):
    def run(secret=SECRET):
        incident = {"secret_arn": secret, "opened_at": OPENED_AT}
        return remediation_watch.handler({"execution": "execution-1", "incident": incident}, context)["state"]

    return run


def entry(arn, state, handle="", why=""):
    return {"target": LABELS[arn], "arn": arn, "state": state, "why": why, "handle": handle}


def of(row):
    """State and reason of the only restart."""
    [restart] = row["restarts"]
    return restart["state"], restart["why"]


def test_what_is_under_way_is_waited_for_and_nothing_is_written(aws, dependents, started, watch, row):
    started(SERVICE, FUNCTION, DOCUMENT)
    before = row()

    assert watch() == "waiting"

    assert row() == before
    assert aws.asked("UpdateItem") == []


def test_restarts_have_settled_when_the_last_one_has(dependents, started, watch, row):
    started(SERVICE, FUNCTION, DOCUMENT)

    answers = []
    dependents.service["deployments"] = [dependents.deployment("ecs-svc/2")]
    answers.append(watch())
    dependents.function["LastUpdateStatus"] = "Successful"
    answers.append(watch())
    dependents.automations[f"{AUTOMATION}1"] = "Success"
    answers.append(watch())

    assert answers == ["waiting", "waiting", "settled"]
    written = row()
    assert {one["state"] for one in written["restarts"]} == {"settled"}
    assert [(one["target"], one["outcome"]) for one in written["actions"]] == [
        (label, "settled") for label in LABELS.values()
    ]


def test_one_that_failed_is_told_once_the_others_have_settled(dependents, started, watch, row):
    started(FUNCTION, DOCUMENT)
    dependents.automations[f"{AUTOMATION}1"] = "Failed"

    assert watch() == "waiting"
    assert [one["state"] for one in row()["restarts"]] == ["started", "failed"]
    assert row()["actions"][0]["reason"] == "Its automation ended as Failed."

    dependents.function["LastUpdateStatus"] = "Successful"
    assert watch() == "failed"
    assert [one["state"] for one in row()["restarts"]] == ["settled", "failed"]


def test_nothing_started_has_settled(dependents, write, watch):
    write(entry(SERVICE, "refused"), entry(FUNCTION, "settled"))

    assert watch() == "settled"


# --- ECS -------------------------------------------------------------------------------------------------------------


def test_a_deployment_that_failed_without_a_roll_back_is_told(dependents, started, watch, row):
    dependents.service["deployments"][0]["rolloutState"] = "FAILED"
    started(SERVICE)

    assert watch() == "failed"
    assert of(row()) == ("failed", "Its deployment failed: tasks did not reach a steady state.")


ROLLING_BACK = "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1."


def rolled_back(dependents, *, own=(), reason="ECS deployment ecs-svc/3 completed.", events=()):
    primary = dependents.deployment("ecs-svc/3", rolloutStateReason=reason)
    dependents.service |= {"deployments": [primary, *own], "events": [{"message": message} for message in events]}


@pytest.mark.parametrize("sign", ["own", "reason", "event"])
def test_a_deployment_that_the_circuit_breaker_rolled_back_is_told_by_whatever_sign(
    dependents, started, watch, row, sign
):
    signs = {
        "own": {"own": [dependents.deployment("ecs-svc/2", status="ACTIVE", rollout="FAILED")]},
        "reason": {"reason": ROLLING_BACK},
        "event": {"events": ["(service orders) (deployment ecs-svc/2) deployment failed: tasks failed to start."]},
    }
    rolled_back(dependents, **signs[sign])
    started(SERVICE)

    assert watch() == "failed"
    assert of(row()) == ("failed", "Its deployment failed, and ECS rolled it back.")


@pytest.mark.parametrize(
    ("rollout", "expected"), [("COMPLETED", "settled"), ("IN_PROGRESS", "waiting"), ("FAILED", "failed")]
)
@pytest.mark.parametrize("is_listed", [True, False])
def test_a_deployment_that_a_newer_one_replaced_is_judged_by_that(
    dependents, started, watch, rollout, expected, is_listed
):
    own = [dependents.deployment("ecs-svc/2", status="ACTIVE", rollout="IN_PROGRESS")] if is_listed else []
    event = "(service orders) (deployment ecs-svc/1) deployment failed: tasks failed to start."
    rolled_back(dependents, own=own, events=[event])
    dependents.service["deployments"][0]["rolloutState"] = rollout
    started(SERVICE)

    assert watch() == expected


@pytest.mark.parametrize(
    ("deployments", "expected"), [((("ecs-svc/2", 2),), "settled"), ((("ecs-svc/2", 1),), "waiting"),
                                  ((("ecs-svc/2", 2), ("ecs-svc/1", 1)), "waiting")]
)  # fmt: skip
def test_without_a_rollout_state_the_tasks_are_counted(dependents, started, watch, deployments, expected):
    status = itertools.chain(["PRIMARY"], itertools.repeat("ACTIVE"))
    dependents.service["deployments"] = [
        dependents.deployment(deployment, status=next(status), rollout="") | {"runningCount": running}
        for deployment, running in deployments
    ]
    started(SERVICE)

    assert watch() == expected


@pytest.mark.parametrize("status", ["DRAINING", "INACTIVE"])
def test_a_service_that_is_being_deleted_is_told(dependents, started, watch, row, status):
    dependents.service["status"] = status
    started(SERVICE)

    assert watch() == "failed"
    assert of(row()) == ("failed", "The service is no longer active.")


# --- Lambda ----------------------------------------------------------------------------------------------------------


def test_an_update_that_failed_is_told_by_its_code_and_not_in_lambdas_words(dependents, started, watch, row, capsys):
    dependents.function |= {
        "LastUpdateStatus": "Failed",
        "LastUpdateStatusReason": PASSWORD,
        "LastUpdateStatusReasonCode": "SubnetOutOfIPAddresses",
    }
    started(FUNCTION)

    assert watch() == "failed"

    assert of(row()) == ("failed", "Its update failed: SubnetOutOfIPAddresses.")
    assert PASSWORD not in json.dumps(row(), default=str) + capsys.readouterr().out


# --- Systems Manager -------------------------------------------------------------------------------------------------

STATUSES = session.get_session().get_service_model("ssm").shape_for("AutomationExecutionStatus").enum
GOOD = {"Success", "CompletedWithSuccess"}
BAD = {
    "Failed",
    "TimedOut",
    "Cancelled",
    "Rejected",
    "CompletedWithFailure",
    "ChangeCalendarOverrideRejected",
    "Exited",
}


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_of_an_automation_is_good_bad_or_on_the_way(dependents, started, watch, status):
    dependents.automations[f"{AUTOMATION}1"] = status
    started(DOCUMENT)

    assert watch() == ("settled" if status in GOOD else "failed" if status in BAD else "waiting")


def test_every_status_that_is_known_is_one_of_awss():
    assert set(_SETTLED) | set(_FAILED) <= set(STATUSES)


# --- covered by another's restart ------------------------------------------------------------------------------------


@pytest.fixture
def target_row(aws):
    def write(**more):
        key = {"secret_arn": f"target#{DOCUMENT}", "opened_at": "restart"}
        aws.client("dynamodb").put_item(TableName="incidents", Item=item({**key, "holder": "execution-2", **more}))

    return write


def test_one_that_is_covered_settles_with_the_other(dependents, write, watch, row, target_row):
    write(entry(DOCUMENT, "covered", why="Another covers it."))
    answers = []

    target_row()
    answers.append(watch())
    target_row(handle=f"{AUTOMATION}1")
    answers.append(watch())
    dependents.automations[f"{AUTOMATION}1"] = "Success"
    answers.append(watch())

    assert answers == ["waiting", "waiting", "settled"]
    assert of(row()) == ("settled", "Another covers it.")


def test_one_that_is_covered_fails_with_the_other(dependents, write, watch, row, target_row):
    target_row(problem="AWS refused it: AccessDeniedException.")
    write(entry(DOCUMENT, "covered", why="Another covers it."))

    assert watch() == "failed"
    assert of(row()) == ("failed", "AWS refused it: AccessDeniedException.")


def test_one_that_is_covered_is_watched_by_the_restart_of_before_a_newer_one(dependents, write, watch, target_row):
    dependents.automations[f"{AUTOMATION}1"] = "Success"
    target_row(handle=f"{AUTOMATION}2")
    write(entry(DOCUMENT, "covered", f"{AUTOMATION}1"))

    assert watch() == "settled"


def test_one_is_covered_by_a_restart_whose_function_crashed_and_came_back(
    aws, dependents, write, watch, context, monkeypatch
):
    monkeypatch.setenv("KILL_SWITCH_PARAMETER_NAME", "/kill-switch")
    aws.client("ssm").put_parameter(Name="/kill-switch", Value="go", Type="String")
    since = int(datetime.now(UTC).timestamp() * 1000) - 60_000
    for secret in (OTHER, SECRET):
        wanted = {"target": LABELS[DOCUMENT], "arn": DOCUMENT, "state": "wanted", "why": ""}
        write(wanted, secret=secret, restarts_wanted_at=since)

    def restart(execution, secret):
        incident = {"secret_arn": secret, "opened_at": OPENED_AT}
        event = {"execution": execution, "incident": incident, "version": "version-2"}
        return remediation_restart.handler(event, context)["state"]

    dependents.crash(2, "before")
    with pytest.raises(Crash):
        restart("execution-2", OTHER)
    dependents.crash(0, "")
    assert restart("execution-1", SECRET) == "waiting"
    assert watch() == "waiting"
    assert dependents.started == {}

    restart("execution-2", OTHER)
    [automation] = [one for one in dependents.automations if one in dependents._tokens.values()]
    dependents.automations[automation] = "Success"

    assert [watch(), watch(OTHER)] == ["settled", "settled"]
    assert dependents.started == {DOCUMENT: 1}


# --- trouble ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arn", "operation", "code"),
    [
        (SERVICE, "DescribeServices", "ClusterNotFoundException"),
        (FUNCTION, "GetFunctionConfiguration", "ResourceNotFoundException"),
        (DOCUMENT, "GetAutomationExecution", "AutomationExecutionNotFoundException"),
        (DOCUMENT, "GetAutomationExecution", "AccessDeniedException"),
    ],
)
def test_what_cannot_be_looked_at_has_failed(aws, dependents, started, watch, row, capsys, arn, operation, code):
    aws.answer(operation, lambda asked: refusal(aws, code))
    started(arn)

    assert watch() == "failed"

    assert of(row()) == ("failed", f"AWS refused it: {code}.")
    assert PASSWORD not in json.dumps(row(), default=str) + capsys.readouterr().out


@pytest.mark.parametrize(
    ("arn", "operation", "code"),
    [
        (SERVICE, "DescribeServices", "ThrottlingException"),
        (FUNCTION, "GetFunctionConfiguration", "ServiceFailure"),
        (DOCUMENT, "GetAutomationExecution", "ThrottlingFailure"),
    ],
)
def test_passing_trouble_is_for_another_look_and_hides_no_other(
    aws, dependents, started, watch, row, arn, operation, code
):
    dependents.function["LastUpdateStatus"] = "Successful"
    dependents.automations[f"{AUTOMATION}1"] = "Success"
    [other] = [one for one in (FUNCTION, DOCUMENT) if one != arn][:1]
    aws.answer(operation, lambda asked: refusal(aws, code))
    started(arn, other)

    with pytest.raises(PassingTrouble, match=f"^{code}$"):
        watch()

    assert [one["state"] for one in row()["restarts"]] == ["started", "settled"]


def test_a_crash_before_or_after_a_write_tells_each_end_once(dependents, started, watch, row):
    dependents.service["deployments"] = [dependents.deployment("ecs-svc/2")]
    dependents.function["LastUpdateStatus"] = "Successful"
    dependents.automations[f"{AUTOMATION}1"] = "Success"
    for number, when in itertools.product((1, 2, 3), ("before", "after")):
        started(SERVICE, FUNCTION, DOCUMENT)
        dependents.crash(number, when)
        with pytest.raises(Crash):
            watch()
        dependents.crash(0, "")

        assert watch() == "settled"

        assert [one["target"] for one in row()["actions"]] == list(LABELS.values())
