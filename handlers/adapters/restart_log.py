"""Restarts in the Incidents table: the entries of an incident, and who restarted a target last.

A target belongs to many secrets. The row `target#<target arn>`, `restart` says since when its last restart has been
under way and whose it is; it is written before the restart is asked for, and what it is watched by afterwards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from ..domain.restarts import Restart
from .clients import client
from .incidents import Incidents, LostRace
from .items import Item, item, row
from .updates import update

ACTIONS = frozenset({"dynamodb:GetItem", "dynamodb:UpdateItem"})
ATTEMPTS = 5
"""How often to look again when another execution was faster."""
_MINE = "#holder = :mine AND #started_at = :then"


@dataclass(frozen=True)
class Asked:
    """The restarts that an incident has asked for."""

    secret_arn: str
    opened_at: str
    since: int
    """When it did, epoch milliseconds: later than the new value."""
    written: Sequence[Mapping[str, Any]]
    """As they stand in its row."""

    @property
    def restarts(self) -> list[Restart]:
        """Each of them, in the order of the row."""
        return [Restart.of(entry) for entry in self.written]


@dataclass(frozen=True)
class Claim:
    """The last restart of a target."""

    holder: str = ""
    """The execution that asked for it."""
    started_at: int = 0
    """Epoch milliseconds, before it was asked for."""
    handle: str = ""
    """What it is watched by; empty until that is known."""
    problem: str = ""
    """Why it could not be started."""

    @classmethod
    def of(cls, written: dict[str, Any]) -> Self:
        """The claim that a row holds; one of nobody where there is no row."""
        known = {name: written[name] for name in ("holder", "handle", "problem") if name in written}
        return cls(**known, started_at=int(written.get("started_at", 0)))


class RestartLog:
    """The table of this name."""

    def __init__(self, table_name: str) -> None:
        self._table_name = table_name
        self._incidents = Incidents(table_name)
        self._dynamodb = client("dynamodb")

    def asked(self, secret_arn: str, opened_at: str, now: int) -> Asked:
        """What this incident has asked for; since now, where its row does not say since when."""
        written = self._incidents.row(secret_arn, opened_at) or {}
        since = int(written.get("restarts_wanted_at", now))
        return Asked(secret_arn, opened_at, since, written.get("restarts", []))

    def write(self, asked: Asked, index: int, restart: Restart, at: str) -> Asked:
        """Writes down what became of one restart, with the action, in one write; answers what stands there now.

        Raises LostRace when another invocation has written there since it was read.
        """
        changed = [*asked.written]
        changed[index] = restart.as_dict()
        action = {"action": "restart", "target": restart.target, "at": at, "outcome": str(restart.state)}
        if restart.why:
            action["reason"] = restart.why
        is_written = self._incidents.change(
            asked.secret_arn,
            asked.opened_at,
            {"restarts": changed},
            action,
            condition="#restarts = :read",
            values={":read": [*asked.written]},
        )
        if not is_written:
            raise LostRace("another invocation wrote these restarts first")
        return replace(asked, written=changed)

    def claim(self, target_arn: str, holder: str, since: int, now: int) -> Claim:
        """Takes the restart of a target for this execution, or answers whose restart since then covers it.

        A holder that asks again gets the claim that it has. What could not be started covers nothing.
        Raises LostRace when others were faster time and again.
        """
        for _ in range(ATTEMPTS):
            known = self.claim_on(target_arn)
            covers = known.started_at >= since and not known.problem
            if known.holder == holder or covers:
                return known
            condition = _MINE if known.holder else "attribute_not_exists(#holder)"
            values = {":mine": known.holder, ":then": known.started_at} if known.holder else {}
            changes = {"holder": holder, "started_at": now}
            if update(
                self._table_name,
                _key(target_arn),
                changes,
                remove=("handle", "problem"),
                condition=condition,
                values=values,
            ):
                return Claim(holder, now)
        raise LostRace(f"{ATTEMPTS} attempts to claim the restart of {target_arn} lost to others")

    def note(self, target_arn: str, claim: Claim, handle: str) -> None:
        """Writes down what the restart is watched by, unless another has been claimed since."""
        self._change(target_arn, claim, {"handle": handle}, remove="problem")

    def give_up(self, target_arn: str, claim: Claim, problem: str) -> None:
        """Writes down why it could not be started, for those that it was to cover."""
        self._change(target_arn, claim, {"problem": problem}, remove="handle")

    def claim_on(self, target_arn: str) -> Claim:
        """The last restart of this target."""
        answer = self._dynamodb.get_item(TableName=self._table_name, Key=_key(target_arn), ConsistentRead=True)
        return Claim.of(row(answer.get("Item", {})))

    def _change(self, target_arn: str, claim: Claim, changes: dict[str, str], remove: str) -> None:
        update(
            self._table_name,
            _key(target_arn),
            changes,
            remove=(remove,),
            condition=_MINE,
            values={":mine": claim.holder, ":then": claim.started_at},
            names=("holder", "started_at"),
        )


def _key(target_arn: str) -> Item:
    return item({"secret_arn": f"target#{target_arn}", "opened_at": "restart"})
