"""Parses events of AWS into domain objects."""

from itertools import combinations
from typing import Any

import pytest

from rotation_guard.domain.event_parser import MalformedEvent, parse

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-Ab12Cd"
OTHERS = [f"arn:aws:secretsmanager:eu-west-1:111122223333:secret:other-{n}-Ab12Cd" for n in range(6)]
ROTATION = "7ac47c8c-f328-423b-9698-6926dd1f293e"
SECRET_FIELDS = [
    ("detail", "additionalEventData", "SecretId"),
    ("detail", "serviceEventDetails", "secretId"),
    ("detail", "responseElements", "arn"),
    ("detail", "responseElements", "aRN"),
    ("detail", "requestParameters", "secretId"),
    ("resources",),
]
"""The fields that name the secret, the most reliable first: those of AWS, and then those of the caller."""


@pytest.fixture
def event_without_secret(recorded):
    """The recorded failure without the fields that name its secret."""
    event = recorded("rotation-failed")
    event["detail"]["additionalEventData"] = None
    return event


def set_path(event: dict[str, Any], path: tuple[Any, ...], value: Any) -> None:
    """Sets the value at this path; null values on the way become objects."""
    *parents, last = path
    for key in parents:
        event[key] = event.get(key) or {}
        event = event[key]
    event[last] = [value] if path == ("resources",) else value


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
    # The secret's name is orders-abcdef, so AWS itself treats this partial ARN as a complete one.
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
