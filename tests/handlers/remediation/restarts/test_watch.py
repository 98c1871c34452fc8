"""Each restart is watched until it has settled or failed, and what is lost on the way is looked at again."""

import itertools
import json
import time
from contextlib import contextmanager

import pytest
from botocore import session

from handlers.adapters.automations import _FAILED, _SETTLED
from handlers.adapters.items import to_item
from rotation_guard.domain.remediation.restarts import TransientError
from tests.handlers.remediation.dependents import (
    AUTOMATION,
    DOCUMENT,
    FUNCTION,
    LABELS,
    NETWORK_ERRORS,
    PASSWORD,
    SECRET,
    SERVICE,
    Crash,
    entry,
    refusal,
    unreachable,
)
from tests.handlers.remediation.restarts.errors import FINAL, PASSING, WATCHING, cases

OTHER = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:billing/db-Ab12Cd"
TARGETS = {"ecs": SERVICE, "lambda": FUNCTION, "ssm": DOCUMENT}


@pytest.fixture(autouse=True)
def _under_way(under_way):
    """Everything is under way unless a test says otherwise."""


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
    assert {restart["state"] for restart in written["restarts"]} == {"settled"}
    assert [(action["target"], action["outcome"]) for action in written["actions"]] == [
        (label, "settled") for label in LABELS.values()
    ]


def test_one_that_failed_is_told_once_the_others_have_settled(dependents, started, watch, row):
    started(FUNCTION, DOCUMENT)
    dependents.automations[f"{AUTOMATION}1"] = "Failed"

    assert watch() == "waiting"
    assert [restart["state"] for restart in row()["restarts"]] == ["started", "failed"]
    assert row()["actions"][0]["reason"] == "Its automation ended as Failed."

    dependents.function["LastUpdateStatus"] = "Successful"
    assert watch() == "failed"
    assert [restart["state"] for restart in row()["restarts"]] == ["settled", "failed"]


def test_nothing_started_has_settled(dependents, write, watch):
    write(entry(SERVICE, "refused"), entry(FUNCTION, "settled"))

    assert watch() == "settled"


# --- Lambda ----------------------------------------------------------------------------------------------------------


def test_an_update_that_failed_is_told_by_its_code_and_not_in_lambdas_words(
    dependents, started, watch, row, capsys, outcome
):
    dependents.function |= {
        "LastUpdateStatus": "Failed",
        "LastUpdateStatusReason": PASSWORD,
        "LastUpdateStatusReasonCode": "SubnetOutOfIPAddresses",
    }
    started(FUNCTION)

    assert watch() == "failed"

    assert outcome() == ("failed", "Its update failed: SubnetOutOfIPAddresses.")
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
        aws.client("dynamodb").put_item(TableName="incidents", Item=to_item({**key, "holder": "execution-2", **more}))

    return write


def test_one_that_is_covered_settles_with_the_other(dependents, write, watch, outcome, target_row):
    write(entry(DOCUMENT, "covered", why="Another covers it."))
    answers = []

    target_row()
    answers.append(watch())
    target_row(handle=f"{AUTOMATION}1")
    answers.append(watch())
    dependents.automations[f"{AUTOMATION}1"] = "Success"
    answers.append(watch())

    assert answers == ["waiting", "waiting", "settled"]
    assert outcome() == ("settled", "Another covers it.")


def test_one_that_is_covered_fails_with_the_other(dependents, write, watch, outcome, target_row):
    target_row(problem="AWS refused it: AccessDeniedException.")
    write(entry(DOCUMENT, "covered", why="Another covers it."))

    assert watch() == "failed"
    assert outcome() == ("failed", "AWS refused it: AccessDeniedException.")


def test_one_that_is_covered_is_watched_by_the_restart_of_before_a_newer_one(dependents, write, watch, target_row):
    dependents.automations[f"{AUTOMATION}1"] = "Success"
    target_row(handle=f"{AUTOMATION}2")
    write(entry(DOCUMENT, "covered", f"{AUTOMATION}1"))

    assert watch() == "settled"


def test_one_is_covered_by_a_restart_whose_function_crashed_and_came_back(dependents, wanted, restart, watch):
    alive = {"alive_until": int(time.time()) + 7200}
    wanted(DOCUMENT, secret=OTHER, execution="execution-2", **alive)
    wanted(DOCUMENT, **alive)
    # After the claim, and before the automation is started.
    dependents.crash(2, "before")
    with pytest.raises(Crash):
        restart("execution-2", OTHER)
    dependents.crash(0, "")
    assert restart("execution-1", SECRET) == "waiting"
    assert watch() == "waiting"
    assert dependents.started == {}

    restart("execution-2", OTHER)
    [automation] = [each for each in dependents.automations if each in dependents._tokens.values()]
    dependents.automations[automation] = "Success"

    assert [watch(), watch("execution-2", OTHER)] == ["settled", "settled"]
    assert dependents.started == {DOCUMENT: 1}


# --- trouble ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("service", "operation", "code"), cases(WATCHING, FINAL))
def test_what_cannot_be_looked_at_has_failed(
    aws, dependents, started, watch, row, capsys, service, operation, code, outcome
):
    aws.answer(operation, lambda asked: refusal(aws, code))
    started(TARGETS[service])

    assert watch() == "failed"

    assert outcome() == ("failed", f"AWS refused it: {code}.")
    assert PASSWORD not in json.dumps(row(), default=str) + capsys.readouterr().out


@pytest.fixture
def settled_but(dependents, started, states):
    """All have settled; afterwards, that was seen of all but that of this service."""

    @contextmanager
    def expect(service):
        dependents.settle()
        started(*TARGETS.values())
        yield
        assert states() == {LABELS[arn]: "started" if kind == service else "settled" for kind, arn in TARGETS.items()}

    return expect


@pytest.mark.parametrize(("service", "operation", "code"), cases(WATCHING, PASSING))
def test_passing_trouble_is_for_another_look_and_hides_no_other(aws, settled_but, watch, service, operation, code):
    aws.answer(operation, lambda asked: refusal(aws, code))

    with settled_but(service), pytest.raises(TransientError, match=f"^{code}$"):
        watch()


@pytest.mark.parametrize("error", NETWORK_ERRORS)
@pytest.mark.parametrize(("service", "operation"), WATCHING)
def test_one_that_cannot_be_reached_hides_no_other(aws, settled_but, watch, logged, service, operation, error):
    aws.answer(operation, unreachable(error))

    with settled_but(service), pytest.raises(TransientError, match=f"^{error}$"):
        watch()

    assert PASSWORD not in logged()


def test_an_error_that_nobody_expected_hides_no_other(aws, settled_but, watch):
    def broken(asked):
        raise LookupError("what the client does with an answer that it cannot read")

    aws.answer("DescribeServices", broken)

    with settled_but("ecs"), pytest.raises(LookupError):
        watch()


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

        assert [action["target"] for action in row()["actions"]] == list(LABELS.values())
