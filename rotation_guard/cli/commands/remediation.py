"""`rotation-guard remediation`: the kill switch of all repairs, a parameter in SSM Parameter Store.

The parameter's description records who set it and why; Parameter Store keeps it with each version's value
(https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameterHistory.html).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from rotation_guard.domain.timestamps import to_iso
from rotation_guard.domain.wording import capitalize_first

from ..aws import translate_aws_errors
from ..deployment import Deployment, Write, begin_write, check_credentials, resolve_deployment
from ..errors import Unreachable
from ..formats import Format
from ..kill_switch_report import KillSwitchState, LastChange, build_kill_switch_report
from ..options import Command, ExitCode, Local, OutputFormat, Profile, Reason, Region, StackOutputs, finish
from ..parsing import parse_timestamp, utc_now
from ..provenance import Provenance, begin_provenance
from ..terminal import echo, progress

_GO, _STOP = "go", "stop"
_NO_SUCH_PARAMETER = ("ParameterNotFound", "ValidationException")
"""AWS's error codes for a parameter that does not exist; a write without a type gets the second one
(https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html)."""
_RECORD = re.compile(r"(?P<value>stop|go) by (?P<caller>\S+) at (?P<at>\S+): (?P<reason>.*)")
_CLOCK_SKEW = timedelta(minutes=5)
"""By how much a caller's clock may differ from AWS's: AWS refuses a request with a larger difference
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html)."""


def stop(
    reason: Reason = None,
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Stop all repairs of one deployment at once; notifications continue.

    Records the caller and the reason. Needs --stack-outputs, ROTATION_GUARD_STACK_OUTPUTS or --local, and --reason.
    """
    write = begin_write(stack_outputs, local, profile, region, reason)
    switch, provenance = _KillSwitch(write.deployment), begin_provenance(write.deployment)
    switch.set(_STOP, write)
    echo(
        f"Remediation is stopped: the parameter {switch.name} is stop. From the next decision on, nothing is retried, "
        "moved or restarted, and incidents are escalated. Repairs in progress are not undone; AWS's own rotations, the "
        "audit and notifications continue. To resume, run `rotation-guard remediation go` with the same options."
    )
    _echo_target(write, provenance)


def go(
    reason: Reason = None,
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Resume repairs of one deployment.

    Records the caller and the reason. Needs --stack-outputs, ROTATION_GUARD_STACK_OUTPUTS or --local, and --reason.
    """
    write = begin_write(stack_outputs, local, profile, region, reason)
    switch, provenance = _KillSwitch(write.deployment), begin_provenance(write.deployment)
    switch.set(_GO, write)
    echo(
        f"Remediation is enabled: the parameter {switch.name} is go. From the next decision on, secrets are repaired "
        "again as far as their tags and remediationMode allow. Incidents that were escalated stay with the on-call "
        "engineer."
    )
    _echo_target(write, provenance)


def status(
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    output_format: OutputFormat = Format.TABLE,
    exit_code: ExitCode = False,
) -> None:
    """Show whether repairs are stopped, since when, who stopped them and why."""
    deployment = resolve_deployment(stack_outputs, local, profile, region)
    switch, provenance = _KillSwitch(deployment), begin_provenance(deployment)
    report = build_kill_switch_report(switch.read(), deployment, utc_now())
    finish(provenance.attach(report), output_format, exit_code)


COMMANDS: Mapping[str, Command] = {
    "stop": Command(
        stop, ("rotation-guard remediation stop --reason 'database migration' --stack-outputs outputs.json",)
    ),
    "go": Command(go, ("rotation-guard remediation go --reason 'migration is over' --stack-outputs outputs.json",)),
    "status": Command(
        status,
        (
            "rotation-guard remediation status --stack-outputs outputs.json --exit-code",
            "rotation-guard remediation status --format json",
        ),
    ),
}


class _KillSwitch:
    """The parameter of one deployment. Any value but `go` means stop, and so does a missing parameter."""

    def __init__(self, deployment: Deployment) -> None:
        self.name = deployment.output("kill_switch_parameter_name")
        self._deployment = deployment
        self._ssm = deployment.session.client("ssm")

    def set(self, value: str, write: Write) -> None:
        """Set the value, and record the caller and the reason.

        A missing parameter is not created, because it belongs to the stack.
        """
        write.announce()
        record = f"{value} by {write.caller_arn} at {to_iso(utc_now())}: {write.reason}"
        if self._call("put_parameter", Value=value, Description=record, Overwrite=True) is None:
            raise Unreachable(
                f"The parameter {self.name} does not exist, so remediation is stopped: run `pulumi refresh` and "
                "`pulumi up`, which create it again with the value go."
            )

    def read(self) -> KillSwitchState:
        """The parameter as it is. Raises CommandError."""
        response = self._call("get_parameter")
        if response is None:
            # It does not exist in another account or Region either, which would prove nothing about this deployment.
            check_credentials(self._deployment)
            return KillSwitchState(self.name, is_stopped=True, value=None)
        value, changed = response["Parameter"]["Value"], response["Parameter"].get("LastModifiedDate")
        setting = value.strip().lower()
        since = changed.astimezone(UTC) if changed else None
        last_change = self._read_last_change(setting, response["Parameter"].get("Version"))
        return KillSwitchState(self.name, setting != _GO, value, since, last_change)

    def _read_last_change(self, setting: str, version: int | None) -> LastChange:
        """Who created this version of the parameter, and why, as far as it is recorded."""
        try:
            entry = next((entry for entry in self._history() if entry.get("Version") == version), {})
        except Unreachable as error:
            return LastChange(f"The last change cannot be read. {error}")
        changed, user = entry.get("LastModifiedDate"), entry.get("LastModifiedUser", "")
        record = _RECORD.fullmatch(entry.get("Description", ""))
        # Another tool may change the value and keep the description, which then describes an earlier change.
        is_current = record and changed and abs(_parse_timestamp(record["at"]) - changed) <= _CLOCK_SKEW
        if record and is_current and record["value"] == setting:
            caller, reason = record["caller"], record["reason"]
            return LastChange(f"Last change: {setting} by {caller}. Reason: {reason}", caller, reason)
        by = user if user.startswith("arn:") else None
        subject = f"Last change by {by}" if by else "Last change"
        advice = "`rotation-guard remediation stop` and `go` record one."
        return LastChange(f"{subject}: no reason was recorded; {advice}", by)

    def _history(self) -> list[Mapping[str, Any]]:
        """The versions that Parameter Store keeps, at most 100, newest first."""
        versions: list[Mapping[str, Any]] = []
        position: dict[str, str] = {}
        while True:
            page = self._call("get_parameter_history", **position) or {}
            versions += page.get("Parameters", [])
            if not page.get("NextToken"):
                return versions[::-1]
            position = {"NextToken": page["NextToken"]}

    def _call(self, operation: str, **parameters: Any) -> Any:
        """The response to one call; None if the parameter does not exist."""
        progress.update("Waiting for Parameter Store")
        with translate_aws_errors(self._deployment.session, f"{self._deployment.description}, parameter {self.name}"):
            try:
                return getattr(self._ssm, operation)(Name=self.name, **parameters)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _NO_SUCH_PARAMETER:
                    raise
                return None


def _echo_target(write: Write, provenance: Provenance) -> None:
    for label, text in provenance.list_facts(utc_now()):
        echo(f"{capitalize_first(label)}: {text}.")
    echo(write.target)


def _parse_timestamp(text: str) -> datetime:
    try:
        return parse_timestamp(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
