"""Parses events of AWS into domain objects."""

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

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-Ab12Cd"
OTHERS = [f"arn:aws:secretsmanager:eu-west-1:111122223333:secret:other-{n}-Ab12Cd" for n in range(6)]
ROTATION = "7ac47c8c-f328-423b-9698-6926dd1f293e"
RECORDED = sorted(path.stem for path in EVENTS.glob("*.json"))

SECRET_FIELDS = [
    ("detail", "additionalEventData", "SecretId"),
    ("detail", "serviceEventDetails", "secretId"),
    ("detail", "responseElements", "arn"),
    ("detail", "responseElements", "aRN"),
    ("detail", "requestParameters", "secretId"),
    ("resources",),
]
"""The fields that name the secret, the most reliable first: those of AWS, and then those of the caller."""

ODD_VALUES = [None, [], {}, 1, 1.5, True, "", " ", "x" * 100_000, "\ud800", "\n", ["x"], {"x": 1}, [None], float("nan")]
"""Values that AWS does not rule out."""


@pytest.fixture
def event_without_secret(recorded):
    """The recorded failure without the fields that name its secret."""
    event = recorded("rotation-failed")
    event["detail"]["additionalEventData"] = None
    return event


def set_path(event: dict[str, Any], path: tuple[Any, ...], value: Any) -> None:
    """Sets the value at this path; null values on the way become objects."""
    *way, last = path
    for key in way:
        event[key] = event.get(key) or {}
        event = event[key]
    event[last] = [value] if path == ("resources",) else value


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


@pytest.mark.parametrize(
    ("name", "kind", "step", "rotation"),
    [
        ("rotation-failed", "RotationFailed", "createSecret", ROTATION),
        ("rotation-abandoned", "RotationAbandoned", None, ROTATION),
        ("rotation-succeeded", "RotationSucceeded", None, ROTATION),
        ("secret-label-updated", "Secret Label Updated", None, None),
    ],
)
def test_a_recorded_event_is_parsed(recorded, name, kind, step, rotation):
    parsed = parse(recorded(name))

    assert (parsed.kind, parsed.source, parsed.region) == (kind, "aws.secretsmanager", "eu-west-1")
    assert (parsed.secret_arn, parsed.subject) == (ARN, ARN)
    assert (parsed.failed_step, parsed.rotation_id) == (step, rotation)
    assert parsed.occurred_at == recorded(name)["time"]


@pytest.mark.parametrize("path", SECRET_FIELDS, ids=lambda path: ".".join(map(str, path)))
def test_the_secret_is_found_in_every_field_that_names_it(event_without_secret, path):
    set_path(event_without_secret, path, ARN)

    assert parse(event_without_secret).secret_arn == ARN


@pytest.mark.parametrize("first", range(len(SECRET_FIELDS)))
def test_the_most_reliable_field_wins(event_without_secret, first):
    for path, secret_arn in list(zip(SECRET_FIELDS, OTHERS, strict=True))[first:]:
        set_path(event_without_secret, path, secret_arn)

    assert parse(event_without_secret).secret_arn == OTHERS[first]


@pytest.mark.parametrize("path", SECRET_FIELDS[1:], ids=lambda path: ".".join(map(str, path)))
def test_an_arn_in_any_field_is_preferred_to_a_name(event_without_secret, path):
    set_path(event_without_secret, SECRET_FIELDS[0], "orders/db")
    set_path(event_without_secret, path, ARN)

    parsed = parse(event_without_secret)

    assert (parsed.secret_arn, parsed.subject) == (ARN, ARN)


def test_a_secret_named_without_its_arn_is_recorded_under_its_name(event_without_secret):
    set_path(event_without_secret, ("detail", "requestParameters", "secretId"), "orders/db")

    parsed = parse(event_without_secret)

    assert (parsed.secret_arn, parsed.subject) == (None, "orders/db")


PARTIAL = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db"


@pytest.mark.parametrize("response_key", ["arn", "aRN"])
@pytest.mark.parametrize("requested", [PARTIAL, "orders/db", None, 7])
def test_a_call_is_about_the_secret_that_its_response_names(recorded, requested, response_key):
    event = recorded("put-secret-value")
    event["detail"] |= {"requestParameters": {"secretId": requested}, "responseElements": {response_key: ARN}}

    parsed = parse(event)

    assert (parsed.secret_arn, parsed.subject) == (ARN, ARN)


