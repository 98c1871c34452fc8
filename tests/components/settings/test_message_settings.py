"""Constraints between the settings of subscriptions and queues."""

import pulumi
import pytest

from components.notifications.endpoints import PROTOCOLS
from components.settings.validation import complaints_about
from tests.components.samples.messages import subscription


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("endpoint", [None, "", 0, [], {}, b"x", "\n", "x" * 10_000, "*"])
def test_an_endpoint_must_fit_its_protocol(protocol, endpoint):
    complaints = complaints_about({"subscriptions": [subscription(protocol=protocol, endpoint=endpoint)]})

    assert any(complaint.startswith("subscriptions[0].endpoint must be ") for complaint in complaints)


def test_an_optional_field_of_null_counts_as_absent():
    optional = {"raw_message_delivery": None, "filter_policy": None, "subscription_role_arn": None}

    assert complaints_about({"subscriptions": [subscription(**optional)]}) == []


def with_output(**changes):
    output = pulumi.Output.from_input("anything")
    return subscription(protocol="firehose", endpoint=output, subscription_role_arn=output, **changes)


def test_endpoints_filters_and_roles_may_be_outputs():
    filter_policy = pulumi.Output.from_input({"account": ["111122223333"]})

    assert complaints_about({"subscriptions": [with_output(filter_policy=filter_policy)]}) == []


def test_endpoints_that_are_outputs_need_distinct_names():
    assert (
        complaints_about(
            {
                "subscriptions": [
                    with_output(),
                    with_output(name="a"),
                    with_output(name="b"),
                    with_output(topic="critical"),
                ]
            }
        )
        == []
    )
    assert complaints_about({"subscriptions": [with_output(), with_output(topic="critical"), with_output()]}) == [
        "subscriptions[2].name must be given where failures-firehose has an endpoint that is known only later, too, "
        "got nothing"
    ]


@pytest.mark.parametrize(
    "subscriptions",
    [
        # The logical names would be the same, although the protocols differ.
        [subscription(name="json-a"), subscription(protocol="email-json", name="a")],
        # What sha256sum says of the first one's endpoint.
        [subscription(endpoint="team@example.com"), subscription(endpoint="on-call@example.com", name="a96e3689")],
    ],
)
def test_a_name_is_unique_within_topic_and_protocol(subscriptions):
    expect_duplicate_name(subscriptions)


def test_the_name_of_an_endpoint_that_is_an_output_is_unique_too():
    expect_duplicate_name([with_output(name="a"), with_output(name="a")])


def expect_duplicate_name(subscriptions):
    [complaint] = complaints_about({"subscriptions": subscriptions})

    name = subscriptions[1]["name"]
    assert complaint == (
        f'subscriptions[1].name must be one that no other subscription of its topic and protocol has, got "{name}"'
    )


@pytest.mark.parametrize(
    ("protocol", "first", "second"),
    [
        ("email", "team@example.com", "Team@Example.com"),
        ("email-json", "Robot@example.com", "robot@example.com"),
        ("https", "https://example.com/Hook", "https://EXAMPLE.com/Hook"),
        ("http", "http://example.com:8080?x=Y", "http://Example.com:8080?x=Y"),
    ],
)
def test_the_same_endpoint_in_another_spelling_is_a_duplicate(protocol, first, second):
    entries = [subscription(protocol=protocol, endpoint=endpoint) for endpoint in (first, second)]

    assert complaints_about({"subscriptions": entries}) == [
        f'subscriptions[1] must be there once, got ["failures", "{protocol}", "{second}"] again'
    ]


@pytest.mark.parametrize(
    ("protocol", "first", "second"),
    [
        ("https", "https://example.com/hook", "https://example.com/Hook"),
        ("https", "https://example.com?a", "https://example.com?A"),
        ("sqs", "arn:aws:sqs:eu-west-1:111122223333:inbox", "arn:aws:sqs:eu-west-1:111122223333:Inbox"),
    ],
)
def test_endpoints_that_really_differ_are_no_duplicates(protocol, first, second):
    entries = [subscription(protocol=protocol, endpoint=endpoint) for endpoint in (first, second)]

    assert complaints_about({"subscriptions": entries}) == []


@pytest.mark.parametrize(
    ("source", "dead", "is_rejected"),
    [(7, 7, False), (7, 6, True), (14, 14, False), (None, 6, True), (14, None, False)],
)
def test_dead_letters_must_be_kept_at_least_as_long_as_their_source(source, dead, is_rejected):
    settings = {"queue_retention_days": source, "dead_letter_retention_days": dead}

    complaints = complaints_about({name: value for name, value in settings.items() if value is not None})

    assert bool(complaints) is is_rejected
