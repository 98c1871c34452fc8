"""Each restart is watched until it has settled or failed, despite errors and crashes."""

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
def _restarts_in_progress(restarts_in_progress):
    """All restarts are in progress unless a test changes that."""


def test_restarts_in_progress_are_waited_for_and_nothing_is_written(aws, dependents, write_started, watch, row):
    write_started(SERVICE, FUNCTION, DOCUMENT)
    before = row()

    assert watch() == "waiting"

    assert row() == before
    assert aws.requests("UpdateItem") == []


def test_restarts_have_settled_when_the_last_one_has(dependents, write_started, watch, row):
    write_started(SERVICE, FUNCTION, DOCUMENT)

    answers = []
    dependents.service["deployments"] = [dependents.deployment("ecs-svc/2")]
    answers.append(watch())
    dependents.function["LastUpdateStatus"] = "Successful"
    answers.append(watch())
    dependents.automations[f"{AUTOMATION}1"] = "Success"
    answers.append(watch())

    assert answers == ["waiting", "waiting", "settled"]
    stored_row = row()
    assert {restart["state"] for restart in stored_row["restarts"]} == {"settled"}
    assert [(action["target"], action["outcome"]) for action in stored_row["actions"]] == [
        (label, "settled") for label in LABELS.values()
    ]


def test_a_failed_restart_is_reported_once_the_others_have_settled(dependents, write_started, watch, row):
    write_started(FUNCTION, DOCUMENT)
    dependents.automations[f"{AUTOMATION}1"] = "Failed"

    assert watch() == "waiting"
    assert [restart["state"] for restart in row()["restarts"]] == ["started", "failed"]
    assert row()["actions"][0]["reason"] == "Its automation ended as Failed."

    dependents.function["LastUpdateStatus"] = "Successful"
    assert watch() == "failed"
    assert [restart["state"] for restart in row()["restarts"]] == ["settled", "failed"]


def test_an_incident_without_started_restarts_has_settled(dependents, write, watch):
    write(entry(SERVICE, "refused"), entry(FUNCTION, "settled"))

    assert watch() == "settled"


# --- Lambda ----------------------------------------------------------------------------------------------------------


def test_a_failed_update_is_stored_with_its_code_and_without_its_message(
    dependents, write_started, watch, row, capsys, outcome
):
    dependents.function |= {
        "LastUpdateStatus": "Failed",
        "LastUpdateStatusReason": PASSWORD,
        "LastUpdateStatusReasonCode": "SubnetOutOfIPAddresses",
    }
    write_started(FUNCTION)

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
def test_every_status_of_an_automation_is_success_failure_or_in_progress(dependents, write_started, watch, status):
    dependents.automations[f"{AUTOMATION}1"] = status
    write_started(DOCUMENT)

    assert watch() == ("settled" if status in GOOD else "failed" if status in BAD else "waiting")


def test_every_status_in_the_code_exists_in_aws():
    assert set(_SETTLED) | set(_FAILED) <= set(STATUSES)


# --- shared restarts -------------------------------------------------------------------------------------------------


@pytest.fixture
def target_row(aws):
    def write(**more):
        key = {"secret_arn": f"target#{DOCUMENT}", "opened_at": "restart"}
        aws.client("dynamodb").put_item(TableName="incidents", Item=to_item({**key, "holder": "execution-2", **more}))

    return write


def test_a_shared_restart_settles_with_the_original(dependents, write, watch, outcome, target_row):
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


def test_a_shared_restart_fails_with_the_original(dependents, write, watch, outcome, target_row):
    target_row(problem="AWS refused it: AccessDeniedException.")
    write(entry(DOCUMENT, "covered", why="Another covers it."))

    assert watch() == "failed"
    assert outcome() == ("failed", "AWS refused it: AccessDeniedException.")