def test_the_response_is_preferred_to_a_partial_arn_that_looks_complete(recorded):
    # The secret's name is orders-abcdef, so AWS itself takes this partial ARN for a complete one.
    requested = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-abcdef"
    event = recorded("put-secret-value")
    event["detail"] |= {
        "requestParameters": {"secretId": requested},
        "responseElements": {"arn": f"{requested}-Ab12Cd"},
    }

    assert parse(event).secret_arn == f"{requested}-Ab12Cd"


@pytest.mark.parametrize(
    ("partial", "complete"), [*combinations(SECRET_FIELDS, 2), *((b, a) for a, b in combinations(SECRET_FIELDS, 2))]
)
def test_a_complete_arn_in_any_field_is_preferred_to_a_partial_one(event_without_secret, partial, complete):
    set_path(event_without_secret, partial, PARTIAL)
    set_path(event_without_secret, complete, ARN)

    assert parse(event_without_secret).secret_arn == ARN


def test_a_failed_call_is_recorded_under_the_partial_arn_of_its_request(recorded):
    event = recorded("put-secret-value")
    event["detail"] |= {
        "errorCode": "AccessDenied",
        "requestParameters": {"secretId": PARTIAL},
        "responseElements": None,
    }

    parsed = parse(event)

    assert (parsed.secret_arn, parsed.subject) == (PARTIAL, PARTIAL)


def test_a_secret_is_found_in_every_partition(event_without_secret):
    for partition, region in (("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")):
        secret_arn = f"arn:{partition}:secretsmanager:{region}:111122223333:secret:orders/db-Ab12Cd"
        set_path(event_without_secret, ("detail", "additionalEventData", "SecretId"), secret_arn)

        assert parse(event_without_secret).secret_arn == secret_arn


@pytest.mark.parametrize(
    ("source", "resources", "subject"),
    [
        (
            "aws.ec2",
            ["arn:aws:ec2:eu-west-1:111122223333:instance/i-1"],
            "arn:aws:ec2:eu-west-1:111122223333:instance/i-1",
        ),
        ("aws.rds", ["arn:aws:rds:eu-west-1:1:db:a", "arn:aws:rds:eu-west-1:1:db:b"], "arn:aws:rds:eu-west-1:1:db:a"),
        ("aws.health", [], "aws.health"),
        ("aws.health", [None, {"ARN": "arn:aws:ec2:eu-west-1:1:instance/i-1"}, 7], "aws.health"),
        ("aws.health", None, "aws.health"),
        ("aws.health", "arn:aws:ec2:eu-west-1:1:instance/i-1", "aws.health"),
        (None, [], "unknown"),
    ],
)
def test_an_event_of_another_service_is_about_its_first_resource_or_its_source(recorded, source, resources, subject):
    event = recorded("secret-label-updated")
    event |= {"source": source, "resources": resources, "detail-type": "State change", "detail": {"state": "stopped"}}

    parsed = parse(event)

    assert (parsed.secret_arn, parsed.subject, parsed.kind) == (None, subject, "State change")


def test_the_shape_of_event_in_the_tutorials_is_parsed_too(recorded):
    event = recorded("rotation-failed")
    event["detail-type"] = "AWS API Call via CloudTrail"
    event["detail"] |= {"additionalEventData": None, "requestParameters": {"secretId": ARN}, "requestID": "no-rotation"}

    parsed = parse(event)

    assert (parsed.kind, parsed.secret_arn, parsed.rotation_id) == ("RotationFailed", ARN, None)


