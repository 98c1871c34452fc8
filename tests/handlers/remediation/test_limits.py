"""What stops remediation: a secret's circuit breaker, the account's hourly limit, the change window."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from handlers.adapters.remediation_states import RemediationStates
from handlers.remediation import decide
from tests.handlers.scene import build_signal, run_before

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)  # a Wednesday
FORWARD = {"current": "broken", "pending": "works", "previous": "broken"}


@pytest.fixture
def decision_clock(monkeypatch):
    """The clock of the decisions, which stands still until it is set."""

    class Clock(datetime):
        current_time = NOON

        @classmethod
        def now(cls, tz=None):
            return cls.current_time

    monkeypatch.setattr(decide, "datetime", Clock)
    return Clock


@pytest.fixture(autouse=True)
def kill_switch(aws, scene):
    """The kill switch, which says go."""
    aws.client("ssm").put_parameter(Name="/rotation-guard/kill-switch", Value="go", Type="String")


@pytest.fixture
def add_incident(scene):
    """Adds an incident of a secret, with its own failure, this many hours before noon."""

    def make(arn, hours_ago, outcome="escalated", **changes):
        at = NOON - timedelta(hours=hours_ago)
        signal = build_signal(
            arn,
            at=at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            event=f"event-{hours_ago}",
            rotation=f"rotation-{hours_ago}",
        )
        attributes = {"rule": "retries used up", **changes}
        incident = scene.open(arn, signal, at.strftime("%Y-%m-%dT%H:%M:%S.500Z"), **attributes)
        if outcome:
            scene.change(incident, outcome=outcome)
            scene.close(incident)
        return incident

    return make


# --- the circuit breaker ----------------------------------------------------------------------------------------------


def decide_action(scene, incident, **more):
    answer = scene.decide(incident, FORWARD, **more)
    return "suspended" if "are suspended" in answer["reason"] else answer["action"]


@pytest.mark.parametrize(
    ("failed_hours_ago", "answer"),
    [
        ([], "move"),
        ([2, 1], "move"),
        ([3, 2, 1], "suspended"),
        ([5, 4, 3, 2, 1], "suspended"),
        ([72, 48, 24], "suspended"),
        ([240, 120, 1], "suspended"),
    ],
    ids=str,
)
def test_consecutive_failed_incidents_suspend_repairs_however_far_apart_they_are(
    decision_clock, scene, add_incident, failed_hours_ago, answer
):
    arn = scene.secret()
    for hours_ago in failed_hours_ago:
        add_incident(arn, hours_ago)

    assert decide_action(scene, add_incident(arn, 0, outcome="")) == answer

    suspended_at = "2026-03-04T12:00:00Z" if answer == "suspended" else ""
    assert RemediationStates("incidents").read(arn).suspended_at == suspended_at


def test_the_breaker_can_open_after_one_failed_incident(decision_clock, scene, add_incident, monkeypatch):
    monkeypatch.setenv("BREAKER_THRESHOLD", "1")
    arn = scene.secret()
    assert decide_action(scene, add_incident(arn, 1, outcome="")) == "move"
    first = {"secret_arn": arn, "opened_at": "2026-03-04T11:00:00.500Z"}
    scene.change(first, outcome="escalated")
    scene.close(first)

    assert decide_action(scene, add_incident(arn, 0, outcome="")) == "suspended"


@pytest.mark.parametrize("rule", ["retries used up", "nothing works", "moved in vain", "exhausted"])
def test_an_incident_with_a_failed_repair_counts(decision_clock, scene, add_incident, rule):
    arn = scene.secret()
    for hours_ago in (3, 2, 1):
        add_incident(arn, hours_ago, rule=rule)

    assert decide_action(scene, add_incident(arn, 0, outcome="")) == "suspended"


@pytest.mark.parametrize("rule", ["notify", "untouchable", "stopped", "held", "test only", "orphaned"])
def test_an_incident_without_a_repair_neither_counts_nor_closes_the_breaker(decision_clock, scene, add_incident, rule):
    arn = scene.secret()
    for hours_ago in (6, 4, 2):
        add_incident(arn, hours_ago, rule="retries used up")
    add_incident(arn, 1, rule=rule)
    assert decide_action(scene, add_incident(arn, 0, outcome="")) == "suspended"

    other = scene.secret()
    for hours_ago in (3, 2, 1):
        add_incident(other, hours_ago, rule=rule)
    assert decide_action(scene, add_incident(other, 0, outcome="")) == "move"


def test_a_manually_resolved_incident_counts(decision_clock, scene, add_incident):
    arn = scene.secret()
    for hours_ago in (3, 2, 1):
        add_incident(arn, hours_ago, "resolved")

    assert decide_action(scene, add_incident(arn, 0, outcome="")) == "suspended"


@pytest.mark.parametrize("outcome", ["recovered by AWS", "recovered by retry", "rolled forward", "fallen back"])
def test_an_incident_that_recovered_does_not_count(decision_clock, scene, add_incident, monkeypatch, outcome):
    monkeypatch.setenv("BREAKER_THRESHOLD", "1")
    arn = scene.secret()
    add_incident(arn, 1, outcome)

    assert decide_action(scene, add_incident(arn, 0, outcome="")) == "move"


@pytest.mark.parametrize(
    ("succeeded_at", "answer"), [("2026-03-04T10:30:00Z", "move"), ("2026-03-04T08:30:00Z", "suspended")]
)
def test_a_verified_success_resets_the_breaker(decision_clock, scene, add_incident, succeeded_at, answer):
    arn = scene.secret()
    for hours_ago in (3, 2, 1):
        add_incident(arn, hours_ago)
    RemediationStates("incidents").record_success(arn, succeeded_at, is_verified=True)

    assert decide_action(scene, add_incident(arn, 0, outcome="")) == answer


def test_an_unverified_success_does_not_reset_the_breaker(decision_clock, scene, add_incident):
    arn = scene.secret()
    for hours_ago in (3, 2, 1):
        add_incident(arn, hours_ago)
        RemediationStates("incidents").record_success(arn, f"2026-03-04T{12 - hours_ago:02d}:30:00Z", is_verified=False)

    assert decide_action(scene, add_incident(arn, 0, outcome="")) == "suspended"


@pytest.mark.parametrize(
    ("rotated_at", "answer"), [("2026-03-04T10:30:00Z", "move"), ("2026-03-04T08:30:00Z", "suspended")]
)
def test_a_rotation_that_aws_has_completed_resets_the_breaker_without_an_event(
    decision_clock, scene, add_incident, rotated_at, answer
):
    arn = scene.secret()
    for hours_ago in (3, 2, 1):
        add_incident(arn, hours_ago)

    assert decide_action(scene, add_incident(arn, 0, outcome=""), last_rotated_at=rotated_at) == answer


def test_a_release_resets_the_breaker(aws, decision_clock, scene, add_incident):
    arn = scene.secret()
    for hours_ago in (5, 4, 3):
        add_incident(arn, hours_ago)
    key = {"secret_arn": f"secret#{arn}", "opened_at": "standing"}
    aws.put("incidents", {**key, "orphaned_at": "2026-03-04T09:10:00Z", "released_at": "2026-03-04T09:30:00Z"})
    for hours_ago in (2, 1):
        add_incident(arn, hours_ago)

    assert decide_action(scene, add_incident(arn, 0, outcome="")) == "move"


def test_a_row_with_only_restarts_does_not_count(decision_clock, scene, add_incident):
    arn = scene.secret()
    for hours_ago in (3, 2, 1):
        add_incident(arn, hours_ago, failures=0)

    assert decide_action(scene, add_incident(arn, 0, outcome="")) == "move"


def test_incidents_of_other_secrets_do_not_count(decision_clock, scene, add_incident):
    other = scene.secret()
    for hours_ago in (3, 2, 1):
        add_incident(other, hours_ago)

    assert decide_action(scene, add_incident(scene.secret(), 0, outcome="")) == "move"


def test_a_suspended_secret_is_not_repaired_until_it_is_released(aws, decision_clock, scene, add_incident):
    arn = scene.secret()
    for hours_ago in (3, 2, 1):
        add_incident(arn, hours_ago)
    incident = add_incident(arn, 0, outcome="")
    assert decide_action(scene, incident) == "suspended"

    decision_clock.current_time = NOON + timedelta(days=60)
    RemediationStates("incidents").record_success(arn, "2026-05-01T12:00:00Z", is_verified=True)
    assert decide_action(scene, incident) == "suspended"
    assert RemediationStates("incidents").read(arn).suspended_at == "2026-03-04T12:00:00Z"

    key = {"secret_arn": f"secret#{arn}", "opened_at": "standing"}
    aws.put("incidents", {**key, "orphaned_at": "2026-03-04T12:00:00Z", "released_at": "2026-05-03T11:00:00Z"})
    assert decide_action(scene, incident) == "move"


@pytest.mark.parametrize(("recovered", "diagnosis_fields"), [(False, {"mode": "notify"}), (True, {})])
def test_an_incident_without_an_action_opens_no_breaker(
    decision_clock, scene, add_incident, recovered, diagnosis_fields
):
    arn = scene.secret()
    for hours_ago in (3, 2, 1):
        add_incident(arn, hours_ago)

    scene.decide(add_incident(arn, 0, outcome=""), {}, recovered, **diagnosis_fields)

    assert not RemediationStates("incidents").read(arn).is_suspended


def test_the_breaker_stays_open_if_the_step_crashes(aws, decision_clock, scene, add_incident):
    arn = scene.secret()
    for hours_ago in (3, 2, 1):
        add_incident(arn, hours_ago)
    incident = add_incident(arn, 0, outcome="")
    aws.crash(1, "after")
    with pytest.raises(aws.Crash):
        scene.decide(incident, FORWARD)
    aws.crash(0, "")
    decision_clock.current_time += timedelta(minutes=1)

    assert decide_action(scene, incident) == "suspended"
    assert RemediationStates("incidents").read(arn).suspended_at == "2026-03-04T12:00:00Z"


# --- the hourly limit -------------------------------------------------------------------------------------------------


def test_incidents_beyond_the_hourly_limit_are_rate_limited(decision_clock, scene, monkeypatch):
    monkeypatch.setenv("MAX_ACTIONS_PER_HOUR", "3")
    incidents = [scene.open(scene.secret()) for _ in range(5)]

    answers = [scene.decide(incident, FORWARD) for incident in incidents]

    assert [answer["action"] for answer in answers] == ["move", "move", "move", "end", "end"]
    assert {answer["outcome"] for answer in answers[3:]} == {"held"}
    assert {scene.actions(incident)[-1]["outcome"] for incident in incidents[3:]} == {"held"}
    # A repeated decision of an admitted incident is admitted again.
    assert [scene.decide(incident, FORWARD)["action"] for incident in incidents[:3]] == ["move"] * 3


def test_a_slot_is_free_again_after_an_hour(decision_clock, scene, monkeypatch):
    monkeypatch.setenv("MAX_ACTIONS_PER_HOUR", "1")
    scene.decide(scene.open(scene.secret()))
    incident = scene.open(scene.secret())

    decision_clock.current_time = NOON + timedelta(seconds=3599)
    assert scene.decide(incident)["outcome"] == "held"
    decision_clock.current_time = NOON + timedelta(seconds=3600)
    assert scene.decide(incident)["action"] == "retry"


def test_each_action_of_an_incident_counts(decision_clock, scene, monkeypatch):
    monkeypatch.setenv("MAX_ACTIONS_PER_HOUR", "2")
    incident = scene.open(scene.secret())
    assert scene.decide(incident)["action"] == "retry"
    scene.change(incident, attempts=1)
    assert scene.decide(incident, FORWARD)["action"] == "move"
    scene.change(incident, attempts=2)

    assert scene.decide(incident)["outcome"] == "held"


def test_a_limit_of_zero_permits_no_action(decision_clock, scene, monkeypatch):
    monkeypatch.setenv("MAX_ACTIONS_PER_HOUR", "0")

    assert scene.decide(scene.open(scene.secret()))["outcome"] == "held"


@pytest.mark.parametrize(
    ("recovered", "diagnosis_fields"),
    [(False, {"mode": "notify"}), (True, {}), (False, {"untouchable": "It is a replica."})],
)
def test_a_decision_without_an_action_takes_no_slot(aws, decision_clock, scene, recovered, diagnosis_fields):
    scene.decide(scene.open(scene.secret()), {}, recovered, **diagnosis_fields)

    assert not [row for row in aws.rows("incidents") if row["secret_arn"] == "limit#actions"]


def test_concurrent_decisions_do_not_exceed_the_hourly_limit(aws, decision_clock, scene, monkeypatch):
    monkeypatch.setenv("MAX_ACTIONS_PER_HOUR", "1")
    first, second = scene.open(scene.secret()), scene.open(scene.secret())
    answers = []
    run_before(aws, "UpdateItem", lambda: answers.append(scene.decide(first, FORWARD)))

    answers.append(scene.decide(second, FORWARD))

    assert [answer["action"] for answer in answers] == ["move", "end"]


# --- the change window ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change_window", "action", "wait_seconds"),
    [
        ({}, "move", 0),
        ({"start": "11:00", "end": "13:00"}, "move", 0),
        ({"start": "12:00", "end": "12:01"}, "move", 0),
        ({"start": "13:00", "end": "14:00"}, "wait", 3600),
        ({"start": "22:00", "end": "04:00"}, "wait", 10 * 3600),
        ({"days": ["thu"], "start": "11:00", "end": "13:00"}, "wait", 23 * 3600),
    ],
    ids=str,
)
def test_an_action_waits_for_the_change_window(decision_clock, scene, monkeypatch, change_window, action, wait_seconds):
    monkeypatch.setenv("CHANGE_WINDOW", json.dumps(change_window))
    incident = scene.open(scene.secret())

    answer = scene.decide(incident, FORWARD)

    assert (answer["action"], answer["wait_seconds"]) == (action, wait_seconds)
    # It is alive until the window opens, and does not count as stalled before.
    assert scene.row(incident)["alive_until"] == int(NOON.timestamp()) + wait_seconds + 7200


@pytest.mark.parametrize(("diagnosis_fields", "outcome"), [({"mode": "notify"}, "escalated"), ({}, "recovered by AWS")])
def test_an_end_does_not_wait_for_the_change_window(decision_clock, scene, monkeypatch, diagnosis_fields, outcome):
    monkeypatch.setenv("CHANGE_WINDOW", json.dumps({"start": "13:00", "end": "14:00"}))

    answer = scene.decide(scene.open(scene.secret()), {}, recovered=not diagnosis_fields, **diagnosis_fields)

    assert (answer["outcome"], answer["wait_seconds"]) == (outcome, 0)


def test_a_waiting_action_takes_no_slot(aws, decision_clock, scene, monkeypatch):
    monkeypatch.setenv("CHANGE_WINDOW", json.dumps({"start": "13:00", "end": "14:00"}))

    scene.decide(scene.open(scene.secret()), FORWARD)

    assert not [row for row in aws.rows("incidents") if row["secret_arn"] == "limit#actions"]
