"""`rotation-guard remediation`: the kill switch of all repairs, which is a parameter in SSM's Parameter Store."""

from collections.abc import Callable, Mapping
from datetime import UTC
from pathlib import Path
from typing import Any

import typer
from botocore.exceptions import ClientError

from .aws import said
from .deployment import Deployment, found
from .lines import say
from .options import ExitCode, Profile, Region, StackOutputs
from .problems import NEEDS_SOMEONE, Unreachable

_GO, _STOP = "go", "stop"
_GONE = ("ParameterNotFound", "ValidationException")
"""What AWS answers where the parameter is not there; to a write without a type, the second
(https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html)."""


def stop(stack_outputs: StackOutputs = None, profile: Profile = None, region: Region = None) -> None:
    """Stop all repairs of this account and Region at once; notices go on."""
    switch = _Switch(found(stack_outputs, profile, region, Path()))
    switch.say(_STOP)
    say(
        f"Remediation is stopped: the parameter {switch.name} says stop. From the next decision on nothing is retried, "
        "moved or restarted, and incidents end with people. What was asked for already is not taken back; AWS's own "
        "rotations, the audit and the notices go on. `rotation-guard remediation go` undoes it."
    )


def go(stack_outputs: StackOutputs = None, profile: Profile = None, region: Region = None) -> None:
    """Let repairs go on."""
    switch = _Switch(found(stack_outputs, profile, region, Path()))
    switch.say(_GO)
    say(
        f"Remediation may act: the parameter {switch.name} says go. From the next decision on secrets are repaired "
        "again as far as their tags and remediationMode allow. What ended with people meanwhile stays with them."
    )


def status(
    stack_outputs: StackOutputs = None,
    profile: Profile = None,
    region: Region = None,
    exit_code: ExitCode = False,
) -> None:
    """Tell whether repairs are stopped, and since when."""
    switch = _Switch(found(stack_outputs, profile, region, Path()))
    is_stopped, text = switch.look()
    say(text)
    raise typer.Exit(NEEDS_SOMEONE if exit_code and is_stopped else 0)


COMMANDS: Mapping[str, Callable[..., None]] = {"stop": stop, "go": go, "status": status}


class _Switch:
    """The parameter of one deployment. Anything but `go`, and no parameter at all, is a stop."""

    def __init__(self, deployment: Deployment) -> None:
        self.name = deployment.named("kill_switch_parameter_name")
        self._deployment = deployment
        self._ssm = deployment.way.client("ssm")

    def say(self, word: str) -> None:
        """Writes this word into it. It is not made where it is not there: it belongs to the stack."""
        if self._ask("put_parameter", Value=word, Overwrite=True) is None:
            raise Unreachable(
                f"The parameter {self.name} is not there, so remediation is stopped: `pulumi refresh` and `pulumi up` "
                "make it anew."
            )

    def look(self) -> tuple[bool, str]:
        """Whether repairs are stopped, and a sentence about it."""
        answer = self._ask("get_parameter")
        if answer is None:
            return True, f"Remediation is stopped: the parameter {self.name} is not there."
        value, changed = answer["Parameter"]["Value"], answer["Parameter"].get("LastModifiedDate")
        since = f", since {changed.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if changed else ""
        if value.strip().lower() == _GO:
            return False, f"Remediation may act: the parameter {self.name} says go{since}."
        return True, f"Remediation is stopped: the parameter {self.name} says {value!r}{since}."

    def _ask(self, operation: str, **asked: Any) -> Any:
        """The answer to one call; None where the parameter is not there."""
        with said(self._deployment.way, f"{self._deployment.source['description']}, parameter {self.name}"):
            try:
                return getattr(self._ssm, operation)(Name=self.name, **asked)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _GONE:
                    raise
                return None
