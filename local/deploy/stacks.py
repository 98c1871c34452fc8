"""What a stack is configured with, read from the files that the Pulumi CLI reads."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..errors import LocalError

ROOT = Path(__file__).resolve().parents[2]
"""The repository: where the program and its stacks lie."""
PROJECT = "rotation-guard"


@dataclass(frozen=True)
class Stack:
    """A stack of the project: where its program is and what it is configured with."""

    root: Path
    project: str
    name: str
    config: Mapping[str, str]

    @property
    def region(self) -> str:
        """Where it is deployed to; raises LocalError when its file does not say."""
        if region := self.config.get("aws:region"):
            return region
        raise LocalError(f"Pulumi.{self.name}.yaml does not set aws:region: add it under config.")


def read_stack(name: str, overrides: Mapping[str, Any] | None = None, root: Path = ROOT) -> Stack:
    """The stack's config as the CLI hands it to the program: defaults of Pulumi.yaml where the stack's file is silent.

    Overrides take the place of the stack file's values, as plain Python values; None is as if the file did not set the
    key. Keys that Pulumi.yaml does not declare are passed on: the program refuses them itself. Raises LocalError.
    """
    project_file = _read(root / "Pulumi.yaml")
    project = project_file["name"]
    values = _declared(project_file)
    stack_file = root / f"Pulumi.{name}.yaml"
    if not stack_file.exists():
        raise LocalError(f"There is no stack {name!r}: {stack_file.name} is missing.")
    given = {_qualified(key, project): value for key, value in (_read(stack_file).get("config") or {}).items()}
    given |= {_qualified(key, project): value for key, value in (overrides or {}).items()}
    values |= {key: value for key, value in given.items() if value is not None}
    for key, value in values.items():
        if _holds_ciphertext(value):
            raise LocalError(f"{key} is encrypted: the local deployment cannot read secure config values.")
    return Stack(root, project, name, {key: _as_text(value) for key, value in values.items() if value is not None})


def _holds_ciphertext(value: Any) -> bool:
    """Whether the CLI encrypted it or a part of it, as `pulumi config set --secret --path` does."""
    if isinstance(value, dict) and list(value) == ["secure"]:
        return True
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(map(_holds_ciphertext, parts))


def defaults(root: Path = ROOT) -> dict[str, str]:
    """The config of a stack whose file sets nothing."""
    return {key: _as_text(value) for key, value in _declared(_read(root / "Pulumi.yaml")).items() if value is not None}


def _declared(project_file: Mapping[str, Any]) -> dict[str, Any]:
    return {
        _qualified(key, project_file["name"]): declared.get("value", declared.get("default"))
        if isinstance(declared, dict)
        else declared
        for key, declared in (project_file.get("config") or {}).items()
    }


def _qualified(key: str, project: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _read(path: Path) -> dict[str, Any]:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise LocalError(f"{path.name} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise LocalError(f"{path.name} is not YAML: {' '.join(str(error).split())}") from error
