"""What the members of an organisation reported to their hub: a part of the report for each account and Region."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rotation_guard.domain.audit.secret_rows import SecretRow, from_record
from rotation_guard.domain.audit.secret_totals import tally_rows
from rotation_guard.domain.audit.tally import tally_run

from .audit_history import RunHistory
from .deployment import Deployment, require_account
from .dynamodb import Record
from .identity import Identity, begin_identity
from .parsing import parse_timestamp
from .secret_answer import Part, Reading
from .tables import HubTables

_Place = tuple[str, str]


def is_hub(deployment: Deployment) -> bool:
    """Whether the outputs are those of a hub, which keeps the statuses of many accounts and no history."""
    return "status_table_name" in deployment.outputs and "table_name" not in deployment.outputs


def read_hub(deployment: Deployment, now: datetime, *, attention: bool) -> list[Reading]:
    """A reading for each account and Region that reports to this hub. Raises Unreachable."""
    identity, tables = begin_identity(deployment.session), HubTables(deployment)
    runs = _group(tables.runs())
    statuses = _group(tables.needing_attention() if attention else tables.statuses())
    known = identity.result()
    require_account(deployment, known.account_id)
    places = sorted(runs.keys() | statuses.keys())
    readings = [
        _read_place(deployment, place, known, statuses.get(place, []), runs.get(place, []), now, attention=attention)
        for place in places
    ]
    return readings or [Reading(Part(deployment.source, known, warnings=["No account has reported to this hub yet."]))]


def _read_place(
    deployment: Deployment,
    place: _Place,
    caller: Identity,
    statuses: Iterable[Record],
    runs: list[Record],
    now: datetime,
    *,
    attention: bool,
) -> Reading:
    account, region = place
    runs.sort(key=lambda run: run.get("started_at") or "", reverse=True)
    history = RunHistory([run for run in runs if run.get("started_at")], now, now)
    rows: list[SecretRow] = [from_record(status, now) for status in statuses if not status.get("gone_since")]
    last: Mapping[str, Any] = history.last or {}
    part = Part(
        source={
            "kind": "member",
            "description": f"Account {account}, Region {region}",
            "account_id": account,
            "region": region,
            "hub": deployment.description,
        },
        identity=Identity(account, None, region, caller.caller_arn),
        settings=last.get("settings") or {},
        tally=tally_run(last) if attention else tally_rows(rows),
        run=history.to_json(),
        last_complete=parse_timestamp(history.complete["finished_at"]) if history.complete else None,
        warnings=history.warnings(),
    )
    return Reading(part, rows)


def _group(records: Iterable[Record]) -> dict[_Place, list[Record]]:
    by_place: dict[_Place, list[Record]] = {}
    for record in records:
        by_place.setdefault((record.get("account") or "", record.get("region") or ""), []).append(record)
    return by_place
