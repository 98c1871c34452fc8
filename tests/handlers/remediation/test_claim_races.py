"""Concurrent claims, claims that crash, and claims for which AWS returns errors."""

import pytest
from botocore.exceptions import ClientError

from handlers.adapters.incidents import LostRace
from handlers.environment import InvalidEnvironment
from rotation_guard.domain.event_parser import parse_signal
from tests.handlers.scene import (
    EXECUTION,
    OPENED_AT,
    build_cancellation,
    build_signal,
    build_success_signal,
    crash_at_each_write,
    run_before,
)

GONE = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:gone-Ab12Cd"
LATER = "2026-03-01T01:17:16Z"
SECOND, SECOND_AT = f"{EXECUTION}-2", "2026-03-01T01:20:00.000Z"


def test_of_two_concurrent_claims_one_opens_and_the_other_joins(aws, scene):
    arn = scene.secret()
    run_before(aws, "TransactWriteItems", lambda: scene.claim(build_signal(arn, event="the-winner")))

    assert scene.claim(build_signal(arn), SECOND, SECOND_AT)["outcome"] == "known"

    [incident] = scene.incidents(arn)
    assert (incident["execution"], incident["failures"]) == (EXECUTION, 2)


def test_an_execution_that_started_at_the_same_time_joins(aws, scene):
    arn = scene.secret()
    scene.open(arn)

    assert scene.claim(build_signal(arn, event="event-2"), SECOND)["outcome"] == "known"

    [incident] = scene.incidents(arn)
    assert (incident["execution"], incident["failures"]) == (EXECUTION, 2)


def test_only_one_of_two_concurrent_copies_is_counted(aws, scene):
    arn = scene.secret()
    scene.open(arn)
    run_before(aws, "UpdateItem", lambda: scene.claim(build_signal(arn, event="event-2"), SECOND))

    assert scene.claim(build_signal(arn, event="event-2"), "execution-3")["outcome"] == "known"

    assert scene.incidents(arn)[0]["failures"] == 2


@pytest.mark.parametrize(("build", "write"), [(build_signal, 1), (build_success_signal, 2)])
def test_a_concurrent_older_event_keeps_the_latest_failure_time(aws, scene, build, write):
    arn = scene.secret()
    scene.open(arn)
    run_before(aws, "UpdateItem", lambda: scene.claim(build_signal(arn, at=LATER, event="event-3"), SECOND), write)

    assert scene.claim(build(arn, at="2026-03-01T00:05:00Z", event="event-2"), "execution-3")["outcome"] == "known"

    [incident] = scene.incidents(arn)
    assert incident["last_failure_at"] == LATER
    assert incident["event_ids"] == {"event-1", "event-2", "event-3"}


def test_an_incident_that_is_closed_between_read_and_update_is_read_again(aws, scene):
    arn = scene.secret()
    incident = scene.open(arn)

    run_before(aws, "UpdateItem", lambda: scene.close(incident))

    answer = scene.claim(build_signal(arn, event="event-2", rotation="rotation-2", at=LATER), SECOND, SECOND_AT)

    assert answer["outcome"] == "opened"
    assert [row["state"] for row in scene.incidents(arn)] == ["closed", "open"]


@pytest.mark.parametrize("build", [build_signal, build_success_signal])
def test_an_incident_that_is_closed_between_two_reads_is_read_again(aws, scene, build):
    arn = scene.secret()
    incident = scene.open(arn)
    # After the claim's row was read, and before the incident's row is.
    run_before(aws, "GetItem", lambda: scene.close(incident), 2)

    answer = scene.claim(build(arn, event="event-2"), SECOND, SECOND_AT)

    assert answer["outcome"] == ("late" if build is build_signal else "quiet")
    assert len(scene.incidents(arn)) == 1


@pytest.mark.parametrize("code", ["ConditionalCheckFailed", "TransactionConflict"])
def test_the_step_gives_up_after_five_lost_races(aws, scene, code):
    arn = scene.secret()
    aws.answer("TransactWriteItems", lambda _: build_cancellation(aws, "None", code))

    with pytest.raises(LostRace, match=f"^5 attempts to claim the incident of {arn} lost to others$"):
        scene.claim(build_signal(arn))

    assert len(aws.requests("TransactWriteItems")) == 5
    assert scene.incidents(arn) == []


def test_a_lost_race_is_retried(aws, scene):
    arn = scene.secret()
    answers = iter([build_cancellation(aws, "TransactionConflict", "None")])
    aws.answer("TransactWriteItems", lambda _: next(answers, None))

    assert scene.claim(build_signal(arn))["outcome"] == "opened"


def test_a_transaction_that_failed_for_another_reason_is_not_retried(aws, scene):
    aws.answer("TransactWriteItems", lambda _: build_cancellation(aws, "ThrottlingError", "None"))

    with pytest.raises(ClientError, match="TransactionCanceledException"):
        scene.claim(build_signal(scene.secret()))

    assert len(aws.requests("TransactWriteItems")) == 1


