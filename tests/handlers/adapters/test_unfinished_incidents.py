"""Unfinished incidents, and the events that report stalled ones."""

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
def add_incident(aws, unfinished):
    """Lists an incident whose execution is alive until then; None: its row is missing."""

    def write(arn=ORDERS, opened_at=FIRST, alive_until=NOW - 1):
        unfinished.add(arn, opened_at)
        if alive_until is not None:
            aws.put("incidents", {"secret_arn": arn, "opened_at": opened_at, "alive_until": alive_until})
        return StalledIncident(arn, opened_at)

    return write


def entries(aws):
    return [entry for request in aws.requests("PutEvents") for entry in request["Entries"]]


@pytest.mark.parametrize(("alive_until", "is_stalled"), [(NOW - 1, True), (0, True), (None, True), (NOW, False)])
def test_an_incident_is_stalled_once_its_execution_is_overdue_or_its_row_missing(
    unfinished, add_incident, alive_until, is_stalled
):
    incident = add_incident(alive_until=alive_until)

    assert list(unfinished.find_stalled(NOW)) == ([incident] if is_stalled else [])


def test_an_incident_of_an_earlier_version_without_alive_until_is_stalled(aws, unfinished):
    unfinished.add(ORDERS, FIRST)
    aws.put("incidents", {"secret_arn": ORDERS, "opened_at": FIRST, "state": "open"})

    assert list(unfinished.find_stalled(NOW)) == [StalledIncident(ORDERS, FIRST)]


def test_incidents_of_secrets_whose_arns_begin_alike_are_kept_apart(unfinished, add_incident):
    incidents_of_orders = [add_incident(), add_incident(opened_at=SECOND)]
    others = [add_incident(OTHERS), add_incident(f"{ORDERS}2")]

    assert list(unfinished.find_stalled(NOW, ORDERS)) == incidents_of_orders
    assert sorted(unfinished.find_stalled(NOW)) == sorted(incidents_of_orders + others)


def test_all_pages_are_read(aws, unfinished, add_incident):
    incidents = [add_incident(opened_at=f"2026-03-01T00:5{minute}:00.000Z") for minute in range(5)]

    aws.answer("Query", lambda request: {**_without_metadata(aws.client("dynamodb").query(**request, Limit=2))})

    assert list(unfinished.find_stalled(NOW)) == incidents


def test_absence_is_concluded_from_consistent_reads(aws, unfinished, add_incident):
    add_incident()

    list(unfinished.find_stalled(NOW, ORDERS))

    assert [request["ConsistentRead"] for name in ("Query", "GetItem") for request in aws.requests(name)] == [
        True,
        True,
    ]


def test_an_incident_that_is_listed_twice_is_removed_at_once(unfinished, add_incident):
    add_incident()
    add_incident()
    add_incident(opened_at=SECOND)

    unfinished.remove(ORDERS, FIRST)
    unfinished.remove(ORDERS, FIRST)

    assert list(unfinished.find_stalled(NOW)) == [StalledIncident(ORDERS, SECOND)]


def test_an_ended_and_resolved_incident_is_listed_until_both_are_published(aws, unfinished, add_incident):
    incident = add_incident()
    aws.put("incidents", build_row(*incident, is_resolved=True))
    add_incident(opened_at=SECOND)

    assert list(unfinished.find_stalled(NOW)) == [incident, StalledIncident(ORDERS, SECOND)]
    unfinished.remove(*incident)
    assert list(unfinished.find_stalled(NOW, ORDERS)) == [incident, StalledIncident(ORDERS, SECOND)]
    unfinished.remove(*incident, is_resolution_published=True)
    assert list(unfinished.find_stalled(NOW)) == [StalledIncident(ORDERS, SECOND)]


def test_a_report_is_an_event_that_remediation_parses(aws, unfinished, add_incident, recorded):
    incident = add_incident()

    assert stalled_incidents.report(unfinished, NOW) == [incident]

    [entry] = entries(aws)
    event = recorded("incident-stalled")
    event |= {"source": entry["Source"], "detail-type": entry["DetailType"], "resources": entry["Resources"]}
    signal = parse_signal(event | {"detail": json.loads(entry["Detail"])})
    assert signal is not None
    assert (signal.kind, signal.source) == ("Rotation Incident Stalled", "rotation-guard")
    assert (signal.secret_arn, signal.opened_at) == incident


def test_without_stalled_incidents_nothing_is_reported(aws, unfinished, add_incident):
    add_incident(alive_until=NOW)

    assert stalled_incidents.report(unfinished, NOW) == []
    assert entries(aws) == []


def test_an_incident_that_the_caller_reports_itself_is_left_out(aws, unfinished, add_incident):
    missing, other = add_incident(alive_until=None), add_incident(opened_at=SECOND)

    assert stalled_incidents.report(unfinished, NOW, ORDERS, except_for=missing) == [other]
    assert len(entries(aws)) == 1


def test_many_reports_within_an_hour_start_one_execution_and_the_next_hour_another(aws, unfinished, add_incident):
    add_incident()
    add_incident(opened_at=SECOND)
    for time in (NOW, NOW + 1, NOW + 3599, NOW + 3600):
        stalled_incidents.report(unfinished, time)

    ids = [json.loads(entry["Detail"])["eventID"] for entry in entries(aws)]
    first, second = ids[::2], ids[1::2]
    assert len({*first[:3]}) == len({*second[:3]}) == 1
    assert len({*ids}) == 4


def test_a_report_that_eventbridge_rejects_raises(aws, unfinished, add_incident):
    add_incident()
    rejection = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "No."}]}
    aws.answer("PutEvents", lambda _: rejection)

    with pytest.raises(EventRejected, match="Rotation Incident Stalled"):
        stalled_incidents.report(unfinished, NOW)


def _without_metadata(answer):
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}
