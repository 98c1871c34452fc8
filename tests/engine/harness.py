"""Deploys the project's own program with the real engine: the Automation API, and a provider that stands in for AWS's.

The program runs in this process, as an inline program, so no language host is needed. Configuration, its schema and its
defaults are read by the engine as for a user.
"""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation
from pulumi.automation import events

from local.aws import Aws
from local.deploy import program
from tests.paths import ROOT

BUILT = ROOT / ".engine" / "bin"
PROJECT = "rotation-guard"
_NOT_CLONED = shutil.ignore_patterns(
    ".venv", "venv", ".git", ".local", ".engine", ".validate", "__pycache__", "dist", "build", "*.egg-info"
)
"""What a fresh checkout does not have."""


def make_checkout(folder: Path) -> Path:
    """A fresh checkout in this folder, in which the dependencies of the plugin are installed."""
    checkout = folder / "checkout"
    shutil.copytree(ROOT, checkout, ignore=_NOT_CLONED)
    (checkout / "plugin" / "venv").symlink_to(sys.prefix)
    return checkout


@functools.cache
def locate_engine() -> Path | None:
    """The folder of the `pulumi` that `make engine` built, or else of the one on the PATH.

    None where there is none, or where it is older than Pulumi.yaml asks for.
    """
    if (BUILT / "pulumi").is_file():
        return BUILT
    installed = shutil.which("pulumi")
    if installed is None:
        return None
    output = subprocess.run([installed, "version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"v?(\d+)\.(\d+)\.(\d+)", output)
    return Path(installed).resolve().parent if version and tuple(map(int, version.groups())) >= _OLDEST else None


def locate_language_host(language: str) -> Path | None:
    """The language host that `make engine` built, or that came with the `pulumi` on the PATH; None if there is none."""
    engine = locate_engine()
    path = engine / f"pulumi-language-{language}" if engine else None
    return path if path and path.is_file() else None


def _read_oldest() -> tuple[int, ...]:
    """The oldest version that Pulumi.yaml takes."""
    required = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))["requiredPulumiVersion"]
    return tuple(map(int, required.removeprefix(">=").split(".")))


_OLDEST = _read_oldest()


@dataclass(frozen=True)
class Step:
    """What the engine did to one resource."""

    op: str
    """`create`, `update`, `replace`, `delete`, `same`, ..."""
    type: str
    name: str
    """Its logical name."""
    inputs: Mapping[str, Any] = field(repr=False, compare=False, default_factory=dict)


@dataclass(frozen=True)
class Violation:
    """What the policy pack says of one resource."""

    policy: str
    level: str
    """`mandatory` or `advisory`; `remediate` where it has changed the resource."""
    name: str
    """The resource's logical name."""
    message: str


@dataclass
class Outcome:
    """One run of the engine."""

    steps: list[Step]
    messages: list[str]
    """Its errors and warnings, as a user sees them."""
    outputs: dict[str, Any]
    failed: bool
    violations: list[Violation] = field(default_factory=list)

    def changes(self, *ops: str) -> list[Step]:
        """The steps that are not `same`; of these ops alone where some are given."""
        return [step for step in self.steps if (step.op in ops if ops else step.op not in ("same", "read", "refresh"))]


_SAVE_AT_THE_END = {"PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_CHECKPOINTS": "true"}
"""Has the engine write the state at the end alone."""


