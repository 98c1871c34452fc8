"""Who is told of which turn of an incident, how often, and what is noted of it."""

import json
import sys
from collections import Counter
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from handlers.adapters.digest_buffer import DigestBuffer
from handlers.remediation import notify
from rotation_guard.domain.remediation.notifications import SUBJECT_LENGTH
from tests.handlers.remediation.transitions import (
    ARN,
    EXECUTION,
    OPENED_AT,
    incident,
    notification,
    repaired,
    resolved,
    unwrap,
)
from tests.handlers.scene import build_signal, crashes, succeeded

KEY = {"secret_arn": ARN, "opened_at": OPENED_AT}
MARKER = "hunter2"
TOLD = {
    "opened": (["remediation"], "Rotation Incident Opened"),
    "retried": ([], "Rotation Incident Retried"),
    "recovered": (["remediation"], "Rotation Incident Recovered"),
    "restarted": (["remediation"], None),
    "escalated": (["critical", "remediation"], "Rotation Incident Escalated"),
    "held": ([], "Rotation Incident Held"),
    "reminder": (["critical", "remediation"], None),
    "resolved": (["critical", "remediation"], "Rotation Incident Resolved"),
    "missing": (["critical", "remediation"], None),
}
FINISHED = ("recovered", "restarted", "escalated", "resolved", "missing")
LISTED = {
    "secret_arn": "unfinished",
    "opened_at": f"{ARN}#{OPENED_AT}",
    "incident_arn": ARN,
    "incident_opened_at": OPENED_AT,
}


@pytest.fixture(autouse=True)
def account(aws, scene, monkeypatch):
    for topic in ("critical", "remediation"):
        aws.client("sns").create_topic(Name=topic)
    # What is told may be the last that a function does, too.
    conftest = sys.modules[type(aws).__module__]
    monkeypatch.setattr(conftest, "WRITES", conftest.WRITES | {"Publish", "PutEvents"})


@pytest.fixture
def tell(context):
    """Tells of a turn; answers what the step answers."""

    def run(turn, key=KEY, **more):
        event = {"execution": EXECUTION, "turn": turn, "incident": key, **more}
        return notify.handler(event, context)

    return run


@pytest.fixture
def topics(aws):
    """The topics that were told, in order."""
    return lambda: [asked["TopicArn"].rpartition(":")[2] for asked in aws.asked("Publish")]


@pytest.fixture
def events(aws):
    """The events that were put on the bus."""
    return lambda: [entry for asked in aws.asked("PutEvents") for entry in asked["Entries"]]


@pytest.fixture
def noted(aws):
    """What the incident notes of who was told."""

    def read():
        [row] = [row for row in aws.rows("incidents") if row["secret_arn"] == ARN]
        return [action for action in row["actions"] if action["action"] == "notify"]

    return read


def logged(caplog):
    """All that was logged, with what was added to it."""
    return json.dumps([vars(record) for record in caplog.records], default=str)


@pytest.mark.parametrize("turn", TOLD)
def test_each_turn_has_its_topics_and_its_event(aws, tell, topics, events, turn):
    aws.put("incidents", repaired())
    notice = notification(turn, repaired())

    answer = tell(turn)

    expected_topics, expected_event = TOLD[turn]
    assert answer == {"teller": turn == "held"}
    assert topics() == expected_topics
    for asked in aws.asked("Publish"):
        assert asked["Subject"] == notice.subject
        assert json.loads(asked["Message"])["email"] == notice.text
    assert [entry["DetailType"] for entry in events()] == ([expected_event] if expected_event else [])
    for entry in events():
        detail = json.loads(entry["Detail"])
        assert detail.pop("eventID")
        assert detail == notice.payload


@pytest.mark.parametrize("turn", TOLD)
def test_an_incident_is_unfinished_until_people_were_told_how_it_ended(aws, scene, tell, turn):
    aws.put("incidents", incident())
    aws.put("incidents", LISTED)

    tell(turn)

    assert scene.unfinished(ARN) == ([] if turn in FINISHED else [OPENED_AT])


@pytest.mark.parametrize("turn", ["escalated", "held_burst"])
def test_a_resolution_is_owed_whatever_is_told_of_before_it(aws, scene, context, turn):
    """A new value comes between the end of the incident and the notice of that."""
    arn = scene.secret(pending=True)
    key = scene.open(arn)
    scene.change(key, outcome="escalated" if turn == "escalated" else "held", closed_at="2026-03-01T01:00:00Z")
    scene.close(key)
    if turn == "held_burst":
        DigestBuffer("incidents").add(**key, secret_name="orders/db")
    scene.finish(arn)
    scene.claim(succeeded(arn), f"{EXECUTION}-2")

    notify.handler({"execution": EXECUTION, "turn": turn, "incident": key}, context)

    assert scene.unfinished(arn) == [key["opened_at"]]
    for _ in range(2):
        notify.handler({"execution": f"{EXECUTION}-3", "turn": "resolved", "incident": key}, context)
    assert scene.unfinished(arn) == []


