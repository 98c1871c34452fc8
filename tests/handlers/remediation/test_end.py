"""An incident is ended once, by one execution, which alone publishes it and restarts its dependents."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from handlers.adapters.incidents import IncidentMissing, LostRace
from handlers.adapters.remediation_states import RemediationStates
from handlers.environment import InvalidEnvironment
from handlers.remediation import end as remediation_end
from rotation_guard.domain.timestamps import to_iso
from tests.handlers.scene import (
    EXECUTION,
    FAILED_AT,
    build_cancellation,
    build_signal,
    build_success_signal,
    crash_at_each_write,
    run_before,
)

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
WANTED = {"target": "lambda:orders", "arn": FUNCTION, "state": "wanted", "why": ""}
REFUSED = {"target": "lambda:others", "arn": FUNCTION + "s", "state": "refused", "why": "It is not listed."}
OVER, ENDED, RESTARTS = (
    {"state": "over", "restarts": False},
    {"state": "mine", "restarts": False},
    {"state": "mine", "restarts": True},
)
RECOVERIES = ("recovered by AWS", "recovered by retry", "rolled forward", "fallen back")
OTHER_EXECUTION = f"{EXECUTION}-2"


@pytest.fixture
def end(context):
    """Ends an incident."""

    def run(incident, outcome="recovered by AWS", restarts=(), version="v2", execution=EXECUTION, **more):
        ending = {"outcome": outcome, "reason": "So it ended.", "restarts": list(restarts), "version": version}
        event = {"execution": execution, "incident": incident, "ending": ending, **more}
        return remediation_end.handler(event, context)

    return run


@pytest.fixture
def open_incident(scene):
    """Opens the incident of a secret."""
    return lambda **changes: scene.open(scene.secret(), **changes)


@pytest.mark.parametrize("outcome", [*RECOVERIES, "escalated", "held"])
def test_an_incident_is_closed_and_its_claim_released(scene, open_incident, end, outcome):
    incident = open_incident()
    before = datetime.now(UTC).replace(microsecond=0)

    assert end(incident, outcome) == ENDED

    row = scene.row(incident)
    assert (row["state"], row["outcome"], row["reason"], row["ended_by"]) == (
        "closed",
        outcome,
        "So it ended.",
        EXECUTION,
    )
    closed_at = datetime.fromisoformat(row["closed_at"])
    assert before <= closed_at <= datetime.now(UTC)
    assert 0 <= row["expires_at"] - (closed_at + timedelta(days=400)).timestamp() < 2
    assert scene.claim_row(incident["secret_arn"]) is None
    assert "restarts" not in row


def test_an_incident_never_expires_if_the_history_does_not(scene, open_incident, end, monkeypatch):
    monkeypatch.setenv("HISTORY_DAYS", "0")
    incident = open_incident()

    end(incident)

    assert scene.row(incident)["state"] == "closed"
    assert "expires_at" not in scene.row(incident)


def test_an_incident_ends_only_once(scene, open_incident, end):
    incident = open_incident()
    end(incident, "recovered by AWS")

    assert end(incident, "escalated", execution=OTHER_EXECUTION) == OVER

    row = scene.row(incident)
    assert (row["outcome"], row["ended_by"]) == ("recovered by AWS", EXECUTION)


def test_an_incident_without_a_row_raises(scene, end):
    with pytest.raises(IncidentMissing, match=r"that was opened at never has no row$"):
        end({"secret_arn": scene.secret(), "opened_at": "never"})


@pytest.mark.parametrize("restarts", [[], [WANTED]], ids=["closed", "restarting"])
@pytest.mark.parametrize("outcome", ["rolled forward", "escalated"])
def test_an_incident_is_unfinished_until_its_end_is_published(scene, open_incident, end, outcome, restarts):
    incident = open_incident()

    end(incident, outcome, restarts, entered_at="2026-03-01T02:20:00.123Z")

    assert scene.unfinished(incident["secret_arn"]) == [incident["opened_at"]]
    # The execution has this long to publish it, by AWS's clock.
    assert scene.row(incident)["alive_until"] == int(datetime(2026, 3, 1, 4, 20, tzinfo=UTC).timestamp())


def test_an_incident_is_closed_by_the_clock_of_aws(scene, open_incident, end):
    incident = open_incident()

    end(incident, entered_at="2026-03-01T02:20:00.123Z")

    assert scene.row(incident)["closed_at"] == "2026-03-01T02:20:00Z"


def test_an_execution_with_the_previous_definition_can_end_its_incident(scene, open_incident, end):
    incident = open_incident()
    before = datetime.now(UTC).replace(microsecond=0)

    # It sends no `entered_at`, so the function's own clock is used.
    assert end(incident) == ENDED

    assert before <= datetime.fromisoformat(scene.row(incident)["closed_at"]) <= datetime.now(UTC)


def test_a_failed_step_cannot_end_an_incident_that_another_execution_has_ended(scene, open_incident, end):
    incident = open_incident()
    end(incident, execution=OTHER_EXECUTION)

    assert end(incident, "escalated") == OVER


def test_the_next_failure_opens_another_incident(scene, open_incident, end):
    incident = open_incident()
    end(incident, "escalated")

    # The escalation includes every earlier failure, by the clock.
    later = to_iso(datetime.now(UTC) + timedelta(seconds=2))
    later_failure = build_signal(incident["secret_arn"], event="event-2", rotation="rotation-2", at=later)
    assert scene.claim(later_failure, OTHER_EXECUTION, "2026-03-01T02:00:01.000Z")["outcome"] == "opened"


# --- what is stored for the secret ------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", RECOVERIES)
def test_a_failure_from_before_a_recovery_is_stale(scene, open_incident, end, outcome):
    incident = open_incident()
    arn = incident["secret_arn"]

    end(incident, outcome)

    state = RemediationStates("incidents").read(arn)
    assert (state.succeeded_at, state.verified_at) == (FAILED_AT, "")
    before = build_signal(arn, event="event-2", rotation="rotation-0", at="2026-03-01T00:50:19Z")
    assert scene.claim(before, OTHER_EXECUTION, "2026-03-01T02:00:01.000Z")["outcome"] == "late"


@pytest.mark.parametrize("outcome", RECOVERIES)
def test_a_verified_recovery_is_stored_as_verified(open_incident, end, outcome):
    incident = open_incident(verified=True)

    end(incident, outcome)

    assert RemediationStates("incidents").read(incident["secret_arn"]).verified_at == FAILED_AT


def test_a_repair_is_dated_as_of_its_move(open_incident, end):
    incident = open_incident(moved={"how": "rolled forward", "at": "2026-03-01T03:00:00Z"})

    end(incident, "rolled forward")

    assert RemediationStates("incidents").read(incident["secret_arn"]).succeeded_at == "2026-03-01T03:00:00Z"


@pytest.mark.parametrize("outcome", ["escalated", "held"])
def test_an_incident_without_a_recovery_is_no_success(open_incident, end, outcome):
    incident = open_incident()

    end(incident, outcome)

    assert RemediationStates("incidents").read(incident["secret_arn"]).succeeded_at == ""


# --- dependents -------------------------------------------------------------------------------------------------------


def test_dependents_are_restarted_before_the_incident_is_closed(scene, open_incident, end):
    incident = open_incident()
    before = int(datetime.now(UTC).timestamp() * 1000)

    assert end(incident, "rolled forward", [WANTED, REFUSED]) == RESTARTS

    row = scene.row(incident)
    assert (row["state"], row["outcome"], row["ended_by"]) == ("restarting", "rolled forward", EXECUTION)
    assert row["restarts"] == [WANTED, REFUSED]
    assert before <= row["restarts_wanted_at"] <= datetime.now(UTC).timestamp() * 1000
    assert not {"closed_at", "expires_at"} & set(row)
    assert scene.claim_row(incident["secret_arn"]) is None

    assert end(incident, "rolled forward") == ENDED

    row = scene.row(incident)
    assert (row["state"], row["outcome"]) == ("closed", "rolled forward")
    assert {"closed_at", "expires_at"} <= set(row)


def test_a_failed_restart_escalates_a_repaired_incident(scene, open_incident, end):
    incident = open_incident()
    end(incident, "rolled forward", [WANTED])

    assert end(incident, "escalated") == ENDED

    row = scene.row(incident)
    assert (row["state"], row["outcome"], row["restarts"]) == ("closed", "escalated", [WANTED])


def test_an_incident_with_only_refused_restarts_is_closed(scene, open_incident, end):
    incident = open_incident()

    assert end(incident, "rolled forward", [REFUSED]) == ENDED

    row = scene.row(incident)
    assert (row["state"], row["restarts"]) == ("closed", [REFUSED])


def test_a_restart_by_another_event_of_the_same_rotation_is_shared(scene, end, monkeypatch):
    monkeypatch.setenv("RESTART_TARGETS", f'["{FUNCTION}"]')
    arn = scene.secret(restart="lambda:orders", restart_on="rotation")
    assert (
        scene.claim(build_success_signal(arn, FAILED_AT), OTHER_EXECUTION, "2026-03-01T00:50:30.000Z")["outcome"]
        == "moved"
    )
    incident = scene.open(arn)

    assert end(incident, restarts=[WANTED, REFUSED], version=scene.version(arn)) == ENDED

    row = scene.row(incident)
    assert (row["state"], "closed_at" in row) == ("closed", True)
    why = "Another event of the same rotation restarted it."
    assert row["restarts"] == [{**WANTED, "state": "covered", "why": why}, REFUSED]
    assert end(incident, restarts=[WANTED, REFUSED], version=scene.version(arn)) == ENDED


def test_incidents_without_a_version_share_no_restarts(aws, scene, open_incident, end):
    incident = open_incident()
    arn = incident["secret_arn"]
    assert end(incident, "rolled forward", [WANTED], version="") == RESTARTS
    another = scene.open(
        arn, build_signal(arn, at="2026-03-05T00:00:00Z", event="event-2"), "2026-03-05T00:01:00Z", OTHER_EXECUTION
    )

    assert end(another, "rolled forward", [WANTED], version="", execution=OTHER_EXECUTION) == RESTARTS

    assert not [row for row in aws.rows("incidents") if row["secret_arn"] == f"restart#{arn}"]


def test_only_one_of_two_concurrent_ends_restarts(aws, scene, open_incident, end):
    incident, answers = open_incident(), []
    run_before(
        aws, "TransactWriteItems", lambda: answers.append(end(incident, restarts=[WANTED], execution=OTHER_EXECUTION))
    )

    answers.append(end(incident, "rolled forward", [WANTED]))

    assert answers == [RESTARTS, OVER]
    assert scene.row(incident)["restarts"] == [WANTED]


# --- crashes and conflicts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "restarts", "answer", "state", "writes"),
    [
        ("recovered by AWS", [], ENDED, "closed", 3),
        ("escalated", [], ENDED, "closed", 2),
        ("rolled forward", [WANTED], RESTARTS, "restarting", 3),
        ("rolled forward", [REFUSED], ENDED, "closed", 3),
    ],
)
def test_an_end_that_crashes_is_repeated_with_the_same_result(
    aws, scene, open_incident, end, outcome, restarts, answer, state, writes
):
    incidents = []

    def prepare():
        incidents.append(open_incident())
        return lambda: end(incidents[-1], outcome, restarts)

    answers = list(crash_at_each_write(aws, prepare))

    assert len(answers) == 2 * writes
    for (crash_point, repeated_answer), key in zip(answers, incidents, strict=False):
        assert repeated_answer == answer, crash_point
        row = scene.row(key)
        assert (row["state"], row["outcome"], row.get("restarts", [])) == (state, outcome, restarts), crash_point
        assert scene.claim_row(key["secret_arn"]) is None, crash_point
        assert ("link" in row) == (state == "closed"), crash_point


def test_an_end_after_restarts_that_crashes_is_repeated_with_the_same_result(aws, scene, open_incident, end):
    def prepare():
        incident = open_incident()
        end(incident, "rolled forward", [WANTED])
        return lambda: end(incident, "rolled forward")

    answers = list(crash_at_each_write(aws, prepare))

    assert len(answers) == 4
    assert {answer["state"] for _, answer in answers} == {"mine"}


@pytest.mark.parametrize("code", ["TransactionConflict", "ConditionalCheckFailed"])
def test_a_transient_conflict_is_not_taken_for_another_end(aws, scene, open_incident, end, code):
    incident = open_incident()
    refusals = iter([build_cancellation(aws, code, "None")])
    aws.answer("TransactWriteItems", lambda _: next(refusals, None))

    assert end(incident, "escalated") == ENDED

    assert scene.row(incident)["state"] == "closed"


def test_an_incident_that_cannot_be_ended_stays_open(aws, scene, open_incident, end):
    incident = open_incident()
    aws.answer("TransactWriteItems", lambda _: build_cancellation(aws, "TransactionConflict", "None"))

    with pytest.raises(LostRace):
        end(incident, "escalated")

    assert scene.row(incident)["state"] == "open"


def test_a_failure_that_joins_concurrently_belongs_to_the_incident(aws, scene, open_incident, end):
    incident = open_incident()
    run_before(
        aws,
        "TransactWriteItems",
        lambda: scene.claim(build_signal(incident["secret_arn"], event="event-2"), OTHER_EXECUTION),
    )

    assert end(incident, "escalated") == ENDED

    assert scene.row(incident)["failures"] == 2


def test_a_transient_error_is_left_to_the_workflows_retry(aws, open_incident, end):
    incident = open_incident()
    aws.answer("TransactWriteItems", lambda _: build_cancellation(aws, "ThrottlingError", "None"))

    with pytest.raises(ClientError, match="TransactionCanceledException"):
        end(incident, "escalated")


def test_an_incomplete_environment_raises(open_incident, end, monkeypatch):
    incident = open_incident()
    monkeypatch.delenv("HISTORY_DAYS")

    with pytest.raises(InvalidEnvironment, match=r"^HISTORY_DAYS must be set"):
        end(incident)
