"""The commands of the README and of the policy pack's page, as printed, in a fresh checkout."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.harness import ROOT, make_checkout, make_environment

PRINTED = re.compile(
    r"^\$ ((?:pulumi (?:install|preview|up|stack)|\.venv/bin/python -m policies.check).*?)(?: +#.*)?$", re.MULTILINE
)
SECTIONS = {"README.md": ("Deploy it to an account", "Hold programs to its policies"), "docs/policies.md": ("Run it",)}


def list_commands() -> list[str]:
    """The commands of these pages, in order and without repetitions."""
    commands: dict[str, None] = {}
    for page, titles in SECTIONS.items():
        parts = (ROOT / page).read_text(encoding="utf-8").split("\n## ")
        for title in titles:
            [section] = [part for part in parts if part.startswith(f"{title}\n")]
            commands |= dict.fromkeys(PRINTED.findall(section))
    return list(commands)


@pytest.fixture(scope="module")
def type_command(aws, tmp_path_factory) -> Callable[[str], str]:
    """Runs a command in a fresh clone, in which the program's dependencies are already installed."""
    folder = tmp_path_factory.mktemp("commands")
    clone = make_checkout(folder)
    (clone / ".venv").symlink_to(Path(sys.prefix))
    environment = os.environ | make_environment(folder, aws) | {"PULUMI_SKIP_CONFIRMATIONS": "true"}
    bash = shutil.which("bash")
    assert bash

    def type_command(command: str) -> str:
        done = subprocess.run(
            [bash, "-c", command], cwd=clone, env=environment, capture_output=True, text=True, check=False
        )
        output = done.stdout + done.stderr
        assert done.returncode == 0, f"{command}: {output}"
        return output

    return type_command


def test_every_command_of_the_pages_works_as_printed(type_command):
    commands = [command for command in list_commands() if command != "pulumi install"]

    outputs = {command: type_command(command) for command in commands}

    assert {"pulumi install --cwd policies", "pulumi up --stack prod"} < set(commands)
    judged = [command for command in commands if "--policy-pack policies" in command]
    assert len(judged) == 2
    assert any(command.startswith(".venv/bin/python -m policies.check") for command in commands)
    for command in judged:
        assert "rotation-guard@v0.1.0 (local: policies)" in outputs[command]
        assert "[mandatory]" not in outputs[command]
