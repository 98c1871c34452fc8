"""Each step of a repair is decided and recorded, with its reason, before it is executed."""

import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from handlers.adapters.incidents import IncidentMissing
from handlers.environment import InvalidEnvironment
from handlers.remediation import decide
from tests.handlers.scene import EXECUTION, crash_at_each_write, run_before

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
def kill_switch(aws, scene):
    """The kill switch, which says go."""
    aws.client("ssm").put_parameter(Name="/rotation-guard/kill-switch", Value="go", Type="String")


@pytest.fixture
def open_incident(scene):
    return lambda **changes: scene.open(scene.secret(), **changes)


@pytest.fixture(autouse=True)
def random_value(monkeypatch):
    """Half of the jitter."""
    monkeypatch.setattr(decide.random, "random", lambda: 0.5)


def summarize(answer):
    """The answer without its reason, which must be a sentence, and without default values."""
    assert answer["reason"].endswith(".")
    assert json.loads(json.dumps(answer)) == answer
    return {name: value for name, value in answer.items() if name != "reason" and value != NOTHING.get(name)}


def test_without_a_proof_the_rotation_is_retried(scene, open_incident):
    assert summarize(scene.decide(open_incident())) == {"action": "retry", "number": 1, "backoff_seconds": 150}


@pytest.mark.parametrize(
    ("attempts", "number", "backoff"), [(0, 1, 150), (1, 2, 300), (2, 3, 600)], ids=["first", "second", "third"]
)
def test_each_retry_has_its_number_and_a_longer_backoff(scene, open_incident, monkeypatch, attempts, number, backoff):
    monkeypatch.setenv("MAX_RETRIES", "4")

    answer = scene.decide(open_incident(attempts=attempts), WORKS)

    assert summarize(answer) == {"action": "retry", "number": number, "backoff_seconds": backoff}


def test_a_failed_retry_is_followed_by_another_after_its_backoff(aws, scene, open_incident):
    incident = open_incident(attempts=1)

    answer = scene.decide(incident, WORKS, backoff_seconds=150)

    assert summarize(answer) == {"action": "back off", "wait_seconds": 150}
    assert scene.row(incident)["alive_until"] - int(datetime.now(UTC).timestamp()) > 150
    # Waiting takes no slot of the hourly limit.
    assert [row for row in aws.rows("incidents") if row["secret_arn"] == "limit#actions"] == []


@pytest.mark.parametrize(
    ("attempts", "proofs", "action"),
    [(3, WORKS, "end"), (1, FORWARD, "move"), (1, FORWARD | {"pending": "broken"}, "end")],
)
def test_only_a_retry_waits_for_the_backoff(scene, open_incident, attempts, proofs, action):
    assert scene.decide(open_incident(attempts=attempts), proofs, backoff_seconds=150)["action"] == action


def test_the_backoff_is_capped(scene, open_incident, monkeypatch):
    monkeypatch.setenv("RETRY_CAP_MINUTES", "7")
    monkeypatch.setenv("MAX_RETRIES", "4")

    assert scene.decide(open_incident(attempts=2))["backoff_seconds"] == 210


@pytest.mark.parametrize("max_retries", [1, 3, 10])
def test_there_is_no_backoff_after_the_last_retry(scene, open_incident, monkeypatch, max_retries):
    monkeypatch.setenv("MAX_RETRIES", str(max_retries))
    monkeypatch.setenv("RETRY_CAP_MINUTES", "1440")
    incident = open_incident(attempts=max_retries - 1)
    before = int(datetime.now(UTC).timestamp())

    assert summarize(scene.decide(incident)) == {"action": "retry", "number": max_retries}

    # It stalls when the next check of the rotation is overdue, and no later.
    after = int(datetime.now(UTC).timestamp())
    assert before + 7200 <= scene.row(incident)["alive_until"] <= after + 7200 + 1


def test_after_the_last_retry_the_incident_is_escalated_with_the_missing_proof(scene, open_incident):
    answer = scene.decide(open_incident(attempts=3), probe_note="It has no tag rotation-guard:probe.")

    assert summarize(answer) == {"action": "end", "outcome": "escalated"}
    assert "3 of 3 made" in answer["reason"]
    assert answer["reason"].endswith("It has no tag rotation-guard:probe.")


@pytest.mark.parametrize("max_retries", [0, 1])
def test_the_number_of_retries_is_a_setting(scene, open_incident, monkeypatch, max_retries):
    monkeypatch.setenv("MAX_RETRIES", str(max_retries))

    answers = [scene.decide(open_incident(attempts=attempts))["action"] for attempts in range(2)]

    assert answers == ["retry"] * max_retries + ["end"] * (2 - max_retries)