@pytest.mark.parametrize("turn", FINISHED)
def test_it_stays_so_while_somebody_could_not_be_told(aws, scene, tell, turn):
    aws.put("incidents", incident())
    aws.put("incidents", LISTED)
    aws.answer("Publish", lambda _: aws.Refusal("InternalError", 500))

    with pytest.raises(ClientError, match="InternalError"):
        tell(turn)

    assert scene.unfinished(ARN) == [OPENED_AT]


@pytest.mark.parametrize("before", ["escalated", "held"])
def test_what_is_resolved_is_told_on_the_topics_that_were_told(aws, tell, topics, events, before):
    aws.put("incidents", resolved() | {"resolved_outcome": before})

    tell("resolved")

    assert topics() == ["critical", "remediation"]
    assert [entry["DetailType"] for entry in events()] == ["Rotation Incident Resolved"]


def test_each_reminder_is_told_once(aws, tell, topics):
    aws.put("incidents", incident(outcome="escalated", state="closed"))

    for execution in ("first", "first", "second", "first"):
        tell("reminder", execution=execution)

    assert topics() == ["critical", "remediation"] * 2


def test_people_are_told_before_programs(aws, tell):
    aws.put("incidents", incident())
    order = []
    aws.answer("Publish", lambda _: order.append("people"))
    aws.answer("PutEvents", lambda _: order.append("programs"))

    tell("escalated")

    assert order == ["people", "people", "programs"]


@pytest.mark.parametrize("turn", TOLD)
def test_a_step_that_runs_twice_tells_nobody_twice(aws, tell, topics, events, turn):
    aws.put("incidents", incident())
    first = tell(turn)
    before = topics(), events()

    second = tell(turn)

    assert second == first
    assert (topics(), events()) == before


def test_every_retry_is_an_event(aws, tell, events):
    for number in (1, 2):
        actions = aws.rows("incidents")[0]["actions"] if number > 1 else []
        aws.put("incidents", incident(attempts=number, actions=actions))
        tell("retried")
        tell("retried")

    assert len(events()) == len({json.loads(entry["Detail"])["eventID"] for entry in events()}) == 2


def test_another_turn_of_the_same_incident_is_told(aws, tell, topics):
    aws.put("incidents", incident())

    for turn in ("opened", "recovered"):
        tell(turn)

    assert topics() == ["remediation", "remediation"]


def test_the_incident_notes_who_was_told_and_by_what_message(aws, tell, noted):
    aws.put("incidents", incident(actions=[{"action": "decide", "outcome": "retry"}]))
    message_ids = []
    aws.answer("Publish", lambda _: message_ids.append(f"message-{len(message_ids)}") or {"MessageId": message_ids[-1]})
    before = datetime.now(UTC).replace(microsecond=0)

    tell("escalated")

    notes = noted()
    for note in notes:
        assert before <= datetime.fromisoformat(note.pop("at")) <= datetime.now(UTC)
    [event_id] = [note.pop("event_id") for note in notes if "event_id" in note]
    assert len(event_id) == 36
    common = {"action": "notify", "turn": "escalated", "outcome": "told"}
    assert notes == [
        {**common, "to": "critical topic", "message_id": "message-0"},
        {**common, "to": "remediation topic", "message_id": "message-1"},
        {**common, "to": "event bus"},
    ]


@pytest.mark.parametrize("turn", TOLD)
def test_a_crash_before_or_after_any_write_leaves_nobody_untold(aws, tell, topics, events, turn):
    def prepare():
        aws.put("incidents", incident())
        aws.forget()
        return lambda: tell(turn)

    for crash, answer in crashes(aws, prepare):
        expected_topics, expected_event = TOLD[turn]
        assert answer == {"teller": turn == "held"}, crash
        assert set(topics()) == set(expected_topics), crash
        # Only whoever was told right before the crash is told once more.
        assert sum((Counter(topics()) - Counter(expected_topics)).values()) + max(len(events()) - 1, 0) <= 1, crash
        ids = {json.loads(entry["Detail"])["eventID"] for entry in events()}
        assert len(ids) == bool(expected_event), crash


def test_a_bus_that_takes_nothing_keeps_nobody_from_being_told_once(aws, tell, topics):
    aws.put("incidents", incident())
    aws.answer("PutEvents", lambda _: aws.Refusal("InternalException", 500))

    for _ in range(3):
        with pytest.raises(ClientError, match="InternalException"):
            tell("opened")

    assert topics() == ["remediation"]


def test_nothing_is_noted_of_a_notice_that_sns_did_not_take_and_everybody_else_is_told(aws, tell, noted):
    aws.put("incidents", incident())
    aws.answer("Publish", lambda _: aws.Refusal("InternalError", 500))

    with pytest.raises(ClientError, match="InternalError"):
        tell("opened")

    assert [action["to"] for action in noted()] == ["event bus"]
    aws.answer("Publish", lambda _: None)
    tell("opened")
    assert [action["to"] for action in noted()] == ["event bus", "remediation topic"]
    assert len(aws.asked("PutEvents")) == 1


