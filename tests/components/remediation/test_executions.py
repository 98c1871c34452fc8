"""What an execution does with the results of its steps, from the claim to the end of the incident."""

import pytest

from tests.components.remediation.executions import (
    BASIC,
    ENDING,
    EXECUTION,
    INCIDENT,
    NOTIFIED,
    OWNED,
    SECRET,
    SIGNAL,
    STARTED_AT,
    Steps,
    claim_result,
    decision,
    diagnose_result,
    resume_result,
    run_execution,
)


def test_a_recovery_by_aws_sends_one_notification_at_its_start_and_one_at_its_end():
    steps = Steps(**BASIC, decide=decision("end"))

    execution = run_execution(steps)

    assert execution["ended"] == "Done"
    assert steps.transitions == ["opened", "recovered"]
    assert execution["waits"] == [900]
    assert steps.payloads("claim") == [{**EXECUTION, "heard": SIGNAL, "started_at": STARTED_AT}]
    assert steps.payloads("decide")[0]["proofs"] == {}
    assert steps.payloads("end") == [{**EXECUTION, "incident": INCIDENT, "heard": SIGNAL, "ending": ENDING}]
    assert all(EXECUTION.items() <= payload.items() for _, payload in steps.calls)
    assert steps.payloads("notify")[0]["heard"] == SIGNAL


@pytest.mark.parametrize("outcome", ["known", "late", "quiet"])
def test_a_repeated_stale_or_irrelevant_event_sends_no_notification(outcome):
    steps = Steps(claim=claim_result(outcome, incident=None))

    assert run_execution(steps)["path"] == ["Claim", "Missing", "Claimed", "Done"]
    assert steps.transitions == []


def test_a_failure_without_a_secret_sends_a_notification():
    steps = Steps(claim=claim_result("unidentified", incident=None), notify=NOTIFIED)

    assert run_execution(steps)["ended"] == "Done"
    [request] = steps.payloads("notify")
    assert request == {**EXECUTION, "turn": "unidentified", "incident": None, "heard": SIGNAL}


def test_a_success_event_ends_the_incident_immediately():
    steps = Steps(claim=claim_result("recovered", ending=ENDING), end=OWNED, notify=NOTIFIED)

    execution = run_execution(steps)

    assert (execution["ended"], execution["waits"], steps.transitions) == ("Done", [], ["recovered"])


def test_a_step_that_finds_the_incident_closed_ends_the_execution_silently():
    closed = {"state": "over"}
    for steps in (
        Steps(claim=claim_result(), notify=NOTIFIED, diagnose=closed),
        Steps(**BASIC, decide={"action": "over"}),
        Steps(**{**BASIC, "end": {"state": "over", "restarts": False}}, decide=decision("end")),
        Steps(**BASIC, decide=decision("retry"), retry={"outcome": "over"}),
        Steps(**BASIC, decide=decision("move"), move={"outcome": "over"}),
        Steps(
            **{**BASIC, "diagnose": [diagnose_result(), closed]}, decide=decision("retry"), retry={"outcome": "asked"}
        ),
    ):
        assert run_execution(steps)["ended"] == "Done"
        assert [transition for transition in steps.transitions if transition != "retried"] == ["opened"]


def test_a_probe_is_invoked_if_the_secret_names_one():
    proofs = {"current": "works", "pending": "unknown", "previous": "absent", "notes": []}
    steps = Steps(**{**BASIC, "diagnose": diagnose_result(probe="arn:probe")}, probe=proofs, decide=decision("end"))

    run_execution(steps)

    [request] = steps.payloads("probe")
    assert (request["probe"], request["diagnosis"], request["incident"]) == ("arn:probe", {"users": "single"}, INCIDENT)
    assert steps.payloads("decide")[0]["proofs"] == proofs


def test_a_successful_retry_is_noticed_by_the_next_diagnosis():
    diagnoses = [
        diagnose_result(),
        diagnose_result(rotation="under way"),
        diagnose_result(rotation="succeeded"),
        diagnose_result(recovered=True),
    ]
    steps = Steps(
        **{**BASIC, "diagnose": diagnoses},
        decide=[decision("retry", number=1, backoff_seconds=120), decision("end", outcome="recovered by retry")],
        retry={"outcome": "asked"},
    )

    execution = run_execution(steps)

    assert execution["waits"] == [900, 30, 30]
    assert steps.transitions == ["opened", "retried", "recovered"]
    assert [step["recovered"] for step in steps.payloads("decide")] == [False, True]
    assert steps.payloads("retry")[0]["decision"]["number"] == 1


