"""The workflow of the example: pinned, with a token that only reads; its commands run here as far as they can."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.paths import ROOT

FILE = ROOT / "examples" / "policy-pack-github-actions" / "policies.yml"
NOT_RUN = {
    "python -m pip install": "needs a network; tests/engine/test_commands.py installs the same requirements",
    "pulumi install": "needs a network",
}
"""How commands begin that do not run here, each with the reason."""


@pytest.fixture(scope="module")
def job():
    [job] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["jobs"].values()
    return job


def create(type_, name, **inputs):
    """A step of a preview that creates a resource."""
    urn = f"urn:pulumi:prod::orders::{type_}::{name}"
    return {"op": "create", "urn": urn, "newState": {"urn": urn, "type": type_, "custom": True, "inputs": inputs}}


@pytest.fixture
def run_job(job, tmp_path):
    """Runs the commands of the job in a checkout, in which `pulumi` answers a preview of these steps."""

    def run(steps) -> tuple[int, str]:
        (tmp_path / ".rotation-guard").symlink_to(ROOT)
        (tmp_path / "answer.json").write_text(json.dumps({"steps": steps}))
        shims = tmp_path / "bin"
        shims.mkdir()
        (shims / "pulumi").write_text('#!/bin/sh\necho "pulumi $*" >> commands.txt\ncat answer.json\n')
        (shims / "pulumi").chmod(0o755)
        path = os.pathsep.join([str(shims), str(Path(sys.executable).parent), os.environ["PATH"]])
        output = ""
        for step in job["steps"]:
            command = step.get("run", "")
            if not command or command.startswith(tuple(NOT_RUN)):
                continue
            done = subprocess.run(
                ["/bin/bash", "-e", "-c", command],
                cwd=tmp_path,
                env={**os.environ, "PATH": path, **dict.fromkeys(step.get("env", {}), "acme/prod")},
                capture_output=True,
                text=True,
                check=False,
            )
            output += done.stdout + done.stderr
            if done.returncode:
                return done.returncode, output
        return 0, output

    return run


def test_every_action_is_pinned_by_a_commit_with_its_version():
    uses = re.findall(r"^\s+(?:- )?uses: (.*)$", FILE.read_text(encoding="utf-8"), re.MULTILINE)

    assert len(uses) == 5
    assert [line for line in uses if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []


def test_the_actions_are_those_of_the_workflows_of_this_repository():
    ours = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / ".github" / "workflows").glob("*.yml")))

    assert [line for line in re.findall(r"uses: (\S+)", FILE.read_text(encoding="utf-8")) if line not in ours] == []


def test_the_token_only_reads(job):
    workflow = yaml.safe_load(FILE.read_text(encoding="utf-8"))

    assert workflow["permissions"] == {"contents": "read"}
    assert job["permissions"] == {"contents": "read", "id-token": "write"}
    checkouts = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
    assert [step["with"]["persist-credentials"] for step in checkouts] == [False, False]
    # Whatever a pull request names is no part of a command.
    assert [step["run"] for step in job["steps"] if "${{" in step.get("run", "")] == []


def test_credentials_come_after_everything_that_installs(job):
    names = [step.get("uses") or step["run"] for step in job["steps"]]
    credentials = next(number for number, name in enumerate(names) if "configure-aws-credentials" in name)

    assert max(number for number, name in enumerate(names) if "install" in name) < credentials


def test_a_program_without_mandatory_complaints_passes(run_job, tmp_path):
    code, output = run_job([create("aws:sns/topic:Topic", "orders")])

    assert code == 0, output
    assert "1 resources" in output
    assert "0 mandatory" in output
    assert (tmp_path / "commands.txt").read_text() == "pulumi preview --stack acme/prod --json --show-sames\n"


def test_a_mandatory_complaint_fails_the_pull_request(run_job):
    everyone = {"Effect": "Allow", "Principal": "*", "Action": "sns:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everyone]})
    arn = "arn:aws:sns:eu-west-1:111122223333:orders"

    code, output = run_job([create("aws:sns/topicPolicy:TopicPolicy", "open", arn=arn, policy=document)])

    assert code == 1, output
    assert "mandatory  topic-publishers-are-limited" in output
