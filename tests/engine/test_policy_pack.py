"""The policy pack, run by the real engine: at previews, when ARNs are unknown, and at updates."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pulumi_aws import sqs

from tests.engine.configurations import CONFIGURATIONS
from tests.engine.harness import ROOT, EngineStack, Outcome

WEEK, TWO_WEEKS = 604_800, 1_209_600


def declare_compliant() -> None:
    """A queue with dead letters that are kept longer than its own."""
    dead = sqs.Queue("dead", message_retention_seconds=TWO_WEEKS)
    redrive = dead.arn.apply(lambda arn: json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5}))
    sqs.Queue("orders", message_retention_seconds=WEEK, redrive_policy=redrive)


def declare_lost() -> None:
    """The same, and a queue without dead letters."""
    declare_compliant()
    sqs.Queue("lost", message_retention_seconds=WEEK)


def declare_short() -> None:
    """The same, and a queue that keeps its messages for a minute."""
    declare_compliant()
    sqs.Queue("dead-too", message_retention_seconds=60)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An executable that starts the pack, which the engine runs without an installation."""
    path = tmp_path_factory.mktemp("pack") / "pack"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -u -m pulumi.policy "$1" "{ROOT / "policies"}"\n')
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def declare(aws, pack, tmp_path) -> Callable[..., EngineStack]:
    def declare(run_program: Callable[[], None]) -> EngineStack:
        return EngineStack(tmp_path, aws, "dev", run_program=run_program)

    return declare


def configure(folder: Path, configuration: object) -> list[str]:
    path = folder / "policy-config.json"
    path.write_text(json.dumps(configuration))
    return [str(path)]


def list_mandatory(outcome: Outcome) -> set[tuple[str, str]]:
    return {(violation.policy, violation.name) for violation in outcome.violations if violation.level == "mandatory"}


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_the_products_own_stacks_pass_the_policy_pack_at_a_first_preview(configuration, new_stack, pack):
    settings = {"deletionProtection": True, "queueRetentionDays": 7, "deadLetterRetentionDays": 14}
    stack = new_stack(configuration, **(settings if configuration != "dev" else {}), demo=configuration == "dev")

    preview = stack.preview(policy_packs=[pack])

    assert list_mandatory(preview) == set()
    assert (preview.failed, preview.messages) == (False, [])


def test_a_compliant_program_passes_its_preview_and_its_update(declare, pack):
    stack = declare(declare_compliant)

    preview, up, again = (
        stack.preview(policy_packs=[pack]),
        stack.up(policy_packs=[pack]),
        stack.up(policy_packs=[pack]),
    )

    for outcome in (preview, up, again):
        assert (outcome.failed, outcome.messages, list_mandatory(outcome)) == (False, [], set())
    assert not stack.destroy().failed


def test_a_queue_without_dead_letters_stops_a_preview_and_an_update(declare, pack):
    stack = declare(declare_lost)

    preview, up = stack.preview(policy_packs=[pack]), stack.up(policy_packs=[pack])

    assert (preview.failed, up.failed) == (True, True)
    assert ("queue-has-dead-letters", "lost") in list_mandatory(preview) & list_mandatory(up)
    assert not stack.destroy().failed


def test_the_configuration_sets_levels_and_parameters(declare, pack, tmp_path):
    stack = declare(declare_lost)
    disabled = configure(tmp_path, {"queue-has-dead-letters": "disabled"})

    passed = stack.preview(policy_packs=[pack], policy_pack_configs=disabled)
    strict = configure(
        tmp_path, {"queue-keeps-messages": {"minRetentionDays": 8}, "queue-has-dead-letters": "disabled"}
    )
    stopped = stack.preview(policy_packs=[pack], policy_pack_configs=strict)

    assert (passed.failed, list_mandatory(passed)) == (False, set())
    assert list_mandatory(stopped) >= {("queue-keeps-messages", "orders"), ("queue-keeps-messages", "lost")}


def test_an_exemption_of_the_configuration_is_applied(declare, pack, tmp_path):
    exemption = {"policy": "queue-has-dead-letters", "resource": "*::lost", "owner": "team", "reason": "it may be lost"}
    entries = [{**exemption, "until": "2027-03-31"}]
    stack = declare(declare_lost)

    preview = stack.preview(
        policy_packs=[pack], policy_pack_configs=configure(tmp_path, {"exemptions-are-in-order": {"entries": entries}})
    )

    assert (preview.failed, list_mandatory(preview)) == (False, set())


def test_a_policy_in_mode_remediate_changes_what_is_created(declare, pack, tmp_path, aws):
    stack = declare(declare_short)
    remedy = configure(tmp_path, {"queue-keeps-messages": "remediate", "queue-has-dead-letters": "disabled"})

    up = stack.up(policy_packs=[pack], policy_pack_configs=remedy)

    assert (up.failed, list_mandatory(up)) == (False, set())
    [url] = aws.client("sqs").list_queues(QueueNamePrefix="dead-too")["QueueUrls"]
    queue = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["MessageRetentionPeriod"])
    assert int(queue["Attributes"]["MessageRetentionPeriod"]) > 60
    assert not stack.destroy().failed
