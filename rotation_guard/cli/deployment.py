"""The deployment that a command reads or changes: the local one, or a stack that its outputs describe."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rotation_guard.domain.control_characters import has_control_characters

from .aws import AwsSession, translate_aws_errors
from .errors import Unreachable, UsageError
from .parsing import read_json
from .terminal import discard_output, echo, progress

LONGEST_REASON = 256
"""Characters: with the longest caller ARN, the record stays below the 1024 that a parameter's description may have
(https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html)."""
STACK_OUTPUTS_VARIABLE = "ROTATION_GUARD_STACK_OUTPUTS"
"""Names the file with the stack's outputs if --stack-outputs is not given."""
_LOCAL_STACK = Path(".local") / "stack.json"
_SESSION_KEYS = ("endpoint_url", "region", "access_key_id", "secret_access_key")
_OWN_ARNS = (
    "state_machine_arn",
    "failures_topic_arn",
    "remediation_topic_arn",
    "critical_topic_arn",
    "alarms_topic_arn",
)
"""Outputs that name the stack's account and Region, whatever else the program exports."""
_OF_MEMBER = "redeliver_function_arn"
"""That of a member, whose other ARNs may be of the hub's account."""
_ACCOUNT, _REGION = 4, 3
"""Fields of an ARN (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html)."""


@dataclass(frozen=True)
class Deployment:
    """A stack, and the session to call it with."""

    name: str
    """The subject of an error message."""
    session: AwsSession
    outputs: Mapping[str, Any]
    source: Mapping[str, Any]
    """The `source` of a report in JSON."""
    accounts: tuple[str, ...] = ()
    """The accounts of its ARNs: one, unless the outputs are of several stacks or contain no ARN."""
    regions: tuple[str, ...] = ()
    """The Regions of its ARNs."""

    @property
    def description(self) -> str:
        """Its name, with account and Region if its outputs name them."""
        return str(self.source["description"])

    def output(self, name: str) -> str:
        """An output that must be there, such as the name of a table."""
        value = self.outputs.get(name)
        if isinstance(value, str) and value:
            return value
        if name in self.outputs:
            raise Unreachable(f"Output {name} of {self.description} must be a text, got {value!r:.40}.")
        names = ", ".join(sorted(self.outputs)) or "none"
        raise Unreachable(f"The outputs of {self.description} must have {name}, got {names}.")


@dataclass(frozen=True)
class Write:
    """One change by an operator: which deployment, who, and why."""

    deployment: Deployment
    caller_arn: str
    reason: str

    @property
    def target(self) -> str:
        """A sentence that names the deployment, its account and its Region."""
        return f"Deployment: {self.deployment.description}."

    def announce(self, show: Callable[[str], None] | None = None) -> None:
        """Print the target and the caller before anything is written; `show` prints them elsewhere than `echo`.

        Raises Unreachable if the output cannot be written, so that nothing happens unseen.
        """
        try:
            (show or echo)(f"{self.target} Caller: {self.caller_arn}.")
        except OSError as error:
            discard_output()
            raise Unreachable(f"The output cannot be written: {error.strerror}. Nothing else was written.") from None


def resolve_deployment(
    stack_outputs: str | None, local: bool, profile: str | None, region: str | None, *, for_writing: bool = False
) -> Deployment:
    """The deployment that these options name. Raises CommandError.

    Without options it is the one that ROTATION_GUARD_STACK_OUTPUTS names, or else the local one, of this directory or
    one above it. With `for_writing`, the local deployment must be named with --local.
    """
    if local and stack_outputs is not None:
        raise UsageError(f"Give --local or --stack-outputs, not both; got --stack-outputs {stack_outputs}.")
    given, option = stack_outputs, "--stack-outputs"
    if not local and given is None:
        given, option = os.environ.get(STACK_OUTPUTS_VARIABLE) or None, STACK_OUTPUTS_VARIABLE
    if given is not None:
        return _read_stack(option, given, profile, region)
    if for_writing and not local:
        raise UsageError(
            "A command that writes needs a deployment: give --stack-outputs FILE, the output of "
            f"`pulumi stack output --json`, or set {STACK_OUTPUTS_VARIABLE}, or give --local. Nothing was written."
        )
    if profile is not None or region is not None:
        raise UsageError("--profile and --region require --stack-outputs, the output of `pulumi stack output --json`.")
    return _read_local_stack()


