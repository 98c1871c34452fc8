"""What is done about an incident is decided once a round, and written down with its reason before it is done."""

import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from handlers.adapters.incidents import IncidentMissing
from handlers.environment import InvalidEnvironment
from handlers.remediation import decide
from tests.handlers.scene import EXECUTION, crashes, once

FORWARD = {"current": "broken", "pending": "works", "previous": "broken", "notes": []}
BACK = {"current": "broken", "pending": "broken", "previous": "works", "notes": []}
WORKS = {"current": "works", "pending": "unknown", "previous": "unknown", "notes": ["It hung."]}
WANTED = [{"target": "lambda:orders", "arn": "arn", "state": "wanted", "why": ""}]
NOTHING = {
    "outcome": "",
    "number": 0,
    "how": "",
    "from": "",
    "to": "",
    "wait_seconds": 0,
    "backoff_seconds": 0,
    "restarts": [],
    "version": "v2",
}


@pytest.fixture(autouse=True)
def switch(aws, scene):
    """The kill switch, which says go."""
    aws.client("ssm").put_parameter(Name="/rotation-guard/kill-switch", Value="go", Type="String")


@pytest.fixture
def incident(scene):
    return lambda **changes: scene.open(scene.secret(), **changes)


@pytest.fixture(autouse=True)
def chance(monkeypatch):
    """Half of the jitter."""
    monkeypatch.setattr(decide.random, "random", lambda: 0.5)


def said(answer):
    """What is answered beyond nothing, but for the reason, which is a sentence."""
    assert answer["reason"].endswith(".")
    assert json.loads(json.dumps(answer)) == answer
    return {name: value for name, value in answer.items() if name != "reason" and value != NOTHING.get(name)}


def test_without_a_proof_the_rotation_is_asked_for_again(scene, incident):
    assert said(scene.decide(incident())) == {"action": "retry", "number": 1, "backoff_seconds": 150}


@pytest.mark.parametrize(
    ("attempts", "number", "backoff"), [(0, 1, 150), (1, 2, 300), (2, 3, 600)], ids=["first", "second", "third"]
)
def test_each_retry_has_its_number_and_a_longer_wait(scene, incident, monkeypatch, attempts, number, backoff):
    monkeypatch.setenv("MAX_RETRIES", "4")

    answer = scene.decide(incident(attempts=attempts), WORKS)

    assert said(answer) == {"action": "retry", "number": number, "backoff_seconds": backoff}


def test_a_retry_that_failed_is_followed_by_another_after_its_back_off(aws, scene, incident):
    opened = incident(attempts=1)

    answer = scene.decide(opened, WORKS, backoff_seconds=150)

    assert said(answer) == {"action": "back off", "wait_seconds": 150}
    assert scene.row(opened)["alive_until"] - int(datetime.now(UTC).timestamp()) > 150
    # It has made nothing, and so it has used up nothing.
    assert [row for row in aws.rows("incidents") if row["secret_arn"] == "limit#actions"] == []


@pytest.mark.parametrize(
    ("attempts", "proofs", "does"),
    [(3, WORKS, "end"), (1, FORWARD, "move"), (1, FORWARD | {"pending": "broken"}, "end")],
)
def test_nothing_but_a_retry_waits_for_a_back_off(scene, incident, attempts, proofs, does):
    assert scene.decide(incident(attempts=attempts), proofs, backoff_seconds=150)["action"] == does


def test_the_wait_grows_up_to_its_cap(scene, incident, monkeypatch):
    monkeypatch.setenv("RETRY_CAP_MINUTES", "7")
    monkeypatch.setenv("MAX_RETRIES", "4")

    assert scene.decide(incident(attempts=2))["backoff_seconds"] == 210


@pytest.mark.parametrize("allowed", [1, 3, 10])
def test_there_is_no_wait_after_the_last_retry(scene, incident, monkeypatch, allowed):
    monkeypatch.setenv("MAX_RETRIES", str(allowed))
    monkeypatch.setenv("RETRY_CAP_MINUTES", "1440")
    opened = incident(attempts=allowed - 1)
    before = int(datetime.now(UTC).timestamp())

    assert said(scene.decide(opened)) == {"action": "retry", "number": allowed}

    # So it is missed when its look at the rotation is overdue, and no later.
    after = int(datetime.now(UTC).timestamp())
    assert before + 7200 <= scene.row(opened)["alive_until"] <= after + 7200 + 1


def test_after_the_last_retry_a_human_is_asked_and_told_why_nothing_was_proven(scene, incident):
    answer = scene.decide(incident(attempts=3), probe_note="It has no tag rotation-guard:probe.")

    assert said(answer) == {"action": "end", "outcome": "escalated"}
    assert "3 of 3 made" in answer["reason"]
    assert answer["reason"].endswith("It has no tag rotation-guard:probe.")


