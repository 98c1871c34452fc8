"""The manifest of a directory of evidence: the SHA-256 of every file, so that a change of any of them shows."""

import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError

FORMAT = "rotation-guard.evidence/1"
MANIFEST, SIGNATURE, PUBLIC_KEY = "manifest.json", "manifest.sig", "public-key.pem"
SIGNATURE_INFO = "signature.json"
UNLISTED = frozenset({MANIFEST, SIGNATURE, PUBLIC_KEY, SIGNATURE_INFO})
"""Files that the manifest cannot list: itself, and what is made of it."""
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Listed:
    """One file in a manifest."""

    name: str
    sha256: str
    """In hexadecimal digits, as `sha256sum` prints it."""
    size: int
    """Bytes."""


def build_manifest(files: Mapping[str, bytes], facts: Mapping[str, Any]) -> bytes:
    """The manifest of these files, as JSON in UTF-8; `facts` say what the evidence is about."""
    listed = [
        {"name": name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in sorted(files.items())
    ]
    return (json.dumps({"format": FORMAT, **facts, "files": listed}, indent=2) + "\n").encode()


def is_evidence(target: str) -> bool:
    """Whether this names a directory that has a manifest."""
    try:
        return (Path(target) / MANIFEST).is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def read_manifest(directory: Path) -> tuple[Mapping[str, Any], list[Listed]]:
    """The manifest of a directory, and the files that it lists. Raises UsageError."""
    path = directory / MANIFEST
    try:
        content = json.loads(path.read_bytes())
        listed = [Listed(str(file["name"]), str(file["sha256"]), int(file["bytes"])) for file in content["files"]]
        chosen = content["format"]
    except OSError as error:
        raise UsageError(f"DIR must have a readable {MANIFEST}, got {path}: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        raise UsageError(f"DIR must have a {MANIFEST} of `report --evidence`, got {path}.") from None
    if chosen != FORMAT:
        raise UsageError(f"DIR must have evidence of the format {FORMAT}, got {chosen!r} in {path}.")
    if not isinstance(parts := content.get("parts"), list):
        raise UsageError(f"DIR must have a {MANIFEST} with a list of parts, got {parts!r:.40} in {path}.")
    return content, listed


def find_differences(directory: Path, listed: list[Listed]) -> dict[str, str]:
    """By file, in what it differs from the manifest: `changed`, `missing`, `added`, or why it cannot be read."""
    differences: dict[str, str] = {}
    for file in listed:
        if Path(file.name).name != file.name:
            differences[file.name] = "is listed outside of the directory"
            continue
        path = directory / file.name
        try:
            # A pipe or a device may never end, and a link may lead to what the manifest does not cover.
            if not stat.S_ISREG(path.lstat().st_mode):
                differences[file.name] = "is no regular file"
                continue
            digest, size = _hash(path)
        except FileNotFoundError:
            differences[file.name] = "is missing"
        except ValueError:  # a name that no file can have
            differences[file.name] = "is missing: its name is invalid"
        except OSError as error:
            differences[file.name] = f"cannot be read: {error.strerror}"
        else:
            if (digest, size) != (file.sha256, file.size):
                differences[file.name] = f"was changed: its SHA-256 is {digest}, and the manifest has {file.sha256}"
    known = {file.name for file in listed} | {MANIFEST}
    if (directory / SIGNATURE).exists():
        known |= UNLISTED
    for path in sorted(directory.iterdir()):
        if path.name not in known:
            differences[path.name] = "was added: the manifest does not list it"
    return differences


def _hash(path: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size
