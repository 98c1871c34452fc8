"""Incidents that nobody goes on with are taken over, what is escalated is reminded of and resolved, losses are told."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.handlers.scene import (
    EXECUTION,
    FAILED_AT,
    OPENED_AT,
    SUCCEEDED_AT,
    build_signal,
    cancelled,
    crashes,
    moved,
    once,
    stalled,
    succeeded,
)

SECOND, THIRD = f"{EXECUTION}-2", f"{EXECUTION}-3"
NOW = datetime(2026, 3, 1, 4, 0, 10, tzinfo=UTC)
ENTERED_AT = "2026-03-01T04:00:10.123Z"
DEAD, ALIVE = int(NOW.timestamp()) - 1, int(NOW.timestamp())
NEXT_FAILURE = "2026-03-01T03:59:00Z"


def claim(scene, heard, execution=SECOND, entered_at=ENTERED_AT, started_at="2026-03-01T04:00:09.000Z"):
    return scene.claim(heard, execution, started_at, entered_at=entered_at)


def reports(aws):
    """The incidents that were reported as stalled, by opening time."""
    entries = [entry for asked in aws.asked("PutEvents") for entry in asked["Entries"]]
    assert {entry["DetailType"] for entry in entries} <= {"Rotation Incident Stalled"}
    assert all(len(entry["Resources"]) == 1 for entry in entries)
    return [json.loads(entry["Detail"])["opened_at"] for entry in entries]


# --- taken over -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "resume_at", "role"),
    [("open", "diagnose", "execution"), ("restarting", "restart", "ended_by"), ("closed", "tell", "ended_by")],
)
def test_an_incident_that_nobody_goes_on_with_is_resumed_where_it_stopped(scene, state, resume_at, role):
    arn = scene.secret()
    incident = scene.open(arn, state=state, alive_until=DEAD, ended_by=EXECUTION, outcome="rolled forward")

    answer = claim(scene, stalled(incident))

    assert (answer["outcome"], answer["incident"], answer["resume_at"]) == ("resumed", incident, resume_at)
    assert answer["wait_seconds"] == 0
    row = scene.row(incident)
    assert (row[role], row["resumed_by"]) == (SECOND, SECOND)
    # It is missed again after an hour, unless it is heard of before.
    assert row["alive_until"] == int(NOW.timestamp()) + 7200
    assert (row["state"], row["failures"]) == (state, 1)


def test_it_is_ended_as_it_was_about_to_be(scene):
    wanted = [{"target": "lambda:orders", "arn": "arn", "state": "wanted", "why": ""}]
    changes = {"outcome": "rolled forward", "reason": "It works.", "restarts": wanted, "restart_version": "v3"}
    incident = scene.open(scene.secret(), state="restarting", alive_until=DEAD, ended_by=EXECUTION, **changes)

    ending = claim(scene, stalled(incident))["ending"]

    assert ending == {"outcome": "rolled forward", "reason": "It works.", "restarts": wanted, "version": "v3"}


@pytest.mark.parametrize("alive_until", [ALIVE, ALIVE + 3600])
def test_an_incident_that_was_heard_of_in_between_is_left_to_its_execution(scene, alive_until):
    incident = scene.open(scene.secret(), alive_until=alive_until)

    assert claim(scene, stalled(incident))["outcome"] == "known"

    assert (scene.row(incident)["execution"], scene.row(incident)["alive_until"]) == (EXECUTION, alive_until)


def test_of_two_executions_one_resumes_it(scene):
    incident = scene.open(scene.secret(), alive_until=DEAD)

    answers = [claim(scene, stalled(incident), by)["outcome"] for by in (SECOND, THIRD, SECOND)]

    # The first asks twice and is answered the same.
    assert answers == ["resumed", "known", "resumed"]
    assert scene.row(incident)["execution"] == SECOND


def test_one_that_is_closed_while_it_is_resumed_is_left_alone(aws, scene):
    incident = scene.open(scene.secret(), alive_until=DEAD)
    once(aws, "UpdateItem", lambda: scene.close(incident))

    assert claim(scene, stalled(incident))["outcome"] == "known"

    assert scene.row(incident)["execution"] == EXECUTION


def test_a_resumption_that_is_cut_short_is_made_once(aws, scene):
    opened = []

    def prepare():
        opened.append(scene.open(scene.secret(), alive_until=DEAD))
        return lambda: claim(scene, stalled(opened[-1]))

    answers = list(crashes(aws, prepare))

    assert len(answers) == 2
    assert {answer["outcome"] for _, answer in answers} == {"resumed"}


def test_the_execution_that_was_taken_for_dead_has_lost_it(scene):
    incident = scene.open(scene.secret(), alive_until=DEAD)
    claim(scene, stalled(incident))

    # Its first step runs once more, long after its time: this is another's.
    assert scene.claim(build_signal(incident["secret_arn"]))["outcome"] == "known"
    assert scene.row(incident)["execution"] == SECOND


@pytest.mark.parametrize("heard", [build_signal, succeeded])
def test_the_next_event_of_its_secret_reports_a_dead_incident_and_joins_or_ends_it(aws, scene, heard):
    arn = scene.secret()
    incident = scene.open(arn, alive_until=DEAD)

    answer = claim(scene, heard(arn, at=NEXT_FAILURE, event="event-2"))

    assert answer["outcome"] == ("known" if heard is build_signal else "recovered")
    assert answer["incident"] == incident
    assert reports(aws) == [OPENED_AT]
    # It is not replaced: there is one incident, which another execution goes on with.
    assert len(scene.incidents(arn)) == 1


@pytest.mark.parametrize("alive_until", [ALIVE, ALIVE + 3600])
def test_an_incident_that_somebody_works_on_is_not_reported(aws, scene, alive_until):
    arn = scene.secret()
    scene.open(arn, alive_until=alive_until)

    claim(scene, build_signal(arn, at=NEXT_FAILURE, event="event-2"))

    assert reports(aws) == []


def test_the_event_of_one_secret_reports_nothing_of_another(aws, scene):
    scene.open(scene.secret(), alive_until=DEAD)

    claim(scene, build_signal(scene.secret(), at=NEXT_FAILURE, event="event-2"))

    assert reports(aws) == []


def test_what_an_earlier_version_has_opened_and_left_is_listed_by_the_failure_that_joins_it(aws, scene):
    arn = scene.secret()
    scene.open(arn, alive_until=DEAD)
    key = {"secret_arn": {"S": "unfinished"}, "opened_at": {"S": f"{arn}#{OPENED_AT}"}}
    aws.client("dynamodb").delete_item(TableName="incidents", Key=key)

    claim(scene, build_signal(arn, at=NEXT_FAILURE, event="event-2"))

    assert scene.unfinished(arn) == [OPENED_AT]
    assert reports(aws) == [OPENED_AT]


# --- what was deleted by hand -----------------------------------------------------------------------------------------


def lose(aws, incident):
    """Somebody deletes the row of an incident."""
    key = {name: {"S": value} for name, value in incident.items()}
    aws.client("dynamodb").delete_item(TableName="incidents", Key=key)


def test_a_claim_whose_incident_has_no_row_is_released_and_the_loss_answered(aws, scene):
    arn = scene.secret()
    lost = scene.open(arn)
    lose(aws, lost)

    answer = claim(scene, build_signal(arn, at=NEXT_FAILURE, event="event-2"))

    assert (answer["outcome"], answer["missing"]) == ("opened", lost)
    assert scene.claimed(arn)["execution"] == SECOND
    # This execution tells of it: nobody else is asked to.
    assert reports(aws) == []


def test_a_new_value_finds_the_loss_too(aws, scene):
    arn = scene.secret()
    lost = scene.open(arn)
    lose(aws, lost)

    answer = claim(scene, succeeded(arn, at=NEXT_FAILURE))

    assert (answer["outcome"], answer["missing"]) == ("quiet", lost)
    assert scene.claimed(arn) is None


def test_a_row_that_is_only_late_is_no_loss(aws, scene):
    arn = scene.secret()
    incident = scene.open(arn)
    row = scene.row(incident)
    lose(aws, incident)
    once(aws, "GetItem", lambda: aws.put("incidents", row), 6)

    answer = claim(scene, build_signal(arn, at=NEXT_FAILURE, event="event-2"))

    assert answer["outcome"] == "known"
    assert "missing" not in answer
    assert scene.claimed(arn)["execution"] == EXECUTION


def test_a_loss_that_an_audit_finds_is_answered_and_its_claim_released(aws, scene):
    arn = scene.secret()
    lost = scene.open(arn)
    lose(aws, lost)

    answer = claim(scene, stalled(lost))

    assert (answer["outcome"], answer["missing"]) == ("quiet", lost)
    assert scene.claimed(arn) is None


def test_the_claim_of_a_newer_incident_is_not_released_with_an_older_one_that_is_lost(aws, scene):
    arn = scene.secret()
    lost = scene.open(arn)
    scene.close(lost)
    lose(aws, lost)
    newer = scene.open(arn, build_signal(arn, at=SUCCEEDED_AT, event="event-2"), execution=SECOND)

    answer = claim(scene, stalled(lost), THIRD)

    assert answer["missing"] == lost
    assert scene.claimed(arn)["incident_opened_at"] == newer["opened_at"]


def test_an_open_incident_whose_claim_was_deleted_is_claimed_again(aws, scene):
    arn = scene.secret()
    incident = scene.open(arn)
    lose(aws, {"secret_arn": f"open#{arn}", "opened_at": "claim"})

    assert claim(scene, build_signal(arn, at=NEXT_FAILURE, event="event-2"))["outcome"] == "known"

    assert scene.claimed(arn)["incident_opened_at"] == incident["opened_at"]
    assert [row["failures"] for row in scene.incidents(arn)] == [2]


# --- what was escalated -----------------------------------------------------------------------------------------------


@pytest.fixture
def escalated(scene):
    """An incident that was escalated an hour and a half after its failure."""

    def make(outcome="escalated", closed_at="2026-03-01T02:20:00Z", **changes):
        arn = scene.secret(pending=True)
        incident = scene.open(arn, outcome=outcome, closed_at=closed_at, ended_by=EXECUTION, **changes)
        scene.close(incident)
        lose(scene.aws, {"secret_arn": "unfinished", "opened_at": f"{arn}#{incident['opened_at']}"})
        return incident

    return make


@pytest.mark.parametrize(("hours", "outcome"), [(22, "late"), (24, "reminder"), (48, "reminder")])
def test_what_still_fails_a_day_after_it_was_escalated_is_reminded_of(scene, escalated, hours, outcome):
    incident = escalated()
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


@pytest.mark.parametrize("outcome", ["escalated", "held"])
@pytest.mark.parametrize("by", ["RotationSucceeded", "Secret Label Updated"])
def test_a_new_value_resolves_what_was_escalated_and_another_execution_tells_of_it(aws, scene, escalated, outcome, by):
    incident = escalated(outcome)
    arn = incident["secret_arn"]
    scene.finish(arn)
    heard = succeeded(arn, NEXT_FAILURE) if by == "RotationSucceeded" else moved(arn, scene.version(arn), NEXT_FAILURE)

    assert claim(scene, heard)["outcome"] == "quiet"

    row = scene.row(incident)
    assert (row["state"], row["outcome"], row["resolved_outcome"]) == ("closed", "resolved", outcome)
    assert (row["resolved_at"], row["resolved_by"]) == (NEXT_FAILURE, by)
    assert scene.unfinished(arn) == reports(aws) == [OPENED_AT]
    answer = claim(scene, stalled(incident), THIRD)
    assert (answer["outcome"], answer["resume_at"], answer["ending"]["outcome"]) == ("resumed", "tell", "resolved")


def test_the_news_of_its_own_move_does_not_resolve_it(aws, scene, escalated):
    incident = escalated()
    arn = incident["secret_arn"]
    scene.finish(arn)
    scene.change(incident, moved={"how": "rolled forward", "to": scene.version(arn), "outcome": "done"})

    claim(scene, moved(arn, scene.version(arn), NEXT_FAILURE))

    assert scene.row(incident)["outcome"] == "escalated"
    assert reports(aws) == []


def test_a_resolution_that_is_cut_short_is_told_once(aws, scene, escalated):
    incidents = []

    def prepare():
        incidents.append(escalated())
        scene.finish(incidents[-1]["secret_arn"])
        return lambda: claim(scene, succeeded(incidents[-1]["secret_arn"], NEXT_FAILURE))

    list(crashes(aws, prepare))

    assert {scene.row(incident)["outcome"] for incident in incidents} == {"resolved"}
    for one in incidents:
        assert scene.unfinished(one["secret_arn"]) == [one["opened_at"]]


@pytest.mark.parametrize("code", ["TransactionConflict", "ConditionalCheckFailed"])
def test_a_write_into_the_incident_at_the_same_moment_does_not_leave_it_unresolved(aws, scene, escalated, code):
    incident = escalated()
    arn = incident["secret_arn"]
    scene.finish(arn)
    refusals = iter([cancelled(aws, code, "None")])
    aws.answer("TransactWriteItems", lambda _: next(refusals, None))

    assert claim(scene, succeeded(arn, NEXT_FAILURE))["outcome"] == "quiet"

    assert scene.row(incident)["outcome"] == "resolved"
    assert scene.unfinished(arn) == reports(aws) == [OPENED_AT]


def test_two_events_at_once_that_resolve_it_resolve_it_once(aws, scene, escalated):
    incident = escalated()
    arn = incident["secret_arn"]
    scene.finish(arn)
    by_label = moved(arn, scene.version(arn), NEXT_FAILURE)
    once(aws, "TransactWriteItems", lambda: claim(scene, by_label, THIRD))

    assert claim(scene, succeeded(arn, NEXT_FAILURE))["outcome"] == "quiet"

    assert scene.row(incident)["resolved_by"] == "Secret Label Updated"


def test_every_incident_that_waits_for_the_new_value_is_resolved_and_older_ones_are_not(scene, escalated):
    arn = (first := escalated(closed_at="2026-02-01T00:00:00Z"))["secret_arn"]
    second = scene.open(
        arn,
        build_signal(arn, at=SUCCEEDED_AT, event="event-2", rotation="rotation-2"),
        execution=THIRD,
        outcome="held",
        closed_at="2026-03-01T02:00:00Z",
    )
    scene.close(second)
    scene.finish(arn)

    claim(scene, succeeded(arn, NEXT_FAILURE))

    assert [scene.row(each)["outcome"] for each in (first, second)] == ["resolved", "resolved"]


# --- a definition of before -------------------------------------------------------------------------------------------


def test_an_execution_with_the_definition_of_before_is_claimed_as_ever(scene):
    """It sends no `entered_at`, and what it has heard has neither `pending_version_id` nor `opened_at`."""
    arn = scene.secret()
    heard = build_signal(arn)
    assert not {"pending_version_id", "opened_at"} & set(heard)

    assert scene.claim(heard)["outcome"] == "opened"
    assert scene.claim(build_signal(arn, at=FAILED_AT, event="event-2"), SECOND)["outcome"] == "known"
    assert scene.claim(succeeded(arn), THIRD)["outcome"] == "recovered"
