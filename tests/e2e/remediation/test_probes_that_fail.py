"""Probes that lie, hang, are missing or talk: what they say is never more than a word, and no word is never a no."""

import json

import pytest

from tests.e2e.remediation.functions import PLANTED, SPOKEN

PROBE = "rotation-guard:probe"
WRITTEN = "swordfish and nothing else"
"""What somebody wrote into an event."""
DOUBTFUL = {
    "missing": ("team-unlisted", None),
    "gone": ("team-gone", None),
    "talking": ("team-probe", "talks"),
    "failing": ("team-probe", "raises"),
}
"""Name -> the probe that the secret names, and what it does."""
NOTES = {
    "gone": "does not exist",
    "talking": "answered neither works: true nor works: false",
    "failing": "ended with an error",
}


@pytest.fixture(scope="module")
def doubted(repairing):
    """Rotations that broke where an honest probe would have had AWSCURRENT moved: name -> how they ended."""
    team, secrets = repairing.estate, {}
    secrets["lying"] = repairing.breaks(team.secret(probe="lies"), "finishSecret")
    for name, (function, does) in DOUBTFUL.items():
        arn = team.secret({PROBE: function}, probe=does)
        secrets[name] = repairing.breaks(arn, "finishSecret", times=99 if name == "missing" else 1)
    # Without a pending version there is but one question, and without a rotation but one decision.
    secrets["hanging"] = team.secret({PROBE: "team-hang"})
    secrets["written about"] = team.untag(team.secret(), "remediation")
    spoken = f"Error when executing lambda {WRITTEN} during setSecret step: {WRITTEN}"
    more = {"eventID": WRITTEN, "userAgent": WRITTEN, "password": WRITTEN, "responseElements": {"value": WRITTEN}}
    repairing.put(
        repairing.event("rotation-failed", secrets["hanging"], errorMessage=spoken),
        repairing.event("rotation-failed", secrets["written about"], errorMessage=spoken, **more),
        repairing.event("rotation-abandoned", secrets["written about"], errorMessage=spoken, awsRegion=WRITTEN),
    )
    return dict(zip(secrets, repairing.listener.all_ended(list(secrets.values())), strict=True))


def test_a_probe_that_takes_back_what_it_said_ends_with_people_and_moves_nothing_twice(repairing, doubted):
    ended = doubted["lying"]

    assert ended.row["outcome"] == "escalated"
    assert ended.row["reason"].startswith("The version that AWSCURRENT was moved to does not work")
    assert ended.done == ["rolled forward", "rolled forward"]
    assert repairing.estate.labels(ended.row["secret_arn"])["AWSCURRENT"] == ended.row["moved"]["to"]
    assert ended.turns == ["opened", "escalated", "escalated"]


def test_a_probe_that_hangs_proves_nothing(doubted):
    ended = doubted["hanging"]

    assert ended.row["evidence"]["current"] == "unknown"
    assert ended.row["evidence"]["notes"] == ["The probe of AWSCURRENT timed out after 4 s."]
    assert ended.row["outcome"] == "escalated"
    assert ended.done == []


@pytest.mark.parametrize("name", NOTES)
def test_a_probe_that_gives_no_answer_proves_nothing_and_the_rotation_is_retried(doubted, name):
    ended = doubted[name]

    [decided] = [action for action in ended.row["actions"] if action.get("rule") == "retry"]
    assert decided["evidence"] == {
        "current": "unknown",
        "pending": "unknown",
        "previous": "absent",
        "notes": [f"The probe of {label} {NOTES[name]}." for label in ("AWSCURRENT", "AWSPENDING")],
    }
    assert ended.row["outcome"] == "recovered by retry"
    assert "moved" not in ended.row


def test_a_probe_that_is_not_listed_is_not_called_and_people_are_told_why(repairing, doubted):
    ended = doubted["missing"]

    assert ended.row["outcome"] == "escalated"
    assert ended.row["reason"].endswith("is not in probeFunctions, so it is not called.")
    assert ended.done == ["retry"] * 4
    assert repairing.estate.labels(ended.row["secret_arn"])["AWSCURRENT"] == ended.row["current_version_id"]


def test_no_value_is_in_any_notice_row_history_event_or_log(repairing, doubted):
    """Of this stack, whatever has been told on it so far.

    The failures topic and the audit trail hold AWS's own event, as they say they do; a team's own log is its own.
    """
    listener, words = repairing.listener, (PLANTED, SPOKEN, WRITTEN)
    assert len({ended.row["secret_arn"] for ended in doubted.values()}) == len(DOUBTFUL) + 3
    heard = {f"notice {notice.subject}": notice.body for notice in listener.notices}
    heard |= {f"event {index}": json.dumps(event) for index, event in enumerate(listener.events)}
    heard |= {f"row {index}": json.dumps(row) for index, row in enumerate(repairing.raw_rows("incidents_table_name"))}
    heard |= repairing.histories()
    heard |= repairing.logs("rotation-guard-")
    # It is looked for where it could be, and what was written into the events has come in.
    for said in ("probed", "decided", "published", "signal"):
        assert any(f'"message":"{said}"' in text for text in heard.values())
    assert WRITTEN in json.dumps(repairing.raw_rows("audit_trail_table_name"))

    assert [(where, word) for where, text in heard.items() for word in words if word in text] == []


def test_no_value_that_a_probe_answers_is_in_the_emulators_log(repairing, doubted):
    assert doubted["talking"].row["outcome"]
    assert PLANTED not in repairing.emulator.log.read_text(errors="replace")
