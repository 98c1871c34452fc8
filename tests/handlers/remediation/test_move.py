"""AWSCURRENT moves once per incident, from a known version, despite crashes and lost responses."""

import pytest
from botocore.exceptions import ClientError

from handlers.adapters.incidents import IncidentMissing, LostRace
from handlers.environment import InvalidEnvironment
from handlers.remediation import move as remediation_move
from tests.handlers.scene import EXECUTION, crash_at_each_write, run_before

MOVED, LOST, OVER = ({"outcome": outcome, "reason": ""} for outcome in ("moved", "lost", "over"))


@pytest.fixture
def move(context):
    """Moves AWSCURRENT by this decision."""

    def run(incident, decision, execution=EXECUTION, **more):
        event = {"execution": execution, "incident": incident, "decision": {"action": "move", **decision}, **more}
        return remediation_move.handler(event, context)

    return run


@pytest.fixture
def open_stuck_incident(scene):
    """Opens an incident of a secret with three versions; returns it with the decisions to roll forward and back."""

    def make(**changes):
        arn = scene.secret(remediation="repair", fallback="allowed")
        scene.begin(arn, labels=["AWSCURRENT"])
        scene.begin(arn)
        current, pending, previous = (scene.version(arn, f"AWS{name}") for name in ("CURRENT", "PENDING", "PREVIOUS"))
        assert None not in (current, pending, previous)
        forward = {"how": "rolled forward", "from": current, "to": pending}
        return scene.open(arn, **changes), forward, {"how": "fallen back", "from": current, "to": previous}

    return make


@pytest.mark.parametrize("direction", [1, 2], ids=["forward", "back"])
def test_awscurrent_moves_and_awsprevious_follows(aws, scene, open_stuck_incident, move, direction):
    incident_and_moves = open_stuck_incident()
    incident, decision = incident_and_moves[0], incident_and_moves[direction]
    arn = incident["secret_arn"]

    assert move(incident, decision) == MOVED

    assert (scene.version(arn), scene.version(arn, "AWSPREVIOUS")) == (decision["to"], decision["from"])
    [request] = aws.requests("UpdateSecretVersionStage")
    assert request == {
        "SecretId": arn,
        "VersionStage": "AWSCURRENT",
        "MoveToVersionId": decision["to"],
        "RemoveFromVersionId": decision["from"],
    }
    row = scene.row(incident)
    assert row["moved"].pop("at").endswith("Z")
    assert row["moved"] == {**decision, "outcome": "done"}
    ends = {"from": decision["from"], "to": decision["to"]}
    assert scene.actions(incident) == [
        {"action": decision["how"], **ends, "outcome": "asked"},
        {"action": decision["how"], **ends, "outcome": "done"},
    ]


def test_awspending_is_never_cleared(scene, open_stuck_incident, move):
    incident, forward, _ = open_stuck_incident()

    move(incident, forward)

    assert scene.version(incident["secret_arn"], "AWSPENDING") == forward["to"]


def test_a_move_is_recorded_before_it_is_made(aws, scene, open_stuck_incident, move):
    incident, forward, _ = open_stuck_incident()
    rows = []
    run_before(aws, "UpdateSecretVersionStage", lambda: rows.append(scene.row(incident)))

    move(incident, forward)

    [row] = rows
    assert (row["moved"]["outcome"], row["actions"][-1]["outcome"]) == ("asked", "asked")


@pytest.mark.parametrize("direction", [1, 2], ids=["forward", "back"])
def test_a_move_whose_step_crashes_is_made_once(aws, scene, open_stuck_incident, move, direction):
    moves = []

    def prepare():
        incident_and_moves = open_stuck_incident()
        incident, decision = incident_and_moves[0], incident_and_moves[direction]
        moves.append((decision["from"], decision["to"]))
        return lambda: move(incident, decision)

    answers = list(crash_at_each_write(aws, prepare))

    assert len(answers) == 6
    assert all(answer == MOVED for _, answer in answers)
    assert sorted(scene.moves) == sorted(moves)


def test_a_repeated_move_is_made_once(aws, scene, open_stuck_incident, move):
    incident, forward, _ = open_stuck_incident()
    move(incident, forward)

    assert move(incident, forward) == MOVED

    assert len(aws.requests("UpdateSecretVersionStage")) == 1


