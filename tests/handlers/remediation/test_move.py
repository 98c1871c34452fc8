"""AWSCURRENT moves once per incident, from where it is known to be, whatever is lost on the way."""

import pytest
from botocore.exceptions import ClientError

from handlers.adapters.incidents import IncidentMissing, LostRace
from handlers.environment import InvalidEnvironment
from handlers.remediation import move as remediation_move
from tests.handlers.scene import EXECUTION, crashes, once

MOVED, LOST, OVER = ({"outcome": outcome, "reason": ""} for outcome in ("moved", "lost", "over"))


@pytest.fixture
def move(context):
    """Makes a move of AWSCURRENT."""

    def run(incident, decision, execution=EXECUTION, **more):
        event = {"execution": execution, "incident": incident, "decision": {"action": "move", **decision}, **more}
        return remediation_move.handler(event, context)

    return run


@pytest.fixture
def stuck(scene):
    """Opens the incident of a secret with three versions, and answers it with the moves that are proven."""

    def make(**changes):
        arn = scene.secret(remediation="repair", fallback="allowed")
        scene.begin(arn, labels=["AWSCURRENT"])
        scene.begin(arn)
        current, pending, previous = (scene.version(arn, f"AWS{name}") for name in ("CURRENT", "PENDING", "PREVIOUS"))
        assert None not in (current, pending, previous)
        forward = {"how": "rolled forward", "from": current, "to": pending}
        return scene.open(arn, **changes), forward, {"how": "fallen back", "from": current, "to": previous}

    return make


@pytest.mark.parametrize("way", [1, 2], ids=["forward", "back"])
def test_awscurrent_moves_and_awsprevious_follows(aws, scene, stuck, move, way):
    made = stuck()
    incident, wanted = made[0], made[way]
    arn = incident["secret_arn"]

    assert move(incident, wanted) == MOVED

    assert (scene.version(arn), scene.version(arn, "AWSPREVIOUS")) == (wanted["to"], wanted["from"])
    [asked] = aws.asked("UpdateSecretVersionStage")
    assert asked == {
        "SecretId": arn,
        "VersionStage": "AWSCURRENT",
        "MoveToVersionId": wanted["to"],
        "RemoveFromVersionId": wanted["from"],
    }
    row = scene.row(incident)
    assert row["moved"].pop("at").endswith("Z")
    assert row["moved"] == {**wanted, "outcome": "done"}
    ends = {"from": wanted["from"], "to": wanted["to"]}
    assert scene.actions(incident) == [
        {"action": wanted["how"], **ends, "outcome": "asked"},
        {"action": wanted["how"], **ends, "outcome": "done"},
    ]


def test_awspending_is_never_cleared(scene, stuck, move):
    incident, forward, _ = stuck()

    move(incident, forward)

    assert scene.version(incident["secret_arn"], "AWSPENDING") == forward["to"]


def test_it_is_written_down_before_it_is_done(aws, scene, stuck, move):
    incident, forward, _ = stuck()
    seen = []
    once(aws, "UpdateSecretVersionStage", lambda: seen.append(scene.row(incident)))

    move(incident, forward)

    [row] = seen
    assert (row["moved"]["outcome"], row["actions"][-1]["outcome"]) == ("asked", "asked")


@pytest.mark.parametrize("way", [1, 2], ids=["forward", "back"])
def test_a_move_that_is_cut_short_is_made_once(aws, scene, stuck, move, way):
    moves = []

    def prepare():
        made = stuck()
        incident, wanted = made[0], made[way]
        moves.append((wanted["from"], wanted["to"]))
        return lambda: move(incident, wanted)

    answers = list(crashes(aws, prepare))

    assert len(answers) == 6
    assert all(answer == MOVED for _, answer in answers)
    assert sorted(scene.moves) == sorted(moves)


def test_a_move_that_is_made_twice_is_made_once(aws, scene, stuck, move):
    incident, forward, _ = stuck()
    move(incident, forward)

    assert move(incident, forward) == MOVED

    assert len(aws.asked("UpdateSecretVersionStage")) == 1


