"""What people read about an incident."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.adapters.topics import messages
from handlers.domain.notices import SUBJECT_LENGTH
from tests.handlers.turns import (
    ARN,
    EXECUTION,
    NOT_LISTED,
    SETTLED,
    TURNS,
    decided,
    held,
    incident,
    repaired,
    resolved,
    told,
)

LINKS = [
    "Secret: https://eu-west-1.console.aws.amazon.com/secretsmanager/secret?name=orders%2Fdb&region=eu-west-1",
    "Execution: https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1"
    f"#/v2/executions/details/{EXECUTION}",
]
LARGEST_MESSAGE = 262_144
"""Bytes (https://docs.aws.amazon.com/sns/latest/api/API_Publish.html)."""


def test_a_notice_of_a_failure_tells_what_is_true_and_what_to_do():
    notice = told("opened")

    assert notice.subject == "Rotation failed: orders/db at setSecret"
    assert notice.text.splitlines() == [
        "The rotation of orders/db failed at setSecret.",
        "",
        "When: 2026-03-01T00:50:20Z (RotationFailed)",
        "Done: nothing yet.",
        "Now: AWSCURRENT is on version v1, which is what applications read; "
        "AWSPENDING is on version v2: the rotation is unfinished.",
        "Next: Read the log of the rotation function, if it cannot wait. AWS tries again by itself; you are told once "
        "more, when this is over. Do not clear AWSPENDING: it may be the only copy of a password that is live already.",
        "",
        *LINKS,
        "Runbook: docs/runbook.md#opened",
    ]


def test_a_closed_notice_tells_what_was_done_and_when():
    notice = told("recovered", repaired())

    assert notice.subject == "Rotation rolled forward: orders/db"
    assert notice.text.splitlines() == [
        "The rotation of orders/db failed at setSecret: rolled forward.",
        "",
        "When: 2026-03-01T00:50:20Z (RotationFailed); 5 failures, the last at 2026-03-01T01:15:00Z",
        "Why: AWSCURRENT is on the version that this incident moved it to, and a probe proved that it works.",
        "Done:",
        "- 2026-03-01T01:06:01Z retry 1: reattempted",
        "- 2026-03-01T01:16:01Z rolled forward, AWSCURRENT to version v2: done",
        "- 2026-03-01T01:19:00Z restart of ecs:shop/orders: settled",
        "- not restarted: lambda:api: It is not among them.",
        "Now: AWSCURRENT is on version v2, which is what applications read.",
        "Probe: AWSCURRENT works.",
        "Next: Nothing is lost. Read the log of the rotation function at testSecret and finishSecret: it died there. "
        "Restart what was not restarted: lambda:api.",
        "",
        *LINKS,
        "Runbook: docs/runbook.md#rolled-forward",
    ]


def test_the_facts_say_what_to_do_next_as_the_text_does():
    notice = told("escalated", incident(actions=[decided("orphaned")]))

    assert f"Next: {notice.facts['next']}" in notice.text.splitlines()


@pytest.mark.parametrize(
    ("turn", "changes", "subject", "headline"),
    [
        ("opened", {}, "Rotation failed: orders/db at setSecret", "The rotation of orders/db failed at setSecret."),
        (
            "opened",
            {"event_type": "RotationAbandoned", "failed_step": None},
            "Rotation was abandoned: orders/db",
            "The rotation of orders/db was abandoned.",
        ),
        (
            "opened",
            {"event_type": "TestRotationFailed"},
            "Rotation failed its test: orders/db at setSecret",
            "The rotation of orders/db failed its test at setSecret.",
        ),
        (
            "opened",
            {"event_type": "Rotation Stuck", "failed_step": None},
            "Rotation is stuck: orders/db",
            "The rotation of orders/db is stuck.",
        ),
        (
            "recovered",
            {"outcome": "recovered by AWS"},
            "Rotation recovered by AWS: orders/db",
            "The rotation of orders/db failed at setSecret: recovered by AWS.",
        ),
        ("recovered", {"outcome": "recovered by retry"}, "Rotation recovered by retry: orders/db", None),
        ("recovered", {"outcome": "fallen back"}, "Rotation fallen back: orders/db", None),
        (
            "recovered",
            {},
            "Rotation recovered: orders/db",
            "The rotation of orders/db failed at setSecret: recovered.",
        ),
        (
            "escalated",
            {},
            "Rotation escalated: orders/db at setSecret",
            "The rotation of orders/db failed at setSecret: escalated.",
        ),
        (
            "escalated",
            {"event_type": "RotationSucceeded", "failed_step": None},
            "Rotation escalated: orders/db",
            "orders/db has a new value: escalated.",
        ),
        ("held", {}, "Rotation held: orders/db", None),
        (
            "reminder",
            {"outcome": "escalated"},
            "Rotation still escalated: orders/db at setSecret",
            "The rotation of orders/db still fails at setSecret: escalated, and not resolved since.",
        ),
        (
            "reminder",
            {"outcome": "escalated", "failed_step": None},
            "Rotation still escalated: orders/db",
            "The rotation of orders/db still fails: escalated, and not resolved since.",
        ),
        ("resolved", {"outcome": "resolved"}, "Rotation resolved: orders/db", "orders/db: resolved."),
        ("missing", {}, "Incident lost: orders/db", "The incident of orders/db is lost: escalated."),
        (
            "restarted",
            {"restarts": [SETTLED, NOT_LISTED]},
            "Dependents restarted: orders/db",
            "orders/db has a new value; its dependents were restarted.",
        ),
        (
            "restarted",
            {"restarts": [NOT_LISTED]},
            "Dependents not restarted: orders/db",
            "orders/db has a new value; its dependents were not restarted.",
        ),
    ],
)
def test_a_subject_names_the_secret_and_what_happened(turn, changes, subject, headline):
    notice = told(turn, incident(**changes))

    assert notice.subject == subject
    assert headline in (None, notice.text.splitlines()[0])


def test_a_notice_of_what_was_resolved_tells_by_what_and_asks_for_nothing():
    assert told("resolved", resolved()).text.splitlines() == [
        "orders/db: resolved.",
        "",
        "When: 2026-03-01T00:50:20Z (RotationFailed)",
        "Why: A new value is in use since 2026-03-01T09:00:00Z (RotationSucceeded).",
        "Done: nothing but telling.",
        "Now: the labels were not looked at.",
        "Next: No action required.",
        "",
        *LINKS,
        "Runbook: docs/runbook.md#resolved",
    ]


def test_a_notice_of_an_incident_whose_row_is_gone_claims_to_know_nothing():
    lines = told("missing", {"secret_arn": ARN, "opened_at": "2026-03-01T00:51:00.000Z"}).text.splitlines()

    assert lines[:4] == [
        "The incident of orders/db is lost: escalated.",
        "",
        "Why: Its row is missing from the Incidents table, so what was done about it is not known.",
        "Done: not known.",
    ]
    assert "aws secretsmanager describe-secret --secret-id orders/db" in lines[5]


def test_a_failure_without_a_secret_is_told_all_the_same():
    notice = told("unidentified", {}, heard={"kind": "RotationFailed", "occurred_at": "2026-03-01T00:50:20Z"})

    assert notice.subject == "Rotation failed: an unnamed secret"
    assert notice.text.splitlines()[-1] == "Runbook: docs/runbook.md#unidentified"
    assert "Secret:" not in notice.text
    assert "Now:" not in notice.text


def test_a_broken_step_is_named_in_place_of_a_reason():
    notice = told("escalated", incident(reason="So it is."), error="States.Timeout")

    assert "A step of the workflow failed for good: States.Timeout." in notice.text.splitlines()
    assert "Why:" not in notice.text


def test_an_incident_whose_row_cannot_be_read_is_told_as_far_as_it_is_known():
    notice = told("escalated", {"secret_arn": ARN, "opened_at": "2026-03-01T00:51:00.000Z"}, error="States.Timeout")

    assert notice.subject == "Rotation escalated: orders/db"
    assert "Now: the labels were not looked at." in notice.text.splitlines()
    assert LINKS[0] in notice.text.splitlines()


@pytest.mark.parametrize(
    ("versions", "now"),
    [
        (None, "the labels were not looked at."),
        ({}, "the labels were not looked at."),
        ({"v1": ["AWSPENDING"]}, "no version holds AWSCURRENT."),
        ({"v1": ["AWSCURRENT"]}, "AWSCURRENT is on version v1, which is what applications read."),
        ({"v1": ["AWSCURRENT", "AWSPENDING"]}, "AWSCURRENT is on version v1, which is what applications read."),
    ],
)
def test_a_notice_says_which_version_is_in_use(versions, now):
    assert f"Now: {now}" in told("opened", incident(versions=versions)).text.splitlines()


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        ({"current": "broken", "pending": "works"}, "Probe: AWSCURRENT does not work, AWSPENDING works."),
        (
            {"current": "unknown", "pending": "absent", "notes": ["The probe of AWSCURRENT timed out after 10 s."]},
            "Probe: nothing is proven. The probe of AWSCURRENT timed out after 10 s.",
        ),
    ],
)
def test_a_notice_says_what_the_probe_said(evidence, said):
    assert said in told("escalated", incident(evidence=evidence)).text.splitlines()


