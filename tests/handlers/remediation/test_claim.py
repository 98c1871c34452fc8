"""The claim of an incident: one is open per secret; repeated, late or reordered events change nothing."""

import random
from datetime import UTC, datetime

import pytest

from handlers.adapters.remediation_states import RemediationStates
from handlers.remediation import claim
from tests.handlers.scene import EXECUTION, FAILED_AT, OPENED_AT, build_move_signal, build_signal, build_success_signal

EARLIER, LATER, STILL_LATER = "2026-03-01T00:40:00Z", "2026-03-01T01:17:16Z", "2026-03-01T02:00:00Z"
SECOND, SECOND_AT = f"{EXECUTION}-2", "2026-03-01T01:20:00.000Z"


def test_a_failure_opens_an_incident(scene):
    arn = scene.secret(pending=True)
    before = int(datetime.now(UTC).timestamp())

    answer = scene.claim(build_signal(arn))
    after = int(datetime.now(UTC).timestamp())

    assert answer.pop("incident") == {"secret_arn": arn, "opened_at": OPENED_AT}
    assert 15 * 60 <= answer.pop("wait_seconds") <= 17 * 60
    assert answer == {"outcome": "opened", "ending": {}}
    [incident] = scene.incidents(arn)
    assert before + 30 * 60 + 7200 <= incident.pop("alive_until") <= after + 30 * 60 + 7200 + 1
    assert incident == {
        "secret_arn": arn,
        "opened_at": OPENED_AT,
        "state": "open",
        "secret_name": "orders/db-1",
        "execution": EXECUTION,
        "event_type": "RotationFailed",
        "source": "aws.secretsmanager",
        "occurred_at": FAILED_AT,
        "last_failure_at": FAILED_AT,
        "failed_step": "setSecret",
        "failed_steps": {"setSecret"},
        "rotation_on": True,
        "current_version_id": scene.version(arn),
        "versions": {scene.version(arn): ["AWSCURRENT"], scene.version(arn, "AWSPENDING"): ["AWSPENDING"]},
        "failures": 1,
        "attempts": 0,
        "rounds": 0,
        "event_ids": {"event-1"},
        "rotation_ids": {"rotation-1"},
        "actions": [],
    }
    claim_row = scene.claim_row(arn)
    assert (claim_row["incident_opened_at"], claim_row["execution"]) == (OPENED_AT, EXECUTION)
    assert scene.unfinished(arn) == [OPENED_AT]


@pytest.mark.parametrize("kind", ["RotationAbandoned", "TestRotationFailed", "Rotation Stuck"])
def test_other_kinds_of_failures_open_an_incident_too(scene, kind):
    arn = scene.secret()

    assert scene.claim(build_signal(arn, kind, rotation=None))["outcome"] == "opened"

    [incident] = scene.incidents(arn)
    assert incident["event_type"] == kind
    assert not {"failed_step", "rotation_ids"} & set(incident)


def test_five_failures_of_a_rotation_are_one_incident(scene):
    arn = scene.secret()

    answers = [
        scene.claim(build_signal(arn, event=f"event-{n}"), f"execution-{n}", f"2026-03-01T00:5{n + 1}:00Z")
        for n in range(5)
    ]

    assert [answer["outcome"] for answer in answers] == ["opened", "known", "known", "known", "known"]
    assert {answer["incident"]["opened_at"] for answer in answers} == {"2026-03-01T00:51:00Z"}
    [incident] = scene.incidents(arn)
    assert incident["failures"] == 5


def test_a_repeated_event_is_counted_once(scene):
    arn = scene.secret()

    answers = [scene.claim(build_signal(arn), f"execution-{n}") for n in range(3)]

    assert [answer["outcome"] for answer in answers] == ["opened", "known", "known"]
    assert scene.incidents(arn)[0]["failures"] == 1


def test_a_joining_failure_adds_its_rotation_step_and_time_to_the_incident(scene):
    arn = scene.secret()
    scene.claim(build_signal(arn, "RotationAbandoned"))
    scene.claim(build_signal(arn, at=LATER, event="event-2", rotation="rotation-2", failed_step="testSecret"), SECOND)
    scene.claim(build_signal(arn, "RotationAbandoned", at=LATER, event="event-3", rotation=None), SECOND)
    scene.claim(build_signal(arn, at=EARLIER, event="event-4", failed_step="createSecret"), SECOND)

    [incident] = scene.incidents(arn)
    assert (incident["failures"], incident["last_failure_at"], incident["failed_step"]) == (4, LATER, "testSecret")
    assert incident["event_ids"] == {"event-1", "event-2", "event-3", "event-4"}
    assert incident["rotation_ids"] == {"rotation-1", "rotation-2"}
    assert incident["occurred_at"] == FAILED_AT


def test_a_late_event_adds_a_missing_step(scene):
    arn = scene.secret()
    scene.claim(build_signal(arn, "RotationAbandoned", at=LATER))
    scene.claim(build_signal(arn, event="event-2", failed_step="createSecret"), SECOND)

    assert scene.incidents(arn)[0]["failed_step"] == "createSecret"