def test_after_one_move_there_is_no_other(aws, scene, stuck, move):
    incident, forward, back = stuck()
    move(incident, forward)

    assert move(incident, back) == LOST
    assert move(incident, {"how": "fallen back", "from": forward["to"], "to": forward["from"]}) == LOST

    assert scene.version(incident["secret_arn"]) == forward["to"]
    assert len(scene.moves) == 1
    assert scene.row(incident)["moved"]["how"] == "rolled forward"


def test_a_move_whose_answer_was_lost_is_ours_though_boto3_was_refused_when_it_asked_again(aws, scene, stuck, move):
    incident, forward, _ = stuck()

    def lose(asked):
        scene.shift(asked["SecretId"], asked["MoveToVersionId"])
        return aws.Refusal("InvalidParameterException")

    aws.answer("UpdateSecretVersionStage", lose)

    assert move(incident, forward) == MOVED

    assert scene.row(incident)["moved"]["outcome"] == "done"
    assert move(incident, forward) == MOVED
    assert len(aws.asked("UpdateSecretVersionStage")) == 1


def test_a_lost_race_is_for_the_next_diagnosis(aws, scene, stuck, move):
    incident, forward, back = stuck()
    scene.shift(incident["secret_arn"], back["to"])

    assert move(incident, forward) == LOST

    assert scene.version(incident["secret_arn"]) == back["to"]
    assert scene.moves == []
    assert "moved" not in scene.row(incident)
    assert scene.actions(incident)[-1]["outcome"] == "lost the race"


def test_a_race_that_is_lost_and_cut_short_is_lost_once_more(aws, scene, stuck, move):
    opened = []

    def prepare():
        incident, forward, back = stuck()
        scene.shift(incident["secret_arn"], back["to"])
        opened.append(incident)
        return lambda: move(incident, forward)

    answers = list(crashes(aws, prepare))

    assert len(answers) == 6
    assert all(answer == LOST for _, answer in answers)
    assert scene.moves == []
    # Whoever looks again cannot know whether its own move was made and then undone: it makes no other.
    assert {scene.row(incident).get("moved", {}).get("outcome") for incident in opened} == {None, "asked"}


def test_after_a_lost_race_another_move_may_be_made(scene, stuck, move):
    incident, forward, back = stuck()
    scene.shift(incident["secret_arn"], back["to"])
    move(incident, forward)

    assert move(incident, {"how": "rolled forward", "from": back["to"], "to": forward["to"]}) == MOVED
    assert len(scene.moves) == 1


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("InvalidRequestException", "Secrets Manager does not allow it in the secret's current state"),
        ("InvalidParameterException", "Secrets Manager rejects the request"),
        ("AccessDeniedException", "access denied"),
    ],
)
def test_a_no_is_told_in_words_of_ours_and_noted(aws, scene, stuck, move, code, why):
    incident, forward, _ = stuck()
    aws.answer("UpdateSecretVersionStage", lambda _: aws.Refusal(code, message="hunter2"))

    answer = move(incident, forward)

    assert answer["outcome"] == "refused"
    assert answer["reason"].startswith(f"UpdateSecretVersionStage was refused: {why}")
    row = scene.row(incident)
    assert row["actions"][-1]["outcome"] == answer["reason"]
    assert "moved" not in row
    assert "hunter2" not in str(aws.rows("incidents"))


def test_a_secret_that_is_gone_is_a_refusal(aws, scene, stuck, move):
    incident, forward, _ = stuck()
    for operation in ("UpdateSecretVersionStage", "DescribeSecret"):
        aws.answer(operation, lambda _: aws.Refusal("ResourceNotFoundException"))

    answer = move(incident, forward)

    assert answer["outcome"] == "refused"
    assert "the secret or its version does not exist" in answer["reason"]
    assert "moved" not in scene.row(incident)


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServiceError", "LimitExceededException"])
def test_a_passing_trouble_is_for_the_workflow_to_try_again(aws, scene, stuck, move, code):
    incident, forward, _ = stuck()
    done = aws.answers["UpdateSecretVersionStage"]
    aws.answer("UpdateSecretVersionStage", lambda _: aws.Refusal(code))

    with pytest.raises(ClientError, match=code):
        move(incident, forward)

    assert scene.row(incident)["moved"]["outcome"] == "asked"
    aws.answer("UpdateSecretVersionStage", done)
    assert move(incident, forward) == MOVED
    assert len(scene.moves) == 1


