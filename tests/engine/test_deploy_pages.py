"""docs/deploy.md and docs/rollout.md from top to bottom: the real engine, a state in S3, secrets under a KMS key."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy_pages import NOT_RUN, list_commands, read_files, set_up_account
from tests.engine.harness import ROOT, make_environment
from tests.page_commands import Shell
from tests.preloaded_commands import preload

NOT_CLONED = shutil.ignore_patterns(".venv", "venv", ".git", ".local", ".engine", ".validate", "__pycache__", "dist")
NOT_CLOSED = {"PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE"}
"""What the tests of the engine set, and the page does without: it logs in, and has a key."""


@pytest.fixture(scope="module")
def values(aws) -> dict[str, Any]:
    """The values of the placeholders; the outputs of the stack are added when there are some."""
    return set_up_account(aws)


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """A fresh clone, in which the program's dependencies are already installed."""
    clone = tmp_path_factory.mktemp("deploy") / "clone"
    shutil.copytree(ROOT, clone, ignore=NOT_CLONED)
    (clone / ".venv").symlink_to(Path(sys.prefix))
    return clone


@pytest.fixture(scope="module")
def type_command(aws, clone, values) -> Iterator[Callable[[str], str]]:
    """Runs a command in the clone, and answers what it prints."""
    environment = {name: value for name, value in make_environment(clone.parent, aws).items() if name not in NOT_CLOSED}
    environment |= {
        "PULUMI_SKIP_CONFIRMATIONS": "true",
        # Most of the time would be the state after every step.
        "PULUMI_EXPERIMENTAL": "true",
        "PULUMI_SKIP_CHECKPOINTS": "true",
        "PATH": f"{environment['PATH']}{os.pathsep}{Path(sys.prefix, 'bin')}",
        "AWS_ENDPOINT_URL": aws.endpoint_url,
        "AWS_DEFAULT_REGION": aws.region,
        "AWS_ACCESS_KEY_ID": aws.access_key_id,
        "AWS_SECRET_ACCESS_KEY": aws.secret_access_key,
    }
    with preload("aws") as preloaded, preload("rotation-guard") as rotation_guard:
        programs = {"aws": shlex.join(preloaded), "rotation_guard": shlex.join(rotation_guard)}
        shell = Shell(clone, programs, values, environment, names=("aws", "rotation-guard"))

        def type_command(text: str) -> str:
            result = shell.run(text)
            assert result.exit_code == 0, f"{text}: {result.stdout}{result.stderr}"
            return result.stdout

        yield type_command


def test_a_stack_is_deployed_verified_upgraded_and_removed_by_the_commands_of_the_page(
    type_command, clone, values, aws
):
    answers: dict[str, str] = {}

    for command in list_commands("deploy.md"):
        if command.text in NOT_RUN:
            continue
        answers[command.text] = type_command(command.text)
        outputs = clone / "stack-outputs.json"
        if command.text.startswith("pulumi stack output"):
            values |= json.loads(outputs.read_text(encoding="utf-8"))
            values["trail_bucket"] = values["trail_arn"].rpartition("/")[2]

    file = yaml.safe_load((clone / "Pulumi.prod.yaml").read_text(encoding="utf-8"))
    assert file["secretsprovider"] == f"awskms://alias/rotation-guard-state?region={aws.region}"
    assert answers["aws cloudtrail get-trail-status --name <trail_arn> --query IsLogging"].strip() == "true"
    assert [
        bucket["Name"]
        for bucket in aws.client("s3").list_buckets()["Buckets"]
        if bucket["Name"].startswith("cloudtrail")
    ] == []


def test_the_loop_of_the_page_updates_a_ring_and_stops_before_it_deletes(type_command, clone):
    """The rings' accounts are one here: the provider that stands in assumes no roles."""
    for name, text in read_files("rollout.md").items():
        (clone / name).write_text(text, encoding="utf-8")
    rollouts = [command.text for command in list_commands("rollout.md") if "rollout.py" in command.text]
    [canary] = [command for command in rollouts if command.endswith("canary")]

    first, again = type_command(canary), type_command(canary)

    file = yaml.safe_load((clone / "Pulumi.111122223333-eu-west-1.yaml").read_text(encoding="utf-8"))
    assert file["config"]["aws:assumeRoles"] == [{"roleArn": "arn:aws:iam::111122223333:role/rotation-guard-deployer"}]
    assert len(rollouts) == 2
    assert "'create'" in first
    assert "succeeded" in first
    assert "'create'" not in again
    type_command("pulumi config set remediationMode repair --stack 111122223333-eu-west-1")
    type_command("pulumi up --stack 111122223333-eu-west-1")
    with pytest.raises(AssertionError, match="would lose resources"):
        type_command(canary)
    type_command("pulumi config set deletionProtection false --stack 111122223333-eu-west-1")
    type_command("pulumi up --stack 111122223333-eu-west-1")
    type_command("pulumi destroy --stack 111122223333-eu-west-1")