@pytest.mark.parametrize(("rotation", "polls"), [("failed", 1), ("under way", 60)])
def test_a_retry_that_fails_or_times_out_backs_off_only_before_another_retry(rotation, polls):
    diagnoses = [diagnose_result(), *[diagnose_result(rotation=rotation)] * polls, diagnose_result(), diagnose_result()]
    steps = Steps(
        **{**BASIC, "diagnose": diagnoses},
        decide=[
            decision("retry", backoff_seconds=77),
            decision("back off", wait_seconds=77),
            decision("end", outcome="escalated"),
        ],
        retry={"outcome": "asked"},
    )

    execution = run_execution(steps)

    assert execution["waits"] == [900, *[30] * polls, 77]
    assert [step["backoff_seconds"] for step in steps.payloads("decide")] == [0, 77, 0]
    assert execution["ended"] == "Done"


@pytest.mark.parametrize("outcome", ["moved", "lost"])
def test_the_secret_is_diagnosed_again_after_a_move_and_after_a_lost_race(outcome):
    steps = Steps(
        **BASIC, decide=[decision("move"), decision("end", outcome="rolled forward")], move={"outcome": outcome}
    )

    execution = run_execution(steps)

    assert [name for name in execution["path"] if name in ("Diagnose", "Move")] == ["Diagnose", "Move", "Diagnose"]
    assert steps.transitions == ["opened", "recovered"]


def test_an_action_waits_for_the_change_window_and_is_decided_again():
    steps = Steps(**BASIC, decide=[decision("wait", wait_seconds=3600), decision("end")])

    execution = run_execution(steps)

    assert execution["waits"] == [900, 3600]
    assert execution["path"].count("Diagnose") == 2


@pytest.mark.parametrize(
    ("is_digest_owner", "transitions"), [(False, ["opened", "held"]), (True, ["opened", "held", "held_burst"])]
)
def test_only_the_owner_of_a_digest_waits_and_publishes_it(is_digest_owner, transitions):
    results = [NOTIFIED, {"outcome": "told", "teller": is_digest_owner}]
    steps = Steps(**{**BASIC, "notify": results}, decide=decision("end", outcome="held"))

    execution = run_execution(steps)

    assert execution["ended"] == "Done"
    assert steps.transitions == transitions
    assert execution["waits"] == [900, *([180] if is_digest_owner else [])]


def test_an_execution_that_escalates_succeeds_so_that_no_alarm_pages_again():
    steps = Steps(**BASIC, decide=decision("end", outcome="escalated"))

    assert run_execution(steps)["ended"] == "Done"
    assert steps.transitions == ["opened", "escalated"]
    assert "error" not in steps.payloads("notify")[-1]


MISSING = {"secret_arn": SECRET, "opened_at": "2026-02-01T01:17:16Z"}


@pytest.mark.parametrize(
    ("outcome", "transitions"), [("quiet", []), ("opened", ["opened", "recovered"]), ("known", [])]
)
def test_an_incident_whose_row_is_missing_is_notified_first(outcome, transitions):
    steps = Steps(**{**BASIC, "claim": claim_result(outcome, missing=MISSING)}, decide=decision("end"))

    assert run_execution(steps)["ended"] == "Done"

    assert steps.transitions == ["missing", *transitions]
    assert steps.payloads("notify")[0] == {**EXECUTION, "turn": "missing", "incident": MISSING}


def test_a_reminder_is_sent_without_any_action():
    steps = Steps(claim=claim_result("reminder"), notify=NOTIFIED)

    execution = run_execution(steps)

    assert (execution["ended"], execution["waits"]) == ("Done", [])
    assert steps.payloads("notify") == [{**EXECUTION, "turn": "reminder", "incident": INCIDENT}]


def test_an_open_incident_is_resumed_with_an_immediate_diagnosis():
    steps = Steps(**{**BASIC, "claim": resume_result("diagnose", outcome="")}, decide=decision("end"))

    execution = run_execution(steps)

    assert (execution["ended"], execution["waits"]) == ("Done", [])
    # The notify step skips a notification that the row shows as sent.
    assert steps.transitions == ["opened", "recovered"]


@pytest.mark.parametrize(
    ("outcome", "transitions"),
    [
        *((outcome, ["recovered"]) for outcome in ("recovered by AWS", "rolled forward", "fallen back")),
        ("escalated", ["escalated"]),
        ("resolved", ["resolved"]),
        ("restarted", ["restarted"]),
        ("held", ["held", "held_burst"]),
    ],
)
def test_a_missing_notification_is_sent_without_any_other_step(outcome, transitions):
    steps = Steps(claim=resume_result("tell", outcome=outcome), notify={"outcome": "told", "teller": True})

    assert run_execution(steps)["ended"] == "Done"

    assert {step for step, _ in steps.calls} == {"claim", "notify"}
    assert steps.transitions == transitions