def resolve_deployments(
    stack_outputs: Sequence[str], local: bool, profiles: Sequence[str], region: str | None
) -> list[Deployment]:
    """The deployments that these options name, in their order. Raises CommandError.

    One profile is for all of them; several are for one deployment each.
    """
    if len(stack_outputs) <= 1:
        if len(profiles) > 1:
            raise UsageError(
                f"--profile must be given once, or once for each --stack-outputs, got {len(profiles)} profiles for "
                "one deployment."
            )
        return [resolve_deployment(next(iter(stack_outputs), None), local, next(iter(profiles), None), region)]
    if len(profiles) not in (0, 1, len(stack_outputs)):
        raise UsageError(
            f"--profile must be given once, or once for each --stack-outputs, got {len(profiles)} profiles for "
            f"{len(stack_outputs)} deployments."
        )
    if list(stack_outputs).count("-") > 1:
        raise UsageError("--stack-outputs must be - once at most: standard input can be read once.")
    own = list(profiles) if len(profiles) > 1 else [next(iter(profiles), None)] * len(stack_outputs)
    deployments = [resolve_deployment(name, local, own[index], region) for index, name in enumerate(stack_outputs)]
    _require_different(deployments, own)
    return deployments


def _require_different(deployments: Sequence[Deployment], profiles: Sequence[str | None]) -> None:
    """Raise UsageError if two of them have the same table, whose secrets would count twice."""
    known: dict[tuple[object, ...], Deployment] = {}
    for deployment, profile in zip(deployments, profiles, strict=True):
        if "status_table_name" not in deployment.outputs:
            continue
        table = deployment.outputs["status_table_name"]
        same = known.setdefault((deployment.accounts or profile, deployment.session.region, str(table)), deployment)
        if same is not deployment:
            raise UsageError(
                f"--stack-outputs must be of different deployments, got {same.name} and {deployment.name}, which have "
                f"the same table {table}."
            )


def require_account(deployment: Deployment, account_id: str | None) -> None:
    """Raise Unreachable if the credentials are for another account than the deployment's; None is unknown."""
    if account_id is not None and len(deployment.accounts) == 1 and deployment.accounts != (account_id,):
        raise Unreachable(
            f"{deployment.name} is in account {deployment.accounts[0]}, and the credentials are for {account_id}."
        )


def begin_write(
    stack_outputs: str | None,
    local: bool,
    profile: str | None,
    region: str | None,
    reason: str | None,
    *,
    is_reason_required: bool = True,
) -> Write:
    """Resolve the deployment of a command that writes, and check the reason and the caller's account and Region.

    Raises CommandError before anything is written.
    """
    deployment = resolve_deployment(stack_outputs, local, profile, region, for_writing=True)
    checked_reason = "" if reason is None and not is_reason_required else _require_reason(reason)
    return Write(deployment, check_credentials(deployment, "; nothing was written"), checked_reason)


def check_credentials(deployment: Deployment, consequence: str = "") -> str:
    """Check that the credentials are for the deployment's account and Region; return the caller's ARN.

    Raises CommandError.
    """
    progress.update("Checking the credentials")
    # GetCallerIdentity needs no permission
    # (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html).
    sts = deployment.session.client("sts")
    with translate_aws_errors(deployment.session, deployment.description):
        identity = sts.get_caller_identity()
    account, region = identity["Account"], sts.meta.region_name
    _require_match(
        "account", f"the credentials are for {account}", deployment, deployment.accounts, account, consequence
    )
    _require_match("Region", f"the command is for {region}", deployment, deployment.regions, region, consequence)
    return identity["Arn"]


def _read_stack(option: str, stack_outputs: str, profile: str | None, region: str | None) -> Deployment:
    outputs = read_json(option, stack_outputs)
    if not isinstance(outputs, dict):
        raise UsageError(f"{option} must contain an object of outputs, got {type(outputs).__name__}: {stack_outputs}")
    accounts, regions = (_fields(outputs, index) for index in (_ACCOUNT, _REGION))
    region = region or next(iter(regions), None)
    name = f"The stack of {stack_outputs if stack_outputs != '-' else 'standard input'}"
    source = {"kind": "deployment", "description": _describe(name, accounts, region), "region": region}
    return Deployment(name, AwsSession(profile, region), outputs, source, accounts, regions)


