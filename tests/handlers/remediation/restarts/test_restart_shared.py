"""A target that several secrets share is restarted once for all incidents that wait for it."""

import pytest

from handlers.adapters.incidents import LostRace
from handlers.adapters.items import to_item
from tests.handlers.remediation.dependents import (
    AUTOMATION,
    DOCUMENT,
    FUNCTION,
    LABELS,
    OPENED_AT,
    SECRET,
    SERVICE,
    Crash,
)

OTHER = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:billing/db-Ab12Cd"


def test_a_restart_by_another_execution_since_the_new_value_is_shared(ms, dependents, write_wanted, restart, row):
    write_wanted(SERVICE, secret=OTHER, execution="execution-2", since=ms(120))
    write_wanted(SERVICE, since=ms(60))

    assert [restart("execution-2", OTHER), restart("execution-1")] == ["waiting", "waiting"]

    assert dependents.started == {SERVICE: 1}
    [entry] = row()["restarts"]
    assert (entry["state"], entry["handle"]) == ("covered", "ecs-svc/2")
    assert "covers it" in entry["why"]
    assert row()["actions"][0]["outcome"] == "covered"


def test_a_restart_by_another_execution_before_the_new_value_is_not_shared(
    ms, dependents, write_wanted, restart, states
):
    write_wanted(DOCUMENT, secret=OTHER, execution="execution-2", since=ms(60))
    restart("execution-2", OTHER)
    write_wanted(DOCUMENT, since=ms(-1))

    restart("execution-1")

    assert dependents.started == {DOCUMENT: 2}
    assert states() == {"ssm:restart-orders": "started"}


def test_a_failed_restart_by_another_execution_is_not_shared(aws, dependents, write_wanted, restart, row, states):
    aws.answer("StartAutomationExecution", lambda request: aws.Refusal("AccessDeniedException"))
    write_wanted(DOCUMENT, secret=OTHER, execution="execution-2")
    assert restart("execution-2", OTHER) == "failed"
    aws.answer("StartAutomationExecution", dependents.start_automation)
    write_wanted(DOCUMENT)

    assert restart("execution-1") == "waiting"

    assert states() == {"ssm:restart-orders": "started"}
    assert "problem" not in row(f"target#{DOCUMENT}")


def test_a_restart_that_starts_after_a_refusal_can_be_shared(aws, dependents, write_wanted, restart, row):
    aws.answer("StartAutomationExecution", lambda request: aws.Refusal("AccessDeniedException"))
    write_wanted(DOCUMENT)
    dependents.crash(3, "before")
    with pytest.raises(Crash):
        restart()
    dependents.crash(0, "")
    aws.answer("StartAutomationExecution", dependents.start_automation)

    assert restart() == "waiting"

    assert "problem" not in row(f"target#{DOCUMENT}")
    assert row(f"target#{DOCUMENT}")["handle"] == f"{AUTOMATION}1"


def test_two_concurrent_executions_start_one_restart(aws, dependents, write_wanted, restart, states):
    write_wanted(SERVICE, secret=OTHER, execution="execution-2")
    write_wanted(SERVICE)
    other_answers = []

    def restart_concurrently(request):
        if not other_answers:
            other_answers.append(None)
            other_answers[0] = restart("execution-2", OTHER)
        return dependents.update_item(request)

    aws.answer("UpdateItem", restart_concurrently)

    assert restart("execution-1") == "waiting"

    assert other_answers == ["waiting"]
    assert dependents.started == {SERVICE: 1}
    assert states() == {"ecs:shop/orders": "covered"}


def test_an_execution_that_loses_every_race_raises(aws, dependents, write_wanted, restart):
    aws.answer("UpdateItem", lambda request: aws.Refusal("ConditionalCheckFailedException"))
    write_wanted(SERVICE)

    with pytest.raises(LostRace):
        restart()

    assert dependents.started == {}


def test_the_result_of_a_concurrent_invocation_is_not_overwritten(aws, dependents, write_wanted, restart, row, states):
    write_wanted(DOCUMENT, FUNCTION)
    answers = []

    def restart_concurrently(request):
        if request["Key"]["secret_arn"]["S"] == SECRET and not answers:
            answers.append(None)
            answers[0] = restart()
        return dependents.update_item(request)

    aws.answer("UpdateItem", restart_concurrently)
    answers.append(restart())

    assert answers == ["waiting", "waiting"]
    assert set(states().values()) == {"started"}
    assert len(row()["actions"]) == 2
    assert dependents.started == {DOCUMENT: 1, FUNCTION: 1}


def test_a_lost_race_for_one_target_delays_no_other(aws, dependents, write_wanted, restart, states):
    def lose_race(request):
        if request["Key"]["secret_arn"]["S"] == f"target#{SERVICE}":
            return aws.Refusal("ConditionalCheckFailedException")
        return dependents.update_item(request)

    aws.answer("UpdateItem", lose_race)
    write_wanted(SERVICE, FUNCTION, DOCUMENT)

    with pytest.raises(LostRace):
        restart()

    assert dependents.started == {FUNCTION: 1, DOCUMENT: 1}
    assert states() == {"ecs:shop/orders": "wanted", "lambda:orders-api": "started", "ssm:restart-orders": "started"}


def test_an_incident_without_restarts_wanted_at_shares_no_earlier_restart(aws, dependents, write_wanted, restart):
    write_wanted(DOCUMENT, secret=OTHER, execution="execution-2")
    restart("execution-2", OTHER)
    entry = {"target": LABELS[DOCUMENT], "arn": DOCUMENT, "state": "wanted", "why": ""}
    aws.client("dynamodb").put_item(
        TableName="incidents", Item=to_item({"secret_arn": SECRET, "opened_at": OPENED_AT, "restarts": [entry]})
    )

    restart("execution-1")

    assert dependents.started == {DOCUMENT: 2}
