"""A user's own program, whose subscribers are Outputs and known only after their creation."""

import sys

import pulumi
import pytest
from pulumi_aws import sqs

from tests.engine.configurations import ON_CALL
from tests.engine.harness import EngineStack, describe


def declare() -> None:
    """A queue and an alias that subscribe to the critical topic; the ARNs of both are Outputs."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "components"]:
        del sys.modules[name]
    from components.rotation_guard import RotationGuard

    inbox = sqs.Queue("inbox")
    endpoint = pulumi.Config().get("elsewhere") or inbox.arn
    alias = inbox.arn.apply(lambda _: ON_CALL)
    guard = RotationGuard(
        "guard",
        {
            "subscriptions": [
                {"topic": "critical", "protocol": "sqs", "endpoint": pulumi.Output.from_input(endpoint)},
                {"topic": "critical", "protocol": "lambda", "endpoint": alias},
            ],
            "deletion_protection": False,
        },
    )
    pulumi.export("critical_topic_arn", guard.critical_topic_arn)


@pytest.fixture(scope="module")
def stack(aws, on_call, tmp_path_factory):
    stack = EngineStack(tmp_path_factory.mktemp("own"), aws, "dev", run_program=declare)
    yield stack
    assert not stack.destroy().failed


def test_outputs_are_subscribed_once_they_are_known(stack, aws):
    preview, up, again = stack.preview(), stack.up(), stack.preview()

    assert (preview.failed, preview.messages, up.failed, up.messages) == (False, [], False, [])
    assert describe(preview.steps) == describe(up.steps)
    assert again.changes() == []
    listed = aws.client("sns").list_subscriptions_by_topic(TopicArn=up.outputs["critical_topic_arn"])
    assert ("lambda", ON_CALL) in [
        (subscription["Protocol"], subscription["Endpoint"]) for subscription in listed["Subscriptions"]
    ]


def test_an_output_with_an_endpoint_in_another_region_is_rejected_before_it_is_subscribed(stack):
    stack.configure({"elsewhere": "arn:aws:sqs:us-east-1:111122223333:inbox"})
    before = len(stack.calls())

    refused = stack.up()
    stack.configure({"elsewhere": None})

    assert refused.failed
    assert "the endpoint of guard-critical-sqs must be in the account and Region of its topic" in refused.messages[0]
    calls = [call for call in stack.calls()[before:] if "subscription" in call["type"].lower()]
    assert calls == []
    assert not stack.up().failed
