"""Stacks of earlier releases are updated in place: nothing that holds data, evidence or subscriptions is replaced."""

import pytest

from tests.engine import releases
from tests.engine.configurations import CONFIGURATIONS
from tests.engine.harness import EngineStack

HOLDS_DATA = {
    "aws:cloudwatch/logGroup:LogGroup",
    "aws:dynamodb/table:Table",
    "aws:secretsmanager/secret:Secret",
    "aws:sns/topic:Topic",
    "aws:sns/topicSubscription:TopicSubscription",
    "aws:sqs/queue:Queue",
    "aws:ssm/parameter:Parameter",
}
"""Types whose resources hold something that a replacement would lose."""
FILES_OF_RELEASES = {
    "0.1.0-prod": {
        "subscriptions": [
            {"topic": "failures", "protocol": "email", "endpoint": "platform-team@example.com"},
            {"topic": "critical", "protocol": "email", "endpoint": "on-call@example.com"},
        ]
    }
}
"""Values in the stack file of a release that differ from this checkout's: an upgrade keeps the user's own file."""


def test_every_configuration_has_a_recorded_state():
    assert {path.name.split("-", 1)[1].removesuffix(".json.gz") for path in releases.recorded()} == set(CONFIGURATIONS)


@pytest.mark.parametrize("path", releases.recorded(), ids=lambda path: path.name.removesuffix(".json.gz"))
def test_an_upgrade_replaces_no_resource_that_holds_data(path, aws, tmp_path):
    release = path.name.removesuffix(".json.gz")
    stack_name, config = CONFIGURATIONS[release.split("-", 1)[1]]
    stack = EngineStack(tmp_path, aws, stack_name, {**config, **FILES_OF_RELEASES.get(release, {})})
    stack.adopt(releases.restore(releases.read(path), aws))

    upgraded = stack.up()

    assert (upgraded.failed, upgraded.messages) == (False, [])
    lost = [step for step in upgraded.changes() if step.type in HOLDS_DATA and step.op not in ("create", "update")]
    assert lost == []
    assert stack.preview().changes() == []
    assert not stack.destroy().failed
