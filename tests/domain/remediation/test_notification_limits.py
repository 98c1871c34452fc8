"""The limits that every notification keeps: characters, columns, and the size of a message."""

import json
import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.adapters.topics import build_messages
from rotation_guard.domain.remediation.decisions import RULES
from rotation_guard.domain.remediation.notifications import SUBJECT_LENGTH
from tests.handlers.remediation.transitions import (
    ARN,
    FUNCTION,
    NOT_LISTED,
    RUNBOOK,
    SETTLED,
    TRANSITIONS,
    decided,
    incident,
    notification,
    rate_limited,
    repaired,
)

LARGEST_MESSAGE = 262_144
"""Bytes (https://docs.aws.amazon.com/sns/latest/api/API_Publish.html)."""
LONGEST_REGION = "ap-southeast-3"


@pytest.mark.parametrize(
    ("transition", "evidence"),
    [*product(TRANSITIONS, [None, {"current": "broken"}]), ("held_burst", None)],
)
def test_only_the_name_of_the_secret_is_truncated_in_a_subject(transition, evidence):
    name, arn = "n" * 512, ARN.replace("eu-west-1", LONGEST_REGION)
    row = incident(secret_name=name, secret_arn=arn, event_type="TestRotationFailed", failed_step="finishSecret")
    digest = [{**rate_limited(1)[0], "secret_name": name}] * 99_999 if transition == "held_burst" else ()

    subject = notification(transition, {} if digest else row | {"evidence": evidence}, digest=digest).subject

    assert len(subject) == SUBJECT_LENGTH == 99
    region = "eu-west-1" if digest else LONGEST_REGION
    assert re.match(
        rf"(OUTAGE|AT RISK|RESOLVED|INFO) nnnn+\.\.\.( and 99998 more)? 123456789012 {region}: [\w ]+$", subject
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"failed_step": "createSecret"},
        {"event_type": "TestRotationFailed"},
        {"event_type": "Rotation Stuck", "failed_step": None},
        {"versions": None, "unreadable": "It cannot be read: access denied, perhaps by its own resource policy."},
        {"evidence": {"current": "broken", "pending": "works", "notes": ["n" * 30 + " " + "o" * 30] * 3}},
        {"restarts": [{**SETTLED, "state": "failed", "why": "A sentence of some length says why. " * 8}, NOT_LISTED]},
        {"reason": "A sentence of some length. " * 11, "actions": [decided("stopped")]},
        {"owner": "A team whose name takes more than one line of eighty columns, as a tag may have it. " * 3},
        *({"actions": [decided(rule.name)]} for rule in RULES),
    ],
)
def test_own_lines_have_at_most_eighty_columns(changes):
    row = repaired() | {"outcome": None, "rotation_function": FUNCTION, **changes}

    for transition in (*TRANSITIONS, "held_burst"):
        digest = rate_limited(25) if transition == "held_burst" else ()
        text = notification(transition, row, digest=digest, runbook_url=RUNBOOK).text

        for line in text.split("\n"):
            is_copied = re.match(
                r"   (aws|rotation-guard) |(Secret|Log|Execution|Runbook): https://|Secret: arn:|  arn:", line
            )
            assert len(line) <= 80 or is_copied, (transition, line)
            assert line == line.rstrip()
        assert "\n\n\n" not in text, transition


HOSTILE_NAMES = st.sampled_from(["\r\nX-Header: 1", "bell\x07null\x00", "référentiel", "\U0001f4a5" * 99])
NAMES = st.text(max_size=600) | HOSTILE_NAMES
WORDS = st.text(max_size=20) | HOSTILE_NAMES


@given(
    transition=st.sampled_from(TRANSITIONS),
    name=NAMES,
    kind=WORDS | st.sampled_from(["RotationFailed", "Rotation Stuck"]),
    step=WORDS | st.sampled_from(["createSecret", "finishSecret"]),
    outcome=WORDS | st.sampled_from(["recovered by AWS", "fallen back"]),
)
def test_a_subject_is_one_line_that_sns_accepts(transition, name, kind, step, outcome):
    row = incident(
        secret_name=name, secret_arn=f"{ARN[:-16]}{name}", event_type=kind, failed_step=step, outcome=outcome
    )

    for message in (notification(transition, row), notification("held_burst", {}, digest=[row, row])):
        assert 0 < len(message.subject) < 100
        assert all(" " <= character <= "~" for character in message.subject), message.subject
        # No value can start a line of its own.
        assert "\nX-Header" not in message.text
        assert all(line.isascii() and (line.isprintable() or not line) for line in message.text.split("\n"))


HOSTILE = ['"' * 9999, "\\" * 9999, "é" * 9999, "\n" * 9999, "x" * 9999]


@pytest.mark.parametrize("word", HOSTILE, ids=ascii)
@pytest.mark.parametrize("runbook_url", ["", f"https://example.com/{'r' * 2000}"], ids=len)
def test_no_message_is_larger_than_the_limit_of_sns(word, runbook_url):
    action = {**decided(word), "action": "retry", "outcome": word, "reason": word, "target": word, "at": word}
    restart = {"target": word, "arn": word, "state": "failed", "why": word}
    proofs = {"current": "works", "notes": [word] * 99}
    row = repaired() | {"actions": [action] * 99, "restarts": [restart] * 99, "evidence": proofs, "reason": word}
    row |= {"secret_name": word, "secret_arn": ARN + word}

    for message in (
        notification("recovered", row, runbook_url=runbook_url),
        notification("held_burst", {}, digest=[row] * 99, runbook_url=runbook_url),
    ):
        assert len(json.dumps(build_messages(message)).encode()) < LARGEST_MESSAGE
        # An event of EventBridge counts its source, detail-type and resources, too.
        assert len(json.dumps(message.payload).encode()) < LARGEST_MESSAGE / 4


def test_a_text_fits_a_phone():
    assert len(notification("recovered", repaired(), runbook_url=RUNBOOK).text) < 2400
    assert len(notification("opened", runbook_url=RUNBOOK).text) < 2000
