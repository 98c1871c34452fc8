"""Claims that meet each other, that are cut short, and that AWS does not take."""

import pytest
from botocore.exceptions import ClientError

from handlers.adapters.incidents import LostRace
from handlers.environment import InvalidEnvironment
from rotation_guard.domain.event_parser import parse_signal as hear
from tests.handlers.scene import EXECUTION, OPENED_AT, build_signal, cancelled, crashes, once, succeeded

GONE = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:gone-Ab12Cd"
LATER = "2026-03-01T01:17:16Z"
SECOND, SECOND_AT = f"{EXECUTION}-2", "2026-03-01T01:20:00.000Z"


def test_of_two_that_claim_at_once_one_opens_and_the_other_joins(aws, scene):
    arn = scene.secret()
    once(aws, "TransactWriteItems", lambda: scene.claim(build_signal(arn, event="the-winner")))

    assert scene.claim(build_signal(arn), SECOND, SECOND_AT)["outcome"] == "known"

    [incident] = scene.incidents(arn)
    assert (incident["execution"], incident["failures"]) == (EXECUTION, 2)


def test_an_execution_that_started_in_the_same_instant_joins(aws, scene):
    arn = scene.secret()
    scene.open(arn)

    assert scene.claim(build_signal(arn, event="event-2"), SECOND)["outcome"] == "known"

    [incident] = scene.incidents(arn)
    assert (incident["execution"], incident["failures"]) == (EXECUTION, 2)


def test_of_two_copies_at_once_one_is_counted(aws, scene):
    arn = scene.secret()
    scene.open(arn)
    once(aws, "UpdateItem", lambda: scene.claim(build_signal(arn, event="event-2"), SECOND))

    assert scene.claim(build_signal(arn, event="event-2"), "execution-3")["outcome"] == "known"

    assert scene.incidents(arn)[0]["failures"] == 2


@pytest.mark.parametrize(("heard", "write"), [(build_signal, 1), (succeeded, 2)])
def test_what_joins_at_once_never_sets_the_clock_back(aws, scene, heard, write):
    arn = scene.secret()
    scene.open(arn)
    once(aws, "UpdateItem", lambda: scene.claim(build_signal(arn, at=LATER, event="event-3"), SECOND), write)

    assert scene.claim(heard(arn, at="2026-03-01T00:05:00Z", event="event-2"), "execution-3")["outcome"] == "known"

    [incident] = scene.incidents(arn)
    assert incident["last_failure_at"] == LATER
    assert incident["event_ids"] == {"event-1", "event-2", "event-3"}


def test_an_incident_that_is_closed_between_look_and_count_is_looked_for_again(aws, scene):
    arn = scene.secret()
    incident = scene.open(arn)

    once(aws, "UpdateItem", lambda: scene.close(incident))

    answer = scene.claim(build_signal(arn, event="event-2", rotation="rotation-2", at=LATER), SECOND, SECOND_AT)

    assert answer["outcome"] == "opened"
    assert [row["state"] for row in scene.incidents(arn)] == ["closed", "open"]


@pytest.mark.parametrize("heard", [build_signal, succeeded])
def test_an_incident_that_is_closed_between_two_looks_is_looked_for_again(aws, scene, heard):
    arn = scene.secret()
    incident = scene.open(arn)
    # Before the row is read, and after the row that holds the claim was.
    once(aws, "GetItem", lambda: scene.close(incident), 2)

    answer = scene.claim(heard(arn, event="event-2"), SECOND, SECOND_AT)

    assert answer["outcome"] == ("late" if heard is build_signal else "quiet")
    assert len(scene.incidents(arn)) == 1


@pytest.mark.parametrize("code", ["ConditionalCheckFailed", "TransactionConflict"])
def test_a_race_is_lost_five_times_before_the_step_gives_up(aws, scene, code):
    arn = scene.secret()
    aws.answer("TransactWriteItems", lambda _: cancelled(aws, "None", code))

    with pytest.raises(LostRace, match=f"^5 attempts to claim the incident of {arn} lost to others$"):
        scene.claim(build_signal(arn))

    assert len(aws.asked("TransactWriteItems")) == 5
    assert scene.incidents(arn) == []


def test_a_race_that_is_lost_once_is_run_again(aws, scene):
    arn = scene.secret()
    answers = iter([cancelled(aws, "TransactionConflict", "None")])
    aws.answer("TransactWriteItems", lambda _: next(answers, None))

    assert scene.claim(build_signal(arn))["outcome"] == "opened"


def test_a_transaction_that_failed_for_another_reason_is_no_race(aws, scene):
    aws.answer("TransactWriteItems", lambda _: cancelled(aws, "ThrottlingError", "None"))

    with pytest.raises(ClientError, match="TransactionCanceledException"):
        scene.claim(build_signal(scene.secret()))

    assert len(aws.asked("TransactWriteItems")) == 1


