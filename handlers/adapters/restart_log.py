"""Restarts in the Incidents table: the entries of an incident, and the last restart of each target.

Several secrets may share a target. The row `target#<target arn>`, `restart` has the start time of its last restart and
the incident that requested it. It is written before the restart starts and gets the restart's id afterwards, so another
execution can continue. In rows, `token` is the idempotency key and `handle` the restart's id.
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
"""Optimistic-lock retries: every lost race means another execution made progress."""
RENEWAL_SECONDS = 600
"""How old the workflow's deadline may be before a step renews it: longer than a step takes, and long enough that not
every poll writes."""
_OWN_CLAIM = "#holder = :mine AND #started_at = :then"
_OWN_INCIDENT = (
    "(attribute_not_exists(#state) OR #state = :restarting) "
    "AND (attribute_not_exists(#ended_by) OR #ended_by = :execution)"
)

Row = dict[str, Any]


class OwnershipLost(RuntimeError):
    """Another execution has taken over the restarts of this incident: this one must stop."""


@dataclass(frozen=True)
class RequestedRestarts:
    """The restarts that an incident requested, while this execution owns them."""

    secret_arn: str
    opened_at: str
    execution: str
    requested_at: int
    """Epoch milliseconds: later than the new value."""
    entries: Sequence[Mapping[str, Any]]
    """As stored in the incident's row."""

    @property
    def key(self) -> Row:
        """The incident's key, as stored in a claim."""
        return {"secret_arn": self.secret_arn, "opened_at": self.opened_at}

    @property
    def restarts(self) -> list[Restart]:
        """The restarts, in the order of the row."""
        return [Restart.from_row(entry) for entry in self.entries]


@dataclass(frozen=True)
class RestartClaim:
    """The last restart of a target."""

    holder: str = ""
    """The execution that requested it."""
    incident: Mapping[str, str] | None = None
    """The incident that requested it; None in rows of an older release."""
    started_at: int = 0
    """Epoch milliseconds, before the restart was started."""
    idempotency_key: str = ""
    """Empty in rows of an older release."""
    before: tuple[str, ...] | None = None
    """Ids of earlier restarts; None until they were listed."""
    restart_id: str = ""
    """The service's id of the restart; empty until it is known."""
    problem: str = ""
    """Why it could not be started."""

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """Parse the row of a target, which may be empty."""
        known = {field: row[name] for name, field in _CLAIM_ATTRIBUTES.items() if name in row}
        before = tuple(row["before"]) if "before" in row else None
        return cls(**known, started_at=int(row.get("started_at", 0)), before=before)

    def is_for(self, requested: RequestedRestarts) -> bool:
        """Whether this incident requested it."""
        return self.incident == requested.key if self.incident else self.holder == requested.execution


_CLAIM_ATTRIBUTES = {
    "holder": "holder",
    "incident": "incident",
    "token": "idempotency_key",
    "handle": "restart_id",
    "problem": "problem",
}
"""Attribute -> field of RestartClaim."""