@pytest.mark.parametrize("allowed", [0, 1])
def test_how_many_retries_there_are_is_a_setting(scene, incident, monkeypatch, allowed):
    monkeypatch.setenv("MAX_RETRIES", str(allowed))

    answers = [scene.decide(incident(attempts=attempts))["action"] for attempts in range(2)]

    assert answers == ["retry"] * allowed + ["end"] * (2 - allowed)


def test_awscurrent_rolls_forward_to_what_is_proven(scene, incident):
    answer = scene.decide(incident(), FORWARD)

    assert said(answer) == {"action": "move", "how": "rolled forward", "from": "v2", "to": "v3"}


def test_awscurrent_falls_back_where_that_is_allowed(scene, incident):
    answer = scene.decide(incident(), BACK, fallback=True)

    assert said(answer) == {"action": "move", "how": "fallen back", "from": "v2", "to": "v1"}
    assert said(scene.decide(incident(), BACK)) == {"action": "end", "outcome": "escalated"}


def test_in_retry_mode_no_label_moves(scene, incident):
    assert scene.decide(incident(), FORWARD, mode="retry")["action"] == "retry"


def test_in_notify_mode_people_are_told_and_why_it_is_no_more(scene, incident):
    answer = scene.decide(incident(), FORWARD, mode="notify", mode_note="It has no tag.")

    assert said(answer) == {"action": "end", "outcome": "escalated"}
    assert answer["reason"].endswith("It has no tag.")


def test_what_is_not_there_cannot_work_whatever_a_probe_says(scene, incident):
    answer = scene.decide(incident(), FORWARD, pending=None)

    assert said(answer) == {"action": "end", "outcome": "escalated"}


@pytest.mark.parametrize(
    "found",
    [{"untouchable": "It is a replica."}, {"test_only": True}, {"rotation_on": False}, {"current": None}],
    ids=str,
)
def test_what_may_not_be_touched_is_told(scene, incident, found):
    assert scene.decide(incident(), **found)["outcome"] == "escalated"


@pytest.mark.parametrize(
    ("attempts", "on_rotation", "outcome", "restarts"),
    [
        (0, False, "recovered by AWS", []),
        (0, True, "recovered by AWS", WANTED),
        (1, False, "recovered by retry", WANTED),
    ],
)
def test_what_has_recovered_ends_and_restarts_after_our_retry(
    scene, incident, attempts, on_rotation, outcome, restarts
):
    found = {"restarts": WANTED, "restart_on_rotation": on_rotation}

    answer = scene.decide(incident(attempts=attempts), recovered=True, **found)

    expected = {"action": "end", "outcome": outcome} | ({"restarts": restarts} if restarts else {})
    assert said(answer) == expected


@pytest.mark.parametrize("how", ["rolled forward", "fallen back"])
def test_a_move_that_holds_ends_the_incident_and_restarts(scene, incident, how):
    opened = incident(moved={"how": how, "from": "v1", "to": "v2", "outcome": "done"})

    answer = scene.decide(opened, WORKS, recovered=True, restarts=WANTED)

    assert said(answer) == {"action": "end", "outcome": how, "restarts": WANTED}


def test_a_move_in_vain_is_for_a_human(scene, incident):
    opened = incident(moved={"how": "rolled forward", "from": "v1", "to": "v2", "outcome": "done"})

    answer = scene.decide(opened, FORWARD, recovered=True, restarts=WANTED)

    assert said(answer) == {"action": "end", "outcome": "escalated"}


def test_after_a_move_that_somebody_undid_there_is_no_other(scene, incident):
    opened = incident(moved={"how": "rolled forward", "from": "v2", "to": "v9", "outcome": "done"})

    assert scene.decide(opened, FORWARD)["action"] == "retry"


def test_an_incident_that_never_comes_to_an_end_is_ended(scene, incident):
    opened = incident(rounds=15)

    assert scene.decide(opened, FORWARD)["action"] == "move"
    assert said(scene.decide(opened, FORWARD)) == {"action": "end", "outcome": "escalated"}


# --- written down -----------------------------------------------------------------------------------------------------


def test_a_decision_is_written_down_with_its_evidence(scene, incident):
    opened = incident()
    before = int(datetime.now(UTC).timestamp())

    answer = scene.decide(opened, WORKS)

    row, after = scene.row(opened), int(datetime.now(UTC).timestamp())
    assert (row["rounds"], row["evidence"]) == (1, WORKS)
    assert before + 150 + 7200 <= row["alive_until"] <= after + 150 + 7200 + 1
    [action] = scene.actions(opened)
    assert action == {
        "action": "decide",
        "outcome": "retry",
        "rule": "retry",
        "reason": answer["reason"],
        "evidence": WORKS,
    }


