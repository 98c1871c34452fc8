"""Prints the changelog's section of a version, for the text of a release: `python -m docs.release_notes 0.2.0`."""

import re
import sys
from pathlib import Path

from components.release import VERSION

ROOT = Path(__file__).resolve().parent.parent


def read_notes(version: str) -> str:
    """The section of this version. ValueError says why there cannot be a release of it."""
    pack = (ROOT / "policies" / "PulumiPolicy.yaml").read_text()
    if version != VERSION:
        raise ValueError(f"VERSION in components/release.py must be {version}, got {VERSION}")
    if f"\nversion: {version}\n" not in pack:
        raise ValueError(f"version in policies/PulumiPolicy.yaml must be {version}")
    section = re.search(
        rf"^## {re.escape(version)}\n(.*?)(?=^## |\Z)", (ROOT / "CHANGELOG.md").read_text(), re.DOTALL | re.MULTILINE
    )
    if section is None:
        raise ValueError(f"CHANGELOG.md must have a section {version}, and has none")
    return section[1].strip() + "\n"


if __name__ == "__main__":
    try:
        sys.stdout.write(read_notes(sys.argv[1]))
    except ValueError as error:
        sys.exit(str(error))
