"""Restarts in the Incidents table: the entries of an incident, and who restarted a target last.

A target belongs to many secrets. The row `target#<target arn>`, `restart` says since when its last restart has been
under way and for which incident; it is written before the restart is asked for, and what it is watched by afterwards.
Whatever execution carries an incident's restarts on finds there what was begun.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from rotation_guard.domain.remediation.incidents import ALIVE_SECONDS, RESTARTING
from rotation_guard.domain.remediation.restarts import UNFINISHED, Restart, is_abandoned

from .clients import client
from .incidents import Incidents, LostRace
from .items import Item, from_item, to_item
from .row_updates import update_row

ACTIONS = frozenset({"dynamodb:GetItem", "dynamodb:UpdateItem"})
ATTEMPTS = 5
"""How often to look again when another execution was faster."""
RENEWAL_SECONDS = 600
"""How much of the time may be gone by which a workflow will be heard of, before a step puts it off: less than a write
for each look, and more than one step takes."""
_MINE = "#holder = :mine AND #started_at = :then"
_OWNED = (
    "(attribute_not_exists(#state) OR #state = :restarting) "
    "AND (attribute_not_exists(#ended_by) OR #ended_by = :execution)"
)

Row = dict[str, Any]


class TakenOver(RuntimeError):
    """Another execution carries the restarts of this incident out now: this one is to do nothing more."""


@dataclass(frozen=True)
class Asked:
    """The restarts that an incident has asked for, while this execution is the one to carry them out."""

    secret_arn: str
    opened_at: str
    execution: str
    since: int
    """When it did, epoch milliseconds: later than the new value."""
    written: Sequence[Mapping[str, Any]]
    """As they stand in its row."""

    @property
    def key(self) -> Row:
        """The incident, as a claim names it."""
        return {"secret_arn": self.secret_arn, "opened_at": self.opened_at}

    @property
    def restarts(self) -> list[Restart]:
        """Each of them, in the order of the row."""
        return [Restart.of(entry) for entry in self.written]


@dataclass(frozen=True)
class Claim:
    """The last restart of a target."""

    holder: str = ""
    """The execution that asked for it first."""
    incident: Mapping[str, str] | None = None
    """The incident for which it did, whichever execution carries it on; None in what an older release has written."""
    started_at: int = 0
    """Epoch milliseconds, before it was asked for."""
    token: str = ""
    """What it goes by; empty in what an older release has written."""
    before: tuple[str, ...] | None = None
    """What was there before it, once somebody has looked."""
    handle: str = ""
    """What it is watched by; empty until that is known."""
    problem: str = ""
    """Why it could not be started."""

    @classmethod
    def of(cls, written: Row) -> Self:
        """The claim that a row holds; one of nobody where there is no row."""
        names = ("holder", "incident", "token", "handle", "problem")
        known = {name: written[name] for name in names if name in written}
        before = tuple(written["before"]) if "before" in written else None
        return cls(**known, started_at=int(written.get("started_at", 0)), before=before)

    def is_for(self, asked: Asked) -> bool:
        """Whether it was made for this incident."""
        return self.incident == asked.key if self.incident else self.holder == asked.execution


class RestartLog:
    """The table of this name."""

    def __init__(self, table_name: str) -> None:
        self._table_name = table_name
        self._incidents = Incidents(table_name)
        self._dynamodb = client("dynamodb")

    def asked(self, secret_arn: str, opened_at: str, execution: str, now: int) -> Asked | None:
        """What this incident has asked for, or None where it is not this execution that carries it out.

        `now`, epoch milliseconds, is since when, where the row does not say. Where something is to be done, the row
        says before for how long no other execution may take over. Raises IncidentMissing, and LostRace when others
        write there.
        """
        for _ in range(ATTEMPTS):
            written = self._incidents.existing(secret_arn, opened_at)
            if not _is_owned(written, execution):
                return None
            since = int(written.get("restarts_wanted_at", now))
            asked = Asked(secret_arn, opened_at, execution, since, written.get("restarts", []))
            is_over = not any(restart.state in UNFINISHED for restart in asked.restarts)
            if is_over or self._is_heard_of(written, execution, now // 1000):
                return asked
        raise LostRace(f"{ATTEMPTS} attempts to go on with the restarts of {secret_arn} lost to others")

    def write(self, asked: Asked, index: int, restart: Restart, at: str) -> Asked:
        """Writes down what became of one restart, with the action if its state has changed; answers what stands there.

        What another invocation has written of it meanwhile stays; of the others it is taken over.
        Raises TakenOver when this execution is no longer the one to write there, and LostRace when others were faster
        time and again.
        """
        action = {"action": "restart", "target": restart.target, "at": at, "outcome": str(restart.state)}
        if restart.why:
            action["reason"] = restart.why
        actions = [action] if restart.state != asked.restarts[index].state else []
        for _ in range(ATTEMPTS):
            changed = [*asked.written]
            changed[index] = restart.as_dict()
            if self._incidents.change(
                asked.secret_arn,
                asked.opened_at,
                {"restarts": changed},
                *actions,
                condition=f"#restarts = :read AND {_OWNED}",
                values={":read": [*asked.written], ":restarting": RESTARTING, ":execution": asked.execution},
                names=("state", "ended_by"),
            ):
                return replace(asked, written=changed)
            written = self._incidents.existing(asked.secret_arn, asked.opened_at)
            if not _is_owned(written, asked.execution):
                raise TakenOver(f"another execution carries out the restarts of {asked.secret_arn}")
            before, asked = asked, replace(asked, written=written.get("restarts", []))
            if asked.written[index] != before.written[index]:
                return asked
        raise LostRace(f"{ATTEMPTS} attempts to write the restart of {restart.target} lost to others")

    def claim(self, target_arn: str, asked: Asked, token: str, now: int) -> Claim:
        """Takes the restart of a target for this incident, or answers whose restart since then covers it.

        An incident that asks again gets the claim that it has, whichever execution asks. What could not be started
        covers nothing. One that was claimed and not started by a workflow that is overdue is carried on under the same
        token, as it may have been started all the same. Raises LostRace when others were faster time and again.
        """
        for _ in range(ATTEMPTS):
            known = self.claim_on(target_arn)
            covers = known.started_at >= asked.since and not known.problem
            if known.is_for(asked) or (covers and not self.is_abandoned(known, now // 1000)):
                return known
            taken = Claim(asked.execution, asked.key, now, token)
            if covers and known.token:
                taken = replace(known, holder=asked.execution, incident=asked.key)
            condition = _MINE if known.holder else "attribute_not_exists(#holder)"
            values = {":mine": known.holder, ":then": known.started_at} if known.holder else {}
            changes = {
                "holder": taken.holder,
                "incident": taken.incident,
                "started_at": taken.started_at,
                "token": taken.token,
                "before": None if taken.before is None else [*taken.before],
            }
            if update_row(
                self._table_name,
                _key(target_arn),
                changes,
                remove=("handle", "problem", *(("before",) if taken.before is None else ())),
                condition=condition,
                values=values,
            ):
                return taken
        raise LostRace(f"{ATTEMPTS} attempts to claim the restart of {target_arn} lost to others")

    def note_before(self, target_arn: str, claim: Claim, before: tuple[str, ...]) -> Claim:
        """Writes down what was there before the restart, unless another invocation has; answers the claim with it.

        Raises LostRace when another has claimed the target since.
        """
        is_first = update_row(
            self._table_name,
            _key(target_arn),
            {"before": [*before]},
            condition=f"{_MINE} AND attribute_not_exists(#before)",
            values={":mine": claim.holder, ":then": claim.started_at},
            names=("holder", "started_at"),
        )
        if is_first:
            return replace(claim, before=before)
        known = self.claim_on(target_arn)
        if (known.holder, known.started_at) != (claim.holder, claim.started_at) or known.before is None:
            raise LostRace(f"another execution has claimed the restart of {target_arn}")
        return known

    def note(self, target_arn: str, claim: Claim, handle: str) -> None:
        """Writes down what the restart is watched by, unless another has been claimed since."""
        self._change(target_arn, claim, {"handle": handle}, remove="problem")

    def give_up(self, target_arn: str, claim: Claim, problem: str) -> None:
        """Writes down why it could not be started, for those that it was to cover."""
        self._change(target_arn, claim, {"problem": problem}, remove="handle")

    def claim_on(self, target_arn: str) -> Claim:
        """The last restart of this target."""
        answer = self._dynamodb.get_item(TableName=self._table_name, Key=_key(target_arn), ConsistentRead=True)
        return Claim.of(from_item(answer.get("Item", {})))

    def is_abandoned(self, claim: Claim, now: int) -> bool:
        """Whether a claim has not been started, and nobody is there to do so, by `now` in epoch seconds."""
        if claim.handle or claim.problem or not claim.incident:
            return False
        written = self._incidents.row(claim.incident["secret_arn"], claim.incident["opened_at"]) or {}
        return written.get("state") != RESTARTING or is_abandoned(written, now)

    def _is_heard_of(self, written: Row, execution: str, now: int) -> bool:
        """Has the row say that its workflow will be heard of, unless it says so for long; False if it has changed."""
        alive_until = now + ALIVE_SECONDS
        if int(written.get("alive_until") or 0) >= alive_until - RENEWAL_SECONDS:
            return True
        return self._incidents.change(
            written["secret_arn"],
            written["opened_at"],
            {"alive_until": alive_until},
            condition=_OWNED,
            values={":restarting": RESTARTING, ":execution": execution},
            names=("state", "ended_by"),
        )

    def _change(self, target_arn: str, claim: Claim, changes: dict[str, str], remove: str) -> None:
        update_row(
            self._table_name,
            _key(target_arn),
            changes,
            remove=(remove,),
            condition=_MINE,
            values={":mine": claim.holder, ":then": claim.started_at},
            names=("holder", "started_at"),
        )


def _is_owned(written: Row, execution: str) -> bool:
    """Whether the restarts of this row are for this execution to carry out; a row that does not say is for anyone."""
    return written.get("state", RESTARTING) == RESTARTING and written.get("ended_by", execution) == execution


def _key(target_arn: str) -> Item:
    return to_item({"secret_arn": f"target#{target_arn}", "opened_at": "restart"})
