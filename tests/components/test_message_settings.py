"""What settings of subscriptions and queues ask of each other."""

import pulumi
import pytest

from components.endpoints import PROTOCOLS
from components.validation import complaints_about

from .samples.messages import subscription


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("endpoint", [None, "", 0, [], {}, b"x", "\n", "x" * 10_000, "*"])
def test_an_endpoint_fits_its_protocol(protocol, endpoint):
    complaints = complaints_about({"subscriptions": [subscription(protocol=protocol, endpoint=endpoint)]})

    assert any(one.startswith("subscriptions[0].endpoint must be ") for one in complaints)


def test_an_optional_field_of_null_is_as_absent():
    optional = {"raw_message_delivery": None, "filter_policy": None, "subscription_role_arn": None}

    assert complaints_about({"subscriptions": [subscription(**optional)]}) == []


def test_endpoints_and_roles_may_be_known_later():
    later = pulumi.Output.from_input("anything")

    given = [subscription(protocol="firehose", endpoint=later, subscription_role_arn=later)] * 2
    assert complaints_about({"subscriptions": given}) == []


@pytest.mark.parametrize(
    ("source", "dead", "refused"), [(7, 7, False), (7, 6, True), (14, 14, False), (None, 6, True), (14, None, False)]
)
def test_dead_letters_are_kept_no_less_than_their_source(source, dead, refused):
    given = {"queue_retention_days": source, "dead_letter_retention_days": dead}

    complaints = complaints_about({name: value for name, value in given.items() if value is not None})

    assert bool(complaints) is refused
