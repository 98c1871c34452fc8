"""Each retry requests a rotation once, despite crashes and lost responses."""

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from handlers.adapters.incidents import IncidentMissing, LostRace
from handlers.environment import InvalidEnvironment
from handlers.remediation import retry as remediation_retry
from tests.handlers.scene import EXECUTION, OPENED_AT, build_signal, crash_at_each_write, run_before

ASKED, OVER = {"outcome": "asked", "reason": ""}, {"outcome": "over", "reason": ""}
REFUSED = {"outcome": "refused", "reason": "No."}


@pytest.fixture
def retry(context):
    """Makes the retry with this number."""

    def run(incident, number=1, execution=EXECUTION, **fields):
        decision = {"action": "retry", "number": number}
        event = {"execution": execution, "incident": incident, "decision": decision} | fields
        return remediation_retry.handler(event, context)

    return run


@pytest.fixture
def open_incident(scene):
    """Opens an incident of a secret whose rotation is stuck by default."""
    return lambda pending=True, **changes: scene.open(scene.secret(pending, remediation="retry"), **changes)


def test_a_rotation_is_requested_with_the_secret_only(aws, scene, open_incident, retry):
    incident = open_incident(pending=False)

    assert retry(incident) == ASKED

    [request] = aws.requests("RotateSecret")
    assert set(request) - {"ClientRequestToken"} == {"SecretId"}
    assert request["SecretId"] == incident["secret_arn"]
    assert scene.row(incident)["attempts"] == 1
    assert scene.actions(incident) == [
        {"action": "retry", "number": 1, "outcome": "asked"},
        {"action": "retry", "number": 1, "outcome": "started"},
    ]


def test_a_stuck_rotation_is_reattempted_by_aws(scene, open_incident, retry):
    incident = open_incident()

    assert retry(incident) == ASKED

    assert scene.actions(incident)[-1]["outcome"] == "reattempted"
    assert not scene.rotations


def test_a_retry_is_recorded_before_it_is_requested(aws, scene, open_incident, retry):
    incident = open_incident()
    rows = []
    aws.answer("RotateSecret", lambda request: rows.append(scene.row(incident)) or {"ARN": request["SecretId"]})

    retry(incident)

    [row] = rows
    assert (row["attempts"], row["failures_when_asked"]) == (1, 1)
    assert row["actions"][-1]["outcome"] == "asked"


@pytest.mark.parametrize("pending", [True, False])
def test_a_retry_whose_step_crashes_starts_at_most_one_rotation(aws, scene, open_incident, retry, pending):
    incidents = []

    def prepare():
        incidents.append(open_incident(pending))
        return lambda: retry(incidents[-1])

    answers = list(crash_at_each_write(aws, prepare))

    assert len(answers) == 6
    for (crash_point, answer), key in zip(answers, incidents, strict=False):
        assert answer == ASKED, crash_point
        assert scene.row(key)["attempts"] == 1, crash_point
        assert scene.rotations[key["secret_arn"]] == (0 if pending else 1), crash_point


def test_a_retry_whose_step_crashed_is_not_repeated_after_it_has_succeeded(aws, scene, open_incident, retry):
    incident = open_incident()
    aws.crash(2, "after")
    with pytest.raises(aws.Crash):
        retry(incident)
    aws.crash(0, "")
    scene.finish(incident["secret_arn"])
    aws.forget()

    assert retry(incident) == ASKED

    assert aws.requests("RotateSecret") == []
    assert not scene.rotations


def test_a_retry_is_not_repeated_if_a_rotation_date_shows_its_success(aws, scene, open_incident, retry):
    incident = open_incident(pending=False, attempts=1)
    scene.describe_overrides[incident["secret_arn"]]["LastRotatedDate"] = datetime(2026, 3, 2, tzinfo=UTC)

    assert retry(incident) == ASKED
    assert aws.requests("RotateSecret") == []


@pytest.mark.parametrize(
    ("decision_fields", "outcome", "retries"),
    [
        pytest.param({"recovered": False}, "recovered", 0, id="since the decision"),
        pytest.param({"recovered": True}, "asked", 1, id="before the decision, which asks for a retry all the same"),
        pytest.param({}, "asked", 1, id="an older workflow does not send it"),
    ],
)
def test_a_rotation_that_aws_has_completed_since_the_decision_is_not_retried(
    aws, scene, open_incident, retry, decision_fields, outcome, retries
):
    incident = open_incident(pending=False)
    scene.describe_overrides[incident["secret_arn"]]["LastRotatedDate"] = datetime(2026, 3, 2, tzinfo=UTC)

    assert retry(incident, **decision_fields) == {"outcome": outcome, "reason": ""}

    assert len(aws.requests("RotateSecret")) == retries
    assert scene.row(incident)["attempts"] == retries


def test_the_next_retry_requests_another_rotation(scene, open_incident, retry):
    incident = open_incident()
    retry(incident, 1)
    scene.claim(build_signal(incident["secret_arn"], event="event-2"), "execution-2")

    assert retry(incident, 2) == ASKED

    row = scene.row(incident)
    assert (row["attempts"], row["failures_when_asked"]) == (2, 2)


@pytest.mark.parametrize(("attempts", "number"), [(0, 2), (1, 3), (2, 1)])
def test_a_retry_out_of_order_requests_nothing(aws, open_incident, retry, attempts, number):
    assert retry(open_incident(attempts=attempts), number) == OVER
    assert aws.requests("RotateSecret") == []


