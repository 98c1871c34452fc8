"""What the hub records of its members, and whom it notifies."""

import contextlib
import itertools
from datetime import datetime

import pytest

from handlers.environment import InvalidEnvironment
from handlers.organization import record
from rotation_guard.domain.audit.status_events import RUN_FINISHED, STATUS_CHANGED
from tests.handlers.remediation.transitions import ARN, OPENED_AT, incident
from tests.organization_events import MEMBER, OTHER, ROWS, envelope, transition_event, wrap

LIFE = ("opened", "retried", "escalated", "resolved")
"""The transitions of an incident that a new value resolves at last."""
CHECKED = ("2026-03-01T01:00:00Z", "2026-03-02T01:00:00Z", "2026-03-03T01:00:00Z")


@pytest.fixture
def write(hub, to_records, context):
    """Lets the function record these events; returns the positions of those that failed."""

    def write(*events):
        answer = record.handler(to_records(*events), context)
        return [int(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]]

    return write


def status_event(checked_at=CHECKED[0], secret_arn=ARN, **changes):
    detail = {"secret_arn": secret_arn, "checked_at": checked_at, "verdict": f"seen {checked_at}", **changes}
    return envelope(STATUS_CHANGED, detail)


def run_event(finished_at="2026-03-01T01:00:09Z", run_id="2026-03-01T01:00:00Z", **changes):
    return envelope(RUN_FINISHED, {"audit": "check-1", "run_id": run_id, "finished_at": finished_at, **changes})


def without_notices(row):
    return {name: value for name, value in row.items() if name not in ("notices", "expires_at")}


def incidents(hub):
    return [row for row in hub.rows("hub-incidents") if "state" in row]


def test_an_incident_is_one_row_with_account_and_region(hub, write):
    assert write(transition_event("opened")) == []

    [row] = incidents(hub)
    assert (row["secret_arn"], row["opened_at"]) == (ARN, OPENED_AT)
    assert (row["account"], row["region"], row["state"]) == (MEMBER, "eu-west-1", "open")
    assert "expires_at" not in row


def test_every_order_of_transitions_and_any_copy_ends_in_the_same_row(hub, write):
    events = [transition_event(name) for name in LIFE]
    ends = []

    for order in itertools.permutations(events):
        for event in order:
            # Each arrives twice, the second time as the member delivers it again.
            assert write(event) == []
            assert write(wrap(event)) == []
        [row] = incidents(hub)
        ends.append(without_notices(row))
        hub.client("dynamodb").delete_item(
            TableName="hub-incidents", Key={"secret_arn": {"S": ARN}, "opened_at": {"S": OPENED_AT}}
        )
    assert len(ends) == 24
    assert all(end == ends[0] for end in ends)
    assert (ends[0]["state"], ends[0]["outcome"], ends[0]["transition"]) == ("closed", "resolved", "resolved")


def test_an_attribute_that_is_no_longer_true_is_removed(hub, write):
    write(transition_event("opened", incident(unreadable="It could not be described.")))
    write(transition_event("recovered"))

    [row] = incidents(hub)
    assert "unreadable" not in row
    assert row["outcome"] == "rolled forward"
    assert row["expires_at"] > 0


def test_with_a_history_of_0_days_a_closed_incident_stays(hub, write, monkeypatch):
    monkeypatch.setenv("HISTORY_DAYS", "0")

    write(transition_event("recovered"))

    assert "expires_at" not in incidents(hub)[0]


@pytest.mark.parametrize(
    ("name", "topics"),
    [
        ("opened", ["remediation"]),
        ("retried", []),
        ("recovered", ["remediation"]),
        ("escalated", ["remediation", "critical"]),
        ("held", ["remediation", "critical"]),
        ("resolved", ["remediation", "critical"]),
    ],
)
def test_a_transition_is_published_to_its_topics_once(write, inbox, name, topics):
    write(transition_event(name))
    write(transition_event(name), wrap(transition_event(name)))

    assert {topic: len(inbox(topic)) for topic in ("remediation", "critical")} == {
        topic: int(topic in topics) for topic in ("remediation", "critical")
    }


def test_a_notification_reads_as_in_the_member_and_can_be_filtered_by_severity(write, inbox):
    write(transition_event("escalated"))

    [message] = inbox("critical")
    assert message["Subject"] == "AT RISK orders/db 123456789012 eu-west-1: rotation escalated at setSecret"
    assert message["MessageAttributes"]["severity"] == {"Type": "String", "Value": "AT RISK"}
    assert "Account: 123456789012" in message["Message"]


def test_what_is_over_is_not_published_late(write, inbox):
    write(transition_event("resolved"))
    inbox("critical")
    inbox("remediation")

    write(wrap(transition_event("opened")), wrap(transition_event("escalated")))

    assert inbox("critical") == inbox("remediation") == []


def test_of_many_rate_limited_incidents_one_an_hour_pages_for_each_account(hub, write, inbox):
    arns = [f"arn:aws:secretsmanager:eu-west-1:{MEMBER}:secret:orders/db-{number}-Ab12Cd" for number in range(5)]
    held = [transition_event("held", {**ROWS["held"], "secret_arn": arn}) for arn in arns]
    other = ARN.replace(MEMBER, OTHER)

    write(*held)
    write(transition_event("held", {**ROWS["held"], "secret_arn": other}, account=OTHER))

    assert len(inbox("critical")) == 2
    assert len(inbox("remediation")) == 6
    assert len(incidents(hub)) == 6