# --- crashes ----------------------------------------------------------------------------------------------------------


def test_a_claim_that_crashes_opens_one_incident(aws, scene):
    arns = []

    def prepare():
        arns.append(scene.secret())
        return lambda: scene.claim(build_signal(arns[-1]))

    answers = list(crash_at_each_write(aws, prepare))

    assert len(answers) == 2
    for crash_point, answer in answers:
        assert (answer["outcome"], answer["incident"]["opened_at"]) == ("opened", OPENED_AT), crash_point
    assert [[row["failures"] for row in scene.incidents(arn)] for arn in arns] == [[1]] * len(arns)


@pytest.mark.parametrize(
    ("build", "failures"),
    [(build_signal, 2), (lambda arn, **more: build_success_signal(arn, "2026-03-01T00:40:00Z", **more), 1)],
)
def test_a_joining_event_whose_step_crashes_is_counted_once(aws, scene, build, failures):
    arns = []

    def prepare():
        arns.append(scene.secret())
        scene.open(arns[-1])
        return lambda: scene.claim(build(arns[-1], event="event-2"), SECOND, SECOND_AT)

    answers = list(crash_at_each_write(aws, prepare))

    # A success is also stored for the secret, and that AWS has verified it.
    assert len(answers) == (2 if failures == 2 else 6)
    assert {answer["outcome"] for _, answer in answers} == {"known"}
    assert [[row["failures"] for row in scene.incidents(arn)] for arn in arns] == [[failures]] * len(arns)


def test_a_success_whose_step_crashes_ends_the_incident(aws, scene):
    def prepare():
        arn = scene.secret()
        scene.open(arn)
        return lambda: scene.claim(build_success_signal(arn), SECOND, SECOND_AT)

    answers = list(crash_at_each_write(aws, prepare))

    assert len(answers) == 6
    assert {answer["outcome"] for _, answer in answers} == {"recovered"}


# --- AWS's errors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["RotationFailed", "RotationSucceeded"])
def test_an_event_without_a_secret_claims_nothing(aws, scene, kind):
    answer = scene.claim(build_signal(None, kind))

    assert answer == {"outcome": "unidentified", "incident": None, "wait_seconds": 0, "ending": {}}
    assert aws.rows("incidents") == []
    assert aws.requests("DescribeSecret") == []


def test_a_parsed_event_can_be_claimed(scene, failure_event):
    arn = scene.secret()

    assert scene.claim(vars(parse_signal(failure_event(arn))))["outcome"] == "opened"


def test_the_incident_of_a_deleted_secret_is_opened_without_its_labels(scene):
    assert scene.claim(build_signal(GONE))["outcome"] == "opened"

    [incident] = scene.incidents(GONE)
    assert incident["secret_name"] == "gone"
    assert not {"versions", "current_version_id"} & set(incident)


def test_an_incident_is_opened_and_ended_even_if_the_secret_cannot_be_described(aws, scene):
    arn = scene.secret(restart_on="rotation", restart="lambda:orders")
    aws.answer("DescribeSecret", lambda _: aws.Refusal("AccessDeniedException"))

    assert scene.claim(build_signal(arn))["outcome"] == "opened"
    assert scene.claim(build_signal(arn, event="event-2"), SECOND)["outcome"] == "known"
    answer = scene.claim(build_success_signal(arn), "execution-3")

    assert (answer["outcome"], answer["ending"]["restarts"]) == ("recovered", [])


def test_a_success_of_a_deleted_secret_is_a_no_op(scene):
    assert scene.claim(build_success_signal(GONE))["outcome"] == "quiet"


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServiceError"])
@pytest.mark.parametrize("build", [build_signal, build_success_signal])
def test_a_transient_error_of_secrets_manager_is_left_to_the_workflows_retry(aws, scene, code, build):
    aws.answer("DescribeSecret", lambda _: aws.Refusal(code))

    with pytest.raises(ClientError, match=code):
        scene.claim(build(scene.secret()))

    assert aws.rows("incidents") == []


@pytest.mark.parametrize("operation", ["GetItem", "Query", "TransactWriteItems"])
def test_a_transient_error_of_dynamodb_is_left_to_the_workflows_retry(aws, scene, operation):
    aws.answer(operation, lambda _: aws.Refusal("ProvisionedThroughputExceededException"))

    with pytest.raises(ClientError, match="ProvisionedThroughputExceededException"):
        scene.claim(build_signal(scene.secret()))


def test_an_incomplete_environment_raises(scene, monkeypatch):
    monkeypatch.delenv("SETTLE_MINUTES")

    with pytest.raises(InvalidEnvironment, match=r"^SETTLE_MINUTES must be set"):
        scene.claim(build_signal(GONE))
