"""`rotation-guard remediation`: the kill switch of all repairs, which is a parameter in SSM's Parameter Store.

Who set it and why is in the parameter's description, which Parameter Store keeps with each version's value
(https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameterHistory.html).
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import typer
from botocore.exceptions import ClientError

from rotation_guard.domain.timestamps import to_iso

from .aws import said
from .deployment import Deployment, resolve_deployment
from .lines import say
from .moments import read
from .options import ExitCode, Local, Profile, Reason, Region, StackOutputs
from .problems import NEEDS_SOMEONE, Unreachable
from .writes import Write, begin_write, require_same_place

_GO, _STOP = "go", "stop"
_GONE = ("ParameterNotFound", "ValidationException")
"""What AWS answers where the parameter is not there; to a write without a type, the second
(https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html)."""
_RECORD = re.compile(r"(?P<word>stop|go) by (?P<caller>\S+) at (?P<at>\S+): (?P<reason>.*)")
_CLOCK_SKEW = timedelta(minutes=5)
"""By how much a caller's clock may differ from AWS's: a request that is signed further off is refused
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html)."""


def stop(
    reason: Reason = None,
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Stop all repairs of one deployment at once; notices go on. It is recorded who and why.

    It needs --stack-outputs, ROTATION_GUARD_STACK_OUTPUTS or --local, and --reason.
    """
    write = begin_write(stack_outputs, local, profile, region, reason)
    switch = _Switch(write.deployment)
    switch.set(_STOP, write)
    say(
        f"Remediation is stopped: the parameter {switch.name} says stop. From the next decision on nothing is retried, "
        "moved or restarted, and incidents end with people. What was asked for already is not taken back; AWS's own "
        "rotations, the audit and the notices go on. `rotation-guard remediation go` with the same options undoes it."
    )
    say(write.place)


def go(
    reason: Reason = None,
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Let repairs of one deployment go on. It is recorded who and why.

    It needs --stack-outputs, ROTATION_GUARD_STACK_OUTPUTS or --local, and --reason.
    """
    write = begin_write(stack_outputs, local, profile, region, reason)
    switch = _Switch(write.deployment)
    switch.set(_GO, write)
    say(
        f"Remediation may act: the parameter {switch.name} says go. From the next decision on secrets are repaired "
        "again as far as their tags and remediationMode allow. Incidents that were escalated stay with the on-call "
        "engineer."
    )
    say(write.place)


def status(
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    exit_code: ExitCode = False,
) -> None:
    """Tell whether repairs are stopped, since when, by whom and why."""
    deployment = resolve_deployment(stack_outputs, local, profile, region)
    switch = _Switch(deployment)
    is_stopped, sentences = switch.look()
    for sentence in sentences:
        say(sentence)
    say(f"Deployment: {deployment.description}.")
    raise typer.Exit(NEEDS_SOMEONE if exit_code and is_stopped else 0)


COMMANDS: Mapping[str, Callable[..., None]] = {"stop": stop, "go": go, "status": status}


class _Switch:
    """The parameter of one deployment. Anything but `go`, and no parameter at all, is a stop."""

    def __init__(self, deployment: Deployment) -> None:
        self.name = deployment.named("kill_switch_parameter_name")
        self._deployment = deployment
        self._ssm = deployment.way.client("ssm")

    def set(self, word: str, write: Write) -> None:
        """Write this word into it, with who and why. It is not made where it is not there: it belongs to the stack."""
        write.announce()
        record = f"{word} by {write.caller_arn} at {to_iso(datetime.now(UTC).replace(microsecond=0))}: {write.reason}"
        if self._ask("put_parameter", Value=word, Description=record, Overwrite=True) is None:
            raise Unreachable(
                f"The parameter {self.name} is not there, so remediation is stopped: `pulumi refresh` and `pulumi up` "
                "make it anew, and then it says go."
            )

    def look(self) -> tuple[bool, list[str]]:
        """Whether repairs are stopped, and sentences about it."""
        answer = self._ask("get_parameter")
        if answer is None:
            # In another account or Region it is not there either, and that would say nothing about this deployment.
            require_same_place(self._deployment)
            return True, [f"Remediation is stopped: the parameter {self.name} is not there."]
        value, changed = answer["Parameter"]["Value"], answer["Parameter"].get("LastModifiedDate")
        since = f", since {changed.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if changed else ""
        word = value.strip().lower()
        is_stopped = word != _GO
        state = f"stopped: the parameter {self.name} says {value!r}" if is_stopped else ""
        sentence = f"Remediation {f'is {state}' if state else f'may act: the parameter {self.name} says go'}{since}."
        return is_stopped, [sentence, self._last_change(word, answer["Parameter"].get("Version"))]

    def _last_change(self, word: str, version: int | None) -> str:
        """Who made this version of the parameter, and why, as far as that is on record."""
        try:
            entry = next((one for one in self._history() if one.get("Version") == version), {})
        except Unreachable as refusal:
            return f"Who and why cannot be read. {refusal}"
        changed, user = entry.get("LastModifiedDate"), entry.get("LastModifiedUser", "")
        record = _RECORD.fullmatch(entry.get("Description", ""))
        # Another tool that changes the value keeps the description, so the record may be of an earlier change.
        if record and changed and record["word"] == word and abs(_moment(record["at"]) - changed) <= _CLOCK_SKEW:
            return f"Last change: {record['word']} by {record['caller']}. Reason: {record['reason']}"
        by = f" by {user}" if user.startswith("arn:") else ""
        return f"Last change{by}: no reason was recorded, as `rotation-guard remediation stop` and `go` do."

    def _history(self) -> list[Mapping[str, Any]]:
        """Its versions that Parameter Store still has, at most 100, the newest first."""
        versions: list[Mapping[str, Any]] = []
        position: dict[str, str] = {}
        while True:
            page = self._ask("get_parameter_history", **position) or {}
            versions += page.get("Parameters", [])
            if not page.get("NextToken"):
                return versions[::-1]
            position = {"NextToken": page["NextToken"]}

    def _ask(self, operation: str, **asked: Any) -> Any:
        """The answer to one call; None where the parameter is not there."""
        with said(self._deployment.way, f"{self._deployment.description}, parameter {self.name}"):
            try:
                return getattr(self._ssm, operation)(Name=self.name, **asked)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _GONE:
                    raise
                return None


def _moment(text: str) -> datetime:
    try:
        return read(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
