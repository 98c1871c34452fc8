"""Stalled incidents are resumed, escalated ones are repeated and resolved, and missing rows are reported."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.handlers.scene import (
    EXECUTION,
    FAILED_AT,
    OPENED_AT,
    SUCCEEDED_AT,
    build_cancellation,
    build_move_signal,
    build_signal,
    build_stalled_signal,
    build_success_signal,
    crash_at_each_write,
    run_before,
)

SECOND, THIRD = f"{EXECUTION}-2", f"{EXECUTION}-3"
NOW = datetime(2026, 3, 1, 4, 0, 10, tzinfo=UTC)
ENTERED_AT = "2026-03-01T04:00:10.123Z"
DEAD, ALIVE = int(NOW.timestamp()) - 1, int(NOW.timestamp())
NEXT_FAILURE = "2026-03-01T03:59:00Z"


def claim(scene, signal, execution=SECOND, entered_at=ENTERED_AT, started_at="2026-03-01T04:00:09.000Z"):
    return scene.claim(signal, execution, started_at, entered_at=entered_at)


def reports(aws):
    """The incidents that were reported as stalled, by opening time."""
    entries = [entry for request in aws.requests("PutEvents") for entry in request["Entries"]]
    assert {entry["DetailType"] for entry in entries} <= {"Rotation Incident Stalled"}
    assert all(len(entry["Resources"]) == 1 for entry in entries)
    return [json.loads(entry["Detail"])["opened_at"] for entry in entries]


# --- stalled incidents ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "resume_at", "role"),
    [("open", "diagnose", "execution"), ("restarting", "restart", "ended_by"), ("closed", "tell", "ended_by")],
)
def test_a_stalled_incident_is_resumed_where_it_stopped(scene, state, resume_at, role):
    arn = scene.secret()
    incident = scene.open(arn, state=state, alive_until=DEAD, ended_by=EXECUTION, outcome="rolled forward")

    answer = claim(scene, build_stalled_signal(incident))

    assert (answer["outcome"], answer["incident"], answer["resume_at"]) == ("resumed", incident, resume_at)
    assert answer["wait_seconds"] == 0
    row = scene.row(incident)
    assert (row[role], row["resumed_by"]) == (SECOND, SECOND)
    # It counts as stalled again after this time.
    assert row["alive_until"] == int(NOW.timestamp()) + 7200
    assert (row["state"], row["failures"]) == (state, 1)


def test_a_resumed_incident_ends_as_it_was_about_to(scene):
    restarts = [{"target": "lambda:orders", "arn": "arn", "state": "wanted", "why": ""}]
    changes = {"outcome": "rolled forward", "reason": "It works.", "restarts": restarts, "restart_version": "v3"}
    incident = scene.open(scene.secret(), state="restarting", alive_until=DEAD, ended_by=EXECUTION, **changes)

    ending = claim(scene, build_stalled_signal(incident))["ending"]

    assert ending == {"outcome": "rolled forward", "reason": "It works.", "restarts": restarts, "version": "v3"}


@pytest.mark.parametrize("alive_until", [ALIVE, ALIVE + 3600])
def test_an_incident_that_is_alive_again_is_left_to_its_execution(scene, alive_until):
    incident = scene.open(scene.secret(), alive_until=alive_until)

    assert claim(scene, build_stalled_signal(incident))["outcome"] == "known"

    assert (scene.row(incident)["execution"], scene.row(incident)["alive_until"]) == (EXECUTION, alive_until)


def test_only_one_of_two_executions_resumes_an_incident(scene):
    incident = scene.open(scene.secret(), alive_until=DEAD)

    answers = [
        claim(scene, build_stalled_signal(incident), execution)["outcome"] for execution in (SECOND, THIRD, SECOND)
    ]

    # The first claims twice and gets the same answer.
    assert answers == ["resumed", "known", "resumed"]
    assert scene.row(incident)["execution"] == SECOND


def test_an_incident_that_is_closed_while_it_is_resumed_stays_closed(aws, scene):
    incident = scene.open(scene.secret(), alive_until=DEAD)
    run_before(aws, "UpdateItem", lambda: scene.close(incident))

    assert claim(scene, build_stalled_signal(incident))["outcome"] == "known"

    assert scene.row(incident)["execution"] == EXECUTION


def test_a_resumption_that_crashes_is_done_once(aws, scene):
    incidents = []

    def prepare():
        incidents.append(scene.open(scene.secret(), alive_until=DEAD))
        return lambda: claim(scene, build_stalled_signal(incidents[-1]))

    answers = list(crash_at_each_write(aws, prepare))

    assert len(answers) == 2
    assert {answer["outcome"] for _, answer in answers} == {"resumed"}


def test_an_execution_that_was_presumed_dead_has_lost_its_incident(scene):
    incident = scene.open(scene.secret(), alive_until=DEAD)
    claim(scene, build_stalled_signal(incident))

    # Its first step is retried long afterwards: the incident belongs to another execution.
    assert scene.claim(build_signal(incident["secret_arn"]))["outcome"] == "known"
    assert scene.row(incident)["execution"] == SECOND


@pytest.mark.parametrize("build", [build_signal, build_success_signal])
def test_the_next_event_of_the_secret_reports_a_stalled_incident_and_joins_or_ends_it(aws, scene, build):
    arn = scene.secret()
    incident = scene.open(arn, alive_until=DEAD)

    answer = claim(scene, build(arn, at=NEXT_FAILURE, event="event-2"))

    assert answer["outcome"] == ("known" if build is build_signal else "recovered")
    assert answer["incident"] == incident
    assert reports(aws) == [OPENED_AT]
    # It is not replaced: another execution continues the same incident.
    assert len(scene.incidents(arn)) == 1


@pytest.mark.parametrize("alive_until", [ALIVE, ALIVE + 3600])
def test_an_incident_that_is_alive_is_not_reported(aws, scene, alive_until):
    arn = scene.secret()
    scene.open(arn, alive_until=alive_until)

    claim(scene, build_signal(arn, at=NEXT_FAILURE, event="event-2"))

    assert reports(aws) == []


def test_an_event_does_not_report_the_stalled_incident_of_another_secret(aws, scene):
    scene.open(scene.secret(), alive_until=DEAD)

    claim(scene, build_signal(scene.secret(), at=NEXT_FAILURE, event="event-2"))

    assert reports(aws) == []


def test_an_unlisted_incident_of_an_earlier_version_is_listed_by_the_next_failure(aws, scene):
    arn = scene.secret()
    scene.open(arn, alive_until=DEAD)
    key = {"secret_arn": {"S": "unfinished"}, "opened_at": {"S": f"{arn}#{OPENED_AT}"}}
    aws.client("dynamodb").delete_item(TableName="incidents", Key=key)

    claim(scene, build_signal(arn, at=NEXT_FAILURE, event="event-2"))

    assert scene.unfinished(arn) == [OPENED_AT]
    assert reports(aws) == [OPENED_AT]


# --- rows that were deleted manually ----------------------------------------------------------------------------------


def delete_incident(aws, incident):
    """Deletes a row, as an operator might."""
    key = {name: {"S": value} for name, value in incident.items()}
    aws.client("dynamodb").delete_item(TableName="incidents", Key=key)


def test_a_claim_without_an_incident_is_released_and_the_incident_reported_as_missing(aws, scene):
    arn = scene.secret()
    deleted = scene.open(arn)
    delete_incident(aws, deleted)

    answer = claim(scene, build_signal(arn, at=NEXT_FAILURE, event="event-2"))

    assert (answer["outcome"], answer["missing"]) == ("opened", deleted)
    assert scene.claim_row(arn)["execution"] == SECOND
    # This execution reports it itself.
    assert reports(aws) == []


def test_a_new_value_detects_a_missing_incident_too(aws, scene):
    arn = scene.secret()
    deleted = scene.open(arn)
    delete_incident(aws, deleted)

    answer = claim(scene, build_success_signal(arn, at=NEXT_FAILURE))

    assert (answer["outcome"], answer["missing"]) == ("quiet", deleted)
    assert scene.claim_row(arn) is None


def test_a_row_that_appears_later_is_not_missing(aws, scene):
    arn = scene.secret()
    incident = scene.open(arn)
    row = scene.row(incident)
    delete_incident(aws, incident)
    run_before(aws, "GetItem", lambda: aws.put("incidents", row), 6)

    answer = claim(scene, build_signal(arn, at=NEXT_FAILURE, event="event-2"))

    assert answer["outcome"] == "known"
    assert "missing" not in answer
    assert scene.claim_row(arn)["execution"] == EXECUTION


def test_a_missing_incident_that_an_audit_finds_is_reported_and_its_claim_released(aws, scene):
    arn = scene.secret()
    deleted = scene.open(arn)
    delete_incident(aws, deleted)

    answer = claim(scene, build_stalled_signal(deleted))

    assert (answer["outcome"], answer["missing"]) == ("quiet", deleted)
    assert scene.claim_row(arn) is None


def test_the_claim_of_a_newer_incident_survives_a_missing_older_one(aws, scene):
    arn = scene.secret()
    deleted = scene.open(arn)
    scene.close(deleted)
    delete_incident(aws, deleted)
    newer = scene.open(arn, build_signal(arn, at=SUCCEEDED_AT, event="event-2"), execution=SECOND)

    answer = claim(scene, build_stalled_signal(deleted), THIRD)

    assert answer["missing"] == deleted
    assert scene.claim_row(arn)["incident_opened_at"] == newer["opened_at"]


def test_an_open_incident_whose_claim_was_deleted_is_claimed_again(aws, scene):
    arn = scene.secret()
    incident = scene.open(arn)
    delete_incident(aws, {"secret_arn": f"open#{arn}", "opened_at": "claim"})

    assert claim(scene, build_signal(arn, at=NEXT_FAILURE, event="event-2"))["outcome"] == "known"

    assert scene.claim_row(arn)["incident_opened_at"] == incident["opened_at"]
    assert [row["failures"] for row in scene.incidents(arn)] == [2]


# --- escalated incidents ----------------------------------------------------------------------------------------------


@pytest.fixture
def make_escalated_incident(scene):
    """An incident that was escalated an hour and a half after its failure."""

    def make(outcome="escalated", closed_at="2026-03-01T02:20:00Z", **changes):
        arn = scene.secret(pending=True)
        incident = scene.open(arn, outcome=outcome, closed_at=closed_at, ended_by=EXECUTION, **changes)
        scene.close(incident)
        delete_incident(scene.aws, {"secret_arn": "unfinished", "opened_at": f"{arn}#{incident['opened_at']}"})
        return incident

    return make


@pytest.mark.parametrize(("hours", "outcome"), [(22, "late"), (24, "reminder"), (48, "reminder")])
def test_a_failure_a_day_after_the_escalation_is_a_reminder(scene, make_escalated_incident, hours, outcome):
    incident = make_escalated_incident()
    arn = incident["secret_arn"]
    at = datetime(2026, 3, 1, 2, 20, tzinfo=UTC) + timedelta(hours=hours)

    answer = claim(
        scene,
        build_signal(arn, at=f"{at - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}", event="event-2"),
        entered_at=f"{at:%Y-%m-%dT%H:%M:%S.000Z}",
        started_at=f"{at:%Y-%m-%dT%H:%M:%S.000Z}",
    )

    assert (answer["outcome"], answer["incident"]) == (outcome, incident)
    assert len(scene.incidents(arn)) == 1


@pytest.mark.parametrize(("until", "outcome"), [("2026-03-02T12:00:00Z", "late"), ("2026-03-02T02:00:00Z", "reminder")])
def test_no_reminder_is_sent_while_the_incident_is_acknowledged(scene, make_escalated_incident, until, outcome):
    incident = make_escalated_incident(acknowledged_until=until)
    entered_at = "2026-03-02T02:20:00.000Z"

    answer = claim(
        scene,
        build_signal(incident["secret_arn"], at="2026-03-02T02:19:00Z", event="event-2"),
        entered_at=entered_at,
        started_at=entered_at,
    )

    assert (answer["outcome"], answer["incident"]) == (outcome, incident)


@pytest.mark.parametrize("outcome", ["escalated", "held"])
@pytest.mark.parametrize("kind", ["RotationSucceeded", "Secret Label Updated"])
def test_a_new_value_resolves_an_escalated_incident_and_another_execution_publishes_it(
    aws, scene, make_escalated_incident, outcome, kind
):
    incident = make_escalated_incident(outcome)
    arn = incident["secret_arn"]
    scene.finish(arn)
    signal = (
        build_success_signal(arn, NEXT_FAILURE)
        if kind == "RotationSucceeded"
        else build_move_signal(arn, scene.version(arn), NEXT_FAILURE)
    )

    assert claim(scene, signal)["outcome"] == "quiet"

    row = scene.row(incident)
    assert (row["state"], row["outcome"], row["resolved_outcome"]) == ("closed", "resolved", outcome)
    assert (row["resolved_at"], row["resolved_by"]) == (NEXT_FAILURE, kind)
    assert scene.unfinished(arn) == reports(aws) == [OPENED_AT]
    answer = claim(scene, build_stalled_signal(incident), THIRD)
    assert (answer["outcome"], answer["resume_at"], answer["ending"]["outcome"]) == ("resumed", "tell", "resolved")


def test_the_event_of_our_own_move_does_not_resolve_an_incident(aws, scene, make_escalated_incident):
    incident = make_escalated_incident()
    arn = incident["secret_arn"]
    scene.finish(arn)
    scene.change(incident, moved={"how": "rolled forward", "to": scene.version(arn), "outcome": "done"})

    claim(scene, build_move_signal(arn, scene.version(arn), NEXT_FAILURE))

    assert scene.row(incident)["outcome"] == "escalated"
    assert reports(aws) == []


def test_a_resolution_that_crashes_is_published_once(aws, scene, make_escalated_incident):
    incidents = []

    def prepare():
        incidents.append(make_escalated_incident())
        scene.finish(incidents[-1]["secret_arn"])
        return lambda: claim(scene, build_success_signal(incidents[-1]["secret_arn"], NEXT_FAILURE))

    list(crash_at_each_write(aws, prepare))

    assert {scene.row(incident)["outcome"] for incident in incidents} == {"resolved"}
    for incident in incidents:
        assert scene.unfinished(incident["secret_arn"]) == [incident["opened_at"]]


@pytest.mark.parametrize("code", ["TransactionConflict", "ConditionalCheckFailed"])
def test_a_concurrent_write_does_not_leave_an_incident_unresolved(aws, scene, make_escalated_incident, code):
    incident = make_escalated_incident()
    arn = incident["secret_arn"]
    scene.finish(arn)
    refusals = iter([build_cancellation(aws, code, "None")])
    aws.answer("TransactWriteItems", lambda _: next(refusals, None))

    assert claim(scene, build_success_signal(arn, NEXT_FAILURE))["outcome"] == "quiet"

    assert scene.row(incident)["outcome"] == "resolved"
    assert scene.unfinished(arn) == reports(aws) == [OPENED_AT]


def test_two_concurrent_events_resolve_an_incident_once(aws, scene, make_escalated_incident):
    incident = make_escalated_incident()
    arn = incident["secret_arn"]
    scene.finish(arn)
    move = build_move_signal(arn, scene.version(arn), NEXT_FAILURE)
    run_before(aws, "TransactWriteItems", lambda: claim(scene, move, THIRD))

    assert claim(scene, build_success_signal(arn, NEXT_FAILURE))["outcome"] == "quiet"

    assert scene.row(incident)["resolved_by"] == "Secret Label Updated"


def test_a_new_value_resolves_every_waiting_incident(scene, make_escalated_incident):
    arn = (first := make_escalated_incident(closed_at="2026-02-01T00:00:00Z"))["secret_arn"]
    second = scene.open(
        arn,
        build_signal(arn, at=SUCCEEDED_AT, event="event-2", rotation="rotation-2"),
        execution=THIRD,
        outcome="held",
        closed_at="2026-03-01T02:00:00Z",
    )
    scene.close(second)
    scene.finish(arn)

    claim(scene, build_success_signal(arn, NEXT_FAILURE))

    assert [scene.row(key)["outcome"] for key in (first, second)] == ["resolved", "resolved"]


# --- the previous definition of the state machine ---------------------------------------------------------------------


def test_an_execution_with_the_previous_definition_can_claim(scene):
    """It sends no `entered_at`, and its signal has neither `pending_version_id` nor `opened_at`."""
    arn = scene.secret()
    signal = build_signal(arn)
    assert not {"pending_version_id", "opened_at"} & set(signal)

    assert scene.claim(signal)["outcome"] == "opened"
    assert scene.claim(build_signal(arn, at=FAILED_AT, event="event-2"), SECOND)["outcome"] == "known"
    assert scene.claim(build_success_signal(arn), THIRD)["outcome"] == "recovered"