@pytest.mark.parametrize(
    ("request_id", "rotation"),
    [
        (f"Rotation-{ARN}-{ROTATION}", ROTATION),
        (f"Rotation-{OTHERS[0]}-{ROTATION}", ROTATION),  # dashes in the name
        (f"Rotation-{ARN.replace('orders/db', ROTATION)}-{ROTATION.replace('7', '8')}", ROTATION.replace("7", "8")),
        (f"Rotation-{ARN}-{ROTATION.upper()}", ROTATION),
        (f"Rotation-{ARN}", None),
        (f"Rotation-{ARN}-{ROTATION}-1", None),
        (f"Rotation-{ARN}-{ROTATION}\n", None),
        (ROTATION, None),
        ("", None),
        (None, None),
        ([ROTATION], None),
    ],
)
def test_the_rotation_is_the_uuid_at_the_end_of_its_request(recorded, request_id, rotation):
    event = recorded("rotation-failed")
    event["detail"]["requestID"] = request_id

    assert parse(event).rotation_id == rotation


@pytest.mark.parametrize(
    ("message", "step"),
    [
        *(
            (f"Error when executing lambda arn:aws:lambda:eu-west-1:1:function:f during {step} step", step)
            for step in ("createSecret", "setSecret", "testSecret", "finishSecret")
        ),
        (
            "Error when executing lambda arn:aws:lambda:eu-west-1:1:function:testSecret during setSecret step.",
            "setSecret",
        ),
        ("Error when executing lambda arn:aws:lambda:eu-west-1:1:function:setSecret timed out", None),
        ("Error when executing lambda during newSecret step", None),
        ("", None),
        (None, None),
    ],
)
def test_the_failed_step_is_read_from_the_error_message(recorded, message, step):
    event = recorded("rotation-failed")
    event["detail"]["errorMessage"] = message

    parsed = parse(event)

    assert (parsed.failed_step, parsed.error_message) == (step, message or None)


def test_copies_share_the_event_id_of_cloudtrail(recorded):
    copies = [recorded("rotation-failed") | {"id": delivery} for delivery in ("a", "b", None)]

    assert {parse(event).identity for event in copies} == {"e3b69cfe-b70e-4c94-baa9-9decc3c150b9"}


def test_an_event_without_cloudtrail_is_identified_by_its_own_id_and_time(recorded):
    event = recorded("secret-label-updated")

    parsed = parse(event)

    assert (parsed.identity, parsed.occurred_at) == (event["id"], event["time"])


@pytest.mark.parametrize(
    ("paths", "complaint"),
    [
        ([("id",), ("detail", "eventID")], "the event has neither detail.eventID nor id"),
        ([("time",), ("detail", "eventTime")], "the event has neither detail.eventTime nor time in ISO 8601"),
    ],
)
@pytest.mark.parametrize("value", [None, "", 7, [], {}])
def test_an_event_without_identity_or_time_is_malformed(recorded, paths, complaint, value):
    event = recorded("rotation-failed")
    for path in paths:
        set_path(event, path, value)

    with pytest.raises(MalformedEvent, match=f"^{complaint}$"):
        parse(event)


def test_an_event_with_an_invalid_time_is_malformed(recorded):
    event = recorded("secret-label-updated") | {"time": "yesterday"}

    with pytest.raises(MalformedEvent, match=r"neither detail\.eventTime nor time in ISO 8601"):
        parse(event)


@pytest.mark.parametrize("event", [None, [], ["x"], "text", 1, 1.5, True], ids=repr)
def test_what_is_not_an_object_is_malformed(event):
    with pytest.raises(MalformedEvent, match=f"^an event is a JSON object, got {type(event).__name__}$"):
        parse(event)


def test_the_empty_event_is_malformed():
    with pytest.raises(MalformedEvent):
        parse({})


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


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "other labels"),  # recorded from createSecret, which stores its value under AWSPENDING
        ({"errorCode": "AccessDenied", "responseElements": None}, "failed call"),
        ({"requestParameters": {"secretId": ARN}}, None),
        ({"requestParameters": {"secretId": ARN, "versionStages": []}}, None),
        ({"requestParameters": {"secretId": ARN, "versionStages": ["blue", "AWSCURRENT"]}}, None),
        ({"requestParameters": {"secretId": ARN, "versionStage": "AWSCURRENT"}}, None),
        ({"requestParameters": {"secretId": ARN, "versionStage": "AWSPREVIOUS"}}, "other labels"),
    ],
)
def test_a_call_that_failed_or_moves_other_labels_has_no_effect(recorded, changes, reason):
    event = recorded("put-secret-value")
    event["detail"] |= changes

    assert parse(event).without_effect == reason
