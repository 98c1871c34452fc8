"""A target that several secrets share is restarted once for all that wait for it."""

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


def test_a_restart_that_another_began_since_the_value_was_in_use_covers_this_one(ms, dependents, wanted, restart, row):
    wanted(SERVICE, secret=OTHER, execution="execution-2", since=ms(120))
    wanted(SERVICE, since=ms(60))

    assert [restart("execution-2", OTHER), restart("execution-1")] == ["waiting", "waiting"]

    assert dependents.started == {SERVICE: 1}
    [entry] = row()["restarts"]
    assert (entry["state"], entry["handle"]) == ("covered", "ecs-svc/2")
    assert "covers it" in entry["why"]
    assert row()["actions"][0]["outcome"] == "covered"


def test_a_restart_that_another_began_before_the_value_was_in_use_does_not(ms, dependents, wanted, restart, states):
    wanted(DOCUMENT, secret=OTHER, execution="execution-2", since=ms(60))
    restart("execution-2", OTHER)
    wanted(DOCUMENT, since=ms(-1))

    restart("execution-1")

    assert dependents.started == {DOCUMENT: 2}
    assert states() == {"ssm:restart-orders": "started"}


def test_a_restart_that_another_could_not_begin_covers_nothing(aws, dependents, wanted, restart, row, states):
    aws.answer("StartAutomationExecution", lambda asked: aws.Refusal("AccessDeniedException"))
    wanted(DOCUMENT, secret=OTHER, execution="execution-2")
    assert restart("execution-2", OTHER) == "failed"
    aws.answer("StartAutomationExecution", dependents.start_automation)
    wanted(DOCUMENT)

    assert restart("execution-1") == "waiting"

    assert states() == {"ssm:restart-orders": "started"}
    assert "problem" not in row(f"target#{DOCUMENT}")


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


def test_two_executions_at_once_start_one_restart(aws, dependents, wanted, restart, states):
    wanted(SERVICE, secret=OTHER, execution="execution-2")
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
    assert states() == {"ecs:shop/orders": "covered"}


def test_who_is_overtaken_time_and_again_is_told(aws, dependents, wanted, restart):
    aws.answer("UpdateItem", lambda asked: aws.Refusal("ConditionalCheckFailedException"))
    wanted(SERVICE)

    with pytest.raises(LostRace):
        restart()

    assert dependents.started == {}


def test_what_another_invocation_has_written_is_not_written_over(aws, dependents, wanted, restart, row, states):
    wanted(DOCUMENT, FUNCTION)
    answers = []

    def overtaken(asked):
        if asked["Key"]["secret_arn"]["S"] == SECRET and not answers:
            answers.append(None)
            answers[0] = restart()
        return dependents.update_item(asked)

    aws.answer("UpdateItem", overtaken)
    answers.append(restart())

    assert answers == ["waiting", "waiting"]
    assert set(states().values()) == {"started"}
    assert len(row()["actions"]) == 2
    assert dependents.started == {DOCUMENT: 1, FUNCTION: 1}


def test_a_lost_race_for_one_keeps_no_other_from_its_turn(aws, dependents, wanted, restart, states):
    def always_overtaken(asked):
        if asked["Key"]["secret_arn"]["S"] == f"target#{SERVICE}":
            return aws.Refusal("ConditionalCheckFailedException")
        return dependents.update_item(asked)

    aws.answer("UpdateItem", always_overtaken)
    wanted(SERVICE, FUNCTION, DOCUMENT)

    with pytest.raises(LostRace):
        restart()

    assert dependents.started == {FUNCTION: 1, DOCUMENT: 1}
    assert states() == {"ecs:shop/orders": "wanted", "lambda:orders-api": "started", "ssm:restart-orders": "started"}


def test_an_incident_that_does_not_say_since_when_is_covered_by_nothing_older(aws, dependents, wanted, restart):
    wanted(DOCUMENT, secret=OTHER, execution="execution-2")
    restart("execution-2", OTHER)
    entry = {"target": LABELS[DOCUMENT], "arn": DOCUMENT, "state": "wanted", "why": ""}
    aws.client("dynamodb").put_item(
        TableName="incidents", Item=to_item({"secret_arn": SECRET, "opened_at": OPENED_AT, "restarts": [entry]})
    )

    restart("execution-1")

    assert dependents.started == {DOCUMENT: 2}