@pytest.mark.parametrize("state", ["closed", "restarting"])
def test_an_incident_that_is_over_moves_nothing(aws, stuck, move, state):
    incident, forward, _ = stuck(state=state)

    assert move(incident, forward) == OVER
    assert aws.asked("UpdateSecretVersionStage") == []


def test_a_move_that_was_cut_short_is_not_made_once_the_incident_is_over(aws, scene, stuck, move):
    incident, forward, _ = stuck()
    aws.crash(1, "after")
    with pytest.raises(aws.Crash):
        move(incident, forward)
    aws.crash(0, "")
    scene.close(incident)

    assert move(incident, forward) == OVER
    assert scene.moves == []


def test_an_incident_of_another_execution_moves_nothing(aws, stuck, move):
    incident, forward, _ = stuck()

    assert move(incident, forward, f"{EXECUTION}-2") == OVER
    assert aws.asked("UpdateSecretVersionStage") == []


def test_an_incident_without_a_row_is_an_error_and_moves_nothing(aws, scene, move):
    decision = {"how": "rolled forward", "from": "v1", "to": "v2"}

    with pytest.raises(IncidentMissing, match=r"that was opened at never has no row$"):
        move({"secret_arn": scene.secret(), "opened_at": "never"}, decision)

    assert aws.asked("UpdateSecretVersionStage") == []


def test_an_incident_that_ends_in_between_moves_nothing(aws, scene, stuck, move):
    incident, forward, _ = stuck()
    once(aws, "UpdateItem", lambda: scene.close(incident))

    # Whether it was ended or another invocation was faster, the next try of the step can tell.
    with pytest.raises(LostRace):
        move(incident, forward)

    assert move(incident, forward) == OVER
    assert aws.asked("UpdateSecretVersionStage") == []
    assert "moved" not in scene.row(incident)


def test_of_two_invocations_at_once_one_moves_and_both_answer_the_same(aws, scene, stuck, move):
    incident, forward, _ = stuck()
    answers = []
    once(aws, "UpdateItem", lambda: answers.append(move(incident, forward)))

    # The state machine tries this one again.
    with pytest.raises(LostRace):
        move(incident, forward)
    answers.append(move(incident, forward))

    assert answers == [MOVED, MOVED]
    assert len(aws.asked("UpdateSecretVersionStage")) == 1


def test_a_move_that_was_cut_short_is_not_made_again_while_the_secret_cannot_be_looked_at(aws, scene, stuck, move):
    incident, forward, _ = stuck()
    aws.crash(1, "after")
    with pytest.raises(aws.Crash):
        move(incident, forward)
    aws.crash(0, "")
    aws.answer("DescribeSecret", lambda _: aws.Refusal("AccessDeniedException"))

    answer = move(incident, forward)

    assert answer["outcome"] == "refused"
    assert answer["reason"].startswith("AWSCURRENT was not moved: ")
    assert aws.asked("UpdateSecretVersionStage") == []


def test_a_move_is_dated_by_the_clock_of_aws(scene, stuck, move):
    incident, forward, _ = stuck()

    move(incident, forward, entered_at="2026-03-01T01:10:00.123Z")

    assert scene.row(incident)["moved"]["at"] == "2026-03-01T01:10:00Z"


def test_an_incomplete_environment_is_told_as_what_it_is(stuck, move, monkeypatch):
    incident, forward, _ = stuck()
    monkeypatch.delenv("INCIDENTS_TABLE_NAME")

    with pytest.raises(InvalidEnvironment, match=r"^INCIDENTS_TABLE_NAME must be set"):
        move(incident, forward)
