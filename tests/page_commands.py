"""The commands that a page prints, and a shell that runs them with real programs.

`aws` is the real AWS CLI: what does not exist, or is misspelt, fails there, whatever the local AWS makes of it.
"""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

PLACEHOLDER = re.compile(r"<([A-Za-z_]+)>")
SHIMS = {
    # Version 1 sends `aws sqs` to AWS in some Regions, whatever the environment says.
    "aws": 'exec {aws} --endpoint-url "$AWS_ENDPOINT_URL" "$@"',
    "rotation-guard": 'exec {rotation_guard} "$@"',
    "pulumi": '[ "$*" = "stack output --json" ] || {{ echo "unknown: pulumi $*" >&2; exit 1; }}; cat "$OUTPUTS"',
}
"""The scripts that bash finds under these names."""


class Command(NamedTuple):
    """One command, with the heading that it is under."""

    heading: str
    text: str


def read_commands(page: str) -> list[Command]:
    """Each command of a page, without its prompt: those in code blocks, fenced or indented."""
    commands, heading, is_fenced = [], "", False
    pending = ""
    for line in page.splitlines():
        if not is_fenced and line.startswith("#"):
            heading = line.lstrip("# ")
        if line.lstrip().startswith("```"):
            is_fenced = not is_fenced
            continue
        text = line.strip()
        is_indented = line.startswith("    ") and text.startswith(("$ ", "aws ", "rotation-guard "))
        if pending or is_fenced or is_indented:
            pending += text.removeprefix("$ ").removesuffix("\\")
            if not text.endswith("\\") and pending:
                commands.append(Command(heading, pending))
                pending = ""
    return commands


def split_substitution(text: str) -> list[list[str]]:
    """The words of a command, without a redirection, and those of the command that is substituted into it."""
    inner = re.search(r'"\$\((.*)\)"', text)
    texts = [text.replace(inner[0], "substituted"), inner[1]] if inner else [text]
    return [shlex.split(command.partition(" > ")[0]) for command in texts]


class Result(NamedTuple):
    """The result of a command."""

    exit_code: int
    stdout: str
    stderr: str


class Shell:
    """Runs commands in a folder, with these values for the placeholders and credentials in the environment."""

    def __init__(
        self,
        folder: Path,
        programs: Mapping[str, str],
        values: Mapping[str, Any],
        environment: Mapping[str, str],
        names: Iterable[str] = tuple(SHIMS),
    ) -> None:
        """`names` are the programs that are replaced by scripts; all others are on the PATH."""
        self._folder, self._values = folder, values
        shims = folder / "bin"
        shims.mkdir()
        for name in names:
            script, path = SHIMS[name], shims / name
            path.write_text(f"#!/bin/sh\n{script.format(**programs)}\n")
            path.chmod(0o755)
        outputs = folder / "outputs.json"
        outputs.write_text(json.dumps(values))
        self._environment = {
            "OUTPUTS": str(outputs),
            "HOME": str(folder),
            **environment,
            "PATH": os.pathsep.join([str(shims), environment.get("PATH", os.environ["PATH"])]),
        }

    def fill(self, text: str) -> str:
        """The command with a value for each placeholder. Raises KeyError for one without a value."""
        # Only restore-secret needs a deleted secret.
        deleted = {"secret": self._values["deleted_secret"]} if "restore-secret" in text else {}
        values = {**self._values, **deleted}
        return PLACEHOLDER.sub(lambda match: str(values[match[1]]), text)

    def run(self, text: str) -> Result:
        """Runs a command; a part of a pipe that fails is a failure."""
        process = subprocess.run(
            ["/bin/bash", "-o", "pipefail", "-euc", self.fill(text)],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return Result(process.returncode, process.stdout, process.stderr)
