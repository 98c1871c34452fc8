"""Writes a directory of evidence: complete, or not at all."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rotation_guard.domain.timestamps import to_iso

from ..aws import AwsSession
from ..errors import Unreachable, UsageError
from ..identity import product_version
from ..provenance import build_head
from ..secret_answer import SecretAnswer
from ..whole_file import write_whole_directory
from .manifest import MANIFEST, build_manifest
from .signature import sign

OPTION = "--evidence"


def check_directory(name: str) -> Path:
    """The directory to write, which must not exist yet, or be empty. Raises UsageError."""
    path = Path(name)
    try:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UsageError(f"{OPTION} must be a new or an empty directory, got {name}.")
        if not path.absolute().parent.is_dir():
            raise UsageError(f"{OPTION} must be in a directory that exists, got {name}.")
    except OSError as error:
        raise UsageError(f"{OPTION} must be a directory that can be read, got {name}: {error.strerror}.") from None
    return path


def write_evidence(
    path: Path,
    files: Mapping[str, bytes],
    answer: SecretAnswer,
    session: AwsSession,
    key_id: str | None,
) -> list[str]:
    """Write these files, the settings, the manifest, and with a key its signature; return the names of all files.

    Nothing is left behind if it fails. Raises CommandError.
    """
    complete = {**files, "settings.json": _to_json(_describe_settings(answer))}
    manifest = build_manifest(complete, _list_facts(answer))
    signature = sign(session, key_id, manifest, answer.generated_at) if key_id else {}
    everything = {**complete, MANIFEST: manifest, **signature}
    try:
        write_whole_directory(path, everything)
    except OSError as error:
        raise Unreachable(f"{OPTION} cannot be written to {path}: {error.strerror}.") from None
    return sorted(everything)


def _list_facts(answer: SecretAnswer) -> dict[str, Any]:
    return {
        "generated_at": to_iso(answer.generated_at),
        "as_of": to_iso(answer.at),
        "product_version": product_version(),
        "headline": answer.headline or None,
        "parts": [
            {"source": dict(part.source), "identity": part.identity.to_json(), "run_id": (part.run or {}).get("run_id")}
            for part in answer.parts
        ],
        "unreadable": answer.unreadable,
    }


def _describe_settings(answer: SecretAnswer) -> dict[str, Any]:
    head = build_head(answer)
    parts = [{name: part[name] for name in ("source", "identity", "settings")} for part in head["parts"]]
    return {"filters": dict(answer.filters), "parts": parts}


def _to_json(content: Any) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=True) + "\n").encode()