def test_with_the_critical_topic_out_of_reach_an_escalation_is_told_to_the_others(aws, tell, noted):
    aws.put("incidents", incident(state="closed", outcome="escalated"))
    gone = aws.Refusal("NotFound", 404)
    aws.answer("Publish", lambda asked: gone if asked["TopicArn"].endswith("critical") else None)

    with pytest.raises(ClientError, match="NotFound"):
        tell("escalated")

    assert [action["to"] for action in noted()] == ["remediation topic", "event bus"]


def test_what_was_told_and_cannot_be_noted_is_not_told_again(aws, tell):
    aws.put("incidents", incident())
    aws.answer("UpdateItem", lambda _: aws.Refusal("AccessDeniedException"))

    tell("opened")

    assert len(aws.asked("Publish")) == 1


def test_an_incident_that_was_just_claimed_is_told_as_it_is(aws, scene, tell):
    arn = scene.secret(pending=True)
    key = scene.open(arn)

    tell("opened", key, heard=build_signal(arn))

    [asked] = aws.asked("Publish")
    assert asked["Subject"] == "AT RISK orders/db-1 123456789012 eu-west-1: rotation failed at setSecret"
    text = json.loads(asked["Message"])["default"]
    text = " ".join(unwrap(text))
    assert f"AWSCURRENT is on version {scene.version(arn)}" in text
    assert f"AWSPENDING is on version {scene.version(arn, 'AWSPENDING')}: the rotation is unfinished." in text
    assert [action["to"] for action in scene.actions(key)] == ["remediation topic", "event bus"]


def test_an_event_without_a_secret_is_told_and_noted_nowhere(aws, tell, topics):
    answer = tell("unidentified", None, heard=build_signal(None))

    assert answer == {"teller": False}
    assert topics() == ["remediation"]
    assert (
        aws.asked("Publish")[0]["Subject"]
        == "AT RISK an unidentified secret 123456789012 eu-west-1: rotation failed at setSecret"
    )
    assert aws.rows("incidents") == []
    assert aws.asked("PutEvents") == []


@pytest.mark.parametrize("turn", ["opened", "recovered", "restarted", "escalated"])
def test_people_are_told_what_is_known_when_the_row_cannot_be_read(aws, tell, topics, turn, caplog):
    aws.put("incidents", incident())
    aws.answer("GetItem", lambda _: aws.Refusal("AccessDeniedException", message=MARKER))

    tell(turn, heard=build_signal(ARN), error="States.Timeout" if turn == "escalated" else None)

    assert topics() == TOLD[turn][0]
    assert "orders/db" in aws.asked("Publish")[0]["Subject"]
    assert aws.asked("UpdateItem") == []
    assert "the incident cannot be read" in caplog.messages
    assert MARKER not in logged(caplog)


def test_an_incident_that_is_gone_is_told_and_not_made_up_again(aws, tell, topics):
    tell("escalated", error="States.Timeout")

    assert topics() == ["critical", "remediation"]
    assert aws.rows("incidents") == []


def test_a_broken_step_is_told_by_its_errors_name(aws, tell):
    aws.put("incidents", incident(outcome="escalated", state="closed"))

    tell("escalated", error="States.Timeout")

    facts = json.loads(json.loads(aws.asked("Publish")[0]["Message"])["https"])
    assert facts["error"] == "States.Timeout"
    assert "A step of the workflow failed for good: States.Timeout." in facts["text"]


def test_notices_lead_to_the_runbook_that_is_configured(aws, tell, monkeypatch):
    monkeypatch.setenv("RUNBOOK_URL", "https://example.com/runbook")
    aws.put("incidents", incident())

    tell("opened")

    said = json.loads(aws.asked("Publish")[0]["Message"])
    assert "Runbook: https://example.com/runbook#opened" in said["default"].splitlines()


def test_a_name_that_sns_would_refuse_in_a_subject_is_told_all_the_same(aws, tell, topics):
    arn = f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{'référence/' * 20}db-Ab12Cd"
    aws.put("incidents", incident(secret_arn=arn, secret_name=None))

    tell("opened", {"secret_arn": arn, "opened_at": OPENED_AT})

    assert topics() == ["remediation"]
    assert len(aws.asked("Publish")[0]["Subject"]) == SUBJECT_LENGTH


@pytest.mark.parametrize("turn", TOLD)
def test_what_nobody_has_foreseen_is_told_noted_and_logged_nowhere(aws, tell, topics, noted, turn, caplog):
    more = {"SecretString": MARKER, "errorMessage": MARKER, "more": {"value": MARKER}}
    evidence = {"current": "broken", "answer": MARKER, **more}
    actions = [{"action": "decide", "outcome": "retry", "evidence": evidence, **more}]
    aws.put("incidents", incident(evidence=evidence, actions=actions, **more))

    tell(
        turn,
        heard={**build_signal(ARN), **more},
        error={"Error": "E", "Cause": MARKER} if turn == "escalated" else None,
    )

    said = json.dumps([aws.asked("Publish"), aws.asked("PutEvents"), noted()], default=str) + logged(caplog)
    assert "published" in caplog.messages
    assert MARKER not in said