def test_incidents_of_two_secrets_are_independent(scene):
    arns = [scene.secret(), scene.secret()]

    assert [scene.claim(build_signal(arn))["outcome"] for arn in arns] == ["opened", "opened"]


def test_a_repeated_claim_of_an_execution_gets_the_same_answer(scene):
    arn = scene.secret()
    first = scene.claim(build_signal(arn))
    before = scene.incidents(arn)

    second = scene.claim(build_signal(arn))

    assert first | {"wait_seconds": 0} == second | {"wait_seconds": 0}
    assert scene.incidents(arn) == before


# --- the end of an incident, and what comes after it ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempts", "outcome"), [(0, "recovered by AWS"), (1, "recovered by retry"), (2, "recovered by retry")]
)
def test_a_success_ends_the_open_incident(scene, attempts, outcome):
    arn = scene.secret(pending=True)
    incident = scene.open(arn, attempts=attempts)
    scene.finish(arn)

    answer = scene.claim(build_success_signal(arn), SECOND, SECOND_AT)

    assert answer == {
        "outcome": "recovered",
        "incident": incident,
        "wait_seconds": 0,
        "ending": {
            "outcome": outcome,
            "reason": f"A new value is in use since {LATER} (RotationSucceeded).",
            "restarts": [],
            "version": scene.version(arn),
        },
    }
    # The next step ends it; this one may be repeated.
    assert scene.row(incident)["state"] == "open"
    assert scene.claim(build_success_signal(arn), SECOND, SECOND_AT) == answer


def test_a_success_updates_the_labels_in_the_incident(scene):
    arn = scene.secret(pending=True)
    incident = scene.open(arn, evidence={"current": "broken"})
    scene.finish(arn)

    scene.claim(build_success_signal(arn), SECOND, SECOND_AT)

    row = scene.row(incident)
    assert "AWSCURRENT" in row["versions"][scene.version(arn)]
    # The evidence was about other labels.
    assert "evidence" not in row


def test_a_moved_label_ends_the_open_incident_too(scene):
    arn = scene.secret(pending=True)
    incident = scene.open(arn)
    scene.finish(arn)

    answer = scene.claim(build_move_signal(arn, scene.version(arn)), SECOND, SECOND_AT)

    assert (answer["outcome"], answer["incident"]) == ("recovered", incident)


def test_a_late_success_of_an_older_rotation_does_not_end_a_newer_failure(scene):
    arn = scene.secret(pending=True)
    incident = scene.open(arn, build_signal(arn, at=LATER))

    older = build_success_signal(arn, EARLIER, rotation="rotation-0")

    answer = scene.claim(older, SECOND, SECOND_AT)

    assert (answer["outcome"], answer["ending"]) == ("known", {})
    row = scene.row(incident)
    assert (row["failures"], row["last_failure_at"]) == (1, LATER)
    assert (row["event_ids"], row["rotation_ids"]) == ({"event-1", "success-1"}, {"rotation-1"})
    # A repeated event does not end it either.
    assert scene.claim(older, SECOND, SECOND_AT) == answer
    assert scene.row(incident) == row


@pytest.mark.parametrize(("pending", "outcome"), [(True, "known"), (False, "recovered")])
def test_a_success_in_the_second_of_the_failure_ends_the_incident_unless_a_rotation_is_stuck(scene, pending, outcome):
    arn = scene.secret(pending)
    scene.open(arn)

    assert scene.claim(build_success_signal(arn, FAILED_AT), SECOND, SECOND_AT)["outcome"] == outcome


def test_our_own_move_in_progress_does_not_end_the_incident(scene):
    arn = scene.secret(pending=True)
    incident = scene.open(arn, moved={"to": "v2", "outcome": "asked"})
    scene.finish(arn)

    assert scene.claim(build_move_signal(arn, scene.version(arn)), SECOND, SECOND_AT)["outcome"] == "known"
    assert scene.row(incident)["state"] == "open"


def test_the_event_of_our_own_completed_move_does_not_end_the_incident(scene):
    arn = scene.secret(pending=True)
    incident = scene.open(arn, moved={"to": "v2", "outcome": "done"}, alive_until=0)
    scene.finish(arn)

    assert scene.claim(build_move_signal(arn, scene.version(arn)), SECOND, SECOND_AT)["outcome"] == "known"
    assert scene.row(incident)["state"] == "open"


def test_an_event_from_the_future_is_dated_as_of_its_execution(scene, context):
    arn = scene.secret()
    signal = build_signal(arn, at="2099-03-01T00:50:20Z")

    claim.handler({"heard": signal, "execution": EXECUTION, "started_at": OPENED_AT}, context)

    [incident] = scene.incidents(arn)
    assert (incident["occurred_at"], incident["last_failure_at"]) == ("2026-03-01T00:51:00Z",) * 2