def make_environment(folder: Path, aws: Aws) -> dict[str, str]:
    """Makes a home, a state and the plugins for the engine in this folder; the variables with which it finds them.

    Its provider notes what it does in `provider.jsonl`.
    """
    engine = locate_engine()
    if engine is None:
        raise RuntimeError("no engine: run `make engine`")
    for part in ("state", "home", "bin"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for plugin, module in (("resource-aws", "aws_provider"), ("language-python", "language_host")):
        path = folder / "bin" / f"pulumi-{plugin}"
        path.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m tests.engine.{module} "$@"\n')
        path.chmod(0o755)
    # The Automation API looks for `bin/pulumi` below the root of a command.
    (folder / "bin" / "pulumi").unlink(missing_ok=True)
    (folder / "bin" / "pulumi").symlink_to(engine / "pulumi")
    if yaml_host := locate_language_host("yaml"):
        (folder / "bin" / yaml_host.name).unlink(missing_ok=True)
        (folder / "bin" / yaml_host.name).symlink_to(yaml_host)
    return {
        "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "none",
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK": "true",
        "AWS_REGION": aws.region,
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "STAND_IN_LOG": str(folder / "provider.jsonl"),
        "STAND_IN_AWS": json.dumps(
            {
                "endpoint_url": aws.endpoint_url,
                "region": aws.region,
                "account_id": aws.account_id,
                "access_key_id": aws.access_key_id,
                "secret_access_key": aws.secret_access_key,
            }
        ),
    }


class EngineStack:
    """One stack of a project, with a state, a home and a provider of its own in this folder."""

    def __init__(
        self,
        folder: Path,
        aws: Aws,
        stack: str = "dev",
        config: Mapping[str, Any] | None = None,
        run_program: Callable[[], None] | None = None,
    ) -> None:
        project = folder / "project"
        project.mkdir(exist_ok=True)
        shutil.copy(ROOT / "Pulumi.yaml", project)
        self._prepare(folder, aws, stack, project)
        self.configure(config or {})
        self._stack = automation.create_or_select_stack(
            stack,
            project_name=PROJECT,
            program=run_program or run_product,
            work_dir=str(project),
            opts=self._workspace_options(project),
        )

    def _prepare(self, folder: Path, aws: Aws, stack: str, project: Path) -> None:
        self.folder, self.name = folder, stack
        self.log = folder / "provider.jsonl"
        self._file = project / f"Pulumi.{stack}.yaml"
        self._environment = make_environment(folder, aws) | _SAVE_AT_THE_END

    def _workspace_options(self, project: Path) -> automation.LocalWorkspaceOptions:
        return automation.LocalWorkspaceOptions(
            work_dir=str(project),
            env_vars=self._environment,
            pulumi_command=automation.PulumiCommand(root=str(self.folder), skip_version_check=True),
        )

    def read_config(self) -> dict[str, Any]:
        """What the stack's file says."""
        path = self._file if self._file.exists() else ROOT / self._file.name
        return yaml.safe_load(path.read_text(encoding="utf-8")).get("config", {})

    def configure(self, config: Mapping[str, Any]) -> None:
        """Write the stack's file: the repository's own, these values in place of its own; None takes a key out."""
        values = self.read_config()
        for key, value in config.items():
            qualified = key if ":" in key else f"{PROJECT}:{key}"
            values[qualified] = value
            if value is None:
                del values[qualified]
        self.replace_config(values)

    def replace_config(self, config: Mapping[str, Any]) -> None:
        """Write the stack's file: these values and no others."""
        self._file.write_text(yaml.safe_dump({"config": dict(config)}), encoding="utf-8")

    def save_every_step(self) -> None:
        """Have the engine write the state after every step, as it does for users, which takes most of its time."""
        self._environment = {name: value for name, value in self._environment.items() if name not in _SAVE_AT_THE_END}
        self._stack.workspace.env_vars = self._environment

    def set_path(self, path: str, value: str, *, secret: bool = False) -> None:
        """`pulumi config set --path`, encrypted where it is a secret."""
        self._stack.set_config(f"{PROJECT}:{path}", automation.ConfigValue(value, secret), path=True)

    def preview(self, **options: Any) -> Outcome:
        """What an update would do."""
        return self._observe(self._stack.preview, **options)

    def up(self, *, refuses: Sequence[str] = (), **options: Any) -> Outcome:
        """An update; the provider refuses what has one of these in its URN."""
        self._stack.workspace.env_vars = {**self._environment, "STAND_IN_REFUSES": json.dumps(refuses)}
        return self._observe(self._stack.up, **options)

    def refresh(self) -> Outcome:
        """Reads what is there."""
        return self._observe(self._stack.refresh)

    def destroy(self) -> Outcome:
        """Deletes everything."""
        return self._observe(self._stack.destroy)

    def export(self) -> dict[str, Any]:
        """The state, as `pulumi stack export` writes it."""
        exported = self._stack.export_stack()
        return {"version": exported.version, "deployment": exported.deployment}

    def list_retained(self) -> set[str]:
        """The logical names of what stays in AWS when it goes from the stack, with its type: `LogGroup name`."""
        resources = self.export()["deployment"]["resources"]
        return {
            f"{resource['type'].rpartition(':')[2]} {resource['urn'].rpartition('::')[2]}"
            for resource in resources
            if resource.get("retainOnDelete")
        }

    def adopt(self, state: Mapping[str, Any]) -> None:
        """Takes this for the stack's state, as `pulumi stack import` does."""
        self._stack.import_stack(automation.Deployment(state["version"], state["deployment"]))

    def calls(self) -> list[dict[str, str]]:
        """What the provider did to AWS, in order."""
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines]

    def _observe(self, run: Any, **options: Any) -> Outcome:
        steps: list[Step] = []
        messages: list[str] = []
        violations: list[Violation] = []

        def note(event: events.EngineEvent) -> None:
            if event.resource_pre_event:
                steps.append(_read_step(event.resource_pre_event.metadata))
            if policy := event.policy_event:
                name = (policy.resource_urn or "").rpartition("::")[2]
                violations.append(Violation(policy.policy_name, str(policy.enforcement_level), name, policy.message))
            diagnostic = event.diagnostic_event
            if diagnostic and diagnostic.severity in ("error", "warning") and "from $PATH" not in diagnostic.message:
                messages.append(diagnostic.message.strip())

        try:
            result = run(on_event=note, **options)
        except automation.CommandError as error:
            return Outcome(steps, messages or [str(error)], {}, True, violations)
        outputs = {key: output.value for key, output in getattr(result, "outputs", {}).items()}
        return Outcome(steps, messages, outputs, False, violations)


class ProgramStack(EngineStack):
    """One stack of the program in a folder, run by the language host that its `Pulumi.yaml` names.

    Its state, its home and its provider are in another folder; `path` comes first on the PATH.
    """

    def __init__(self, folder: Path, aws: Aws, project: Path, stack: str = "dev", path: Path | None = None) -> None:
        self.project = project
        self._prepare(folder, aws, stack, project)
        if path:
            self._environment["PATH"] = f"{path}{os.pathsep}{self._environment['PATH']}"
        self._stack = automation.create_or_select_stack(
            stack, work_dir=str(project), opts=self._workspace_options(project)
        )

    def change_program(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Changes the program, which is a `Pulumi.yaml` with resources."""
        path = self.project / "Pulumi.yaml"
        program = yaml.safe_load(path.read_text(encoding="utf-8"))
        change(program)
        path.write_text(yaml.safe_dump(program), encoding="utf-8")


def run_product() -> None:
    """The project's own program, imported again: each run registers its own resources."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "components"]:
        del sys.modules[name]
    program.execute(ROOT)


def _read_step(metadata: Any) -> Step:
    after = metadata.new or metadata.old
    return Step(
        str(getattr(metadata.op, "value", metadata.op)),
        metadata.type,
        metadata.urn.rpartition("::")[2],
        after.inputs if after else {},
    )


def describe(steps: Sequence[Step]) -> set[str]:
    """`type name` of each, for comparing."""
    return {f"{step.type} {step.name}" for step in steps}