def test_a_copy_of_a_rate_limited_incident_does_not_page_in_the_next_hour(hub, write, inbox, monkeypatch):
    class Clock(datetime):
        hour_now = 1

        @classmethod
        def now(cls, tz=None):
            return datetime(2026, 3, 1, cls.hour_now, 59, tzinfo=tz)

    monkeypatch.setattr(record, "datetime", Clock)
    other = ARN.replace("db-", "db2-")
    held = [transition_event("held", {**ROWS["held"], "secret_arn": arn}) for arn in (ARN, other)]
    write(*held)
    assert len(inbox("critical")) == 1

    Clock.hour_now = 2
    write(*held)

    assert inbox("critical") == []
    assert len(inbox("remediation")) == 2


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 6))
def test_a_crash_at_any_write_loses_neither_row_nor_notification(hub, write, inbox, number, when):
    hub.crash(number, when)
    with contextlib.suppress(hub.Crash):
        write(transition_event("held"))
    hub.crash(0, "")
    write(transition_event("held"))

    [row] = incidents(hub)
    assert row["outcome"] == "held"
    assert {len(inbox("critical")), len(inbox("remediation"))} <= {1, 2}
    assert len(row["notices"]) == 2


def test_a_failed_publication_is_retried_and_the_others_are_not_repeated(hub, write, inbox):
    publications = iter([hub.Refusal("InternalError", 500), *[None] * 5])
    hub.answer("Publish", lambda _: next(publications))

    assert write(transition_event("opened"), transition_event("escalated")) == [0]
    assert write(transition_event("opened")) == []

    # The incident is escalated meanwhile.
    assert [message["Subject"].rpartition(": ")[2] for message in inbox("remediation")] == [
        "rotation escalated at setSecret"
    ]


@pytest.mark.parametrize("order", [*itertools.permutations(CHECKED)])
def test_the_latest_status_wins_in_every_order(hub, write, order):
    for checked_at in order:
        assert write(status_event(checked_at), status_event(checked_at)) == []

    [row] = hub.rows("hub-status")
    assert (row["checked_at"], row["verdict"]) == (CHECKED[2], f"seen {CHECKED[2]}")
    assert (row["secret_arn"], row["account"], row["region"]) == (ARN, MEMBER, "eu-west-1")
    assert "expires_at" not in row


def test_a_secret_that_is_gone_expires_and_returns_when_it_is_found_again(hub, write):
    write(status_event(CHECKED[0]), status_event(CHECKED[0], gone_since=CHECKED[1]))
    [gone] = hub.rows("hub-status")
    write(status_event(CHECKED[2]))
    [back] = hub.rows("hub-status")

    assert gone["expires_at"] > 0
    assert {"gone_since", "expires_at"}.isdisjoint(back)


def test_a_finished_run_is_one_row(hub, write):
    assert write(run_event(checked=5), run_event(checked=5)) == []

    [row] = hub.rows("hub-runs")
    assert (row["audit"], row["run_id"], row["checked"]) == (f"{MEMBER}/eu-west-1/check-1", "2026-03-01T01:00:00Z", 5)
    assert row["expires_at"] > 0


@pytest.mark.parametrize("event", [transition_event("opened"), status_event()])
def test_a_member_writes_no_row_of_another_account(hub, write, inbox, event):
    spoofed = {**event, "account": OTHER}

    assert write(spoofed, wrap(event, account=OTHER), wrap(spoofed, account=OTHER), event) == [0, 1, 2]

    rows = [*incidents(hub), *hub.rows("hub-status")]
    assert [row["account"] for row in rows] == [MEMBER]
    assert len(inbox("remediation")) == (event["detail-type"] == "Rotation Incident Opened")


def test_a_run_is_recorded_under_the_sender_only(hub, write):
    write({**run_event(), "account": OTHER})

    assert [row["account"] for row in hub.rows("hub-runs")] == [OTHER]
    assert hub.rows("hub-runs")[0]["audit"] == f"{OTHER}/eu-west-1/check-1"


def test_a_bad_message_fails_alone_and_is_logged_without_its_text(hub, write, log_text):
    assert write("no JSON of s3cr3t", [], transition_event("opened"), envelope("Other", {})) == [0, 1, 3]

    assert len(incidents(hub)) == 1
    assert log_text().count("cannot record a message") >= 3
    assert "s3cr3t" not in log_text()


def test_an_error_of_dynamodb_fails_only_its_message(hub, write):
    refusals = iter([hub.Refusal("ProvisionedThroughputExceededException"), None])
    hub.answer("PutItem", lambda _: next(refusals, None))

    assert write(status_event(), run_event()) == [0]
    assert len(hub.rows("hub-runs")) == 1


def test_a_missing_variable_is_named(hub, write, monkeypatch):
    monkeypatch.delenv("CRITICAL_TOPIC_ARN")

    with pytest.raises(InvalidEnvironment, match="CRITICAL_TOPIC_ARN must be set"):
        write(run_event())