def test_nothing_is_said_of_a_probe_that_nobody_asked():
    assert "Probe" not in told("escalated").text


@pytest.mark.parametrize(
    ("state", "why", "line"),
    [
        ("failed", "AWS refused it: X.", "- restart of ecs:shop/orders: failed: AWS refused it: X."),
        ("covered", "", "- restart of ecs:shop/orders: covered"),
        ("refused", "It is not among them.", "- not restarted: ecs:shop/orders: It is not among them."),
    ],
)
def test_each_restart_is_told_with_its_state_and_why(state, why, line):
    restart = {**SETTLED, "state": state, "why": why}

    assert line in told("escalated", incident(restarts=[restart])).text.splitlines()


def test_a_burst_is_one_notice():
    notice = told("held_burst", {}, held=held(187))

    assert notice.subject == "187 failed rotations held: orders/db-1 and 186 more"
    lines = notice.text.splitlines()
    assert lines[:4] == [
        "187 secrets whose rotations failed: held.",
        "",
        "Why: This account's maxActionsPerHour are used up.",
        "- orders/db-1",
    ]
    assert lines[22:24] == ["- orders/db-20", "- and 167 more: rotation-guard incidents list --outcome held"]
    assert lines[-1] == "Runbook: docs/runbook.md#held"


def test_a_burst_of_one_is_told_as_one():
    notice = told("held_burst", {}, held=held(1))

    assert notice.subject == "1 failed rotation held: orders/db-1"
    assert notice.text.splitlines()[0] == "1 secret whose rotation failed: held."
    assert "more" not in notice.text