def test_an_incident_moves_awscurrent_only_once(aws, scene, open_stuck_incident, move):
    incident, forward, backward = open_stuck_incident()
    move(incident, forward)

    assert move(incident, backward) == LOST
    assert move(incident, {"how": "fallen back", "from": forward["to"], "to": forward["from"]}) == LOST

    assert scene.version(incident["secret_arn"]) == forward["to"]
    assert len(scene.moves) == 1
    assert scene.row(incident)["moved"]["how"] == "rolled forward"


def test_a_move_whose_response_was_lost_counts_although_boto3s_retry_was_refused(aws, scene, open_stuck_incident, move):
    incident, forward, _ = open_stuck_incident()

    def move_and_refuse(request):
        scene.move_awscurrent(request["SecretId"], request["MoveToVersionId"])
        return aws.Refusal("InvalidParameterException")

    aws.answer("UpdateSecretVersionStage", move_and_refuse)

    assert move(incident, forward) == MOVED

    assert scene.row(incident)["moved"]["outcome"] == "done"
    assert move(incident, forward) == MOVED
    assert len(aws.requests("UpdateSecretVersionStage")) == 1


def test_a_lost_race_is_recorded_and_left_to_the_next_diagnosis(aws, scene, open_stuck_incident, move):
    incident, forward, backward = open_stuck_incident()
    scene.move_awscurrent(incident["secret_arn"], backward["to"])

    assert move(incident, forward) == LOST

    assert scene.version(incident["secret_arn"]) == backward["to"]
    assert scene.moves == []
    assert "moved" not in scene.row(incident)
    assert scene.actions(incident)[-1]["outcome"] == "lost the race"


def test_a_lost_race_whose_step_crashes_stays_lost(aws, scene, open_stuck_incident, move):
    incidents = []

    def prepare():
        incident, forward, backward = open_stuck_incident()
        scene.move_awscurrent(incident["secret_arn"], backward["to"])
        incidents.append(incident)
        return lambda: move(incident, forward)

    answers = list(crash_at_each_write(aws, prepare))

    assert len(answers) == 6
    assert all(answer == LOST for _, answer in answers)
    assert scene.moves == []
    # The second run cannot know whether its own move was made and then undone: it makes no other.
    assert {scene.row(incident).get("moved", {}).get("outcome") for incident in incidents} == {None, "asked"}


def test_after_a_lost_race_another_move_may_be_made(scene, open_stuck_incident, move):
    incident, forward, backward = open_stuck_incident()
    scene.move_awscurrent(incident["secret_arn"], backward["to"])
    move(incident, forward)

    assert move(incident, {"how": "rolled forward", "from": backward["to"], "to": forward["to"]}) == MOVED
    assert len(scene.moves) == 1


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("InvalidRequestException", "Secrets Manager does not allow it in the secret's current state"),
        ("InvalidParameterException", "Secrets Manager rejects the request"),
        ("AccessDeniedException", "access denied"),
    ],
)
def test_a_refusal_is_recorded_without_awss_message(aws, scene, open_stuck_incident, move, code, why):
    incident, forward, _ = open_stuck_incident()
    aws.answer("UpdateSecretVersionStage", lambda _: aws.Refusal(code, message="hunter2"))

    answer = move(incident, forward)

    assert answer["outcome"] == "refused"
    assert answer["reason"].startswith(f"UpdateSecretVersionStage was refused: {why}")
    row = scene.row(incident)
    assert row["actions"][-1]["outcome"] == answer["reason"]
    assert "moved" not in row
    assert "hunter2" not in str(aws.rows("incidents"))


def test_a_deleted_secret_is_a_refusal(aws, scene, open_stuck_incident, move):
    incident, forward, _ = open_stuck_incident()
    for operation in ("UpdateSecretVersionStage", "DescribeSecret"):
        aws.answer(operation, lambda _: aws.Refusal("ResourceNotFoundException"))

    answer = move(incident, forward)

    assert answer["outcome"] == "refused"
    assert "the secret or its version does not exist" in answer["reason"]
    assert "moved" not in scene.row(incident)


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServiceError", "LimitExceededException"])
def test_a_transient_error_is_left_to_the_workflows_retry(aws, scene, open_stuck_incident, move, code):
    incident, forward, _ = open_stuck_incident()
    original_answer = aws.answers["UpdateSecretVersionStage"]
    aws.answer("UpdateSecretVersionStage", lambda _: aws.Refusal(code))

    with pytest.raises(ClientError, match=code):
        move(incident, forward)

    assert scene.row(incident)["moved"]["outcome"] == "asked"
    aws.answer("UpdateSecretVersionStage", original_answer)
    assert move(incident, forward) == MOVED
    assert len(scene.moves) == 1


