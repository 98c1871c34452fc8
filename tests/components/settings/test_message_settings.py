"""What settings of subscriptions and queues ask of each other."""

import pulumi
import pytest

from components.notifications.endpoints import PROTOCOLS
from components.settings.validation import complaints_about
from tests.components.samples.messages import subscription


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("endpoint", [None, "", 0, [], {}, b"x", "\n", "x" * 10_000, "*"])
def test_an_endpoint_fits_its_protocol(protocol, endpoint):
    complaints = complaints_about({"subscriptions": [subscription(protocol=protocol, endpoint=endpoint)]})

    assert any(complaint.startswith("subscriptions[0].endpoint must be ") for complaint in complaints)


def test_an_optional_field_of_null_is_as_absent():
    optional = {"raw_message_delivery": None, "filter_policy": None, "subscription_role_arn": None}

    assert complaints_about({"subscriptions": [subscription(**optional)]}) == []


def later(**changes):
    known_later = pulumi.Output.from_input("anything")
    return subscription(protocol="firehose", endpoint=known_later, subscription_role_arn=known_later, **changes)


def test_endpoints_filters_and_roles_may_be_known_later():
    filter_policy = pulumi.Output.from_input({"account": ["111122223333"]})

    assert complaints_about({"subscriptions": [later(filter_policy=filter_policy)]}) == []


def test_endpoints_that_are_known_later_are_told_apart_by_names():
    assert (
        complaints_about({"subscriptions": [later(), later(name="a"), later(name="b"), later(topic="critical")]}) == []
    )
    assert complaints_about({"subscriptions": [later(), later(topic="critical"), later()]}) == [
        "subscriptions[2].name must be given where failures-firehose has an endpoint that is known only later, too, "
        "got nothing"
    ]


@pytest.mark.parametrize(
    "subscriptions",
    [
        [later(name="a"), later(name="a")],
        # The logical names would be one, though the protocols are two.
        [subscription(name="json-a"), subscription(protocol="email-json", name="a")],
        # What sha256sum says of the first one's endpoint.
        [subscription(endpoint="team@example.com"), subscription(endpoint="on-call@example.com", name="a96e3689")],
    ],
)
def test_a_name_is_taken_once(subscriptions):
    [complaint] = complaints_about({"subscriptions": subscriptions})

    name = subscriptions[1]["name"]
    assert complaint == (
        f'subscriptions[1].name must be one that no other subscription of its topic and protocol has, got "{name}"'
    )


@pytest.mark.parametrize(
    ("protocol", "one", "again"),
    [
        ("email", "team@example.com", "Team@Example.com"),
        ("email-json", "Robot@example.com", "robot@example.com"),
        ("https", "https://example.com/Hook", "https://EXAMPLE.com/Hook"),
        ("http", "http://example.com:8080?x=Y", "http://Example.com:8080?x=Y"),
    ],
)
def test_an_endpoint_is_there_once_however_it_is_written(protocol, one, again):
    given = [subscription(protocol=protocol, endpoint=endpoint) for endpoint in (one, again)]

    assert complaints_about({"subscriptions": given}) == [
        f'subscriptions[1] must be there once, got ["failures", "{protocol}", "{again}"] again'
    ]


@pytest.mark.parametrize(
    ("protocol", "one", "other"),
    [
        ("https", "https://example.com/hook", "https://example.com/Hook"),
        ("https", "https://example.com?a", "https://example.com?A"),
        ("sqs", "arn:aws:sqs:eu-west-1:111122223333:inbox", "arn:aws:sqs:eu-west-1:111122223333:Inbox"),
    ],
)
def test_endpoints_that_differ_are_two(protocol, one, other):
    given = [subscription(protocol=protocol, endpoint=endpoint) for endpoint in (one, other)]

    assert complaints_about({"subscriptions": given}) == []


@pytest.mark.parametrize(
    ("source", "dead", "refused"), [(7, 7, False), (7, 6, True), (14, 14, False), (None, 6, True), (14, None, False)]
)
def test_dead_letters_are_kept_no_less_than_their_source(source, dead, refused):
    given = {"queue_retention_days": source, "dead_letter_retention_days": dead}

    complaints = complaints_about({name: value for name, value in given.items() if value is not None})

    assert bool(complaints) is refused
