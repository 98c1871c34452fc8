"""Reads a stack's configuration from the files that the Pulumi CLI reads."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..errors import LocalError

ROOT = Path(__file__).resolve().parents[2]
"""The repository, which holds the program and its stack files."""
PROJECT = "rotation-guard"


@dataclass(frozen=True)
class Stack:
    """A stack of the project: the folder of its program, and its configuration."""

    root: Path
    project: str
    name: str
    config: Mapping[str, str]

    @property
    def region(self) -> str:
        """The Region it is deployed to; raises LocalError when its file does not set one."""
        if region := self.config.get("aws:region"):
            return region
        raise LocalError(f"Pulumi.{self.name}.yaml does not set aws:region: add it under config.")


def read_stack(name: str, overrides: Mapping[str, Any] | None = None, root: Path = ROOT) -> Stack:
    """Return the stack's config as the CLI passes it to the program, with the defaults of Pulumi.yaml.

    Overrides are plain Python values that replace those of the stack file; None removes the key. Keys that Pulumi.yaml
    does not declare are passed on, since the program rejects them itself. Raises LocalError.
    """
    project_file = _read(root / "Pulumi.yaml")
    project = project_file["name"]
    values = _read_defaults(project_file)
    stack_file = root / f"Pulumi.{name}.yaml"
    if not stack_file.exists():
        raise LocalError(f"There is no stack {name!r}: {stack_file.name} is missing.")
    configured = {_qualify_key(key, project): value for key, value in (_read(stack_file).get("config") or {}).items()}
    configured |= {_qualify_key(key, project): value for key, value in (overrides or {}).items()}
    values |= {key: value for key, value in configured.items() if value is not None}
    for key, value in values.items():
        if _is_encrypted(value):
            raise LocalError(f"{key} is encrypted: the local deployment cannot read secure config values.")
    return Stack(root, project, name, {key: _to_text(value) for key, value in values.items() if value is not None})


def _is_encrypted(value: Any) -> bool:
    """Whether the CLI encrypted the value or a part of it, as `pulumi config set --secret --path` does."""
    if isinstance(value, dict) and list(value) == ["secure"]:
        return True
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(map(_is_encrypted, parts))


def read_default_config(root: Path = ROOT) -> dict[str, str]:
    """Return the config of a stack whose file sets nothing."""
    return {
        key: _to_text(value) for key, value in _read_defaults(_read(root / "Pulumi.yaml")).items() if value is not None
    }


def _read_defaults(project_file: Mapping[str, Any]) -> dict[str, Any]:
    return {
        _qualify_key(key, project_file["name"]): declared.get("value", declared.get("default"))
        if isinstance(declared, dict)
        else declared
        for key, declared in (project_file.get("config") or {}).items()
    }


def _qualify_key(key: str, project: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _read(path: Path) -> dict[str, Any]:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise LocalError(f"{path.name} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise LocalError(f"{path.name} is not YAML: {' '.join(str(error).split())}") from error
