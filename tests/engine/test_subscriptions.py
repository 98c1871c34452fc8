"""SNS accepts Subscribe for an existing subscription: no edit of the list may end a subscription that stays in it."""

import itertools

import pytest

A, B, C = (
    {"topic": "critical", "protocol": "email", "endpoint": f"{name}@example.com"} for name in ("ada", "ben", "cleo")
)
NAMED = {**B, "name": "on-call"}
RAW = {"topic": "critical", "protocol": "https", "endpoint": "https://example.com/hook", "rawMessageDelivery": True}
EDITS = [[A, B, C], [C, A, B], [B, C], [C], [C, RAW, A], [RAW], [A, B, C, RAW], []]


@pytest.fixture(scope="module")
def stack(new_stack):
    stack = new_stack("prod")
    assert not stack.up().failed
    yield stack
    assert not stack.destroy().failed


def list_subscribers(aws, topic_arn: str) -> set[tuple[str, str]]:
    """The subscribers of a topic, as SNS lists them."""
    pages = aws.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    return {
        (subscription["Protocol"], subscription["Endpoint"]) for page in pages for subscription in page["Subscriptions"]
    }


def test_after_every_edit_the_topic_has_exactly_the_listed_subscribers(stack, aws):
    for before, after in itertools.pairwise([*EDITS, *reversed(EDITS)]):
        stack.configure({"subscriptions": after})

        outcome = stack.up()

        assert (outcome.failed, outcome.messages) == (False, []), (before, after)
        subscribers = list_subscribers(aws, outcome.outputs["critical_topic_arn"])
        assert subscribers == {(subscription["protocol"], subscription["endpoint"]) for subscription in after}, (
            before,
            after,
        )


def test_a_rename_that_would_end_a_subscription_is_refused_at_preview(stack):
    stack.configure({"subscriptions": [A, B]})
    assert not stack.up().failed
    stack.configure({"subscriptions": [A, NAMED]})

    preview = stack.preview()

    stack.configure({"subscriptions": [A, B]})
    assert not preview.failed or "must keep its name" in " ".join(preview.messages)
