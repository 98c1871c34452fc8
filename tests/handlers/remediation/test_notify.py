"""Which topics and events each transition of an incident has, how often, and what is recorded of them."""

import json
import os
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
from tests.handlers.scene import build_signal, build_success_signal, crash_at_each_write

KEY = {"secret_arn": ARN, "opened_at": OPENED_AT}
MARKER = "hunter2"
EXPECTED_PUBLICATIONS = {
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
    # A publication may also be the last call of a function.
    conftest = sys.modules[type(aws).__module__]
    monkeypatch.setattr(conftest, "WRITES", conftest.WRITES | {"Publish", "PutEvents"})


@pytest.fixture
def run_notify(context):
    """Runs the step for a transition; returns its answer."""

    def run(transition, key=KEY, **extra):
        event = {"execution": EXECUTION, "turn": transition, "incident": key, **extra}
        return notify.handler(event, context)

    return run


@pytest.fixture
def topics(aws):
    """Lists the topics of all notifications, in order."""
    return lambda: [request["TopicArn"].rpartition(":")[2] for request in aws.requests("Publish")]


@pytest.fixture
def events(aws):
    """Lists the events that were put on the bus."""
    return lambda: [entry for request in aws.requests("PutEvents") for entry in request["Entries"]]


@pytest.fixture
def notify_actions(aws):
    """Reads the notifications that are recorded in the incident."""

    def read():
        [row] = [row for row in aws.rows("incidents") if row["secret_arn"] == ARN]
        return [action for action in row["actions"] if action["action"] == "notify"]

    return read


def dump_log(caplog):
    """Everything that was logged, with the extra fields."""
    return json.dumps([vars(record) for record in caplog.records], default=str)


@pytest.mark.parametrize("transition", EXPECTED_PUBLICATIONS)
def test_each_transition_has_its_topics_and_its_event(aws, run_notify, topics, events, transition):
    aws.put("incidents", repaired())
    message = notification(transition, repaired())

    answer = run_notify(transition)

    expected_topics, expected_event = EXPECTED_PUBLICATIONS[transition]
    assert answer == {"teller": transition == "held"}
    assert topics() == expected_topics
    for request in aws.requests("Publish"):
        assert request["Subject"] == message.subject
        assert json.loads(request["Message"])["email"] == message.text
    assert [entry["DetailType"] for entry in events()] == ([expected_event] if expected_event else [])
    for entry in events():
        detail = json.loads(entry["Detail"])
        assert detail.pop("eventID")
        assert detail.pop("incidents_table") == os.environ["INCIDENTS_TABLE_NAME"]
        assert detail.pop("message")["title"] == message.subject
        assert detail == message.payload


@pytest.mark.parametrize("transition", EXPECTED_PUBLICATIONS)
def test_an_incident_is_unfinished_until_its_end_is_published(aws, scene, run_notify, transition):
    aws.put("incidents", incident())
    aws.put("incidents", LISTED)

    run_notify(transition)

    assert scene.unfinished(ARN) == ([] if transition in FINISHED else [OPENED_AT])


@pytest.mark.parametrize("transition", ["escalated", "held_burst"])
def test_a_resolution_is_published_even_if_it_precedes_the_notification_of_the_end(aws, scene, context, transition):
    """A new value arrives between the end of the incident and the notification of that end."""
    arn = scene.secret(pending=True)
    key = scene.open(arn)
    scene.change(key, outcome="escalated" if transition == "escalated" else "held", closed_at="2026-03-01T01:00:00Z")
    scene.close(key)
    if transition == "held_burst":
        DigestBuffer("incidents").add(**key, secret_name="orders/db")
    scene.finish(arn)
    scene.claim(build_success_signal(arn), f"{EXECUTION}-2")

    notify.handler({"execution": EXECUTION, "turn": transition, "incident": key}, context)

    assert scene.unfinished(arn) == [key["opened_at"]]
    for _ in range(2):
        notify.handler({"execution": f"{EXECUTION}-3", "turn": "resolved", "incident": key}, context)
    assert scene.unfinished(arn) == []


@pytest.mark.parametrize("transition", FINISHED)
def test_an_incident_stays_unfinished_if_a_notification_fails(aws, scene, run_notify, transition):
    aws.put("incidents", incident())
    aws.put("incidents", LISTED)
    aws.answer("Publish", lambda _: aws.Refusal("InternalError", 500))

    with pytest.raises(ClientError, match="InternalError"):
        run_notify(transition)

    assert scene.unfinished(ARN) == [OPENED_AT]


@pytest.mark.parametrize("earlier_outcome", ["escalated", "held"])
def test_a_resolution_is_published_on_the_topics_of_the_escalation(aws, run_notify, topics, events, earlier_outcome):
    aws.put("incidents", resolved() | {"resolved_outcome": earlier_outcome})

    run_notify("resolved")

    assert topics() == ["critical", "remediation"]
    assert [entry["DetailType"] for entry in events()] == ["Rotation Incident Resolved"]


def test_each_reminder_is_published_once(aws, run_notify, topics):
    aws.put("incidents", incident(outcome="escalated", state="closed"))

    for execution in ("first", "first", "second", "first"):
        run_notify("reminder", execution=execution)

    assert topics() == ["critical", "remediation"] * 2


def test_topics_are_notified_before_the_event_bus(aws, run_notify):
    aws.put("incidents", incident())
    order = []
    aws.answer("Publish", lambda _: order.append("people"))
    aws.answer("PutEvents", lambda _: order.append("programs"))

    run_notify("escalated")

    assert order == ["people", "people", "programs"]


@pytest.mark.parametrize("transition", EXPECTED_PUBLICATIONS)
def test_a_repeated_step_publishes_nothing_twice(aws, run_notify, topics, events, transition):
    aws.put("incidents", incident())
    first = run_notify(transition)
    first_publications = topics(), events()

    second = run_notify(transition)

    assert second == first
    assert (topics(), events()) == first_publications


def test_every_retry_is_an_event(aws, run_notify, events):
    for number in (1, 2):
        actions = aws.rows("incidents")[0]["actions"] if number > 1 else []
        aws.put("incidents", incident(attempts=number, actions=actions))
        run_notify("retried")
        run_notify("retried")

    assert len(events()) == len({json.loads(entry["Detail"])["eventID"] for entry in events()}) == 2


def test_another_transition_of_the_same_incident_is_published(aws, run_notify, topics):
    aws.put("incidents", incident())

    for transition in ("opened", "recovered"):
        run_notify(transition)

    assert topics() == ["remediation", "remediation"]


def test_each_publication_is_recorded_with_its_message_id(aws, run_notify, notify_actions):
    aws.put("incidents", incident(actions=[{"action": "decide", "outcome": "retry"}]))
    message_ids = []
    aws.answer("Publish", lambda _: message_ids.append(f"message-{len(message_ids)}") or {"MessageId": message_ids[-1]})
    started_at = datetime.now(UTC).replace(microsecond=0)

    run_notify("escalated")

    actions = notify_actions()
    for action in actions:
        assert started_at <= datetime.fromisoformat(action.pop("at")) <= datetime.now(UTC)
    [event_id] = [action.pop("event_id") for action in actions if "event_id" in action]
    assert len(event_id) == 36
    common = {"action": "notify", "turn": "escalated", "outcome": "told"}
    assert actions == [
        {**common, "to": "critical topic", "message_id": "message-0"},
        {**common, "to": "remediation topic", "message_id": "message-1"},
        {**common, "to": "event bus"},
    ]


@pytest.mark.parametrize("transition", EXPECTED_PUBLICATIONS)
def test_a_crash_before_or_after_any_write_loses_no_notification(aws, run_notify, topics, events, transition):
    def prepare():
        aws.put("incidents", incident())
        aws.forget()
        return lambda: run_notify(transition)

    for crash_point, answer in crash_at_each_write(aws, prepare):
        expected_topics, expected_event = EXPECTED_PUBLICATIONS[transition]
        assert answer == {"teller": transition == "held"}, crash_point
        assert set(topics()) == set(expected_topics), crash_point
        # Only the notification right before the crash is repeated.
        assert sum((Counter(topics()) - Counter(expected_topics)).values()) + max(len(events()) - 1, 0) <= 1, (
            crash_point
        )
        ids = {json.loads(entry["Detail"])["eventID"] for entry in events()}
        assert len(ids) == bool(expected_event), crash_point


def test_a_failing_event_bus_does_not_prevent_or_repeat_notifications(aws, run_notify, topics):
    aws.put("incidents", incident())
    aws.answer("PutEvents", lambda _: aws.Refusal("InternalException", 500))

    for _ in range(3):
        with pytest.raises(ClientError, match="InternalException"):
            run_notify("opened")

    assert topics() == ["remediation"]


def test_a_notification_that_sns_rejects_is_not_recorded_and_the_others_are_published(aws, run_notify, notify_actions):
    aws.put("incidents", incident())
    aws.answer("Publish", lambda _: aws.Refusal("InternalError", 500))

    with pytest.raises(ClientError, match="InternalError"):
        run_notify("opened")

    assert [action["to"] for action in notify_actions()] == ["event bus"]
    aws.answer("Publish", lambda _: None)
    run_notify("opened")
    assert [action["to"] for action in notify_actions()] == ["event bus", "remediation topic"]
    assert len(aws.requests("PutEvents")) == 1


def test_an_escalation_reaches_the_others_if_the_critical_topic_is_missing(aws, run_notify, notify_actions):
    aws.put("incidents", incident(state="closed", outcome="escalated"))
    refusal = aws.Refusal("NotFound", 404)
    aws.answer("Publish", lambda request: refusal if request["TopicArn"].endswith("critical") else None)

    with pytest.raises(ClientError, match="NotFound"):
        run_notify("escalated")

    assert [action["to"] for action in notify_actions()] == ["remediation topic", "event bus"]


def test_a_notification_that_cannot_be_recorded_is_not_repeated(aws, run_notify):
    aws.put("incidents", incident())
    aws.answer("UpdateItem", lambda _: aws.Refusal("AccessDeniedException"))

    run_notify("opened")

    assert len(aws.requests("Publish")) == 1


def test_a_new_incident_is_published_with_its_current_state(aws, scene, run_notify):
    arn = scene.secret(pending=True)
    key = scene.open(arn)

    run_notify("opened", key, heard=build_signal(arn))

    [request] = aws.requests("Publish")
    assert request["Subject"] == "AT RISK orders/db-1 123456789012 eu-west-1: rotation failed at setSecret"
    text = json.loads(request["Message"])["default"]
    text = " ".join(unwrap(text))
    assert f"AWSCURRENT is on version {scene.version(arn)}" in text
    assert f"AWSPENDING is on version {scene.version(arn, 'AWSPENDING')}: the rotation is unfinished." in text
    assert [action["to"] for action in scene.actions(key)] == ["remediation topic", "event bus"]


def test_an_event_without_a_secret_is_published_and_not_recorded(aws, run_notify, topics):
    answer = run_notify("unidentified", None, heard=build_signal(None))

    assert answer == {"teller": False}
    assert topics() == ["remediation"]
    assert (
        aws.requests("Publish")[0]["Subject"]
        == "AT RISK an unidentified secret 123456789012 eu-west-1: rotation failed at setSecret"
    )
    assert aws.rows("incidents") == []
    assert aws.requests("PutEvents") == []


@pytest.mark.parametrize("transition", ["opened", "recovered", "restarted", "escalated"])
def test_a_notification_is_published_even_if_the_row_cannot_be_read(aws, run_notify, topics, transition, caplog):
    aws.put("incidents", incident())
    aws.answer("GetItem", lambda _: aws.Refusal("AccessDeniedException", message=MARKER))

    run_notify(transition, heard=build_signal(ARN), error="States.Timeout" if transition == "escalated" else None)

    assert topics() == EXPECTED_PUBLICATIONS[transition][0]
    assert "orders/db" in aws.requests("Publish")[0]["Subject"]
    assert aws.requests("UpdateItem") == []
    assert "the incident cannot be read" in caplog.messages
    assert MARKER not in dump_log(caplog)


def test_a_missing_incident_is_published_and_not_recreated(aws, run_notify, topics):
    run_notify("escalated", error="States.Timeout")

    assert topics() == ["critical", "remediation"]
    assert aws.rows("incidents") == []


def test_a_failed_step_is_published_with_the_name_of_its_error(aws, run_notify):
    aws.put("incidents", incident(outcome="escalated", state="closed"))

    run_notify("escalated", error="States.Timeout")

    payload = json.loads(json.loads(aws.requests("Publish")[0]["Message"])["https"])
    assert payload["error"] == "States.Timeout"
    assert "A step of the workflow failed for good: States.Timeout." in payload["text"]


def test_notifications_link_to_the_configured_runbook(aws, run_notify, monkeypatch):
    monkeypatch.setenv("RUNBOOK_URL", "https://example.com/runbook")
    aws.put("incidents", incident())

    run_notify("opened")

    published = json.loads(aws.requests("Publish")[0]["Message"])
    assert "Runbook: https://example.com/runbook#opened" in published["default"].splitlines()


def test_a_secret_whose_name_sns_rejects_in_a_subject_is_published(aws, run_notify, topics):
    arn = f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{'référence/' * 20}db-Ab12Cd"
    aws.put("incidents", incident(secret_arn=arn, secret_name=None))

    run_notify("opened", {"secret_arn": arn, "opened_at": OPENED_AT})

    assert topics() == ["remediation"]
    assert len(aws.requests("Publish")[0]["Subject"]) == SUBJECT_LENGTH


@pytest.mark.parametrize("transition", EXPECTED_PUBLICATIONS)
def test_unknown_fields_are_neither_published_nor_recorded_nor_logged(
    aws, run_notify, topics, notify_actions, transition, caplog
):
    extra = {"SecretString": MARKER, "errorMessage": MARKER, "more": {"value": MARKER}}
    evidence = {"current": "broken", "answer": MARKER, **extra}
    actions = [{"action": "decide", "outcome": "retry", "evidence": evidence, **extra}]
    aws.put("incidents", incident(evidence=evidence, actions=actions, **extra))

    run_notify(
        transition,
        heard={**build_signal(ARN), **extra},
        error={"Error": "E", "Cause": MARKER} if transition == "escalated" else None,
    )

    published = json.dumps(
        [aws.requests("Publish"), aws.requests("PutEvents"), notify_actions()], default=str
    ) + dump_log(caplog)
    assert "published" in caplog.messages
    assert MARKER not in published
