"""A rotation is asked for again, once for each number, whatever is lost on the way."""

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from handlers.adapters.incidents import IncidentMissing, LostRace
from handlers.environment import InvalidEnvironment
from handlers.remediation import retry as remediation_retry
from tests.handlers.scene import EXECUTION, OPENED_AT, build_signal, crashes, once

ASKED, OVER = {"outcome": "asked", "reason": ""}, {"outcome": "over", "reason": ""}
REFUSED = {"outcome": "refused", "reason": "No."}


@pytest.fixture
def retry(context):
    """Makes the retry of this number."""

    def run(incident, number=1, execution=EXECUTION, **known):
        decision = {"action": "retry", "number": number}
        event = {"execution": execution, "incident": incident, "decision": decision} | known
        return remediation_retry.handler(event, context)

    return run


@pytest.fixture
def incident(scene):
    """Opens the incident of a secret, whose rotation is stuck unless said otherwise."""
    return lambda pending=True, **changes: scene.open(scene.secret(pending, remediation="retry"), **changes)


def test_a_rotation_is_asked_for_by_the_secret_alone(aws, scene, incident, retry):
    opened = incident(pending=False)

    assert retry(opened) == ASKED

    [asked] = aws.asked("RotateSecret")
    assert set(asked) - {"ClientRequestToken"} == {"SecretId"}
    assert asked["SecretId"] == opened["secret_arn"]
    assert scene.row(opened)["attempts"] == 1
    assert scene.actions(opened) == [
        {"action": "retry", "number": 1, "outcome": "asked"},
        {"action": "retry", "number": 1, "outcome": "started"},
    ]


def test_a_stuck_rotation_is_tried_again_by_aws_and_that_is_no_failure(scene, incident, retry):
    opened = incident()

    assert retry(opened) == ASKED

    assert scene.actions(opened)[-1]["outcome"] == "reattempted"
    assert not scene.rotations


def test_it_is_written_down_before_it_is_asked_for(aws, scene, incident, retry):
    opened = incident()
    seen = []
    aws.answer("RotateSecret", lambda asked: seen.append(scene.row(opened)) or {"ARN": asked["SecretId"]})

    retry(opened)

    [row] = seen
    assert (row["attempts"], row["failures_when_asked"]) == (1, 1)
    assert row["actions"][-1]["outcome"] == "asked"


@pytest.mark.parametrize("pending", [True, False])
def test_a_retry_that_is_cut_short_begins_one_rotation_at_most(aws, scene, incident, retry, pending):
    opened = []

    def prepare():
        opened.append(incident(pending))
        return lambda: retry(opened[-1])

    answers = list(crashes(aws, prepare))

    assert len(answers) == 6
    for (where, answer), each in zip(answers, opened, strict=False):
        assert answer == ASKED, where
        assert scene.row(each)["attempts"] == 1, where
        assert scene.rotations[each["secret_arn"]] == (0 if pending else 1), where


def test_a_retry_that_is_cut_short_is_not_made_again_once_it_has_worked(aws, scene, incident, retry):
    opened = incident()
    aws.crash(2, "after")
    with pytest.raises(aws.Crash):
        retry(opened)
    aws.crash(0, "")
    scene.finish(opened["secret_arn"])
    aws.forget()

    assert retry(opened) == ASKED

    assert aws.asked("RotateSecret") == []
    assert not scene.rotations


def test_it_does_so_too_where_aws_tells_of_it_by_a_date(aws, scene, incident, retry):
    opened = incident(pending=False, attempts=1)
    scene.stated[opened["secret_arn"]]["LastRotatedDate"] = datetime(2026, 3, 2, tzinfo=UTC)

    assert retry(opened) == ASKED
    assert aws.asked("RotateSecret") == []


@pytest.mark.parametrize(
    ("known", "outcome", "asks"),
    [
        pytest.param({"recovered": False}, "recovered", 0, id="since the decision"),
        pytest.param({"recovered": True}, "asked", 1, id="before the decision, which asks for a retry all the same"),
        pytest.param({}, "asked", 1, id="an older workflow knows no such answer"),
    ],
)
def test_what_aws_has_completed_since_the_decision_is_not_asked_for(aws, scene, incident, retry, known, outcome, asks):
    opened = incident(pending=False)
    scene.stated[opened["secret_arn"]]["LastRotatedDate"] = datetime(2026, 3, 2, tzinfo=UTC)

    assert retry(opened, **known) == {"outcome": outcome, "reason": ""}

    assert len(aws.asked("RotateSecret")) == asks
    assert scene.row(opened)["attempts"] == asks


def test_the_next_retry_is_another(scene, incident, retry):
    opened = incident()
    retry(opened, 1)
    scene.claim(build_signal(opened["secret_arn"], event="event-2"), "execution-2")

    assert retry(opened, 2) == ASKED

    row = scene.row(opened)
    assert (row["attempts"], row["failures_when_asked"]) == (2, 2)


@pytest.mark.parametrize(("attempts", "number"), [(0, 2), (1, 3), (2, 1)])
def test_a_number_that_is_not_due_asks_for_nothing(aws, incident, retry, attempts, number):
    assert retry(incident(attempts=attempts), number) == OVER
    assert aws.asked("RotateSecret") == []