@pytest.mark.parametrize("attempts", [0, 1], ids=["not begun", "crashed"])
@pytest.mark.parametrize("state", ["closed", "restarting"])
def test_an_incident_that_has_ended_requests_nothing(aws, open_incident, retry, state, attempts):
    assert retry(open_incident(state=state, attempts=attempts)) == OVER
    assert aws.requests("RotateSecret") == []


def test_an_incident_of_another_execution_requests_nothing(aws, open_incident, retry):
    assert retry(open_incident(), execution=f"{EXECUTION}-2") == OVER
    assert aws.requests("RotateSecret") == []


def test_an_incident_without_a_row_raises_and_requests_nothing(aws, scene, retry):
    with pytest.raises(IncidentMissing, match=r"that was opened at never has no row$"):
        retry({"secret_arn": scene.secret(), "opened_at": "never"})

    assert aws.requests("RotateSecret") == []


def test_an_incident_that_ends_meanwhile_requests_nothing(aws, scene, open_incident, retry):
    incident = open_incident()
    run_before(aws, "UpdateItem", lambda: scene.close(incident))

    # A retry of the step finds out whether the incident ended or another invocation was faster.
    with pytest.raises(LostRace):
        retry(incident)

    assert retry(incident) == OVER
    assert aws.requests("RotateSecret") == []
    assert scene.row(incident)["attempts"] == 0


def test_only_one_of_two_concurrent_invocations_rotates_and_both_answer_the_same(aws, open_incident, retry):
    incident, answers = open_incident(pending=False), []
    run_before(aws, "UpdateItem", lambda: answers.append(retry(incident)))

    # The state machine retries this invocation.
    with pytest.raises(LostRace):
        retry(incident)
    answers.append(retry(incident))

    assert answers == [ASKED, ASKED]
    assert len(aws.requests("RotateSecret")) == 1


@pytest.mark.parametrize(("outcome", "answer"), [("started", ASKED), ("reattempted", ASKED), ("No.", REFUSED)])
def test_a_second_invocation_returns_the_recorded_answer_of_the_first(aws, open_incident, retry, outcome, answer):
    retry_actions = [
        {"action": "retry", "number": 1, "at": OPENED_AT, "outcome": step_outcome}
        for step_outcome in ("asked", outcome)
    ]
    other = {"action": "retry", "number": 2, "at": OPENED_AT, "outcome": "started"}
    incident = open_incident(pending=False, attempts=1, actions=[*retry_actions, other])
    aws.forget()

    assert retry(incident) == answer

    assert aws.requests("RotateSecret") == aws.requests("DescribeSecret") == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("InvalidRequestException", "Secrets Manager does not allow it in the secret's current state"),
        ("InvalidParameterException", "Secrets Manager rejects the request"),
        ("ResourceNotFoundException", "the secret or its version does not exist"),
        ("AccessDeniedException", "access denied"),
        ("AccessDenied", "access denied"),
    ],
)
def test_a_refusal_is_recorded_without_awss_message(aws, scene, open_incident, retry, code, reason):
    incident = open_incident()
    aws.answer("RotateSecret", lambda _: aws.Refusal(code, message="hunter2"))

    answer = retry(incident)

    assert answer["outcome"] == "refused"
    assert answer["reason"].startswith(f"RotateSecret was refused: {reason}")
    assert f"({code})" in answer["reason"]
    assert scene.actions(incident)[-1] == {"action": "retry", "number": 1, "outcome": answer["reason"]}
    assert "hunter2" not in str(aws.rows("incidents"))
    # A second call returns the recorded answer without a call of AWS.
    assert retry(incident) == answer
    assert len(aws.requests("RotateSecret")) == 1


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServiceError", "LimitExceededException"])
def test_a_transient_error_is_left_to_the_workflows_retry(aws, scene, open_incident, retry, code):
    incident = open_incident()
    refusals = iter([aws.Refusal(code)])
    aws.answer("RotateSecret", lambda request: next(refusals, {"ARN": request["SecretId"]}))

    with pytest.raises(ClientError, match=code):
        retry(incident)

    assert retry(incident) == ASKED
    assert scene.row(incident)["attempts"] == 1


@pytest.mark.parametrize("attempts", [0, 1], ids=["not begun", "crashed"])
@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied", "ResourceNotFoundException"])
def test_a_secret_that_cannot_be_read_is_not_rotated(aws, scene, open_incident, retry, attempts, code):
    incident = open_incident(attempts=attempts)
    aws.answer("DescribeSecret", lambda _: aws.Refusal(code, message="hunter2"))

    answer = retry(incident)

    assert answer["outcome"] == "refused"
    assert answer["reason"].startswith("RotateSecret was not called: ")
    assert "hunter2" not in answer["reason"]
    assert scene.actions(incident)[-1] == {"action": "retry", "number": 1, "outcome": answer["reason"]}
    assert aws.requests("RotateSecret") == []
    assert scene.row(incident)["attempts"] == attempts


def test_an_incomplete_environment_raises(scene, open_incident, retry, monkeypatch):
    incident = open_incident()
    monkeypatch.delenv("INCIDENTS_TABLE_NAME")

    with pytest.raises(InvalidEnvironment, match=r"^INCIDENTS_TABLE_NAME must be set"):
        retry(incident)


def test_a_rotation_that_was_disabled_meanwhile_is_not_enabled_again(aws, scene, open_incident, retry):
    incident = open_incident()
    scene.describe_overrides[incident["secret_arn"]]["RotationEnabled"] = False

    assert retry(incident) == {"outcome": "refused", "reason": "Rotation was switched off after the decision."}

    assert aws.requests("RotateSecret") == []
    assert scene.row(incident)["attempts"] == 0
