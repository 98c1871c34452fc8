"""Every format has the complaints, the resources without rules, and the failure."""

import json

import pytest

from policies.check import main
from policies.reports.formats import FORMATS
from policies.rules import RULES
from tests.policies.programs import program, queue
from tests.policies.small_stacks import BAD, GOOD, OTHERS

UNJUDGED = "2 resources of aws-native were not judged"


def test_the_text_has_each_complaint_and_the_numbers(run_check):
    text = run_check(BAD.exported()).out
    assert "mandatory  queue-keeps-messages (high): The queue orders loses" in text
    assert "4 resources" in text
    assert "1 mandatory and 0 advisory complaints" in text


def test_the_json_has_the_whole_report(run_check):
    report = json.loads(run_check(BAD.exported(), "--format", "json").out)
    assert {"complaints", "exemptions", "resources", "seconds"} <= set(report)
    [complaint] = report["complaints"]
    assert set(complaint) == {"policy", "enforcement", "severity", "urn", "type", "finding", "fix", "message"}
    assert complaint["message"] == f"{complaint['finding']} {complaint['fix']}"
    assert complaint["urn"].endswith("::aws:sqs/queue:Queue::orders")
    assert report["resources"] == 4


def test_sarif_has_what_code_hosts_read(run_check):
    sarif = json.loads(run_check(BAD.exported(), "--format", "sarif").out)
    assert sarif["version"] == "2.1.0"
    [run] = sarif["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(RULES)
    assert all(rule["helpUri"].startswith("https://") for rule in rules)
    assert all(0 < float(rule["properties"]["security-severity"]) <= 10 for rule in rules)
    [result] = run["results"]
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == "queue-keeps-messages"
    assert result["level"] == "error"
    [location] = result["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"].endswith("stack.json")
    assert location["logicalLocations"][0]["fullyQualifiedName"].endswith("::orders")
    advisory = json.loads(run_check(BAD.exported(), "--format", "sarif", config={"all": "advisory"}).out)
    assert advisory["runs"][0]["results"][0]["level"] == "warning"
    assert run["tool"]["driver"]["semanticVersion"] == "0.1.0"
    assert run["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": []}]


def test_sarif_has_the_file_relative_to_the_working_directory(tmp_path, monkeypatch, capsys):
    (tmp_path / "a stack.json").write_text(json.dumps(BAD.exported()))
    monkeypatch.chdir(tmp_path)
    uris, fingerprints = [], []
    for file in ("a stack.json", str(tmp_path / "a stack.json"), f"{tmp_path}/../{tmp_path.name}/a stack.json"):
        main([file, "--format", "sarif"])
        [result] = json.loads(capsys.readouterr().out)["runs"][0]["results"]
        uris.append(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
        fingerprints.append(result["partialFingerprints"])
    assert uris[:2] == ["a%20stack.json", "a%20stack.json"]
    assert fingerprints == [fingerprints[0]] * 3
    monkeypatch.chdir("/")
    main([str(tmp_path / "a stack.json"), "--format", "sarif"])
    assert json.loads(capsys.readouterr().out)["runs"]


def _read_parts(form, out):
    """The finding, the fix, the type and the URN of the one complaint of a report, by the fields of its format."""
    if form == "json":
        [complaint] = json.loads(out)["complaints"]
        return [complaint[key] for key in ("finding", "fix", "type", "urn")]
    if form == "sarif":
        [result] = json.loads(out)["runs"][0]["results"]
        return [result["properties"][key] for key in ("finding", "fix", "resourceType", "urn")]
    first, fix, place = out.splitlines()[:3]
    type_, _, urn = place.strip().partition(", ")
    return [first.partition(": ")[2], fix.strip().removeprefix("fix: "), type_, urn]


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_has_the_finding_the_fix_the_type_and_the_urn(run_check, form):
    finding, fix, type_, urn = _read_parts(form, run_check(BAD.exported(), "--format", form).out)
    assert finding.startswith("The queue orders loses messages")
    assert finding.endswith("messageRetentionSeconds is absent, which means 4 days.")
    assert fix == "Set messageRetentionSeconds to 604800 (7 days) or more."
    assert type_ == "aws:sqs/queue:Queue"
    assert urn == "urn:pulumi:dev::shop::aws:sqs/queue:Queue::orders"


def test_the_help_of_sarif_says_how_to_fix_a_rule(run_check):
    rules = json.loads(run_check(GOOD.exported(), "--format", "sarif").out)["runs"][0]["tool"]["driver"]["rules"]
    assert rules
    for rule in rules:
        fix = RULES[rule["id"]].fix
        assert fix in rule["help"]["text"]
        assert fix in rule["help"]["markdown"]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("shape", ["exported", "previewed"])
def test_every_format_has_the_resources_without_rules(run_check, form, shape):
    content = getattr(OTHERS, shape)()
    assert UNJUDGED in run_check(content, "--format", form).out
    incomplete = {**OTHERS.previewed(), "changeSummary": {"same": 7}}
    assert UNJUDGED in run_check(incomplete, "--format", form).out
    assert run_check(content, "--format", form).code == 0


@pytest.mark.parametrize("content", [b"", json.dumps(GOOD.exported())[:100].encode(), b"Previewing update (dev):"])
@pytest.mark.parametrize("config", [None, "{"])
def test_an_invalid_input_is_a_failure_in_every_format(run_check, content, config):
    results = {form: run_check(content, "--format", form, config=config) for form in FORMATS}
    sentence = results["text"].err.strip()
    assert {result.code for result in results.values()} == {2}
    assert results["text"].out == ""
    assert json.loads(results["json"].out)["failure"] == sentence
    [run] = json.loads(results["sarif"].out)["runs"]
    [invocation] = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert invocation["toolExecutionNotifications"] == [{"level": "error", "message": {"text": sentence}}]
    assert run["results"] == []


def test_sarif_of_a_preview_that_failed_has_its_complaints_and_its_failure(run_check):
    failed = BAD.previewed() | {"diagnostics": [{"message": "error: no such region", "severity": "error"}]}
    [run] = json.loads(run_check(failed, "--format", "sarif").out)["runs"]
    [invocation] = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert "error: no such region" in invocation["toolExecutionNotifications"][0]["message"]["text"]
    assert [result["ruleId"] for result in run["results"]] == ["queue-keeps-messages"]


def test_secrets_are_never_shown(run_check):
    exported = program(queue("orders", messageRetentionSeconds="hunter2", policy="hunter2")).exported()
    for state in exported["deployment"]["resources"]:
        if "outputs" in state:
            state["inputs"] = state["outputs"] = {
                "policy": {
                    "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
                    "plaintext": "hunter2",
                }
            }
    for form in FORMATS:
        assert "hunter2" not in run_check(exported, "--format", form).out