def test_a_shared_restart_is_watched_by_its_own_id_despite_a_newer_restart(dependents, write, watch, target_row):
    dependents.automations[f"{AUTOMATION}1"] = "Success"
    target_row(handle=f"{AUTOMATION}2")
    write(entry(DOCUMENT, "covered", f"{AUTOMATION}1"))

    assert watch() == "settled"


def test_a_restart_is_shared_even_if_its_step_crashed_and_was_retried(dependents, write_wanted, restart, watch):
    alive = {"alive_until": int(time.time()) + 7200}
    write_wanted(DOCUMENT, secret=OTHER, execution="execution-2", **alive)
    write_wanted(DOCUMENT, **alive)
    # After the claim, and before the automation is started.
    dependents.crash(2, "before")
    with pytest.raises(Crash):
        restart("execution-2", OTHER)
    dependents.crash(0, "")
    assert restart("execution-1", SECRET) == "waiting"
    assert watch() == "waiting"
    assert dependents.started == {}

    restart("execution-2", OTHER)
    [automation] = [
        automation_id for automation_id in dependents.automations if automation_id in dependents._tokens.values()
    ]
    dependents.automations[automation] = "Success"

    assert [watch(), watch("execution-2", OTHER)] == ["settled", "settled"]
    assert dependents.started == {DOCUMENT: 1}


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("service", "operation", "code"), cases(WATCHING, FINAL))
def test_a_restart_that_cannot_be_read_has_failed(
    aws, dependents, write_started, watch, row, capsys, service, operation, code, outcome
):
    aws.answer(operation, lambda request: refusal(aws, code))
    write_started(TARGETS[service])

    assert watch() == "failed"

    assert outcome() == ("failed", f"AWS refused it: {code}.")
    assert PASSWORD not in json.dumps(row(), default=str) + capsys.readouterr().out


@pytest.fixture
def all_settled_except(dependents, write_started, states):
    """All restarts have settled; the block must detect this for all but the one of this service."""

    @contextmanager
    def run(service):
        dependents.settle()
        write_started(*TARGETS.values())
        yield
        assert states() == {LABELS[arn]: "started" if kind == service else "settled" for kind, arn in TARGETS.items()}

    return run


@pytest.mark.parametrize(("service", "operation", "code"), cases(WATCHING, PASSING))
def test_a_transient_error_is_retried_and_hides_no_other_result(
    aws, all_settled_except, watch, service, operation, code
):
    aws.answer(operation, lambda request: refusal(aws, code))

    with all_settled_except(service), pytest.raises(TransientError, match=f"^{code}$"):
        watch()


@pytest.mark.parametrize("error", NETWORK_ERRORS)
@pytest.mark.parametrize(("service", "operation"), WATCHING)
def test_a_network_error_is_retried_and_hides_no_other_result(
    aws, all_settled_except, watch, log_text, service, operation, error
):
    aws.answer(operation, unreachable(error))

    with all_settled_except(service), pytest.raises(TransientError, match=f"^{error}$"):
        watch()

    assert PASSWORD not in log_text()


def test_an_unexpected_error_hides_no_other_result(aws, all_settled_except, watch):
    def raise_error(request):
        raise LookupError("what the client does with an answer that it cannot read")

    aws.answer("DescribeServices", raise_error)

    with all_settled_except("ecs"), pytest.raises(LookupError):
        watch()


def test_a_crash_before_or_after_a_write_records_each_result_once(dependents, write_started, watch, row):
    dependents.service["deployments"] = [dependents.deployment("ecs-svc/2")]
    dependents.function["LastUpdateStatus"] = "Successful"
    dependents.automations[f"{AUTOMATION}1"] = "Success"
    for number, when in itertools.product((1, 2, 3), ("before", "after")):
        write_started(SERVICE, FUNCTION, DOCUMENT)
        dependents.crash(number, when)
        with pytest.raises(Crash):
            watch()
        dependents.crash(0, "")

        assert watch() == "settled"

        assert [action["target"] for action in row()["actions"]] == list(LABELS.values())