@pytest.mark.parametrize(
    ("kind", "description", "is_verified"),
    [
        ("RotationSucceeded", {}, True),
        ("Secret Label Updated", {}, False),
        ("Secret Label Updated", {"LastRotatedDate": datetime.fromisoformat(LATER)}, True),
        ("Secret Label Updated", {"LastRotatedDate": datetime.fromisoformat(EARLIER)}, False),
    ],
)
def test_a_new_value_is_verified_if_aws_has_completed_a_rotation(scene, kind, description, is_verified):
    arn = scene.secret()
    scene.describe_overrides[arn] |= description

    scene.claim(build_signal(arn, kind, LATER))

    state = RemediationStates("incidents").read(arn)
    assert (state.succeeded_at, state.verified_at) == (LATER, LATER if is_verified else "")


def test_a_failure_that_arrives_after_its_success_opens_no_incident(scene):
    arn = scene.secret()

    assert scene.claim(build_success_signal(arn), EXECUTION)["outcome"] == "quiet"
    assert scene.claim(build_signal(arn), SECOND, SECOND_AT)["outcome"] == "late"

    assert scene.incidents(arn) == []


def test_a_success_without_an_event_is_read_from_aws(scene):
    arn = scene.secret()
    scene.describe_overrides[arn]["LastRotatedDate"] = datetime.fromisoformat(LATER)

    assert scene.claim(build_signal(arn))["outcome"] == "late"
    assert scene.claim(build_signal(arn, at=STILL_LATER, event="event-2", rotation="rotation-2"))["outcome"] == "opened"


@pytest.mark.parametrize("state", ["closed", "restarting"])
@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "late"),
        ({"event": "event-2"}, "late"),
        ({"event": "event-2", "rotation": None, "at": EARLIER}, "late"),
        ({"event": "event-2", "rotation": "rotation-2", "at": LATER}, "opened"),
        ({"event": "event-2", "at": "2026-03-02T00:50:21Z"}, "opened"),
    ],
)
def test_after_an_incident_only_a_new_failure_opens_another(scene, state, changes, outcome):
    arn = scene.secret()
    scene.close(scene.open(arn), state)

    assert scene.claim(build_signal(arn, **changes), SECOND, SECOND_AT)["outcome"] == outcome

    assert len(scene.incidents(arn)) == (2 if outcome == "opened" else 1)


def test_a_failure_of_either_of_two_closed_incidents_is_stale(scene):
    arn = scene.secret()
    scene.close(scene.open(arn))
    second = build_signal(arn, at=LATER, event="event-2", rotation="rotation-2")
    scene.close(scene.open(arn, second, SECOND_AT, SECOND))

    assert scene.claim(second, "execution-3", "2026-03-01T03:00:00.000Z")["outcome"] == "late"
    assert scene.claim(build_signal(arn), "execution-4", "2026-03-01T03:00:00.000Z")["outcome"] == "late"


def test_a_failure_from_before_a_later_success_is_stale(scene):
    arn = scene.secret()
    RemediationStates("incidents").record_success(arn, "2026-03-02T09:00:00Z", is_verified=False)

    assert scene.claim(build_signal(arn), SECOND, "2026-03-02T09:30:00.000Z")["outcome"] == "late"
    assert scene.incidents(arn) == []


@pytest.mark.parametrize("seed", range(12))
def test_at_most_one_incident_is_opened_in_any_order_of_events(scene, seed):
    arn, generator = scene.secret(), random.Random(seed)  # noqa: S311 - an order, not a secret
    rotation = [build_signal(arn, at=f"2026-03-01T00:5{n}:00Z", event=f"event-{n}") for n in range(3)] + [
        build_success_signal(arn)
    ]
    events = generator.choices(rotation, k=4) + rotation * 2
    generator.shuffle(events)

    outcomes = [
        scene.claim(signal, f"execution-{n}", f"2026-03-01T02:{n:02d}:00Z")["outcome"]
        for n, signal in enumerate(events)
    ]

    assert len(scene.incidents(arn)) <= 1
    assert outcomes.count("opened") == len(scene.incidents(arn))
    first_success = events.index(rotation[-1])
    assert set(outcomes[:first_success]) <= {"opened", "known"}
    assert set(outcomes[first_success:]) <= ({"recovered", "known"} if first_success else {"quiet", "late"})


@pytest.mark.parametrize(
    ("minutes", "minimum", "maximum"), [(0, 0, 0), (1, 60, 72), (15, 900, 1020), (1440, 86_400, 86_520)]
)
@pytest.mark.parametrize("random_value", [0.0, 0.999])
def test_the_jitter_of_the_first_wait_is_at_most_two_minutes(
    scene, monkeypatch, minutes, minimum, maximum, random_value
):
    monkeypatch.setenv("SETTLE_MINUTES", str(minutes))
    monkeypatch.setattr(random, "random", lambda: random_value)

    wait = scene.claim(build_signal(scene.secret()))["wait_seconds"]

    assert minimum <= wait <= maximum
    assert random_value or wait == minimum