@pytest.mark.parametrize("attempts", [0, 1], ids=["not begun", "cut short"])
@pytest.mark.parametrize("state", ["closed", "restarting"])
def test_an_incident_that_is_over_asks_for_nothing(aws, incident, retry, state, attempts):
    assert retry(incident(state=state, attempts=attempts)) == OVER
    assert aws.asked("RotateSecret") == []


def test_an_incident_of_another_execution_asks_for_nothing(aws, incident, retry):
    assert retry(incident(), execution=f"{EXECUTION}-2") == OVER
    assert aws.asked("RotateSecret") == []


def test_an_incident_without_a_row_is_an_error_and_asks_for_nothing(aws, scene, retry):
    with pytest.raises(IncidentMissing, match=r"that was opened at never has no row$"):
        retry({"secret_arn": scene.secret(), "opened_at": "never"})

    assert aws.asked("RotateSecret") == []


def test_an_incident_that_ends_in_between_asks_for_nothing(aws, scene, incident, retry):
    opened = incident()
    once(aws, "UpdateItem", lambda: scene.close(opened))

    # Whether it was ended or another invocation was faster, the next try of the step can tell.
    with pytest.raises(LostRace):
        retry(opened)

    assert retry(opened) == OVER
    assert aws.asked("RotateSecret") == []
    assert scene.row(opened)["attempts"] == 0


def test_of_two_invocations_at_once_one_asks_and_both_answer_the_same(aws, incident, retry):
    opened, answers = incident(pending=False), []
    once(aws, "UpdateItem", lambda: answers.append(retry(opened)))

    # The state machine tries this one again.
    with pytest.raises(LostRace):
        retry(opened)
    answers.append(retry(opened))

    assert answers == [ASKED, ASKED]
    assert len(aws.asked("RotateSecret")) == 1


@pytest.mark.parametrize(("outcome", "answer"), [("started", ASKED), ("reattempted", ASKED), ("No.", REFUSED)])
def test_a_second_invocation_answers_what_the_first_has_noted(aws, incident, retry, outcome, answer):
    noted = [{"action": "retry", "number": 1, "at": OPENED_AT, "outcome": each} for each in ("asked", outcome)]
    other = {"action": "retry", "number": 2, "at": OPENED_AT, "outcome": "started"}
    opened = incident(pending=False, attempts=1, actions=[*noted, other])
    aws.forget()

    assert retry(opened) == answer

    assert aws.asked("RotateSecret") == aws.asked("DescribeSecret") == []


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("InvalidRequestException", "Secrets Manager does not allow it in the secret's current state"),
        ("InvalidParameterException", "Secrets Manager rejects the request"),
        ("ResourceNotFoundException", "the secret or its version does not exist"),
        ("AccessDeniedException", "access denied"),
        ("AccessDenied", "access denied"),
    ],
)
def test_a_no_is_told_in_words_of_ours_and_noted(aws, scene, incident, retry, code, why):
    opened = incident()
    aws.answer("RotateSecret", lambda _: aws.Refusal(code, message="hunter2"))

    answer = retry(opened)

    assert answer["outcome"] == "refused"
    assert answer["reason"].startswith(f"RotateSecret was refused: {why}")
    assert f"({code})" in answer["reason"]
    assert scene.actions(opened)[-1] == {"action": "retry", "number": 1, "outcome": answer["reason"]}
    assert "hunter2" not in str(aws.rows("incidents"))
    # Once more it answers what is noted, and asks nobody.
    assert retry(opened) == answer
    assert len(aws.asked("RotateSecret")) == 1


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServiceError", "LimitExceededException"])
def test_a_passing_trouble_is_for_the_workflow_to_try_again(aws, scene, incident, retry, code):
    opened = incident()
    refusals = iter([aws.Refusal(code)])
    aws.answer("RotateSecret", lambda asked: next(refusals, {"ARN": asked["SecretId"]}))

    with pytest.raises(ClientError, match=code):
        retry(opened)

    assert retry(opened) == ASKED
    assert scene.row(opened)["attempts"] == 1


@pytest.mark.parametrize("attempts", [0, 1], ids=["not begun", "cut short"])
@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied", "ResourceNotFoundException"])
def test_a_secret_that_cannot_be_looked_at_is_not_rotated(aws, scene, incident, retry, attempts, code):
    opened = incident(attempts=attempts)
    aws.answer("DescribeSecret", lambda _: aws.Refusal(code, message="hunter2"))

    answer = retry(opened)

    assert answer["outcome"] == "refused"
    assert answer["reason"].startswith("RotateSecret was not called: ")
    assert "hunter2" not in answer["reason"]
    assert scene.actions(opened)[-1] == {"action": "retry", "number": 1, "outcome": answer["reason"]}
    assert aws.asked("RotateSecret") == []
    assert scene.row(opened)["attempts"] == attempts


def test_an_incomplete_environment_is_told_as_what_it_is(scene, incident, retry, monkeypatch):
    opened = incident()
    monkeypatch.delenv("INCIDENTS_TABLE_NAME")

    with pytest.raises(InvalidEnvironment, match=r"^INCIDENTS_TABLE_NAME must be set"):
        retry(opened)


def test_a_rotation_that_was_switched_off_in_the_meantime_is_not_switched_on_again(aws, scene, incident, retry):
    opened = incident()
    scene.stated[opened["secret_arn"]]["RotationEnabled"] = False

    assert retry(opened) == {"outcome": "refused", "reason": "Rotation was switched off after the decision."}

    assert aws.asked("RotateSecret") == []
    assert scene.row(opened)["attempts"] == 0