@pytest.mark.parametrize("turn", TURNS)
def test_a_subject_uses_what_sns_allows_and_keeps_the_step(turn):
    name = "n" * 512

    subject = told(turn, incident(secret_name=name)).subject

    assert len(subject) == SUBJECT_LENGTH == 99
    assert "nnn..." in subject
    assert subject.endswith(" at setSecret") is (turn in ("opened", "escalated", "reminder", "unidentified"))


NAMES = st.text(max_size=600) | st.sampled_from(
    ["\r\nX-Header: 1", "bell\x07null\x00", "référentiel", "\U0001f4a5" * 99]
)


@given(
    turn=st.sampled_from(TURNS),
    name=NAMES,
    kind=NAMES | st.sampled_from(["RotationFailed", "Rotation Stuck"]),
    step=NAMES | st.sampled_from(["createSecret", "finishSecret"]),
    outcome=NAMES | st.sampled_from(["recovered by AWS", "fallen back"]),
)
def test_a_subject_is_one_line_that_sns_takes(turn, name, kind, step, outcome):
    row = incident(
        secret_name=name, secret_arn=f"{ARN[:-16]}{name}", event_type=kind, failed_step=step, outcome=outcome
    )

    for notice in (told(turn, row), told("held_burst", {}, held=[row, row])):
        assert 0 < len(notice.subject) < 100
        assert all(" " <= character <= "~" for character in notice.subject), notice.subject
        # Nothing that was given makes a line of its own.
        assert "\nX-Header" not in notice.text
        assert all(line.isascii() and (line.isprintable() or not line) for line in notice.text.split("\n"))


HOSTILE = ['"' * 9999, "\\" * 9999, "é" * 9999, "\n" * 9999, "x" * 9999]


@pytest.mark.parametrize("word", HOSTILE, ids=ascii)
@pytest.mark.parametrize("runbook_url", ["", f"https://example.com/{'r' * 2000}"], ids=len)
def test_no_message_is_larger_than_sns_takes(word, runbook_url):
    action = {**decided(word), "action": "retry", "outcome": word, "reason": word, "target": word, "at": word}
    restart = {"target": word, "arn": word, "state": "failed", "why": word}
    proofs = {"current": "works", "notes": [word] * 99}
    row = repaired() | {"actions": [action] * 999, "restarts": [restart] * 999, "evidence": proofs, "reason": word}
    row |= {"secret_name": word, "secret_arn": ARN + word}

    for notice in (
        told("recovered", row, runbook_url=runbook_url),
        told("held_burst", {}, held=[row] * 999, runbook_url=runbook_url),
    ):
        assert len(json.dumps(messages(notice)).encode()) < LARGEST_MESSAGE
        # An event of EventBridge counts its source, detail-type and resources, too.
        assert len(json.dumps(notice.facts).encode()) < LARGEST_MESSAGE / 4


def test_a_text_fits_a_phone():
    assert len(told("recovered", repaired()).text) < 1600
    assert len(told("opened").text) < 1200
