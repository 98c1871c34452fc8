"""The deployment that a command is about: the one on this machine, or a stack in an account by its outputs."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .aws import Way
from .files import read_json
from .problems import Misused, Unreachable

LOCAL = Path(".local") / "stack.json"
VARIABLE = "ROTATION_GUARD_STACK_OUTPUTS"
"""Names the file with the stack's outputs where no option does."""
_WAY = ("endpoint_url", "region", "access_key_id", "secret_access_key")
_OWN_ARNS = (
    "state_machine_arn",
    "failures_topic_arn",
    "remediation_topic_arn",
    "critical_topic_arn",
    "alarms_topic_arn",
)
"""Outputs of ours that say whose the stack is, whatever else a program exports beside them."""
_ACCOUNT, _REGION = 4, 3
"""Fields of an ARN (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html)."""


@dataclass(frozen=True)
class Deployment:
    """A stack, and the way to it."""

    name: str
    """What the command was given, in words."""
    way: Way
    outputs: Mapping[str, Any]
    source: Mapping[str, Any]
    """What a report says of it."""
    accounts: tuple[str, ...] = ()
    """The accounts that it names as its own: one, unless the outputs are of several stacks or name no ARN."""
    regions: tuple[str, ...] = ()
    """The Regions, likewise."""

    @property
    def description(self) -> str:
        """In words, with account and Region as far as its outputs name them."""
        return str(self.source["description"])

    def named(self, output: str) -> str:
        """The name of a table or a parameter, as the stack's outputs give it."""
        name = self.outputs.get(output)
        if isinstance(name, str) and name:
            return name
        raise Unreachable(f"The outputs of {self.description} must have {output}, got {_names(self.outputs)}.")


def resolve_deployment(
    stack_outputs: str | None, local: bool, profile: str | None, region: str | None, *, for_writing: bool = False
) -> Deployment:
    """The deployment that these options name.

    Without options it is the one that ROTATION_GUARD_STACK_OUTPUTS names, and else the local one, of this directory or
    one above it. `for_writing` never falls back to a local deployment that nobody asked for. Raises Problem.
    """
    if local and stack_outputs is not None:
        raise Misused(f"--local and --stack-outputs name two deployments: give one of them, got {stack_outputs} too.")
    given, option = stack_outputs, "--stack-outputs"
    if not local and given is None:
        given, option = os.environ.get(VARIABLE) or None, VARIABLE
    if given is not None:
        return _in_account(option, given, profile, region)
    if for_writing and not local:
        raise Misused(
            "A command that writes must be told which deployment it is for: give --stack-outputs FILE, the output of "
            f"`pulumi stack output --json`, or set {VARIABLE}, or give --local. Nothing was written."
        )
    if profile is not None or region is not None:
        raise Misused("--profile and --region go with --stack-outputs, the output of `pulumi stack output --json`.")
    return _local()


def _in_account(option: str, stack_outputs: str, profile: str | None, region: str | None) -> Deployment:
    outputs = read_json(option, stack_outputs)
    if not isinstance(outputs, dict):
        raise Misused(f"{option} must hold an object of outputs, got {type(outputs).__name__}: {stack_outputs}")
    accounts, regions = (_fields(outputs, index) for index in (_ACCOUNT, _REGION))
    region = region or next(iter(regions), None)
    name = f"The stack of {stack_outputs if stack_outputs != '-' else 'standard input'}"
    source = {"kind": "deployment", "description": _describe(name, accounts, region), "region": region}
    return Deployment(name, Way(profile, region), outputs, source, accounts, regions)


def _local() -> Deployment:
    path = _described_local_stack()
    if path is None:
        raise Unreachable(
            f"No deployment is known: there is no {LOCAL} here or above, as `make up` writes it, and no "
            f"--stack-outputs or {VARIABLE}, as `pulumi stack output --json` writes it. `rotation-guard scan` needs "
            "neither."
        )
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        way, outputs = {name: _require_text(state[name]) for name in _WAY}, dict(state["outputs"])
        urlsplit(way["endpoint_url"]).port  # noqa: B018 - a ValueError where it is none
    except OSError as error:
        raise Unreachable(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unreachable(f"{path} is not what `make up` writes: deploy anew.") from None
    account = state.get("account_id")
    accounts = (account,) if isinstance(account, str) else _fields(outputs, _ACCOUNT)
    name = f"The local deployment at {way['endpoint_url']} ({path})"
    source = {
        "kind": "local",
        "description": _describe(name, accounts, way["region"]),
        "region": way["region"],
        "endpoint_url": way["endpoint_url"],
    }
    return Deployment(name, Way(**way), outputs, source, accounts, (way["region"],))


def _require_text(value: Any) -> str:
    if isinstance(value, str) and value:
        return value
    raise ValueError("a text is expected")


def _described_local_stack() -> Path | None:
    """The nearest description of a local deployment, in this directory or one above it."""
    try:
        directory = Path().absolute()
    except OSError as error:  # somebody has deleted it
        raise Unreachable(f"The current directory cannot be read: {error.strerror}.") from None
    for folder in (directory, *directory.parents):
        try:
            if (folder / LOCAL).is_file():
                return folder / LOCAL
        except OSError as error:
            raise Unreachable(f"{folder / LOCAL} cannot be read: {error.strerror}.") from None
    return None


def _describe(name: str, accounts: tuple[str, ...], region: str | None) -> str:
    account = [f"account {' and '.join(accounts)}"] if accounts else []
    return ", ".join([name, *account, *([f"Region {region}"] if region else [])])


def _fields(outputs: Mapping[str, Any], index: int) -> tuple[str, ...]:
    """What the stack's own ARNs have in this field, each once: the Region of a profile may be another."""
    own = [outputs[name] for name in _OWN_ARNS if name in outputs] or outputs.values()
    arns = (value.split(":") for value in own if isinstance(value, str) and value.startswith("arn:"))
    return tuple(dict.fromkeys(parts[index] for parts in arns if len(parts) > 5 and parts[index]))


def _names(outputs: Mapping[str, Any]) -> str:
    return ", ".join(sorted(outputs)) or "none"
