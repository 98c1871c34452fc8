"""Every rule reports what its cases expect, from a file and in the engine, at a preview and at an update."""

import json
from collections.abc import Mapping

from policies.model.exemptions import NAME as ABOUT_EXEMPTIONS
from policies.rules import RULES
from tests.policies.programs import KINDS, UNKNOWN_TEXT, Case


def test_a_rule_says_what_its_cases_expect(case: Case, evaluations):
    for way, evaluate in evaluations.items():
        expected = {} if "preview" in way and _silent_at_preview(case) else case.complaints
        complaints = evaluate(case.program, case.rule, case.config)
        assert sorted({name for name, _ in complaints}) == sorted(expected), (way, complaints)
        for name, message in complaints:
            assert name in message, (way, message)
            for words in _words(expected[name]):
                assert words in message, (way, message)


def test_every_rule_has_cases_of_every_kind(rule_name, cases):
    if rule_name == ABOUT_EXEMPTIONS:
        return
    kinds = {case.kind for case in cases if case.rule == rule_name}
    assert kinds == set(KINDS), f"{rule_name} lacks {set(KINDS) - kinds}"


def test_every_case_is_what_its_kind_says(cases):
    for case in cases:
        assert case.rule in RULES, case
        assert case.kind in KINDS, case
        if case.kind == "unknown":
            assert UNKNOWN_TEXT in json.dumps(case.program.previewed()), case
        else:
            assert bool(case.complaints) == (case.kind in ("typical", "variant")), case


def test_case_names_are_unique(cases):
    called = [str(case) for case in cases]
    assert called
    assert len(called) == len(set(called))


def test_every_rule_has_complete_metadata(rule_name):
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
