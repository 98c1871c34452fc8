"""Components and the policy pack hold event patterns to the same rules, which are written once.

The pack is published as its folder alone, and components are installed without it: so the file is the pack's, and the
components have a link to it, which a wheel resolves.
"""

import json
from pathlib import Path

from components.validation import complaints_about

ROOT = Path(__file__).resolve().parents[2]
LINK, HOME = (ROOT / room / "event_pattern_syntax.py" for room in ("components", "policies"))
ANSWERS = json.loads((ROOT / "tests" / "policies" / "samples" / "event_ruler.json").read_text())


def find_complaints(pattern):
    return complaints_about({"extra_rules": [{"name": "x", "event_pattern": pattern, "to": "audit"}]})


def test_the_rules_have_one_home():
    assert LINK.is_symlink()
    assert LINK.resolve() == HOME
    assert not HOME.is_symlink()


def test_an_extra_rule_is_refused_where_event_ruler_refuses_its_pattern():
    assert [pattern for pattern, _ in ANSWERS["refused"] if not find_complaints(pattern)] == []


def test_an_extra_rule_is_taken_where_event_ruler_accepts_its_pattern():
    assert [pattern for pattern in ANSWERS["accepted"] if find_complaints(pattern)] == []