@pytest.mark.parametrize(
    ("proofs", "found", "outcome"),
    [(FORWARD, {}, "rolled forward"), (BACK, {}, "escalated"), (BACK, {"fallback": True}, "fallen back")],
)
def test_it_is_written_down_as_what_it_leads_to(scene, incident, proofs, found, outcome):
    opened = incident()

    scene.decide(opened, proofs, **found)

    assert scene.actions(opened)[-1]["outcome"] == outcome


def test_what_was_seen_before_stays_where_nobody_could_look(scene, incident):
    opened = incident()
    scene.decide(opened, WORKS)

    scene.decide(opened, {})

    assert scene.row(opened)["evidence"] == WORKS
    assert [action["evidence"] for action in scene.actions(opened)] == [WORKS, {}]


@pytest.mark.parametrize("state", ["closed", "restarting"])
def test_an_incident_that_is_over_is_not_decided(aws, scene, incident, state):
    opened = incident(state=state)
    aws.forget()

    assert scene.decide(opened)["action"] == "over"
    assert aws.asked("UpdateItem") == []


def test_an_incident_of_another_execution_is_not_decided(aws, scene, incident):
    opened = incident(execution=f"{EXECUTION}-2")
    aws.forget()

    assert scene.decide(opened)["action"] == "over"
    assert aws.asked("UpdateItem") == []


def test_an_incident_without_a_row_is_an_error(scene):
    with pytest.raises(IncidentMissing, match=r"that was opened at never has no row$"):
        scene.decide({"secret_arn": scene.secret(), "opened_at": "never"})


FAILED_BEFORE, AT_THE_FAILURE = "2026-03-01T00:50:19Z", "2026-03-01T00:50:20Z"


@pytest.mark.parametrize(
    ("recovered", "proofs", "found", "is_verified"),
    [
        (True, WORKS, {}, True),
        (True, {}, {"last_rotated_at": AT_THE_FAILURE}, True),
        (True, {}, {"last_rotated_at": FAILED_BEFORE}, False),
        (True, {}, {}, False),
        (False, WORKS, {}, False),
        (False, FORWARD, {}, False),
    ],
    ids=["a probe proved it", "AWS completed a rotation", "AWS did so before", "a label moved", "a retry", "a move"],
)
def test_only_a_proof_makes_the_end_of_an_incident_a_verified_success(
    scene, incident, recovered, proofs, found, is_verified
):
    opened = incident()

    scene.decide(opened, proofs, recovered, **found)

    assert scene.row(opened)["verified"] is is_verified


def test_the_proof_of_a_label_that_is_on_no_version_verifies_nothing(scene, incident):
    opened = incident()

    scene.decide(opened, WORKS, recovered=True, current=None)

    assert scene.row(opened)["verified"] is False


def test_an_incident_that_ends_in_between_is_over(aws, scene, incident):
    opened = incident()
    # Before the last write: the first takes a slot.
    once(aws, "UpdateItem", lambda: scene.close(opened), 2)

    assert scene.decide(opened)["action"] == "over"

    assert scene.actions(opened) == []


def test_a_decision_that_is_cut_short_is_the_same_again_and_takes_one_slot(aws, scene, incident):
    opened = []

    def prepare():
        opened.append(incident())
        return lambda: scene.decide(opened[-1], FORWARD)

    answers = list(crashes(aws, prepare))

    assert len(answers) == 4
    assert all(said(answer)["to"] == "v3" for _, answer in answers)
    slots = [row["holder"] for row in aws.rows("incidents") if row["secret_arn"] == "limit#actions"]
    assert len(slots) == len(set(slots)) == len(opened)
    assert all(1 <= scene.row(each)["rounds"] <= 2 for each in opened)


# --- what AWS does not answer -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["GetParameter", "GetItem", "UpdateItem", "Query"])
def test_a_passing_trouble_is_for_the_workflow_to_try_again(aws, scene, incident, operation):
    opened = incident()
    aws.answer(operation, lambda _: aws.Refusal("ThrottlingException"))

    with pytest.raises(ClientError, match="ThrottlingException"):
        scene.decide(opened)


@pytest.mark.parametrize("name", ["MAX_RETRIES", "CHANGE_WINDOW", "KILL_SWITCH_PARAMETER_NAME"])
def test_an_incomplete_environment_is_told_as_what_it_is(scene, incident, monkeypatch, name):
    opened = incident()
    monkeypatch.delenv(name)

    with pytest.raises(InvalidEnvironment, match=f"^{name} must be set"):
        scene.decide(opened)


def test_a_word_that_is_no_proof_stops_the_step(scene, incident):
    opened = incident()

    with pytest.raises(ValueError, match="perhaps"):
        scene.decide(opened, FORWARD | {"current": "perhaps"})