@pytest.mark.parametrize("state", ["closed", "restarting"])
def test_an_incident_that_has_ended_moves_nothing(aws, open_stuck_incident, move, state):
    incident, forward, _ = open_stuck_incident(state=state)

    assert move(incident, forward) == OVER
    assert aws.requests("UpdateSecretVersionStage") == []


def test_a_move_whose_step_crashed_is_not_made_after_the_incident_has_ended(aws, scene, open_stuck_incident, move):
    incident, forward, _ = open_stuck_incident()
    aws.crash(1, "after")
    with pytest.raises(aws.Crash):
        move(incident, forward)
    aws.crash(0, "")
    scene.close(incident)

    assert move(incident, forward) == OVER
    assert scene.moves == []


def test_an_incident_of_another_execution_moves_nothing(aws, open_stuck_incident, move):
    incident, forward, _ = open_stuck_incident()

    assert move(incident, forward, f"{EXECUTION}-2") == OVER
    assert aws.requests("UpdateSecretVersionStage") == []


def test_an_incident_without_a_row_raises_and_moves_nothing(aws, scene, move):
    decision = {"how": "rolled forward", "from": "v1", "to": "v2"}

    with pytest.raises(IncidentMissing, match=r"that was opened at never has no row$"):
        move({"secret_arn": scene.secret(), "opened_at": "never"}, decision)

    assert aws.requests("UpdateSecretVersionStage") == []


def test_an_incident_that_ends_meanwhile_moves_nothing(aws, scene, open_stuck_incident, move):
    incident, forward, _ = open_stuck_incident()
    run_before(aws, "UpdateItem", lambda: scene.close(incident))

    # A retry of the step finds out whether the incident ended or another invocation was faster.
    with pytest.raises(LostRace):
        move(incident, forward)

    assert move(incident, forward) == OVER
    assert aws.requests("UpdateSecretVersionStage") == []
    assert "moved" not in scene.row(incident)


def test_only_one_of_two_concurrent_invocations_moves_and_both_answer_the_same(aws, scene, open_stuck_incident, move):
    incident, forward, _ = open_stuck_incident()
    answers = []
    run_before(aws, "UpdateItem", lambda: answers.append(move(incident, forward)))

    # The state machine retries this invocation.
    with pytest.raises(LostRace):
        move(incident, forward)
    answers.append(move(incident, forward))

    assert answers == [MOVED, MOVED]
    assert len(aws.requests("UpdateSecretVersionStage")) == 1


def test_a_move_whose_step_crashed_is_not_repeated_if_the_secret_cannot_be_read(aws, scene, open_stuck_incident, move):
    incident, forward, _ = open_stuck_incident()
    aws.crash(1, "after")
    with pytest.raises(aws.Crash):
        move(incident, forward)
    aws.crash(0, "")
    aws.answer("DescribeSecret", lambda _: aws.Refusal("AccessDeniedException"))

    answer = move(incident, forward)

    assert answer["outcome"] == "refused"
    assert answer["reason"].startswith("AWSCURRENT was not moved: ")
    assert aws.requests("UpdateSecretVersionStage") == []


def test_a_move_is_dated_by_the_clock_of_aws(scene, open_stuck_incident, move):
    incident, forward, _ = open_stuck_incident()

    move(incident, forward, entered_at="2026-03-01T01:10:00.123Z")

    assert scene.row(incident)["moved"]["at"] == "2026-03-01T01:10:00Z"


def test_an_incomplete_environment_raises(open_stuck_incident, move, monkeypatch):
    incident, forward, _ = open_stuck_incident()
    monkeypatch.delenv("INCIDENTS_TABLE_NAME")

    with pytest.raises(InvalidEnvironment, match=r"^INCIDENTS_TABLE_NAME must be set"):
        move(incident, forward)
