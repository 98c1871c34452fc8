"""Verdicts for a labelled corpus of secrets, and their order."""

import json
from datetime import datetime

import pytest

from rotation_guard.domain.audit import verdicts
from rotation_guard.domain.audit.age_limits import AgeClass
from rotation_guard.domain.audit.audit_settings import AuditSettings
from rotation_guard.domain.audit.verdicts import NEEDS_ROTATION, OK, UNKNOWN, VERDICT_NAMES, VERDICTS, judge
from rotation_guard.domain.secret import (
    DATE_FIELDS,
    VersionDates,
    date_versions,
    estimate_dates,
    parse_secret,
)
from tests.paths import EVENTS

CORPUS = {path.stem: path for path in sorted((EVENTS / "secrets").glob("*.json"))}
MISTAKES = {
    "last-changed-date",
    "last-rotated-date-null",
    "manual-rotation-ignored",
    "too-young-flagged",
    "replica-flagged",
    "managed-flagged",
    "no-healthy-branch",
    "unreadable-passed",
}


def parse_case(case):
    """The secret of a case of the corpus, and its dates."""
    entry = {name: _date(value) if name in DATE_FIELDS and value else value for name, value in case["entry"].items()}
    secret = parse_secret(entry)
    if "problem" in case:
        return secret, VersionDates(None, problem=case["problem"])
    if "versions" in case:
        return secret, date_versions(
            secret, {version: _date(created_at) for version, created_at in case["versions"].items()}
        )
    return secret, estimate_dates(secret)


def settings_of(case):
    own = dict(case["settings"])
    classes = tuple(AgeClass(**fields) for fields in own.pop("classes", []))
    return AuditSettings(**own, classes=classes)


def judge_case(case):
    return judge(*parse_case(case), settings_of(case), _date(case["now"]))


def _date(text):
    return datetime.fromisoformat(text)


def read_corpus():
    cases = [json.loads(path.read_text()) for path in CORPUS.values()]
    assert cases
    return cases


def test_the_corpus_has_every_status_and_every_mistake_of_public_tools():
    cases = read_corpus()

    assert {case["mistake"] for case in cases if "mistake" in case} == MISTAKES
    assert {case["status"] for case in cases} == {OK, NEEDS_ROTATION, UNKNOWN}


@pytest.mark.parametrize("verdict", VERDICTS, ids=lambda verdict: f"{verdict.name}-{verdict.holds.__name__}")
def test_every_row_of_the_table_has_an_example(verdict, monkeypatch):
    matched = []

    def first_match(case, table):
        matched.append(next(row for row in table if row.holds(case) is not None))
        return original(case, table)

    original = verdicts._first_match
    monkeypatch.setattr(verdicts, "_first_match", first_match)
    for case in read_corpus():
        if case["verdict"] == verdict.name:
            judge_case(case)

    assert verdict in matched, (
        f"verdict {verdict.name} has no example in which {verdict.holds.__name__} holds: "
        "add one to tests/events/secrets, such as never-rotated.json"
    )


@pytest.mark.parametrize("name", CORPUS)
def test_a_secret_of_the_corpus_gets_its_verdict(name):
    case = json.loads(CORPUS[name].read_text())

    finding = judge_case(case)

    outcome = (finding.verdict, finding.status, finding.attention)
    assert outcome == (case["verdict"], case["status"], case["attention"]), (
        f"tests/events/secrets/{name}.json: {case['what']} {finding.reason}"
    )
    assert [word for word in case["reason_names"] if word not in finding.reason] == [], finding.reason


def test_verdicts_are_evaluated_in_this_order():
    names = (
        "pending_deletion",
        "replica",
        "unknown",
        "exempt",
        "exemption_invalid",
        "rotation_failing",
        "rotation_missed",
        "managed_elsewhere",
        "never_rotated",
        "overdue",
        "rotation_disabled",
        "due_soon",
        "in_grace",
        "manual_only",
        "fresh",
    )
    assert names == VERDICT_NAMES, "add the verdict to this list, in tests/domain/audit/test_verdicts.py"
