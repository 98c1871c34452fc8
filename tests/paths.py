"""Where tests find what is no code: the repository, and the recorded events."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The repository."""
EVENTS = ROOT / "tests" / "events"
"""Recorded events of AWS, a JSON file each."""