def _read_local_stack() -> Deployment:
    path = _find_local_stack()
    if path is None:
        raise Unreachable(
            f"No deployment is configured: give --stack-outputs FILE, the output of `pulumi stack output --json`, or "
            f"set {STACK_OUTPUTS_VARIABLE}, or run `make up`, which writes {_LOCAL_STACK}. `rotation-guard scan` needs "
            "no deployment."
        )
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        connection, outputs = {name: _require_text(state[name]) for name in _SESSION_KEYS}, dict(state["outputs"])
        urlsplit(connection["endpoint_url"]).port  # noqa: B018 - raises ValueError if it is invalid
    except OSError as error:
        raise Unreachable(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unreachable(f"{path} is not a description that `make up` writes: run `make up` again.") from None
    account = state.get("account_id")
    accounts = (account,) if isinstance(account, str) else _fields(outputs, _ACCOUNT)
    name = f"The local deployment at {connection['endpoint_url']} ({path})"
    source = {
        "kind": "local",
        "description": _describe(name, accounts, connection["region"]),
        "region": connection["region"],
        "endpoint_url": connection["endpoint_url"],
    }
    return Deployment(name, AwsSession(**connection), outputs, source, accounts, (connection["region"],))


def _require_text(value: Any) -> str:
    if isinstance(value, str) and value:
        return value
    raise ValueError("a string is expected")


def _find_local_stack() -> Path | None:
    """The description of the nearest local deployment, in this directory or one above it."""
    try:
        directory = Path().absolute()
    except OSError as error:  # it was deleted
        raise Unreachable(f"The current directory cannot be read: {error.strerror}.") from None
    for folder in (directory, *directory.parents):
        try:
            if (folder / _LOCAL_STACK).is_file():
                return folder / _LOCAL_STACK
        except OSError as error:
            raise Unreachable(f"{folder / _LOCAL_STACK} cannot be read: {error.strerror}.") from None
    return None


def _describe(name: str, accounts: tuple[str, ...], region: str | None) -> str:
    account = [f"account {' and '.join(accounts)}"] if accounts else []
    return ", ".join([name, *account, *([f"Region {region}"] if region else [])])


def _fields(outputs: Mapping[str, Any], index: int) -> tuple[str, ...]:
    """The distinct values of this field in the stack's own ARNs."""
    names = (_OF_MEMBER,) if _OF_MEMBER in outputs else _OWN_ARNS
    own = [outputs[name] for name in names if name in outputs] or outputs.values()
    arns = (value.split(":") for value in own if isinstance(value, str) and value.startswith("arn:"))
    return tuple(dict.fromkeys(parts[index] for parts in arns if len(parts) > 5 and parts[index]))


def _require_reason(reason: str | None) -> str:
    if reason is None:
        raise UsageError("A command that writes needs a reason: give --reason TEXT. Nothing was written.")
    text = reason.strip()
    if not 1 <= len(text) <= LONGEST_REASON or has_control_characters(text):
        shown = repr(text if len(text) <= LONGEST_REASON else f"{text[:40]}...")
        raise UsageError(
            f"--reason must be 1 to {LONGEST_REASON} characters in one line, without control characters, got "
            f"{len(text)}: {shown}. Nothing was written."
        )
    return text


def _require_match(
    what: str, difference: str, deployment: Deployment, expected: tuple[str, ...], actual: str, consequence: str
) -> None:
    if expected == (actual,):
        return
    # Only the outputs count: --region cannot confirm itself.
    if not expected:
        raise UsageError(f"{deployment.name} must have an output that is an ARN, to name its {what}{consequence}.")
    if len(expected) > 1:
        raise UsageError(f"{deployment.name} must be in one {what}, got {', '.join(expected)}{consequence}.")
    raise UsageError(f"{deployment.name} is in {what} {expected[0]}, and {difference}{consequence}.")
