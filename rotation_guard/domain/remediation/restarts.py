"""Dependents that hold an old value until they are restarted: which ones a secret names, and how a restart stands."""

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from .incidents import RESTARTING

_RESOURCES = {
    "ecs": ("service/", re.compile(r"[A-Za-z0-9_-]{1,255}/[A-Za-z0-9_-]{1,255}")),
    "lambda": ("function:", re.compile(r"[A-Za-z0-9_-]{1,140}")),
    "ssm": ("document/", re.compile(r"[A-Za-z0-9_.-]{3,128}")),
}
"""Kind, which is also the service's name in an ARN -> what stands in the ARN before the name, and what a name looks
like. A version or an alias of a function is no target: it keeps the configuration that it was published with."""
_OWNED_BY_AWS = re.compile(r"(arn:[^:]*:ssm:[^:]*):[^:]*:(document/(?:aws|amazon|amzn).*)", re.IGNORECASE)
"""A document whose name begins so is AWS's own (https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateDocument.html),
and its ARN names no account (https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-setup-identity-based-policies.html)."""
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "rotation-guard:restart")
_MALFORMED = "It names nothing that can be restarted: ecs:cluster/service, lambda:function or ssm:document."
_ELSEWHERE = "It lies in another account or Region than the secret."
_NOT_LISTED = "It is not among the restartTargets of the stack, so it is not restarted."


class RestartState(StrEnum):
    """How a restart stands that an incident has asked for."""

    WANTED = "wanted"
    REFUSED = "refused"
    """It is not tried: not allowed, not understood, or stopped by hand."""
    STARTED = "started"
    COVERED = "covered"
    """Another incident has begun one since this one's value was in use."""
    SETTLED = "settled"
    FAILED = "failed"


UNDER_WAY = (RestartState.STARTED, RestartState.COVERED)
"""What is watched until it is one of the others."""
UNFINISHED = (RestartState.WANTED, *UNDER_WAY)
"""What the incident waits for."""


class CannotBeRestarted(RuntimeError):
    """There is no use in trying again; the message is a sentence that holds no words of others."""


class TransientError(RuntimeError):
    """AWS could not answer this time; the message is its error code or the error's class, and nothing of its text."""


class NotReady(RuntimeError):
    """AWS is busy with the target, which can be restarted later; the message is a sentence without words of others."""


@dataclass(frozen=True)
class RestartStatus:
    """What became of a restart that was started."""

    state: RestartState
    """STARTED or COVERED while it is under way, SETTLED or FAILED; WANTED when it has to be started after all."""
    why: str = ""
    """A sentence, where there is something to say."""


@dataclass(frozen=True)
class Target:
    """Something that can be restarted."""

    kind: str
    """`ecs`, `lambda` or `ssm`."""
    name: str
    """Cluster and service with a slash between, a function, or a document."""
    arn: str

    @property
    def label(self) -> str:
        """As a tag names it, such as `ecs:cluster/service`."""
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True)
class Restart:
    """One entry of an incident's `restarts`."""

    target: str
    arn: str
    state: str
    why: str = ""
    handle: str = ""
    """What the restart is watched by, as its service names it."""
    before: tuple[str, ...] = ()
    """What was there before it, where its service tells that from what the restart has made."""

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> Self:
        """The restart that `as_dict` has written, or a plan."""
        known: dict[str, Any] = {**written, "before": tuple(written.get("before", ()))}
        return cls(**known)

    def as_dict(self) -> dict[str, Any]:
        """As it stands in the incident's row."""
        return {**asdict(self), "before": [*self.before]}


def plan(tag_value: str, secret_arn: str, allowed_arns: Iterable[str]) -> list[dict[str, str]]:
    """The restarts that a secret's tag asks for, in its order and each once, as entries of an incident.

    Entries are separated by spaces or commas. What is not allowed, or cannot be understood, is told as `refused`.
    """
    allowed = {canonical_arn(arn) for arn in allowed_arns}
    planned: dict[str, Restart] = {}
    for entry in filter(None, re.split(r"[\s,]+", tag_value)):
        try:
            target = target_of(entry, secret_arn)
        except CannotBeRestarted as problem:
            planned.setdefault(entry, Restart(entry, "", RestartState.REFUSED, str(problem)))
            continue
        refused = target.arn not in allowed
        state, why = (RestartState.REFUSED, _NOT_LISTED) if refused else (RestartState.WANTED, "")
        planned.setdefault(target.arn, Restart(target.label, target.arn, state, why))
    return [{"target": one.target, "arn": one.arn, "state": str(one.state), "why": one.why} for one in planned.values()]


def target_of(entry: str, secret_arn: str) -> Target:
    """The target that an entry names, by label or ARN, in the account and Region of the secret.

    Raises CannotBeRestarted.
    """
    _, partition, _, region, account = (*secret_arn.split(":"), *[""] * 5)[:5]
    _, _, kind, _, _, resource = (*entry.split(":", 5), *[""] * 6)[:6]
    if not entry.startswith("arn:"):
        kind, _, name = entry.partition(":")
        resource = _RESOURCES[kind][0] + name if kind in _RESOURCES else ""
    prefix, names = _RESOURCES.get(kind, ("", re.compile("(?!)")))
    name = resource.removeprefix(prefix)
    if not resource.startswith(prefix) or not names.fullmatch(name):
        raise CannotBeRestarted(_MALFORMED)
    arn = canonical_arn(f"arn:{partition}:{kind}:{region}:{account}:{resource}")
    if entry.startswith("arn:") and canonical_arn(entry) != arn:
        raise CannotBeRestarted(_ELSEWHERE)
    return Target(kind, name, arn)


def kind_of(target_arn: str) -> str:
    """The kind of a target, out of its ARN."""
    return target_arn.split(":")[2]


def token(secret_arn: str, opened_at: str, wanted_at: int, target_arn: str) -> str:
    """What one restart goes by wherever it is asked for: a UUID made of what it is for, so that it is the same again.

    `wanted_at`, epoch milliseconds, is when the incident asked for its restarts. Which execution asks is no part of it:
    another may go on where one has died.
    """
    return str(uuid.uuid5(_NAMESPACE, " ".join((secret_arn, opened_at, str(wanted_at), target_arn))))


def together(restarts: Iterable[Restart]) -> str:
    """How an incident's restarts stand together.

    `wanted` while one is to be started, `waiting` while one is under way, then `failed` if one has, or else `settled`.
    """
    states = {restart.state for restart in restarts}
    if RestartState.WANTED in states:
        return "wanted"
    if states.intersection(UNDER_WAY):
        return "waiting"
    return "failed" if RestartState.FAILED in states else "settled"


def is_abandoned(incident: Mapping[str, Any], now: int) -> bool:
    """Whether the restarts of this incident's row are unfinished, and their workflow is overdue.

    `now` is in epoch seconds, as is the row's `alive_until`, by which its workflow had said that it would be heard of.
    """
    return incident.get("state") == RESTARTING and int(incident.get("alive_until") or 0) < now


def canonical_arn(arn: str) -> str:
    """The ARN that a target has in policies: without an account for a document of AWS's own."""
    owned = _OWNED_BY_AWS.fullmatch(arn)
    return f"{owned[1]}::{owned[2]}" if owned else arn
