"""An incident is ended once, by one execution, which alone tells of it and restarts its dependents."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from handlers.adapters.incidents import IncidentMissing, LostRace
from handlers.adapters.remediation_states import RemediationStates
from handlers.environment import InvalidEnvironment
from handlers.remediation import end as remediation_end
from rotation_guard.domain.timestamps import to_iso
from tests.handlers.scene import EXECUTION, FAILED_AT, build_signal, cancelled, crashes, once, succeeded

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
WANTED = {"target": "lambda:orders", "arn": FUNCTION, "state": "wanted", "why": ""}
REFUSED = {"target": "lambda:others", "arn": FUNCTION + "s", "state": "refused", "why": "It is not listed."}
OVER, ENDED, RESTARTS = (
    {"state": "over", "restarts": False},
    {"state": "mine", "restarts": False},
    {"state": "mine", "restarts": True},
)
RECOVERIES = ("recovered by AWS", "recovered by retry", "rolled forward", "fallen back")
OTHERS = f"{EXECUTION}-2"


@pytest.fixture
def end(context):
    """Ends an incident."""

    def run(incident, outcome="recovered by AWS", restarts=(), version="v2", execution=EXECUTION, **more):
        ending = {"outcome": outcome, "reason": "So it ended.", "restarts": list(restarts), "version": version}
        event = {"execution": execution, "incident": incident, "ending": ending, **more}
        return remediation_end.handler(event, context)

    return run


@pytest.fixture
def incident(scene):
    """Opens the incident of a secret."""
    return lambda **changes: scene.open(scene.secret(), **changes)


@pytest.mark.parametrize("outcome", [*RECOVERIES, "escalated", "held"])
def test_an_incident_is_closed_and_its_claim_released(scene, incident, end, outcome):
    opened = incident()
    before = datetime.now(UTC).replace(microsecond=0)

    assert end(opened, outcome) == ENDED

    row = scene.row(opened)
    assert (row["state"], row["outcome"], row["reason"], row["ended_by"]) == (
        "closed",
        outcome,
        "So it ended.",
        EXECUTION,
    )
    closed_at = datetime.fromisoformat(row["closed_at"])
    assert before <= closed_at <= datetime.now(UTC)
    assert 0 <= row["expires_at"] - (closed_at + timedelta(days=400)).timestamp() < 2
    assert scene.claimed(opened["secret_arn"]) is None
    assert "restarts" not in row


def test_a_history_that_is_kept_for_good_keeps_it_too(scene, incident, end, monkeypatch):
    monkeypatch.setenv("HISTORY_DAYS", "0")
    opened = incident()

    end(opened)

    assert scene.row(opened)["state"] == "closed"
    assert "expires_at" not in scene.row(opened)


def test_another_that_ends_it_too_is_told_that_it_is_over(scene, incident, end):
    opened = incident()
    end(opened, "recovered by AWS")

    assert end(opened, "escalated", execution=OTHERS) == OVER

    row = scene.row(opened)
    assert (row["outcome"], row["ended_by"]) == ("recovered by AWS", EXECUTION)


def test_an_incident_without_a_row_is_an_error(scene, end):
    with pytest.raises(IncidentMissing, match=r"that was opened at never has no row$"):
        end({"secret_arn": scene.secret(), "opened_at": "never"})


@pytest.mark.parametrize("restarts", [[], [WANTED]], ids=["closed", "restarting"])
@pytest.mark.parametrize("outcome", ["rolled forward", "escalated"])
def test_it_stays_unfinished_until_it_is_told_how_it_ended(scene, incident, end, outcome, restarts):
    opened = incident()

    end(opened, outcome, restarts, entered_at="2026-03-01T02:20:00.123Z")

    assert scene.unfinished(opened["secret_arn"]) == [opened["opened_at"]]
    # Who tells of it has an hour, by AWS's clock.
    assert scene.row(opened)["alive_until"] == int(datetime(2026, 3, 1, 4, 20, tzinfo=UTC).timestamp())


def test_it_is_closed_by_the_clock_of_aws(scene, incident, end):
    opened = incident()

    end(opened, entered_at="2026-03-01T02:20:00.123Z")

    assert scene.row(opened)["closed_at"] == "2026-03-01T02:20:00Z"


def test_an_execution_with_the_definition_of_before_ends_its_incident(scene, incident, end):
    opened = incident()
    before = datetime.now(UTC).replace(microsecond=0)

    # It sends no `entered_at`: the function's own clock has to do.
    assert end(opened) == ENDED

    assert before <= datetime.fromisoformat(scene.row(opened)["closed_at"]) <= datetime.now(UTC)


def test_a_step_that_broke_in_an_execution_that_lost_its_incident_ends_it_no_more(scene, incident, end):
    opened = incident()
    end(opened, execution=OTHERS)

    assert end(opened, "escalated") == OVER


def test_the_next_failure_opens_another(scene, incident, end):
    opened = incident()
    end(opened, "escalated")

    # It was paged by the clock: what failed before that is what somebody was paged for.
    later = to_iso(datetime.now(UTC) + timedelta(seconds=2))
    late = build_signal(opened["secret_arn"], event="event-2", rotation="rotation-2", at=later)
    assert scene.claim(late, OTHERS, "2026-03-01T02:00:01.000Z")["outcome"] == "opened"


# --- what is remembered of the secret ---------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", RECOVERIES)
def test_a_recovery_makes_what_happened_before_it_late(scene, incident, end, outcome):
    opened = incident()
    arn = opened["secret_arn"]

    end(opened, outcome)

    standing = RemediationStates("incidents").read(arn)
    assert (standing.succeeded_at, standing.verified_at) == (FAILED_AT, "")
    before = build_signal(arn, event="event-2", rotation="rotation-0", at="2026-03-01T00:50:19Z")
    assert scene.claim(before, OTHERS, "2026-03-01T02:00:01.000Z")["outcome"] == "late"


@pytest.mark.parametrize("outcome", RECOVERIES)
def test_a_recovery_that_was_verified_is_remembered_as_such(incident, end, outcome):
    opened = incident(verified=True)

    end(opened, outcome)

    assert RemediationStates("incidents").read(opened["secret_arn"]).verified_at == FAILED_AT


def test_a_repair_counts_from_when_it_was_made(incident, end):
    opened = incident(moved={"how": "rolled forward", "at": "2026-03-01T03:00:00Z"})

    end(opened, "rolled forward")

    assert RemediationStates("incidents").read(opened["secret_arn"]).succeeded_at == "2026-03-01T03:00:00Z"


@pytest.mark.parametrize("outcome", ["escalated", "held"])
def test_what_did_not_recover_is_no_success(incident, end, outcome):
    opened = incident()

    end(opened, outcome)

    assert RemediationStates("incidents").read(opened["secret_arn"]).succeeded_at == ""


# --- dependents -------------------------------------------------------------------------------------------------------


def test_dependents_are_restarted_before_it_is_closed(scene, incident, end):
    opened = incident()
    before = int(datetime.now(UTC).timestamp() * 1000)

    assert end(opened, "rolled forward", [WANTED, REFUSED]) == RESTARTS

    row = scene.row(opened)
    assert (row["state"], row["outcome"], row["ended_by"]) == ("restarting", "rolled forward", EXECUTION)
    assert row["restarts"] == [WANTED, REFUSED]
    assert before <= row["restarts_wanted_at"] <= datetime.now(UTC).timestamp() * 1000
    assert not {"closed_at", "expires_at"} & set(row)
    assert scene.claimed(opened["secret_arn"]) is None

    assert end(opened, "rolled forward") == ENDED

    row = scene.row(opened)
    assert (row["state"], row["outcome"]) == ("closed", "rolled forward")
    assert {"closed_at", "expires_at"} <= set(row)


def test_a_restart_that_failed_escalates_what_was_repaired(scene, incident, end):
    opened = incident()
    end(opened, "rolled forward", [WANTED])

    assert end(opened, "escalated") == ENDED

    row = scene.row(opened)
    assert (row["state"], row["outcome"], row["restarts"]) == ("closed", "escalated", [WANTED])


def test_where_none_may_be_restarted_it_is_closed_and_tells_so(scene, incident, end):
    opened = incident()

    assert end(opened, "rolled forward", [REFUSED]) == ENDED

    row = scene.row(opened)
    assert (row["state"], row["restarts"]) == ("closed", [REFUSED])


def test_what_another_event_of_the_rotation_restarts_is_covered(scene, end, monkeypatch):
    monkeypatch.setenv("RESTART_TARGETS", f'["{FUNCTION}"]')
    arn = scene.secret(restart="lambda:orders", restart_on="rotation")
    assert scene.claim(succeeded(arn, FAILED_AT), OTHERS, "2026-03-01T00:50:30.000Z")["outcome"] == "moved"
    opened = scene.open(arn)

    assert end(opened, restarts=[WANTED, REFUSED], version=scene.version(arn)) == ENDED

    row = scene.row(opened)
    assert (row["state"], "closed_at" in row) == ("closed", True)
    why = "Another event of the same rotation restarted it."
    assert row["restarts"] == [{**WANTED, "state": "covered", "why": why}, REFUSED]
    assert end(opened, restarts=[WANTED, REFUSED], version=scene.version(arn)) == ENDED


def test_without_a_version_each_incident_restarts_for_itself(aws, scene, incident, end):
    opened = incident()
    arn = opened["secret_arn"]
    assert end(opened, "rolled forward", [WANTED], version="") == RESTARTS
    another = scene.open(
        arn, build_signal(arn, at="2026-03-05T00:00:00Z", event="event-2"), "2026-03-05T00:01:00Z", OTHERS
    )

    assert end(another, "rolled forward", [WANTED], version="", execution=OTHERS) == RESTARTS

    assert not [row for row in aws.rows("incidents") if row["secret_arn"] == f"restart#{arn}"]


def test_of_two_that_end_it_at_once_one_restarts(aws, scene, incident, end):
    opened, answers = incident(), []
    once(aws, "TransactWriteItems", lambda: answers.append(end(opened, restarts=[WANTED], execution=OTHERS)))

    answers.append(end(opened, "rolled forward", [WANTED]))

    assert answers == [RESTARTS, OVER]
    assert scene.row(opened)["restarts"] == [WANTED]


# --- cut short, and in each other's way -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "restarts", "answer", "state", "writes"),
    [
        ("recovered by AWS", [], ENDED, "closed", 2),
        ("escalated", [], ENDED, "closed", 1),
        ("rolled forward", [WANTED], RESTARTS, "restarting", 3),
        ("rolled forward", [REFUSED], ENDED, "closed", 2),
    ],
)
def test_an_end_that_is_cut_short_is_the_same_again(
    aws, scene, incident, end, outcome, restarts, answer, state, writes
):
    opened = []

    def prepare():
        opened.append(incident())
        return lambda: end(opened[-1], outcome, restarts)

    answers = list(crashes(aws, prepare))

    assert len(answers) == 2 * writes
    for (where, again), each in zip(answers, opened, strict=False):
        assert again == answer, where
        row = scene.row(each)
        assert (row["state"], row["outcome"], row.get("restarts", [])) == (state, outcome, restarts), where
        assert scene.claimed(each["secret_arn"]) is None, where


def test_the_second_end_is_the_same_again_too(aws, scene, incident, end):
    def prepare():
        opened = incident()
        end(opened, "rolled forward", [WANTED])
        return lambda: end(opened, "rolled forward")

    answers = list(crashes(aws, prepare))

    assert len(answers) == 2
    assert {answer["state"] for _, answer in answers} == {"mine"}


@pytest.mark.parametrize("code", ["TransactionConflict", "ConditionalCheckFailed"])
def test_what_is_in_the_way_for_a_moment_is_no_other_end(aws, scene, incident, end, code):
    opened = incident()
    refusals = iter([cancelled(aws, code, "None")])
    aws.answer("TransactWriteItems", lambda _: next(refusals, None))

    assert end(opened, "escalated") == ENDED

    assert scene.row(opened)["state"] == "closed"


def test_an_incident_that_cannot_be_ended_is_not_taken_for_ended(aws, scene, incident, end):
    opened = incident()
    aws.answer("TransactWriteItems", lambda _: cancelled(aws, "TransactionConflict", "None"))

    with pytest.raises(LostRace):
        end(opened, "escalated")

    assert scene.row(opened)["state"] == "open"


def test_a_failure_that_joins_at_the_last_moment_belongs_to_it(aws, scene, incident, end):
    opened = incident()
    once(aws, "TransactWriteItems", lambda: scene.claim(build_signal(opened["secret_arn"], event="event-2"), OTHERS))

    assert end(opened, "escalated") == ENDED

    assert scene.row(opened)["failures"] == 2


def test_a_passing_trouble_is_for_the_workflow_to_try_again(aws, incident, end):
    opened = incident()
    aws.answer("TransactWriteItems", lambda _: cancelled(aws, "ThrottlingError", "None"))

    with pytest.raises(ClientError, match="TransactionCanceledException"):
        end(opened, "escalated")


def test_an_incomplete_environment_is_told_as_what_it_is(incident, end, monkeypatch):
    opened = incident()
    monkeypatch.delenv("HISTORY_DAYS")

    with pytest.raises(InvalidEnvironment, match=r"^HISTORY_DAYS must be set"):
        end(opened)
