"""Invalid input: the error names the option or field, what is allowed, and what was given; never a traceback."""

import json

import pytest

from .conftest import entry
from .stacks import ARN

GOOD = entry("a")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--now", "yesterday"],
            "--now must be a date such as 2026-03-01 or 2026-03-01T12:00:00Z, or a time span before now such as",
        ),
        (["--now", "0001-01-01T00:00:00+14:00"], "--now must be a date"),
        (["--max-age-days", "-1"], "--max-age-days must be between 0 and 3650, got -1."),
        (["--max-age-days", "3651"], "--max-age-days must be between 0 and 3650, got 3651."),
        (["--warn-days", "9999"], "--warn-days must be between 0 and 3650, got 9999."),
        (["--stuck-hours", "0"], "--stuck-hours must be between 1 and 87600, got 0."),
        (["--missed-hours", "0"], "--missed-hours must be between 1 and 87600, got 0."),
        (["--managed-tag", "Managed"], "--managed-tag must be KEY=VALUE, such as Managed=true, got 'Managed'."),
        (["--managed-tag", "=true"], "--managed-tag must be KEY=VALUE"),
        (["--older-than", "30"], "--older-than must be a time span such as 30d, 12h or 2w, at most 3650 days"),
        (["--older-than", "-3d"], "got '-3d'."),
        (["--older-than", "999999w"], "at most 3650 days, got '999999w'."),
        (["--due-within", "soon"], "--due-within must be a time span"),
        (["--verdict", "late"], "--verdict must be one of pending_deletion, replica"),
        (["--max-age-class", "prod/*=30"], "--max-age-class must be name:PATTERN=DAYS, tag:KEY=DAYS or"),
        (["--max-age-class", "name:prod"], "got 'name:prod'."),
        (["--max-age-class", "name:=30"], "--max-age-class must be"),
        (["--max-age-class", "tag:=30"], "--max-age-class must be"),
        (["--max-age-class", "tag:=gold=30"], "--max-age-class must be"),
        (["--max-age-class", "=30"], "--max-age-class must be"),
        (["--max-age-class", "name:a b=30"], "--max-age-class must be"),
        (
            ["--max-age-class", "tag:tier=gold"],
            "--max-age-class must end with = and 0 to 3650 days, got 'tag:tier=gold'.",
        ),
        (["--max-age-class", "tag:tier=1e3"], "must end with"),
        (["--max-age-class", "tag:tier=3651"], "must end with"),
        (["--max-age-class", "tag:tier=-1"], "must end with"),
        (["--profile", "me"], "--from reads a file, so --profile and --region do not apply"),
    ],
)
def test_an_invalid_option_is_named(run, list_file, options, message):
    result = run("scan", "--from", list_file(GOOD), *options)

    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("options", [["--format", "xml"], ["--max-age-days", "many"], ["--nonsense"], ["--from"]])
def test_an_error_of_the_option_parser_has_the_same_exit_code(run, options):
    assert run("scan", *options).exit_code == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "--from must be JSON, got standard input: it is empty."),
        (b" \n", "--from must be JSON, got standard input: it is empty."),
        (b'{"SecretList": []}\n{"SecretList": []}\n', "line 2 begins a second document, and it must be one; `jq -s .`"),
        (b"not json", "--from must be JSON"),
        (b"\xff\xfe\x00", "--from must be JSON"),
        (b"\x80\x81", "--from must be JSON"),
        (b"[" * 100_000, "--from must be JSON"),
        (b'{"SecretList": [NaN]}', "NaN is not JSON"),
        (
            b"{}",
            "--from must contain a SecretList, a list of such pages, or a list of entries, got an object without one.",
        ),
        (b'{"SecretList": {}}', "or a list of entries, got an object with an object as its SecretList."),
        (b'{"SecretList": null}', "or a list of entries, got an object with null as its SecretList."),
        (b'"text"', "--from must contain a SecretList, a list of such pages, or a list of entries, got a string."),
        (b"3", "got a number."),
        (b"null", "got null."),
        (b'{"SecretList": {}}', "--from must contain a SecretList"),
        (b'[{"SecretList": []}, {"SecretList": "text"}]', "got page 2 with a string as its SecretList."),
        (b'[{"SecretList": []}, {"Name": "a"}]', "got a list of pages of which page 2 is an object without one."),
        (b'[{"SecretList": []}, []]', "got a list of pages of which page 2 is a list without one."),
        (b'[{"SecretList": []}, {"SecretList": [3]}]', "--from: page 2, entry 1 must be an object, got a number."),
    ],
)
def test_a_file_without_a_list_is_an_error(run, content, message):
    result = run("scan", "--from", "-", stdin=content)

    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (3, "--from: entry 2 must be an object, got a number."),
        ({"Name": "b"}, "--from: entry 2 must have a string as ARN, got null."),
        ({"ARN": ARN}, "--from: entry 2 must have a string as Name, got null."),
        ({**GOOD, "Name": ""}, "must have a string as Name"),
        (
            {**GOOD, "CreatedDate": "soon"},
            "--from: entry 2, a, must have a date or epoch seconds as CreatedDate, got 'soon'.",
        ),
        ({**GOOD, "CreatedDate": True}, "as CreatedDate, got True."),
        ({**GOOD, "CreatedDate": 1e30}, "as CreatedDate, got 1e+30."),
        ({**GOOD, "NextRotationDate": 1767225600000}, "as NextRotationDate"),
        ({**GOOD, "DeletedDate": []}, "as DeletedDate"),
        ({**GOOD, "VersionCreatedDates": ["v1"]}, "a date for each version id as VersionCreatedDates, got a list."),
        ({**GOOD, "VersionCreatedDates": {"v1": None}}, "as VersionCreatedDates of v1, got None."),
        ({**GOOD, "SecretVersionsToStages": {"v1": "AWSCURRENT"}}, "a list of labels for each version id"),
        ({**GOOD, "SecretVersionsToStages": ["v1"]}, "a list of labels for each version id"),
        ({**GOOD, "Tags": {"Managed": "true"}}, "a list of Key and Value as Tags"),
        ({**GOOD, "Tags": [{"Key": "a", "Value": 3}]}, "a list of Key and Value as Tags"),
        ({**GOOD, "RotationEnabled": "false"}, "true or false as RotationEnabled, got 'false'."),
        ({**GOOD, "OwningService": 3}, "a string as OwningService, got a number."),
        ({**GOOD, "RotationRules": {"AutomaticallyAfterDays": "30"}}, "a whole number of AutomaticallyAfterDays"),
        (
            {**GOOD, "RotationRules": {"AutomaticallyAfterDays": 10**30}},
            "must have 0 to 1000 as AutomaticallyAfterDays",
        ),
        ({**GOOD, "RotationRules": "rate(30 days)"}, "a whole number of AutomaticallyAfterDays in RotationRules"),
    ],
)
def test_an_invalid_entry_is_named(run, list_file, entry, message):
    result = run("scan", "--from", list_file(GOOD, entry))

    assert result.exit_code == 2
    assert message in result.stderr


