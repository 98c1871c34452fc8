"""cfn-lint, which has AWS's schema of every resource type, on all that the program asks for."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from local.mocks.recording import REGION
from tests.paths import ROOT
from tests.validators import accepted_findings, tools
from tests.validators.planted_properties import ERRORS, NOT_FOUND, plant

DOCS = ROOT / "docs" / "validators.md"
REGIONS = (REGION, "us-east-1", "us-gov-west-1", "cn-north-1")
"""One or two of each partition: what a resource type can differs by Region."""
UNIQUE = "E3019"
"""Of copies of one resource: that their names are the same."""


def make_template(resources: Mapping[str, Any]) -> dict[str, Any]:
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


def keep_new_resources(templates: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The templates, each without what an earlier one has as well."""
    seen: set[str] = set()
    smaller = {}
    for name, template in templates.items():
        texts = {logical: json.dumps(resource) for logical, resource in template["Resources"].items()}
        fresh = {logical: template["Resources"][logical] for logical, text in texts.items() if text not in seen}
        seen |= set(texts.values())
        smaller[name] = make_template(fresh)
    return smaller


@pytest.fixture(scope="module")
def properties(templates):
    """All properties of each type of resource, in any configuration."""
    by_type: dict[str, list[dict[str, Any]]] = {}
    for template in templates.values():
        for resource in template["Resources"].values():
            by_type.setdefault(resource["Type"], []).append(resource["Properties"])
    return by_type


@pytest.fixture(scope="module")
def findings_of_errors(properties, run_validator):
    """What cfn-lint says of the planted errors, and of those that it is not expected to find, by logical name."""
    resources = {}
    for type_, errors in ERRORS.items():
        name = type_.replace("::", "")
        whole = next(one for one in properties[type_] if has_path(one, errors.required))
        resources[f"Required{name}"] = {"Type": type_, "Properties": plant(whole, errors.required)}
        resources[f"Wrong{name}"] = {"Type": type_, "Properties": plant(whole, errors.path, errors.value)}
        resources[f"Unknown{name}"] = {"Type": type_, "Properties": {**whole, "NoSuchProperty": "x"}}
    for number, (type_, path, value) in enumerate(NOT_FOUND.values()):
        whole = next(one for one in properties[type_] if has_path(one, path) or "/" not in path)
        resources[f"Unseen{number}"] = {"Type": type_, "Properties": plant(whole, path, value)}
    findings: dict[str, list[str]] = {logical: [] for logical in resources}
    for finding in run_validator(tools.check_templates, {"planted": make_template(resources)}, REGION)["planted"]:
        logical = finding.split(" ")[1].split("/")[1].rstrip(":")
        findings[logical] += [] if finding.startswith(UNIQUE) else [finding]
    return findings


def has_path(properties: Mapping[str, Any], path: str) -> bool:
    try:
        plant(properties, path)
    except (KeyError, IndexError):
        return False
    return True


def test_all_properties_are_as_the_schemas_of_aws_have_them(templates, run_validator):
    assert all(len(template["Resources"]) > 100 for template in templates.values())
    by_template = run_validator(tools.check_templates, keep_new_resources(templates), *REGIONS)

    findings = [f"{name}: {finding}" for name, lines in by_template.items() for finding in lines]

    assert accepted_findings.compare(findings, accepted_findings.CFN_LINT) == ([], [])


def test_errors_are_planted_into_every_type_of_resource(properties):
    assert set(ERRORS) == set(properties)


@pytest.mark.parametrize("type_", ERRORS)
def test_what_a_resource_lacks_is_found(findings_of_errors, type_):
    findings = findings_of_errors[f"Required{type_.replace('::', '')}"]

    name = ERRORS[type_].required.split("/")[-1]
    assert any(f"'{name}' is a required property" in finding for finding in findings), findings


@pytest.mark.parametrize("type_", ERRORS)
def test_a_wrong_value_is_found(findings_of_errors, type_):
    findings = findings_of_errors[f"Wrong{type_.replace('::', '')}"]

    assert any(f"/Properties/{ERRORS[type_].path}" in finding for finding in findings), findings


@pytest.mark.parametrize("type_", ERRORS)
def test_a_property_that_there_is_not_is_found(findings_of_errors, type_):
    findings = findings_of_errors[f"Unknown{type_.replace('::', '')}"]

    assert any("('NoSuchProperty' was unexpected" in finding for finding in findings), findings


@pytest.mark.parametrize("what", NOT_FOUND)
def test_the_docs_name_what_is_not_looked_at(findings_of_errors, what):
    position = list(NOT_FOUND).index(what)

    assert what in " ".join(DOCS.read_text().split())
    assert findings_of_errors[f"Unseen{position}"] == []


def test_schedule_expressions_are_as_eventbridge_reads_them(templates, run_validator):
    """cfn-lint knows those of EventBridge's rules, which are stricter than Scheduler's by `rate(1 hours)` alone."""
    expressions = {
        resource["Properties"]["ScheduleExpression"]
        for template in templates.values()
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Scheduler::Schedule"
    }
    wrong = ("rate(1 lightyear)", "rate(0 hours)", "cron(0 6 * * *)", "cron(0 6 * * * *)")
    rules = {
        f"Rule{number}": {"Type": "AWS::Events::Rule", "Properties": {"ScheduleExpression": expression}}
        for number, expression in enumerate([*sorted(expressions), *wrong])
    }

    findings = run_validator(tools.check_templates, {"schedules": make_template(rules)}, REGION)["schedules"]

    assert len(expressions) > 3
    refused = {finding.split("/")[1] for finding in findings}
    assert refused == {f"Rule{len(expressions) + number}" for number in range(len(wrong))}, findings


def test_the_docs_have_every_accepted_finding():
    docs = DOCS.read_text()
    tables = {
        "cfn-lint": accepted_findings.CFN_LINT,
        "parliament": accepted_findings.PARLIAMENT,
        "asl-validator": accepted_findings.ASL_VALIDATOR,
        "statelint": accepted_findings.STATELINT,
    }
    listed = [line for line in docs.splitlines() if line.startswith("| ") and line.count(" | `") == 1]

    assert len(listed) == sum(len(accepted) for accepted in tables.values())
    for validator, accepted in tables.items():
        assert all(any(line.startswith(f"| {validator} | `{finding}` |") for line in listed) for finding in accepted)


def test_an_accepted_finding_that_no_longer_occurs_fails():
    compare = accepted_findings.compare

    assert compare(["E1 Queue: too long"], {"E1 Queue": "a reason"}) == ([], [])
    assert compare(["E1 Queue: too long", "E2 Topic: empty"], {"E1 Queue": "a reason"}) == (["E2 Topic: empty"], [])
    assert compare([], {"E1 Queue": "a reason"}) == ([], ["E1 Queue"])