class RestartLog:
    """The Incidents table of this name."""

    def __init__(self, table_name: str) -> None:
        self._table_name = table_name
        self._incidents = Incidents(table_name)
        self._dynamodb = client("dynamodb")

    def read_requested(self, secret_arn: str, opened_at: str, execution: str, now: int) -> RequestedRestarts | None:
        """Read the restarts that an incident requested; None if another execution owns them.

        `now`, in epoch milliseconds, is the request's time if the row has none. If restarts are unfinished, this
        renews the workflow's deadline. Raises IncidentMissing, and LostRace if other executions keep updating the row.
        """
        for _ in range(ATTEMPTS):
            row = self._incidents.read_existing(secret_arn, opened_at)
            if not _is_owned(row, execution):
                return None
            requested_at = int(row.get("restarts_wanted_at", now))
            requested = RequestedRestarts(secret_arn, opened_at, execution, requested_at, row.get("restarts", []))
            is_finished = not any(restart.state in UNFINISHED for restart in requested.restarts)
            if is_finished or self._renew_deadline(row, execution, now // 1000):
                return requested
        raise LostRace(f"{ATTEMPTS} attempts to continue the restarts of {secret_arn} lost to others")

    def update(self, requested: RequestedRestarts, index: int, restart: Restart, at: str) -> RequestedRestarts:
        """Store one restart, with an action if its state has changed, and return all restarts as stored.

        An update of the same restart by another invocation wins; updates of the others are kept. Raises OwnershipLost
        if another execution owns the restarts by now, and LostRace if other executions keep updating the row.
        """
        action = {"action": "restart", "target": restart.target, "at": at, "outcome": str(restart.state)}
        if restart.why:
            action["reason"] = restart.why
        actions = [action] if restart.state != requested.restarts[index].state else []
        for _ in range(ATTEMPTS):
            entries = [*requested.entries]
            entries[index] = restart.to_row()
            if self._incidents.update(
                requested.secret_arn,
                requested.opened_at,
                {"restarts": entries},
                *actions,
                condition=f"#restarts = :read AND {_OWN_INCIDENT}",
                values={":read": [*requested.entries], ":restarting": RESTARTING, ":execution": requested.execution},
                names=("state", "ended_by"),
            ):
                return replace(requested, entries=entries)
            row = self._incidents.read_existing(requested.secret_arn, requested.opened_at)
            if not _is_owned(row, requested.execution):
                raise OwnershipLost(f"another execution owns the restarts of {requested.secret_arn}")
            previous, requested = requested, replace(requested, entries=row.get("restarts", []))
            if requested.entries[index] != previous.entries[index]:
                return requested
        raise LostRace(f"{ATTEMPTS} attempts to update the restart of {restart.target} lost to others")

    def claim(self, target_arn: str, requested: RequestedRestarts, idempotency_key: str, now: int) -> RestartClaim:
        """Claim the restart of a target for this incident, or return a later claim that covers it.

        An incident that claims again gets its own claim, in any execution. A restart that could not be started covers
        nothing. A claim that an overdue workflow left without a restart is continued with the same idempotency key,
        because the restart may have been started. Raises LostRace if other executions keep updating the row.
        """
        for _ in range(ATTEMPTS):
            claim = self.read_claim(target_arn)
            is_recent = claim.started_at >= requested.requested_at and not claim.problem
            if claim.is_for(requested) or (is_recent and not self.is_abandoned(claim, now // 1000)):
                return claim
            new = RestartClaim(requested.execution, requested.key, now, idempotency_key)
            if is_recent and claim.idempotency_key:
                new = replace(claim, holder=requested.execution, incident=requested.key)
            condition = _OWN_CLAIM if claim.holder else "attribute_not_exists(#holder)"
            values = {":mine": claim.holder, ":then": claim.started_at} if claim.holder else {}
            changes = {
                "holder": new.holder,
                "incident": new.incident,
                "started_at": new.started_at,
                "token": new.idempotency_key,
                "before": None if new.before is None else [*new.before],
            }
            if update_row(
                self._table_name,
                _key(target_arn),
                changes,
                remove=("handle", "problem", *(("before",) if new.before is None else ())),
                condition=condition,
                values=values,
            ):
                return new
        raise LostRace(f"{ATTEMPTS} attempts to claim the restart of {target_arn} lost to others")

    def record_previous(self, target_arn: str, claim: RestartClaim, before: tuple[str, ...]) -> RestartClaim:
        """Store the ids of earlier restarts unless another invocation has; return the claim with them.

        Raises LostRace if another execution has claimed the target since.
        """
        is_first = update_row(
            self._table_name,
            _key(target_arn),
            {"before": [*before]},
            condition=f"{_OWN_CLAIM} AND attribute_not_exists(#before)",
            values={":mine": claim.holder, ":then": claim.started_at},
            names=("holder", "started_at"),
        )
        if is_first:
            return replace(claim, before=before)
        stored = self.read_claim(target_arn)
        if (stored.holder, stored.started_at) != (claim.holder, claim.started_at) or stored.before is None:
            raise LostRace(f"another execution has claimed the restart of {target_arn}")
        return stored

    def record_restart(self, target_arn: str, claim: RestartClaim, restart_id: str) -> None:
        """Store the restart's id, unless another restart has been claimed since."""
        self._update_claim(target_arn, claim, {"handle": restart_id}, remove="problem")

    def record_failure(self, target_arn: str, claim: RestartClaim, problem: str) -> None:
        """Store why the restart could not be started, for the incidents that it was to cover."""
        self._update_claim(target_arn, claim, {"problem": problem}, remove="handle")

    def read_claim(self, target_arn: str) -> RestartClaim:
        """Read the last restart of this target."""
        response = self._dynamodb.get_item(TableName=self._table_name, Key=_key(target_arn), ConsistentRead=True)
        return RestartClaim.from_row(from_item(response.get("Item", {})))

    def is_abandoned(self, claim: RestartClaim, now: int) -> bool:
        """Whether a claim has no restart, and no live workflow that would start it, at `now` in epoch seconds."""
        if claim.restart_id or claim.problem or not claim.incident:
            return False
        row = self._incidents.read(claim.incident["secret_arn"], claim.incident["opened_at"]) or {}
        return row.get("state") != RESTARTING or is_abandoned(row, now)

    def _renew_deadline(self, row: Row, execution: str, now: int) -> bool:
        """Renew the deadline of the row's workflow if it is old; False if the row has changed."""
        alive_until = now + ALIVE_SECONDS
        if int(row.get("alive_until") or 0) >= alive_until - RENEWAL_SECONDS:
            return True
        return self._incidents.update(
            row["secret_arn"],
            row["opened_at"],
            {"alive_until": alive_until},
            condition=_OWN_INCIDENT,
            values={":restarting": RESTARTING, ":execution": execution},
            names=("state", "ended_by"),
        )

    def _update_claim(self, target_arn: str, claim: RestartClaim, changes: dict[str, str], remove: str) -> None:
        update_row(
            self._table_name,
            _key(target_arn),
            changes,
            remove=(remove,),
            condition=_OWN_CLAIM,
            values={":mine": claim.holder, ":then": claim.started_at},
            names=("holder", "started_at"),
        )


def _is_owned(row: Row, execution: str) -> bool:
    """Whether this execution owns the restarts of this row; a row without an owner belongs to any execution."""
    return row.get("state", RESTARTING) == RESTARTING and row.get("ended_by", execution) == execution


def _key(target_arn: str) -> Item:
    return to_item({"secret_arn": f"target#{target_arn}", "opened_at": "restart"})
