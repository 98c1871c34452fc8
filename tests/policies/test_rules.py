"""Every rule finds what it is about, and nothing else, whatever way it gets to see a program."""

import json
from collections.abc import Mapping

import pytest

from policies.model.exemptions import NAME as ABOUT_EXEMPTIONS
from policies.rules import RULES
from tests.policies.programs import KINDS, UNKNOWN_TEXT, Case


def test_a_rule_says_what_its_cases_expect(case: Case, way, judge):
    expected = {} if "preview" in way and _silent_at_preview(case) else case.complaints
    found = judge(case.program, case.rule, case.config)
    assert sorted({name for name, _ in found}) == sorted(expected), found
    for name, message in found:
        assert name in message, message
        for words in _words(expected[name]):
            assert words in message, message


@pytest.mark.parametrize("preview", [False, True])
def test_a_server_that_is_not_ours_shows_every_rule_enough(engine, cases, preview):
    """One case of each kind for each rule: behind the server the path is the same, and so is what the rule says."""
    chosen = {(case.rule, case.kind): case for case in cases}.values()
    assert len(chosen) > 200
    for case in chosen:
        named = []
        for own_server in (True, False):
            pack = engine(own_server=own_server, only=case.rule)
            if case.config:
                pack.configure({case.rule: case.config})
            said = pack.run(case.program, preview=preview)
            named.append(sorted(urn for urn, one in said if one.policyName == case.rule))
        assert named[0] == named[1], case


def test_every_rule_has_cases_of_every_kind(rule_name, cases):
    if rule_name == ABOUT_EXEMPTIONS:
        return
    kinds = {case.kind for case in cases if case.rule == rule_name}
    assert kinds == set(KINDS), f"{rule_name} lacks {set(KINDS) - kinds}"


def test_every_case_is_what_its_kind_says(case: Case):
    assert case.rule in RULES
    assert case.kind in KINDS
    if case.kind == "unknown":
        assert UNKNOWN_TEXT in json.dumps(case.program.previewed())
    elif case.kind in ("plain", "wild"):
        assert case.complaints
    else:
        assert not case.complaints


def test_no_two_cases_are_called_the_same(cases):
    called = [str(case) for case in cases]
    assert called
    assert len(called) == len(set(called))


def test_every_rule_tells_what_a_reader_needs(rule_name):
    rule = RULES[rule_name]
    assert rule.description.endswith(".")
    assert rule.fix.endswith(".")
    assert rule.link.startswith("https://docs.aws.amazon.com/")
    assert rule.severity in ("low", "medium", "high", "critical")
    assert rule.enforcement in ("advisory", "mandatory")
    for schema in rule.parameters.values():
        assert isinstance(schema, Mapping)
        assert {"type", "default", "description"} <= set(schema)


def _silent_at_preview(case: Case) -> bool:
    return case.silent_at_preview or case.kind == "unknown"


def _words(expected: str | tuple[str, ...]) -> tuple[str, ...]:
    return (expected,) if isinstance(expected, str) else expected