def test_awscurrent_rolls_forward_to_a_proven_version(scene, open_incident):
    answer = scene.decide(open_incident(), FORWARD)

    assert summarize(answer) == {"action": "move", "how": "rolled forward", "from": "v2", "to": "v3"}


def test_awscurrent_rolls_back_only_if_that_is_allowed(scene, open_incident):
    answer = scene.decide(open_incident(), BACK, fallback=True)

    assert summarize(answer) == {"action": "move", "how": "fallen back", "from": "v2", "to": "v1"}
    assert summarize(scene.decide(open_incident(), BACK)) == {"action": "end", "outcome": "escalated"}


def test_in_retry_mode_no_label_moves(scene, open_incident):
    assert scene.decide(open_incident(), FORWARD, mode="retry")["action"] == "retry"


def test_in_notify_mode_the_incident_is_escalated_with_the_reason_for_the_mode(scene, open_incident):
    answer = scene.decide(open_incident(), FORWARD, mode="notify", mode_note="It has no tag.")

    assert summarize(answer) == {"action": "end", "outcome": "escalated"}
    assert answer["reason"].endswith("It has no tag.")


def test_a_missing_version_cannot_work_whatever_a_probe_says(scene, open_incident):
    answer = scene.decide(open_incident(), FORWARD, pending=None)

    assert summarize(answer) == {"action": "end", "outcome": "escalated"}


@pytest.mark.parametrize(
    "diagnosis_fields",
    [{"untouchable": "It is a replica."}, {"test_only": True}, {"rotation_on": False}, {"current": None}],
    ids=str,
)
def test_an_incident_that_must_not_be_repaired_is_escalated(scene, open_incident, diagnosis_fields):
    assert scene.decide(open_incident(), **diagnosis_fields)["outcome"] == "escalated"


@pytest.mark.parametrize(
    ("attempts", "on_rotation", "outcome", "restarts"),
    [
        (0, False, "recovered by AWS", []),
        (0, True, "recovered by AWS", WANTED),
        (1, False, "recovered by retry", WANTED),
    ],
)
def test_a_recovery_ends_the_incident_and_restarts_after_our_retry(
    scene, open_incident, attempts, on_rotation, outcome, restarts
):
    diagnosis_fields = {"restarts": WANTED, "restart_on_rotation": on_rotation}

    answer = scene.decide(open_incident(attempts=attempts), recovered=True, **diagnosis_fields)

    expected = {"action": "end", "outcome": outcome} | ({"restarts": restarts} if restarts else {})
    assert summarize(answer) == expected


@pytest.mark.parametrize("how", ["rolled forward", "fallen back"])
def test_a_successful_move_ends_the_incident_and_restarts(scene, open_incident, how):
    incident = open_incident(moved={"how": how, "from": "v1", "to": "v2", "outcome": "done"})

    answer = scene.decide(incident, WORKS, recovered=True, restarts=WANTED)

    assert summarize(answer) == {"action": "end", "outcome": how, "restarts": WANTED}


def test_a_move_without_effect_is_escalated(scene, open_incident):
    incident = open_incident(moved={"how": "rolled forward", "from": "v1", "to": "v2", "outcome": "done"})

    answer = scene.decide(incident, FORWARD, recovered=True, restarts=WANTED)

    assert summarize(answer) == {"action": "end", "outcome": "escalated"}


def test_a_move_that_was_undone_is_not_repeated(scene, open_incident):
    incident = open_incident(moved={"how": "rolled forward", "from": "v2", "to": "v9", "outcome": "done"})

    assert scene.decide(incident, FORWARD)["action"] == "retry"


def test_an_incident_at_the_limit_of_decisions_is_escalated(scene, open_incident):
    incident = open_incident(rounds=15)

    assert scene.decide(incident, FORWARD)["action"] == "move"
    assert summarize(scene.decide(incident, FORWARD)) == {"action": "end", "outcome": "escalated"}


# --- the record -------------------------------------------------------------------------------------------------------


def test_a_decision_is_recorded_with_its_evidence(scene, open_incident):
    incident = open_incident()
    before = int(datetime.now(UTC).timestamp())

    answer = scene.decide(incident, WORKS)

    row, after = scene.row(incident), int(datetime.now(UTC).timestamp())
    assert (row["rounds"], row["evidence"]) == (1, WORKS)
    assert before + 150 + 7200 <= row["alive_until"] <= after + 150 + 7200 + 1
    [action] = scene.actions(incident)
    assert action == {
        "action": "decide",
        "outcome": "retry",
        "rule": "retry",
        "reason": answer["reason"],
        "evidence": WORKS,
    }


