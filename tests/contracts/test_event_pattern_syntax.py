"""Components and the policy pack hold event patterns to the same rules.

The pack is published as its folder alone and imports nothing of ours, and components are installed without it. So it
has a copy of the domain's file, which `make docs` writes.
"""

import json

from components.settings.validation import complaints_about
from docs.generate import PATTERN_SYNTAX, PATTERN_SYNTAX_OF_THE_PACK
from tests.paths import ROOT

ANSWERS = json.loads((ROOT / "tests" / "policies" / "samples" / "event_ruler.json").read_text())


def find_complaints(pattern):
    return complaints_about({"extra_rules": [{"name": "x", "event_pattern": pattern, "to": "audit"}]})


def test_the_pack_has_the_same_rules():
    assert PATTERN_SYNTAX_OF_THE_PACK.read_bytes() == PATTERN_SYNTAX.read_bytes(), "run make docs"


def test_an_extra_rule_is_rejected_if_event_ruler_rejects_its_pattern():
    assert [pattern for pattern, _ in ANSWERS["refused"] if not find_complaints(pattern)] == []


def test_an_extra_rule_is_accepted_if_event_ruler_accepts_its_pattern():
    assert [pattern for pattern in ANSWERS["accepted"] if find_complaints(pattern)] == []
