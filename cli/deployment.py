"""The deployment that a report is about: the one on this machine, or a stack in an account by its outputs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .aws import Way
from .files import read_json
from .problems import Misused, Unreachable

LOCAL = Path(".local") / "stack.json"
_WAY = ("endpoint_url", "region", "access_key_id", "secret_access_key")


@dataclass(frozen=True)
class Deployment:
    """A stack, and the way to it."""

    way: Way
    outputs: Mapping[str, Any]
    source: Mapping[str, Any]
    """What a report says of it."""

    def named(self, output: str) -> str:
        """The name of a table or a parameter, as the stack's outputs give it."""
        name = self.outputs.get(output)
        if isinstance(name, str) and name:
            return name
        raise Unreachable(
            f"The outputs of {self.source['description']} must have {output}, got {_names(self.outputs)}."
        )


def found(stack_outputs: str | None, profile: str | None, region: str | None, directory: Path) -> Deployment:
    """The deployment that these options name; the local one, of this directory or one above it, unless they do."""
    if stack_outputs is not None:
        return _in_account(stack_outputs, profile, region)
    if profile is not None or region is not None:
        raise Misused("--profile and --region go with --stack-outputs, the output of `pulumi stack output --json`.")
    return _local(directory)


def _in_account(stack_outputs: str, profile: str | None, region: str | None) -> Deployment:
    outputs = read_json("--stack-outputs", stack_outputs)
    if not isinstance(outputs, dict):
        raise Misused(f"--stack-outputs must hold an object of outputs, got {type(outputs).__name__}: {stack_outputs}")
    region = region or _region(outputs)
    description = f"The stack of {stack_outputs if stack_outputs != '-' else 'standard input'}"
    source = {"kind": "deployment", "description": description, "region": region}
    return Deployment(Way(profile, region), outputs, source)


def _local(directory: Path) -> Deployment:
    directory = directory.absolute()
    path = next((one / LOCAL for one in (directory, *directory.parents) if (one / LOCAL).is_file()), None)
    if path is None:
        raise Unreachable(
            f"No deployment is known: there is no {LOCAL} here or above, as `make up` writes it, and no "
            "--stack-outputs, as `pulumi stack output --json` writes it. `rotation-guard scan` needs neither."
        )
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        way, outputs = {name: str(state[name]) for name in _WAY}, dict(state["outputs"])
    except (OSError, ValueError, KeyError, TypeError):
        raise Unreachable(f"{path} is not what `make up` writes: deploy anew.") from None
    source = {
        "kind": "local",
        "description": f"The local deployment at {way['endpoint_url']}",
        "region": way["region"],
        "endpoint_url": way["endpoint_url"],
    }
    return Deployment(Way(**way), outputs, source)


def _region(outputs: Mapping[str, Any]) -> str | None:
    """The Region that the stack's own ARNs name: the one of a profile may be another."""
    arns = (value.split(":") for value in outputs.values() if isinstance(value, str) and value.startswith("arn:"))
    return next((parts[3] for parts in arns if len(parts) > 5 and parts[3]), None)


def _names(outputs: Mapping[str, Any]) -> str:
    return ", ".join(sorted(outputs)) or "none"