def test_a_missing_file_is_named(run, tmp_path):
    missing, folder = str(tmp_path / "missing"), str(tmp_path)

    assert f"--from must be a readable file, got {missing}: No such file" in run("scan", "--from", missing).stderr
    assert run("scan", "--from", folder).exit_code == 2


@pytest.mark.parametrize(
    "odd",
    [
        {"Tags": None, "SecretVersionsToStages": None, "CreatedDate": None, "RotationEnabled": None},
        {"VersionCreatedDates": {}},
        {"VersionCreatedDates": {"v1": "9999-12-31T23:59:59Z"}},
        {"VersionCreatedDates": {"v1": "0001-01-01T00:00:00Z"}},
        {"VersionCreatedDates": {"v1": 0}},
        {"VersionCreatedDates": {"v1": -1.5}},
        {"CreatedDate": "9999-12-31T23:59:59.999999Z", "VersionCreatedDates": None},
        {"NextRotationDate": "9999-12-31", "RotationEnabled": True},
        {"Tags": [{"Key": f"k{index}", "Value": "v"} for index in range(50)]},
        {"Tags": [{"Key": "rotation-guard:max-age-days"}]},
        {"Tags": [{"Key": "rotation-guard:max-age-days", "Value": "1e3"}]},
        {"Tags": [{"Key": "rotation-guard:exempt-until", "Value": "0001-01-01T00:00:00+14:00"}]},
        {"Name": "/_+=.@-0aA" * 51},
        {"Name": "\ud800", "ARN": "\ud800"},
        {"ARN": "no arn"},
        {"SomethingNew": {"deep": [1]}},
    ],
)
@pytest.mark.parametrize("output_format", ["table", "json", "csv", "markdown"])
def test_an_odd_entry_gets_a_verdict_in_every_format(run, list_file, odd, output_format):
    result = run("scan", "--from", list_file({**GOOD, **odd}), "--format", output_format, "--now", "2026-03-01")

    assert result.exit_code == 0
    assert result.stdout
    if output_format == "json":
        assert json.loads(result.stdout)["secrets"][0]["verdict"]


@pytest.mark.parametrize(
    "words",
    [
        ("report", "--since", ""),
        ("report", "--region", ""),
        ("report", "--profile", ""),
        ("report", "--profile", "a", "--profile", ""),
        ("report", "--evidence", ""),
        ("report", "--evidence", "new", "--sign-with", ""),
        ("report", "--format", "html", "--output", ""),
        ("report", "--stack-outputs", ""),
        ("incidents", "--since", ""),
        ("incidents", "ack", "a", "--until", ""),
        ("scan", "--from", ""),
        ("collect", "--output", ""),
        ("verify", "--heads", ""),
        ("dead-letters", "--queue", ""),
    ],
    ids=" ".join,
)
def test_an_empty_option_is_refused_by_its_name(audit_stack, run, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())

    result = run(*words)

    option = next(word for word, following in zip(words, [*words[1:], None], strict=True) if following == "")
    assert (result.exit_code, result.stdout) == (2, "")
    assert " ".join(result.stderr.split()).startswith(f"Invalid value for '{option}': must not be empty. Try")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("value", [5, ["a"], {}, "", None, True])
def test_an_output_that_is_no_text_is_named_with_its_value(audit_stack, run, value):
    outputs = json.loads(audit_stack.outputs.read_text()) | {"status_table_name": value, "runs_table_name": value}
    audit_stack.outputs.write_text(json.dumps(outputs))

    result = run("report", "--stack-outputs", str(audit_stack.outputs))

    assert result.exit_code == 3
    assert f"must be a text, got {value!r}" in " ".join(result.stderr.split())
