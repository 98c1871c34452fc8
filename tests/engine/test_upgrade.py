"""What releases have left is updated in place: nothing that holds data, evidence or a subscription is made anew."""

import pytest

from tests.engine import releases
from tests.engine.configurations import CONFIGURATIONS
from tests.engine.harness import EngineStack

KEPT = {
    "aws:cloudwatch/logGroup:LogGroup",
    "aws:dynamodb/table:Table",
    "aws:secretsmanager/secret:Secret",
    "aws:sns/topic:Topic",
    "aws:sns/topicSubscription:TopicSubscription",
    "aws:sqs/queue:Queue",
    "aws:ssm/parameter:Parameter",
}
"""Types whose resources hold something that a new one would not have."""


def test_every_configuration_has_a_recorded_state():
    assert {path.name.split("-", 1)[1].removesuffix(".json.gz") for path in releases.recorded()} == set(CONFIGURATIONS)


@pytest.mark.parametrize("path", releases.recorded(), ids=lambda path: path.name.removesuffix(".json.gz"))
def test_an_upgrade_makes_nothing_anew_that_holds_data(path, aws, tmp_path):
    configuration = path.name.removesuffix(".json.gz").split("-", 1)[1]
    stack_name, config = CONFIGURATIONS[configuration]
    stack = EngineStack(tmp_path, aws, stack_name, config)
    stack.adopt(releases.restore(releases.read(path), aws))

    upgraded = stack.up()

    assert (upgraded.failed, upgraded.messages) == (False, [])
    lost = [step for step in upgraded.changes() if step.type in KEPT and step.op not in ("create", "update")]
    assert lost == []
    assert stack.preview().changes() == []
    assert not stack.destroy().failed
