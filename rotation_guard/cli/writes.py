"""What every command that writes does first: know the deployment, the account and the Region, the caller and why."""

from dataclasses import dataclass

from rotation_guard.domain.control_characters import has_control_characters

from .aws import said
from .deployment import Deployment, resolve_deployment
from .lines import discard_output, say
from .problems import Misused, Unreachable

LONGEST_REASON = 256
"""Characters: with the longest ARN of a caller a record stays below the 1024 that a parameter's description may have
(https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html)."""


@dataclass(frozen=True)
class Write:
    """One change that an operator makes: where, who, and why."""

    deployment: Deployment
    caller_arn: str
    reason: str

    @property
    def place(self) -> str:
        """A sentence that names the deployment, its account and its Region."""
        return f"Deployment: {self.deployment.description}."

    def announce(self) -> None:
        """Print what is about to be written to, and as whom: the last that can be read before it happens.

        Raises Unreachable where nobody can read it.
        """
        try:
            say(f"{self.place} Caller: {self.caller_arn}.")
        except OSError as error:
            discard_output()
            raise Unreachable(f"The output cannot be written: {error.strerror}. Nothing else was written.") from None


def begin_write(
    stack_outputs: str | None, local: bool, profile: str | None, region: str | None, reason: str | None
) -> Write:
    """Check that the caller's credentials are for the deployment that the options name.

    Raises Problem, before anything is written: without a reason, without a deployment that was named, and where the
    credentials or the Region are of another one than the outputs.
    """
    deployment = resolve_deployment(stack_outputs, local, profile, region, for_writing=True)
    why = _require_reason(reason)
    return Write(deployment, require_same_place(deployment, "; nothing was written"), why)


def require_same_place(deployment: Deployment, consequence: str = "") -> str:
    """Check that the caller's credentials are for this deployment; the caller's ARN. Raises Problem."""
    # GetCallerIdentity needs no permission
    # (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html).
    sts = deployment.way.client("sts")
    with said(deployment.way, deployment.description):
        identity = sts.get_caller_identity()
    account, region = identity["Account"], sts.meta.region_name
    _require_same("account", f"the credentials are of {account}", deployment, deployment.accounts, account, consequence)
    _require_same("Region", f"the command is for {region}", deployment, deployment.regions, region, consequence)
    return identity["Arn"]


def _require_reason(reason: str | None) -> str:
    if reason is None:
        raise Misused("A command that writes must be told why: give --reason TEXT. Nothing was written.")
    text = reason.strip()
    if not 1 <= len(text) <= LONGEST_REASON or has_control_characters(text):
        shown = repr(text if len(text) <= LONGEST_REASON else f"{text[:40]}...")
        raise Misused(
            f"--reason must be 1 to {LONGEST_REASON} characters in one line, without control characters, got "
            f"{len(text)}: {shown}. Nothing was written."
        )
    return text


def _require_same(
    what: str, difference: str, deployment: Deployment, named: tuple[str, ...], used: str, consequence: str
) -> None:
    if named == (used,):
        return
    # Of the outputs alone: --region is no witness against itself.
    if not named:
        raise Misused(f"{deployment.name} must have an output that is an ARN, for its {what}{consequence}.")
    if len(named) > 1:
        raise Misused(f"{deployment.name} must be of one {what}, got {', '.join(named)}{consequence}.")
    raise Misused(f"{deployment.name} is in {what} {named[0]}, and {difference}{consequence}.")