# --- cut short --------------------------------------------------------------------------------------------------------


def test_a_claim_that_is_cut_short_opens_one_incident(aws, scene):
    arns = []

    def prepare():
        arns.append(scene.secret())
        return lambda: scene.claim(build_signal(arns[-1]))

    answers = list(crashes(aws, prepare))

    assert len(answers) == 2
    for where, answer in answers:
        assert (answer["outcome"], answer["incident"]["opened_at"]) == ("opened", OPENED_AT), where
    assert [[row["failures"] for row in scene.incidents(arn)] for arn in arns] == [[1]] * len(arns)


@pytest.mark.parametrize(
    ("heard", "failures"), [(build_signal, 2), (lambda arn, **more: succeeded(arn, "2026-03-01T00:40:00Z", **more), 1)]
)
def test_what_joins_and_is_cut_short_joins_once(aws, scene, heard, failures):
    arns = []

    def prepare():
        arns.append(scene.secret())
        scene.open(arns[-1])
        return lambda: scene.claim(heard(arns[-1], event="event-2"), SECOND, SECOND_AT)

    answers = list(crashes(aws, prepare))

    # A success is also remembered of the secret, and that AWS has verified it.
    assert len(answers) == (2 if failures == 2 else 6)
    assert {answer["outcome"] for _, answer in answers} == {"known"}
    assert [[row["failures"] for row in scene.incidents(arn)] for arn in arns] == [[failures]] * len(arns)


def test_a_success_that_is_cut_short_ends_the_incident_all_the_same(aws, scene):
    def prepare():
        arn = scene.secret()
        scene.open(arn)
        return lambda: scene.claim(succeeded(arn), SECOND, SECOND_AT)

    answers = list(crashes(aws, prepare))

    assert len(answers) == 6
    assert {answer["outcome"] for _, answer in answers} == {"recovered"}


# --- what AWS does not answer -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["RotationFailed", "RotationSucceeded"])
def test_an_event_without_a_secret_claims_nothing(aws, scene, kind):
    answer = scene.claim(build_signal(None, kind))

    assert answer == {"outcome": "unidentified", "incident": None, "wait_seconds": 0, "ending": {}}
    assert aws.rows("incidents") == []
    assert aws.asked("DescribeSecret") == []


def test_an_event_is_claimed_as_it_was_heard(scene, failed):
    arn = scene.secret()

    assert scene.claim(vars(hear(failed(arn))))["outcome"] == "opened"


def test_the_incident_of_a_deleted_secret_is_opened_without_its_labels(scene):
    assert scene.claim(build_signal(GONE))["outcome"] == "opened"

    [incident] = scene.incidents(GONE)
    assert incident["secret_name"] == "gone"
    assert not {"versions", "current_version_id"} & set(incident)


def test_the_incident_of_a_secret_that_may_not_be_described_is_opened_and_ended_too(aws, scene):
    arn = scene.secret(restart_on="rotation", restart="lambda:orders")
    aws.answer("DescribeSecret", lambda _: aws.Refusal("AccessDeniedException"))

    assert scene.claim(build_signal(arn))["outcome"] == "opened"
    assert scene.claim(build_signal(arn, event="event-2"), SECOND)["outcome"] == "known"
    answer = scene.claim(succeeded(arn), "execution-3")

    assert (answer["outcome"], answer["ending"]["restarts"]) == ("recovered", [])


def test_a_success_of_a_secret_that_is_gone_is_quiet(scene):
    assert scene.claim(succeeded(GONE))["outcome"] == "quiet"


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServiceError"])
@pytest.mark.parametrize("heard", [build_signal, succeeded])
def test_a_passing_trouble_of_secrets_manager_is_for_the_workflow_to_try_again(aws, scene, code, heard):
    aws.answer("DescribeSecret", lambda _: aws.Refusal(code))

    with pytest.raises(ClientError, match=code):
        scene.claim(heard(scene.secret()))

    assert aws.rows("incidents") == []


@pytest.mark.parametrize("operation", ["GetItem", "Query", "TransactWriteItems"])
def test_a_passing_trouble_of_dynamodb_is_too(aws, scene, operation):
    aws.answer(operation, lambda _: aws.Refusal("ProvisionedThroughputExceededException"))

    with pytest.raises(ClientError, match="ProvisionedThroughputExceededException"):
        scene.claim(build_signal(scene.secret()))


def test_an_incomplete_environment_is_told_as_what_it_is(scene, monkeypatch):
    monkeypatch.delenv("SETTLE_MINUTES")

    with pytest.raises(InvalidEnvironment, match=r"^SETTLE_MINUTES must be set"):
        scene.claim(build_signal(GONE))
