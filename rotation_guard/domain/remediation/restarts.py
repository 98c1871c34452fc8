"""Restarts of dependents that keep an old value: parses a secret's tag and tracks each restart."""

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
"""Kind (the service's name in an ARN) -> the resource's prefix in the ARN, and the pattern of its name. A version or an
alias of a function is no target: its configuration is fixed when it is published."""
_OWNED_BY_AWS = re.compile(r"(arn:[^:]*:ssm:[^:]*):[^:]*:(document/(?:aws|amazon|amzn).*)", re.IGNORECASE)
"""A document whose name begins like this is owned by AWS (https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateDocument.html),
and its ARN names no account (https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-setup-identity-based-policies.html)."""
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "rotation-guard:restart")
_MALFORMED = "It is not a valid target: use ecs:cluster/service, lambda:function or ssm:document."
_ELSEWHERE = "It is in another account or Region than the secret."
_NOT_LISTED = "It is not in the stack's restartTargets, so it is not restarted."


class RestartState(StrEnum):
    """The state of a restart that an incident requested."""

    WANTED = "wanted"
    REFUSED = "refused"
    """It is not started: not allowed, malformed, or stopped by the kill switch."""
    STARTED = "started"
    COVERED = "covered"
    """A restart for another incident, started after the new value was in use, covers it."""
    SETTLED = "settled"
    FAILED = "failed"


UNDER_WAY = (RestartState.STARTED, RestartState.COVERED)
"""States of a restart that is running."""
UNFINISHED = (RestartState.WANTED, *UNDER_WAY)
"""States that the incident waits for."""


class CannotBeRestarted(RuntimeError):
    """A retry would not help. The message is a sentence without text of others."""


class TransientError(RuntimeError):
    """A retry may help. The message is AWS's error code or the error's class, without its text."""


class NotReady(RuntimeError):
    """AWS is busy with the target; it can be restarted later. The message is a sentence without text of others."""


@dataclass(frozen=True)
class RestartStatus:
    """The status of a restart that was started."""

    state: RestartState
    """STARTED or COVERED while it is running, SETTLED or FAILED; WANTED if it must be started again."""
    why: str = ""
    """A sentence, or empty."""


@dataclass(frozen=True)
class Target:
    """A resource that can be restarted."""

    kind: str
    """`ecs`, `lambda` or `ssm`."""
    name: str
    """`cluster/service`, a function, or a document."""
    arn: str

    @property
    def label(self) -> str:
        """Its form in a tag, such as `ecs:cluster/service`."""
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True)
class Restart:
    """One entry of an incident's `restarts`."""

    target: str
    arn: str
    state: str
    why: str = ""
    restart_id: str = ""
    """The service's id of the restart; `handle` in rows."""
    before: tuple[str, ...] = ()
    """Ids of earlier restarts, if the service needs them to recognize the new one."""

    @classmethod
    def from_row(cls, entry: Mapping[str, Any]) -> Self:
        """Parse an entry of an incident's row, as written by `to_row` or `plan_restarts`."""
        fields: dict[str, Any] = {**entry, "before": tuple(entry.get("before", ()))}
        return cls(restart_id=fields.pop("handle", ""), **fields)

    def to_row(self) -> dict[str, Any]:
        """The entry in the incident's row."""
        entry = {**asdict(self), "handle": self.restart_id, "before": [*self.before]}
        del entry["restart_id"]
        return entry


def plan_restarts(tag_value: str, secret_arn: str, allowed_arns: Iterable[str]) -> list[dict[str, str]]:
    """The restarts in a secret's tag, in order and without duplicates, as entries of an incident's row.

    Entries are separated by spaces or commas. A target that is malformed or not allowed is `refused`.
    """
    allowed = {to_canonical_arn(arn) for arn in allowed_arns}
    planned: dict[str, Restart] = {}
    for entry in filter(None, re.split(r"[\s,]+", tag_value)):
        try:
            target = parse_target(entry, secret_arn)
        except CannotBeRestarted as problem:
            planned.setdefault(entry, Restart(entry, "", RestartState.REFUSED, str(problem)))
            continue
        state, why = (RestartState.WANTED, "") if target.arn in allowed else (RestartState.REFUSED, _NOT_LISTED)
        planned.setdefault(target.arn, Restart(target.label, target.arn, state, why))
    return [
        {"target": restart.target, "arn": restart.arn, "state": str(restart.state), "why": restart.why}
        for restart in planned.values()
    ]


def parse_target(entry: str, secret_arn: str) -> Target:
    """Parse an entry, a label or an ARN, as a target in the account and Region of the secret.

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
    arn = to_canonical_arn(f"arn:{partition}:{kind}:{region}:{account}:{resource}")
    if entry.startswith("arn:") and to_canonical_arn(entry) != arn:
        raise CannotBeRestarted(_ELSEWHERE)
    return Target(kind, name, arn)


def read_target_kind(target_arn: str) -> str:
    """The kind of a target, from its ARN."""
    return target_arn.split(":")[2]


def make_idempotency_key(secret_arn: str, opened_at: str, requested_at: int, target_arn: str) -> str:
    """A UUID that identifies one restart of one target, the same for every try.

    `requested_at` is when the incident requested its restarts, in epoch milliseconds. The execution is not part of it,
    because another execution may continue after one has died.
    """
    return str(uuid.uuid5(_NAMESPACE, " ".join((secret_arn, opened_at, str(requested_at), target_arn))))


def summarize(restarts: Iterable[Restart]) -> str:
    """The combined state of an incident's restarts.

    `wanted` while one must be started, `waiting` while one is running, then `failed` if one failed, else `settled`.
    """
    states = {restart.state for restart in restarts}
    if RestartState.WANTED in states:
        return "wanted"
    if states.intersection(UNDER_WAY):
        return "waiting"
    return "failed" if RestartState.FAILED in states else "settled"


def is_abandoned(incident: Mapping[str, Any], now: int) -> bool:
    """Whether the restarts in this incident's row are unfinished and their workflow is overdue.

    `now` is in epoch seconds, as is the row's `alive_until`, the deadline of its workflow.
    """
    return incident.get("state") == RESTARTING and int(incident.get("alive_until") or 0) < now


def to_canonical_arn(arn: str) -> str:
    """The target's ARN in policies: without an account for a document owned by AWS."""
    owned = _OWNED_BY_AWS.fullmatch(arn)
    return f"{owned[1]}::{owned[2]}" if owned else arn