@pytest.mark.parametrize(
    ("proofs", "diagnosis_fields", "outcome"),
    [(FORWARD, {}, "rolled forward"), (BACK, {}, "escalated"), (BACK, {"fallback": True}, "fallen back")],
)
def test_a_decision_is_recorded_with_its_outcome(scene, open_incident, proofs, diagnosis_fields, outcome):
    incident = open_incident()

    scene.decide(incident, proofs, **diagnosis_fields)

    assert scene.actions(incident)[-1]["outcome"] == outcome


def test_earlier_evidence_is_kept_when_there_is_no_new_one(scene, open_incident):
    incident = open_incident()
    scene.decide(incident, WORKS)

    scene.decide(incident, {})

    assert scene.row(incident)["evidence"] == WORKS
    assert [action["evidence"] for action in scene.actions(incident)] == [WORKS, {}]


@pytest.mark.parametrize("state", ["closed", "restarting"])
def test_no_decision_is_made_for_an_incident_that_has_ended(aws, scene, open_incident, state):
    incident = open_incident(state=state)
    aws.forget()

    assert scene.decide(incident)["action"] == "over"
    assert aws.requests("UpdateItem") == []


def test_no_decision_is_made_for_an_incident_of_another_execution(aws, scene, open_incident):
    incident = open_incident(execution=f"{EXECUTION}-2")
    aws.forget()

    assert scene.decide(incident)["action"] == "over"
    assert aws.requests("UpdateItem") == []


def test_an_incident_without_a_row_raises(scene):
    with pytest.raises(IncidentMissing, match=r"that was opened at never has no row$"):
        scene.decide({"secret_arn": scene.secret(), "opened_at": "never"})


FAILED_BEFORE, AT_THE_FAILURE = "2026-03-01T00:50:19Z", "2026-03-01T00:50:20Z"


@pytest.mark.parametrize(
    ("recovered", "proofs", "diagnosis_fields", "is_verified"),
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
    scene, open_incident, recovered, proofs, diagnosis_fields, is_verified
):
    incident = open_incident()

    scene.decide(incident, proofs, recovered, **diagnosis_fields)

    assert scene.row(incident)["verified"] is is_verified


def test_a_proof_for_a_label_without_a_version_verifies_nothing(scene, open_incident):
    incident = open_incident()

    scene.decide(incident, WORKS, recovered=True, current=None)

    assert scene.row(incident)["verified"] is False


def test_no_decision_is_recorded_for_an_incident_that_ends_meanwhile(aws, scene, open_incident):
    incident = open_incident()
    # Before the last write: the first takes a slot.
    run_before(aws, "UpdateItem", lambda: scene.close(incident), 2)

    assert scene.decide(incident)["action"] == "over"

    assert scene.actions(incident) == []


def test_a_decision_that_crashes_is_repeated_and_takes_one_slot(aws, scene, open_incident):
    incidents = []

    def prepare():
        incidents.append(open_incident())
        return lambda: scene.decide(incidents[-1], FORWARD)

    answers = list(crash_at_each_write(aws, prepare))

    assert len(answers) == 4
    assert all(summarize(answer)["to"] == "v3" for _, answer in answers)
    slots = [row["holder"] for row in aws.rows("incidents") if row["secret_arn"] == "limit#actions"]
    assert len(slots) == len(set(slots)) == len(incidents)
    assert all(1 <= scene.row(incident)["rounds"] <= 2 for incident in incidents)


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["GetParameter", "GetItem", "UpdateItem", "Query"])
def test_a_transient_error_is_left_to_the_workflows_retry(aws, scene, open_incident, operation):
    incident = open_incident()
    aws.answer(operation, lambda _: aws.Refusal("ThrottlingException"))

    with pytest.raises(ClientError, match="ThrottlingException"):
        scene.decide(incident)


@pytest.mark.parametrize("name", ["MAX_RETRIES", "CHANGE_WINDOW", "KILL_SWITCH_PARAMETER_NAME"])
def test_an_incomplete_environment_raises(scene, open_incident, monkeypatch, name):
    incident = open_incident()
    monkeypatch.delenv(name)

    with pytest.raises(InvalidEnvironment, match=f"^{name} must be set"):
        scene.decide(incident)


def test_an_invalid_proof_raises(scene, open_incident):
    incident = open_incident()

    with pytest.raises(ValueError, match="perhaps"):
        scene.decide(incident, FORWARD | {"current": "perhaps"})
