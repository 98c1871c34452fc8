"""Parses every event that AWS could send: deep values, large numbers, and fields of other types."""

import copy
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from itertools import combinations
from typing import Any

import pytest

from rotation_guard.domain.event_parser import MalformedEvent, parse, parse_text
from tests.paths import EVENTS

RECORDED = sorted(path.stem for path in EVENTS.glob("*.json"))
ODD_VALUES = [None, [], {}, 1, 1.5, True, "", " ", "x" * 100_000, "\ud800", "\n", ["x"], {"x": 1}, [None], float("nan")]
"""Values that AWS does not rule out."""


def paths(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every path into an event, and the event itself."""
    yield here
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield from paths(below, (*here, key))


def apply_change(event: Any, path: tuple[Any, ...], change: Any) -> Any:
    """The event with `change` applied to the object or list that holds this path's end."""
    event = copy.deepcopy(event)
    holder = event
    for key in path[:-1]:
        holder = holder[key]
    change(holder, path[-1])
    return event


def replace_with(value: Any) -> Any:
    return lambda holder, key: holder.__setitem__(key, value)


NESTED = [100, 900, 1_000, 5_000, 50_000]


@pytest.mark.parametrize("levels", NESTED)
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"x":', "}"), ('[{"]}":', "}]")])
def test_an_event_is_parsed_however_deep_its_values_are(recorded, levels, opening, closing):
    event = recorded("rotation-failed")
    text = json.dumps(event).replace('"awsRegion": ', f'"deep": {opening * levels}1{closing * levels}, "awsRegion": ')
    assert text != json.dumps(event)

    assert parse_text(text) == parse(event)


def test_fields_after_a_deep_value_are_parsed(recorded):
    event = recorded("rotation-failed")
    deep = "[" * 5_000 + "]" * 5_000
    text = f'{{"first": {deep}, "second": [{deep}, "]", {deep}], {json.dumps(event)[1:]}'

    assert parse_text(text) == parse(event)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"x":' * 100_000,
        "[" * 100_000 + "]" * 100_000,
        "[" * 5_000 + "]" * 6_000,
        "[" * 5_000 + '"' + "]" * 5_000,
        '{"id": "x", "time": "2026-03-01T00:50:20Z", "x": ' + "[" * 5_000 + "}" * 4_999,
        "]" * 5_000 + "[" * 5_000,
    ],
    ids=lambda text: f"{text[:8]}{len(text)}",
)
def test_deep_invalid_json_is_malformed(text):
    with pytest.raises(MalformedEvent):
        parse_text(text)


@pytest.mark.parametrize("number", ["9" * 5_000, "-" + "9" * 300_000, "1e999999", "NaN", "-Infinity", "1.5", "-0"])
def test_an_event_is_parsed_whatever_numbers_it_has(recorded, number):
    event = recorded("rotation-failed")
    text = json.dumps(event).replace('"awsRegion": ', f'"number": {number}, "awsRegion": ')

    assert parse_text(text) == parse(event)


@pytest.mark.parametrize("number", ["7", "9" * 5_000, "1.5", "NaN"])
def test_a_number_is_not_accepted_as_a_string(recorded, number):
    event = recorded("rotation-failed")
    text = json.dumps(event).replace('"e3b69cfe-b70e-4c94-baa9-9decc3c150b9"', number)
    assert number in text

    assert parse_text(text).identity == event["id"]


def test_of_two_equal_keys_the_last_counts(recorded):
    event = recorded("rotation-failed")
    text = json.dumps(event).replace('"eventName": ', '"eventName": "RotationSucceeded", "eventName": ')

    assert parse_text(text).kind == "RotationFailed"


def test_there_are_recorded_events():
    assert {"rotation-failed", "rotation-abandoned", "rotation-succeeded", "secret-label-updated"} <= set(RECORDED)


@pytest.mark.parametrize("name", RECORDED)
def test_no_odd_value_in_any_field_prevents_an_event_from_being_recorded(recorded, name):
    event = recorded(name)
    field_paths = [path for path in paths(event) if path]
    assert len(field_paths) > 10

    for path in field_paths:
        for odd in ODD_VALUES:
            assert_recordable(apply_change(event, path, replace_with(odd)), f"{path} = {odd!r:.40}", path)
        assert_recordable(apply_change(event, path, lambda holder, key: holder.pop(key)), f"{path} left out", path)


@pytest.mark.parametrize("name", RECORDED)
def test_no_two_odd_values_raise_another_error_than_malformed(recorded, name):
    event = recorded(name)
    outcomes = Counter()

    for combination, other in combinations([path for path in paths(event) if path], 2):
        if other[: len(combination)] == combination:
            continue
        for odd in (None, {}):
            try:
                parse(apply_change(apply_change(event, combination, replace_with(odd)), other, replace_with(odd)))
                outcomes["parsed"] += 1
            except MalformedEvent:
                outcomes["malformed"] += 1

    assert outcomes["parsed"] > 50
    assert outcomes["malformed"] > 3


def assert_recordable(event: dict[str, Any], change: str, path: tuple[Any, ...]) -> None:
    """It parses into texts; only an event that lost the one identity or time it had may be malformed."""
    try:
        parsed = parse(event)
    except MalformedEvent:
        assert path in [("id",), ("time",)], change
        assert {("id",): "eventID", ("time",): "eventTime"}[path] not in event["detail"], change
        return
    for field in fields(parsed):
        value = getattr(parsed, field.name)
        assert isinstance(value, str) or (value is None and field.type is not str), (change, field.name)
    assert parsed.subject, change
    assert parsed.identity, change
    assert parsed.occurred_at, change
