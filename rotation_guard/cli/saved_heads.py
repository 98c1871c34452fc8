"""The ends of all chains in a file: kept where nobody who can write to the tables can, it shows what they rewrote."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rotation_guard.domain.evidence.verification import SavedHead
from rotation_guard.domain.timestamps import to_iso

from .chain_reader import TableVerification
from .deployment import Deployment
from .errors import Unreachable, UsageError
from .parsing import read_json
from .whole_file import write_whole_file

FORMAT_VERSION = 1


def read_heads(name: str, deployment: Deployment) -> dict[str, dict[str, SavedHead]]:
    """The heads in a file that `write_heads` wrote, by table and key. Raises UsageError.

    The file must be of the same tables: with those of another stack, every chain would seem to be gone.
    """
    content = read_json("--heads", name)
    try:
        if content["version"] != FORMAT_VERSION:
            raise UsageError(f"--heads must have version {FORMAT_VERSION}, got {content['version']!r} in {name}.")
        heads = {
            table: (entry["table_name"], {key: _parse(saved) for key, saved in entry["heads"].items()})
            for table, entry in content["tables"].items()
        }
    except (KeyError, TypeError, AttributeError, ValueError):
        raise UsageError(f"--heads must be a file that --save-heads wrote, got {name}.") from None
    names = [output for output in deployment.outputs.values() if isinstance(output, str)]
    for table_name, _ in heads.values():
        if table_name not in names:
            raise UsageError(
                f"--heads must be of the tables of {deployment.description}, got table {table_name} in {name}."
            )
    return {table: saved for table, (_, saved) in heads.items()}


def write_heads(name: str, deployment: Deployment, now: datetime, tables: Iterable[TableVerification]) -> None:
    """Write the ends of these tables' chains. Raises Unreachable if the file cannot be written.

    The file is replaced when it is complete, so an earlier one is never lost to a full disk.
    """
    try:
        write_whole_file(Path(name), json.dumps(describe_heads(deployment, now, tables), indent=1) + "\n")
    except OSError as error:
        raise Unreachable(f"--save-heads cannot be written to {name}: {error.strerror}.") from None


def describe_heads(deployment: Deployment, now: datetime, tables: Iterable[TableVerification]) -> Mapping[str, Any]:
    """The ends of these tables' chains, as a file has them."""
    return {
        "version": FORMAT_VERSION,
        "saved_at": to_iso(now),
        "source": dict(deployment.source),
        "tables": {
            verified.table.name: {
                "table_name": verified.table_name,
                "heads": {
                    key: {"sequence": head.sequence, "hash": head.hash, "unlinked": head.unlinked}
                    for key, head in sorted(verified.heads.items())
                },
            }
            for verified in tables
        },
    }


def _parse(saved: Mapping[str, Any]) -> SavedHead:
    head = SavedHead(saved["sequence"], saved["hash"], saved["unlinked"])
    if not (isinstance(head.sequence, int) and isinstance(head.hash, str) and isinstance(head.unlinked, int)):
        raise ValueError(saved)
    return head
