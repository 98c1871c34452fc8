"""Checks a directory of evidence: every file against the manifest, and the manifest against its signature."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rotation_guard.domain.timestamps import to_iso

from ..aws import AwsSession
from ..errors import CommandError
from ..identity import Identity
from ..provenance import Provenance
from ..report import JSON_VERSION, Records, Report
from ..terminal import GREEN, RED, Column, Row
from .manifest import MANIFEST, PUBLIC_KEY, SIGNATURE, find_differences, read_manifest
from .signature import is_signed, read_signature

_COLUMNS = (Column("FILE"), Column("STATE"))
_FIELDS = ("file", "state", "reason")
OK, BROKEN, UNKNOWN = "ok", "broken", "cannot tell"


def check_evidence(name: str, session: AwsSession, now: datetime) -> Report:
    """The Report of a check; a broken file needs attention, and a signature that cannot be checked is unreadable.

    Raises UsageError if it is no directory of evidence.
    """
    directory = Path(name)
    content, listed = read_manifest(directory)
    # Whoever verifies may do so from any account.
    provenance = Provenance(session, subject=_find_subject(content))
    differences = find_differences(directory, listed)
    files = [(file.name, differences.pop(file.name, "")) for file in listed] + sorted(differences.items())
    states = [(file, BROKEN if reason else OK, reason) for file, reason in files]
    signature, unreadable = _check_signature(directory, session)
    states.append((MANIFEST, *signature))
    broken = sum(state == BROKEN for _, state, _ in states)
    about = content.get("headline") or "nothing was counted"
    summary = (
        f"{len(listed)} files are as the manifest says, which was made at {content.get('generated_at')}."
        if not broken
        else f"{broken} of {len(states)} {'is' if broken == 1 else 'are'} not as the manifest says."
    )
    report = Report(
        headline=f"The evidence in {name}, checked at {now:%Y-%m-%d %H:%M:%S} UTC.",
        answer=f"{about}.",
        columns=_COLUMNS,
        rows=[
            Row(file, [(state, GREEN if state == OK else RED)], f"It {reason}." if reason else "")
            for file, state, reason in states
        ],
        summary=summary,
        body=_body(name, content, states, now),
        csv=Records(_FIELDS, states),
        markdown=Records(_FIELDS, states),
        has_attention=broken > 0,
        unreadable=unreadable,
    )
    return provenance.attach(report)


def _find_subject(content: Mapping[str, Any]) -> Identity:
    """The account and Region that the evidence is about; unknown if it is about several."""
    parts = [part.get("identity") for part in content.get("parts") or () if isinstance(part, Mapping)]
    only = parts[0] if len(parts) == 1 and isinstance(parts[0], Mapping) else {}
    return Identity(*(only.get(field) for field in ("account_id", "account_alias", "region")))


def _check_signature(directory: Path, session: AwsSession) -> tuple[tuple[str, str], list[str]]:
    """The state of the manifest, with the reason, and what of it could not be checked."""
    info = read_signature(directory)
    if info is None:
        return (UNKNOWN, "is not signed: who can change a file here can change the manifest as well"), []
    key = info["key_arn"]
    try:
        if is_signed(session, info, (directory / MANIFEST).read_bytes()):
            return (OK, ""), []
    except (CommandError, OSError) as error:
        offline = (
            f"openssl dgst -sha256 -verify {PUBLIC_KEY} -signature {SIGNATURE} {MANIFEST}, "
            "with a public key from a source that you trust"
        )
        return (UNKNOWN, f"could not be compared with its signature by {key}; without AWS: {offline}"), [str(error)]
    return (BROKEN, f"is not what {key} signed"), []


def _body(name: str, content: Mapping[str, Any], states: list[tuple[str, str, str]], now: datetime) -> dict[str, Any]:
    return {
        "version": JSON_VERSION,
        "generated_at": to_iso(now),
        "source": {"kind": "evidence", "description": f"The evidence in {name}", "name": name},
        "manifest": {key: value for key, value in content.items() if key != "files"},
        "files": [{"name": file, "state": state, "reason": reason or None} for file, state, reason in states],
        "warnings": [],
    }
