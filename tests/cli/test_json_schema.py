"""The JSON of reports and scans is what its published schema says, which programs may rely on."""

import json

import pytest
from jsonschema import Draft202012Validator

from tests.paths import ROOT

from .conftest import NOW, entry, tags

SCHEMA = json.loads((ROOT / "docs" / "schemas" / "report.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)


def complaints(answer):
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(answer)]


@pytest.fixture
def reports(audit_stack, report_json):
    """Runs a report on a deployment with secrets of every kind."""
    before = audit_stack.run(hours=26)
    audit_stack.run(settings={"max_age_days": 30, "max_age_classes": [{"class": "name:a", "days": 7}]})
    audit_stack.history("old", before, 26)
    audit_stack.needs_attention("old")
    audit_stack.status("young")
    audit_stack.status("spared", 90, verdict="exempt", exempt_until="2099-01-01", exempt_reason="A reason.")
    audit_stack.status("ended", verdict="exemption_invalid", exempt_until="someday", exempt_reason="", owner=None)
    audit_stack.status("unread", status="unknown", verdict="unknown", value_created_at=None, limit_days=None)
    audit_stack.status("later", status="quarantined", verdict="quarantined", since=None, reason=None)
    return report_json


@pytest.mark.parametrize(
    "options", [(), ("--attention",), ("--as-of", "25h"), ("--since", "25h"), ("--older-than", "12h", "--owner", "x")]
)
def test_a_report_is_as_its_schema_says(reports, options):
    assert complaints(reports(*options)) == []


def test_a_scan_is_as_the_schema_says(run_json, list_file):
    path = list_file(entry("a", 40, Tags=tags(owner="b", exempt_until="x", exempt_reason="y")), entry("c"))

    assert complaints(run_json("scan", "--from", path, "--now", NOW)) == []
    assert complaints(run_json("scan", "--from", list_file())) == []


def test_several_parts_of_which_one_is_unreadable_are_as_the_schema_says(reports, audit_stack, run, tmp_path):
    other = tmp_path / "other.json"
    other.write_text(audit_stack.outputs.read_text().replace('"status"', '"nowhere"').replace('"runs"', '"neither"'))

    result = run(
        "report", *("--stack-outputs", str(audit_stack.outputs)), "--stack-outputs", str(other), "--format", "json"
    )

    answer = json.loads(result.stdout)
    assert answer["unreadable"]
    assert complaints(answer) == []


@pytest.mark.parametrize("field", ["version", "tally", "secrets", "parts"])
def test_a_missing_field_would_be_noticed(reports, field):
    answer = reports()
    del answer[field]

    assert any(f"'{field}' is a required property" in complaint for complaint in complaints(answer))
