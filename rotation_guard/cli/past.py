"""What was true of every secret at a moment: the last row of its history until then.

In a history of changes a secret has a row only where its verdict or version changed and once a day, and each run lists
which have; in one of every run the last run has a row of each. Ids of runs by hand are in no order of time, so their
rows are fetched by their keys.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from .dynamodb import Record
from .moments import read
from .records import Records
from .runs import Runs, lists_changed


def state(records: Records, statuses: Iterable[Record], runs: Runs) -> list[Record]:
    """The rows that held at the moment until which these runs are."""
    names = [one["secret_name"] for one in statuses if not _gone_before(one, runs.until)]
    found = _of_whole_runs(records, names, runs.runs)
    missing = [name for name in names if name not in found]
    if missing:
        found |= _one_by_one(records, missing, runs.until)
    return [row for row in found.values() if not runs.saw_all_after(row)]


def _of_whole_runs(records: Records, names: Sequence[str], runs: Sequence[Record]) -> dict[str, Record]:
    """From the newest run on: the first of them that has a row of a secret has its last one."""
    found: dict[str, Record] = {}
    for run in runs:
        missing = [name for name in names if name not in found]
        if not missing:
            break
        changed = lists_changed(run)
        asked = missing if changed is None else [name for name in missing if name in changed]
        found |= records.of_run(asked, run["run_id"]) if asked else {}
    return found


def _one_by_one(records: Records, names: Sequence[str], until: datetime) -> dict[str, Record]:
    found = records.last_rows(names, until)
    earliest = min((row["checked_at"] for row in found.values()), default="") if len(found) == len(names) else ""
    by_hand = records.runs_by_hand(read(earliest) if earliest else None, until)
    for run in sorted(by_hand, key=lambda one: one["started_at"], reverse=True):
        earlier = [name for name in names if name not in found or found[name]["checked_at"] < run["started_at"]]
        found |= records.of_run(earlier, run["run_id"])
    return found


def _gone_before(status: Record, until: datetime) -> bool:
    gone = status.get("gone_since")
    return gone is not None and read(gone) <= until
