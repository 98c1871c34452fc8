"""What remediation gets from an event, and what it never gets."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.remediation.start import build_execution_name
from rotation_guard.domain import event_parser
from rotation_guard.domain.event_parser import MalformedEvent
from rotation_guard.domain.rotation_event import FAILURES, RotationSignal
from tests.paths import EVENTS

RECORDED = {path.stem: json.loads(path.read_text()) for path in sorted(EVENTS.glob("*.json"))}
ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-Ab12Cd"
ROTATION = "7ac47c8c-f328-423b-9698-6926dd1f293e"
KEPT_FIELDS = {"id", "time", "eventID", "eventTime", "eventName", "SecretId", "secretId", "arn", "versionId"}
"""Ids, times and the secret: the fields that remediation gets unchanged."""
MARKERS = ["hunter2", "correct horse battery staple", '{"password": "hunter2"}', "arn:aws:s3:::hunter2", "hünter2\n"]


def parse_signal(event) -> Any:
    """The signal, typed as Any because each test knows which fields it has."""
    return event_parser.parse_signal(event)


def texts(value, here=()):
    """The path of every text in an event."""
    if isinstance(value, str):
        yield here
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield from texts(below, (*here, key))


def plant_marker(event, marker, kept=KEPT_FIELDS):
    """The event with a marker in each of its texts, except in these fields."""
    event = json.loads(json.dumps(event))
    for path in texts(event):
        if path[-1] in kept or path[0] == "resources":
            continue
        holder = event
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = marker
    # Unexpected fields, on both levels.
    for level in (event, event["detail"]):
        level |= {"SecretString": marker, marker: marker, "more": [{"value": marker}]}
    return event


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "rotation-failed",
            RotationSignal(
                "RotationFailed",
                "aws.secretsmanager",
                "e3b69cfe-b70e-4c94-baa9-9decc3c150b9",
                "2026-03-01T00:50:20Z",
                ARN,
                ROTATION,
                "createSecret",
            ),
        ),
        (
            "rotation-abandoned",
            RotationSignal(
                "RotationAbandoned",
                "aws.secretsmanager",
                "1f0d2c3b-4a59-4687-9786-a5b4c3d2e1f0",
                "2026-03-01T01:17:16Z",
                ARN,
                ROTATION,
            ),
        ),
        (
            "test-rotation-failed",
            RotationSignal(
                "TestRotationFailed",
                "aws.secretsmanager",
                "ad9c8b7a-6958-4746-b352-41a0f1e2d3c4",
                "2026-03-01T02:03:42Z",
                ARN,
                ROTATION,
                "testSecret",
            ),
        ),
        (
            "rotation-stuck",
            RotationSignal(
                "Rotation Stuck",
                "rotation-guard",
                f"rotation-stuck-{ROTATION}",
                "2026-03-03T02:00:07Z",
                ARN,
                pending_version_id=ROTATION,
            ),
        ),
        (
            "rotation-succeeded",
            RotationSignal(
                "RotationSucceeded",
                "aws.secretsmanager",
                "638c6d2d-e098-4100-a3e0-a4b7b87e5b92",
                "2026-03-01T01:17:16Z",
                ARN,
                ROTATION,
            ),
        ),
        (
            "secret-label-updated",
            RotationSignal(
                "Secret Label Updated",
                "aws.secretsmanager",
                "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
                "2026-03-01T01:17:15Z",
                ARN,
                current_version_id=ROTATION,
            ),
        ),
        (
            "incident-stalled",
            RotationSignal(
                "Rotation Incident Stalled",
                "rotation-guard",
                "0b0b7d0e-64c5-5c43-9a83-7f0b6a1f4a55",
                "2026-03-03T02:00:07Z",
                "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/db-Ab12Cd",
                opened_at="2026-03-03T00:51:00.000Z",
            ),
        ),
        ("rotation-started", None),
        ("get-secret-value", None),
        ("put-secret-value", None),
        ("instance-stopped", None),
    ],
)
def test_each_recorded_event_becomes_the_signal_that_remediation_needs(name, expected):
    assert parse_signal(RECORDED[name]) == expected


def test_a_move_of_another_label_than_awscurrent_is_no_signal():
    event = RECORDED["secret-label-updated"]

    assert parse_signal({**event, "detail": {**event["detail"], "labelUpdated": "blue"}}) is None


def test_a_drill_becomes_the_signal_of_the_simulated_event():
    assert (
        parse_signal({**RECORDED["rotation-failed"], "source": "rotation-guard.drill"}).source == "rotation-guard.drill"
    )


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("name", RECORDED)
def test_no_foreign_text_gets_into_a_signal(name, marker):
    before, signal = parse_signal(RECORDED[name]), parse_signal(plant_marker(RECORDED[name], marker))

    assert "hunter2" not in json.dumps(signal and asdict(signal))
    if signal:
        assert "hunter2" not in build_execution_name(signal)
    # These kinds are recognized by a text, which the marker has replaced.
    by_text = ("Rotation Stuck", "Secret Label Updated", "Rotation Incident Stalled")
    assert (signal is None) == (before is None or before.kind in by_text)


@pytest.mark.parametrize("name", ["secret-label-updated", "rotation-stuck"])
def test_no_foreign_text_gets_into_a_signal_that_depends_on_a_text(name):
    signal = parse_signal(plant_marker(RECORDED[name], "hunter2", KEPT_FIELDS | {"detail-type", "labelUpdated"}))

    assert signal is not None
    assert "hunter2" not in json.dumps(asdict(signal))


@pytest.mark.parametrize("name", ["rotation-failed", "rotation-succeeded"])
@pytest.mark.parametrize(
    "text", ["correct horse battery staple", "hunter2:topsecret.value", "x" * 101, "é", "\ud800", "a\nb"]
)
def test_a_malformed_id_is_replaced_by_its_hash_in_every_copy(name, text):
    event = RECORDED[name]
    copies = [{**event, "id": copy, "detail": {**event["detail"], "eventID": text}} for copy in ("a", "b")]

    first, second = map(parse_signal, copies)

    assert first == second
    assert first.identity.isalnum()
    assert len(first.identity) == 64
    assert first.identity != parse_signal(event).identity


@pytest.mark.parametrize(
    ("name", "field"), [("secret-label-updated", "current_version_id"), ("rotation-stuck", "pending_version_id")]
)
def test_a_malformed_version_is_replaced_by_its_hash(name, field):
    event = RECORDED[name]

    signal = parse_signal({**event, "detail": {**event["detail"], "versionId": "correct horse battery staple"}})

    assert (len(getattr(signal, field)), "horse" in getattr(signal, field)) == (64, False)


@pytest.mark.parametrize("opened_at", [None, "", "hunter2", "2026-03-03", "2026-03-03T00:51:00+01:00", 7, ["then"]])
def test_a_stalled_incident_without_its_opening_time_is_malformed(opened_at):
    event = RECORDED["incident-stalled"]

    with pytest.raises(MalformedEvent, match=r"detail\.opened_at") as raised:
        parse_signal({**event, "detail": {**event["detail"], "opened_at": opened_at}})

    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("opened_at", ["2026-03-03T00:51:00Z", "2026-03-03T00:51:00.5Z", "2026-03-03T00:51:00.123456Z"])
def test_the_opening_time_of_an_incident_is_kept_verbatim(opened_at):
    event = RECORDED["incident-stalled"]

    assert parse_signal({**event, "detail": {**event["detail"], "opened_at": opened_at}}).opened_at == opened_at


@pytest.mark.parametrize(
    ("time", "utc"),
    [
        ("2026-03-01T02:50:20+02:00", "2026-03-01T00:50:20Z"),
        ("2026-03-01T00:50:20.750Z", "2026-03-01T00:50:20Z"),
        ("2026-03-01T00:50:20", "2026-03-01T00:50:20Z"),
        ("2026-03-01", "2026-03-01T00:00:00Z"),
        ("20260301T005020Z", "2026-03-01T00:50:20Z"),
    ],
)
def test_every_time_has_the_same_format_so_that_times_compare_as_strings(time, utc):
    event = RECORDED["rotation-failed"]

    assert parse_signal({**event, "detail": {**event["detail"], "eventTime": time}}).occurred_at == utc


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00"])
def test_a_time_out_of_range_is_malformed(time):
    event = RECORDED["rotation-failed"]

    with pytest.raises(MalformedEvent):
        parse_signal({**event, "detail": {**event["detail"], "eventTime": time}})


WORDS = st.one_of(st.text(max_size=30), st.sampled_from([*MARKERS, "", "\ud800", "2026-03-01T00:50:20Z", ARN]))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=6,
)


@given(st.data())
def test_every_field_of_a_signal_is_well_formed_whatever_the_event_holds(data):
    event = json.loads(json.dumps(RECORDED[data.draw(st.sampled_from(sorted(RECORDED)))]))
    for path in data.draw(st.lists(st.sampled_from(sorted(texts(event), key=str)), max_size=4)):
        holder = event
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = data.draw(WORDS)
    event["detail"] |= data.draw(st.dictionaries(WORDS, JSON, max_size=3))

    try:
        signal = parse_signal(event)
    except MalformedEvent:
        return
    if signal is None:
        return
    assert signal.kind in (*FAILURES, "RotationSucceeded", "Secret Label Updated", "Rotation Incident Stalled")
    assert (signal.kind == "Rotation Incident Stalled") == (signal.opened_at is not None)
    assert signal.source in ("aws.secretsmanager", "rotation-guard", "rotation-guard.drill", "unknown")
    assert signal.failed_step in ("createSecret", "setSecret", "testSecret", "finishSecret", None)
    assert signal.rotation_id is None or len(signal.rotation_id) == 36
    assert datetime.fromisoformat(signal.occurred_at).strftime("%Y-%m-%dT%H:%M:%SZ") == signal.occurred_at
    for plain in filter(
        None, (signal.identity, signal.current_version_id, signal.pending_version_id, signal.opened_at)
    ):
        assert plain.isascii()
        assert len(plain) <= 100
        assert not set(plain) & set(' "{}\\/\n')
    assert len(build_execution_name(signal)) <= 80
    assert build_execution_name(signal) == build_execution_name(parse_signal(event))
