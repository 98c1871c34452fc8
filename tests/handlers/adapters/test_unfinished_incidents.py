"""Incidents that are unfinished, and the events by which those are reported that nobody goes on with."""

import json

import pytest

from handlers.adapters.event_bus import EventRejected
from handlers.adapters.unfinished_incidents import StalledIncident, UnfinishedIncidents, build_row
from handlers.remediation import stalled_incidents
from rotation_guard.domain.event_parser import parse_signal

ORDERS, OTHERS = (f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name}-Ab12Cd" for name in ("orders", "o"))
FIRST, SECOND = "2026-03-01T00:51:00.000Z", "2026-03-02T00:51:00.000Z"
NOW = 1_772_323_200
"""A full hour, epoch seconds."""


@pytest.fixture
def unfinished(aws):
    aws.create_tables("incidents")
    return UnfinishedIncidents("incidents")


@pytest.fixture
def begun(aws, unfinished):
    """Lists an incident whose execution said that it would be heard of by then; None: its row is gone."""

    def write(arn=ORDERS, opened_at=FIRST, alive_until=NOW - 1):
        unfinished.add(arn, opened_at)
        if alive_until is not None:
            aws.put("incidents", {"secret_arn": arn, "opened_at": opened_at, "alive_until": alive_until})
        return StalledIncident(arn, opened_at)

    return write


def entries(aws):
    return [entry for asked in aws.asked("PutEvents") for entry in asked["Entries"]]


@pytest.mark.parametrize(("alive_until", "is_stalled"), [(NOW - 1, True), (0, True), (None, True), (NOW, False)])
def test_an_incident_is_stalled_once_its_execution_is_overdue_or_its_row_is_gone(
    unfinished, begun, alive_until, is_stalled
):
    incident = begun(alive_until=alive_until)

    assert list(unfinished.find_stalled(NOW)) == ([incident] if is_stalled else [])


def test_one_that_an_earlier_version_of_the_product_opened_without_that_time_is_stalled(aws, unfinished):
    unfinished.add(ORDERS, FIRST)
    aws.put("incidents", {"secret_arn": ORDERS, "opened_at": FIRST, "state": "open"})

    assert list(unfinished.find_stalled(NOW)) == [StalledIncident(ORDERS, FIRST)]


def test_those_of_one_secret_are_not_those_of_another_whose_arn_begins_alike(unfinished, begun):
    mine = [begun(), begun(opened_at=SECOND)]
    theirs = [begun(OTHERS), begun(f"{ORDERS}2")]

    assert list(unfinished.find_stalled(NOW, ORDERS)) == mine
    assert sorted(unfinished.find_stalled(NOW)) == sorted(mine + theirs)


def test_all_pages_are_read(aws, unfinished, begun):
    incidents = [begun(opened_at=f"2026-03-01T00:5{minute}:00.000Z") for minute in range(5)]

    aws.answer("Query", lambda asked: {**_without_metadata(aws.client("dynamodb").query(**asked, Limit=2))})

    assert list(unfinished.find_stalled(NOW)) == incidents


def test_absence_is_concluded_from_consistent_reads(aws, unfinished, begun):
    begun()

    list(unfinished.find_stalled(NOW, ORDERS))

    assert [asked["ConsistentRead"] for name in ("Query", "GetItem") for asked in aws.asked(name)] == [True, True]


def test_one_that_is_listed_twice_is_removed_at_once(unfinished, begun):
    begun()
    begun()
    begun(opened_at=SECOND)

    unfinished.remove(ORDERS, FIRST)
    unfinished.remove(ORDERS, FIRST)

    assert list(unfinished.find_stalled(NOW)) == [StalledIncident(ORDERS, SECOND)]


def test_one_that_ended_and_was_resolved_is_one_until_both_are_told(aws, unfinished, begun):
    incident = begun()
    aws.put("incidents", build_row(*incident, is_resolved=True))
    begun(opened_at=SECOND)

    assert list(unfinished.find_stalled(NOW)) == [incident, StalledIncident(ORDERS, SECOND)]
    unfinished.remove(*incident)
    assert list(unfinished.find_stalled(NOW, ORDERS)) == [incident, StalledIncident(ORDERS, SECOND)]
    unfinished.remove(*incident, is_resolution_published=True)
    assert list(unfinished.find_stalled(NOW)) == [StalledIncident(ORDERS, SECOND)]


def test_a_report_is_an_event_that_remediation_hears(aws, unfinished, begun, recorded):
    incident = begun()

    assert stalled_incidents.report(unfinished, NOW) == [incident]

    [entry] = entries(aws)
    event = recorded("incident-stalled")
    event |= {"source": entry["Source"], "detail-type": entry["DetailType"], "resources": entry["Resources"]}
    signal = parse_signal(event | {"detail": json.loads(entry["Detail"])})
    assert signal is not None
    assert (signal.kind, signal.source) == ("Rotation Incident Stalled", "rotation-guard")
    assert (signal.secret_arn, signal.opened_at) == incident


def test_nothing_stalled_is_nothing_reported(aws, unfinished, begun):
    begun(alive_until=NOW)

    assert stalled_incidents.report(unfinished, NOW) == []
    assert entries(aws) == []


def test_one_that_its_caller_tells_of_is_left_out(aws, unfinished, begun):
    lost, other = begun(alive_until=None), begun(opened_at=SECOND)

    assert stalled_incidents.report(unfinished, NOW, ORDERS, except_for=lost) == [other]
    assert len(entries(aws)) == 1


def test_many_reports_within_an_hour_start_one_execution_and_the_next_hour_another(aws, unfinished, begun):
    begun()
    begun(opened_at=SECOND)
    for moment in (NOW, NOW + 1, NOW + 3599, NOW + 3600):
        stalled_incidents.report(unfinished, moment)

    ids = [json.loads(entry["Detail"])["eventID"] for entry in entries(aws)]
    first, second = ids[::2], ids[1::2]
    assert len({*first[:3]}) == len({*second[:3]}) == 1
    assert len({*ids}) == 4


def test_a_report_that_eventbridge_does_not_take_is_no_success(aws, unfinished, begun):
    begun()
    refused = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "No."}]}
    aws.answer("PutEvents", lambda _: refused)

    with pytest.raises(EventRejected, match="Rotation Incident Stalled"):
        stalled_incidents.report(unfinished, NOW)


def _without_metadata(answer):
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}
