"""The JSON of every command is what its published schema says, which programs may rely on."""

import copy
import json
from functools import cache

import pytest
from jsonschema import Draft202012Validator

from tests.paths import ROOT

from .chained_trail import create_trail
from .conftest import NOW, entry, tags
from .portfolio import COMMANDS, FORMULA, LEGAL, STACK

FOLDER = ROOT / "docs" / "schemas"
FORMATS = Draft202012Validator.FORMAT_CHECKER
CHOSEN = {
    "report-older-than": "report",
    "report-as-of-since": "report",
    "report-several": "report",
    "scan": "report",
    "incidents-list-attention": "incidents-list",
    "drill-rotation-failed": "drill",
}
"""The schemas of commands that have none of their own name."""
OPEN = {
    "run": ("run_id", "checked", "complete"),
    "parts[].run": ("run_id", "checked", "complete"),
    "settings": ("max_age_days", "max_age_classes", "managed_tag"),
    "parts[].settings": ("max_age_days", "max_age_classes", "managed_tag"),
    "incident": ("secret_name", "opened_at", "state", "attention", "attempts", "acknowledged_by"),
    "timeline[]": ("action", "outcome", "reason"),
    "manifest": ("format",),
    "SecretList[]": ("Name", "ARN", "VersionCreatedDates"),
}
"""Objects with what was recorded by whatever release, and the fields of them that the schema knows."""
WITHOUT_REQUIRED_FIELDS = ("settings", "parts[].settings")
WRONG = {"unknown": [["wrong"]]}
"""No field has this value."""


@cache
def validator(name):
    schema = json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FORMATS)


def complaints(name, answer):
    return [f"{error.json_path}: {error.message}" for error in validator(name).iter_errors(answer)]


def parse(output):
    assert output.stdout, output.stderr
    return json.loads(output.stdout)


def schema_of(name):
    return CHOSEN.get(name, name)


def shorten(value):
    """The same with the first entry of each list alone, which is faster to validate."""
    if isinstance(value, dict):
        return {key: shorten(inner) for key, inner in value.items()}
    return [shorten(inner) for inner in value[:1]] if isinstance(value, list) else value


def plant(value, path=""):
    """Each way to make one field wrong: where it is, and what does it to the answer."""
    if isinstance(value, dict):
        if path not in OPEN:
            yield f"{path}.unknown_field", lambda parent: parent.update(unknown_field=WRONG)
        for key, inner in value.items():
            if key not in OPEN.get(path, value):
                continue
            inner_path = f"{path}.{key}".lstrip(".")
            if inner_path not in WITHOUT_REQUIRED_FIELDS:
                yield inner_path, lambda parent, key=key: parent.update({key: WRONG})
            for where, change in plant(inner, inner_path):
                yield where, lambda parent, key=key, change=change: change(parent[key])
    elif isinstance(value, list) and value:
        yield f"{path}[]", lambda parent: parent.__setitem__(0, 1)
        for where, change in plant(value[0], f"{path}[]"):
            yield where, lambda parent, change=change: change(parent[0])


def assert_errors_are_noticed(name, answer):
    answer = shorten(answer)
    errors = list(plant(answer))
    assert len(errors) > 10
    for where, change in errors:
        changed = copy.deepcopy(answer)
        change(changed)
        assert complaints(name, changed), f"{name}: an error at {where} is not noticed"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_prints_what_its_schema_says_and_the_schema_refuses_all_else(portfolio, name):
    answer = parse(portfolio.run(*COMMANDS[name], "--format", "json"))

    assert complaints(schema_of(name), answer) == []
    assert_errors_are_noticed(schema_of(name), answer)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("report", ("report", "--owner", "nobody", *STACK)),
        ("exemptions", ("exemptions", "--owner", "nobody", *STACK)),
        ("incidents-list", ("incidents", "list", "--outcome", "restarted", "--since", "1h", *STACK)),
        ("incidents-show", ("incidents", "show", FORMULA, *STACK)),
        ("verify", ("verify", "intact", *STACK)),
        ("drill", ("drill", "--event", "canary", "--timeout", "1", *STACK)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_so_it_is_if_there_is_nothing_to_say_or_something_cannot_be_read(portfolio, name, words):
    if name == "drill":
        portfolio.answers["GetItem"] = lambda _: {"Error": {"Code": "AccessDeniedException", "Message": "No."}}

    assert complaints(name, parse(portfolio.run(*words, "--format", "json"))) == []


def test_a_kill_switch_that_is_missing_is_as_the_schema_says(portfolio):
    portfolio.answers["GetParameter"] = lambda _: {"Error": {"Code": "ParameterNotFound", "Message": "No."}}

    assert (
        complaints("remediation-status", parse(portfolio.run(*COMMANDS["remediation-status"], "--format", "json")))
        == []
    )


def test_an_incident_that_was_resolved_is_as_the_schema_says(portfolio):
    portfolio.answers["DescribeSecret"] = lambda _: {"Error": {"Code": "AccessDeniedException", "Message": "No."}}

    answer = parse(portfolio.run("incidents", "show", LEGAL, *STACK, "--format", "json"))

    assert answer["labels"] is None
    assert complaints("incidents-show", answer) == []


def test_a_directory_of_evidence_is_as_the_schemas_say(portfolio):
    portfolio.run("report", *STACK, "--evidence", "evidence")
    evidence = portfolio.directory / "evidence"

    assert complaints("report", json.loads((evidence / "report.json").read_text(encoding="utf-8"))) == []
    assert complaints("verify", json.loads((evidence / "verification.json").read_text(encoding="utf-8"))) == []
    manifest = json.loads((evidence / "manifest.json").read_text(encoding="utf-8"))
    assert complaints("evidence-manifest", manifest) == []
    assert_errors_are_noticed("evidence-manifest", manifest)
    answer = parse(portfolio.run("verify", "evidence", "--format", "json"))
    assert complaints("verify-evidence", answer) == []
    assert_errors_are_noticed("verify-evidence", answer)
    (evidence / "report.csv").write_text("changed")
    assert complaints("verify-evidence", parse(portfolio.run("verify", "evidence", "--format", "json"))) == []


def test_saved_heads_are_as_the_schema_says(stack, shared_client, run_on_stack, tmp_path):
    trail = create_trail(stack, shared_client("dynamodb"))
    trail.record("orders/db")
    trail.write()
    run_on_stack("verify", "--save-heads", str(tmp_path / "heads.json"))
    saved = json.loads((tmp_path / "heads.json").read_text(encoding="utf-8"))

    assert list(saved["tables"]) == ["trail", "incidents"]
    assert complaints("saved-heads", saved) == []
    assert_errors_are_noticed("saved-heads", saved)


def test_a_dead_letter_that_is_saved_is_as_the_schema_says(dead_letters, run_on_stack, tmp_path):
    dead_letters.put("undelivered-events", "rule-key-denied")
    options = ("--queue", "undelivered-events", "--yes", "--reason", "Known.")

    run_on_stack("dead-letters", "discard", *options, "--save", str(tmp_path / "saved.jsonl"))

    [line] = (tmp_path / "saved.jsonl").read_text(encoding="utf-8").splitlines()
    assert complaints("saved-dead-letter", json.loads(line)) == []
    assert_errors_are_noticed("saved-dead-letter", json.loads(line))


DEAD_LETTERS = [
    ("dead-letters-list", ("list",)),
    ("dead-letters-explain", ("explain",)),
    ("dead-letters-changes", ("redrive",)),
    ("dead-letters-changes", ("redrive", "--yes", "--reason", "Repaired.")),
    ("dead-letters-changes", ("discard", "--older-than", "0h")),
]


@pytest.mark.parametrize(("name", "words"), [*DEAD_LETTERS, ("dead-letters-show", ("show",))])
def test_dead_letters_are_as_the_schemas_say(dead_letters, run_on_stack, name, words):
    dead_letters.put("failed-audits", "schedule")
    message_id = dead_letters.put("undelivered-events", "rule-key-denied")

    words = (*words, message_id) if words == ("show",) else words
    answer = json.loads(run_on_stack("dead-letters", *words, "--format", "json").stdout)

    assert complaints(name, answer) == []
    assert_errors_are_noticed(name, answer)


@pytest.mark.parametrize(("name", "words"), DEAD_LETTERS)
def test_empty_queues_are_as_the_schemas_say(dead_letters, run_on_stack, name, words):
    answer = json.loads(run_on_stack("dead-letters", *words, "--format", "json").stdout)

    assert complaints(name, answer) == []


def test_queues_that_cannot_be_read_are_as_the_schema_says(dead_letters, run_on_stack):
    dead_letters.answers["GetQueueAttributes"] = lambda _: {"Error": {"Code": "AccessDenied", "Message": "No."}}

    answer = json.loads(run_on_stack("dead-letters", "list", "--format", "json").stdout)

    assert answer["queues"][0]["error"]
    assert complaints("dead-letters-list", answer) == []


def test_a_local_deployment_is_as_the_schemas_say(portfolio):
    portfolio.stack.deploy_locally(portfolio.directory)

    for name in ("report", "exemptions", "incidents-list", "remediation-status", "verify"):
        words = (*COMMANDS[name][: -len(STACK)], "--local", "--format", "json")
        answer = parse(portfolio.run(*words))
        assert answer["source"]["kind"] == "local"
        assert complaints(name, answer) == []


def test_a_collection_is_as_the_schema_says(stack, run):
    stack.secret("orders/db")

    collected = json.loads(run("collect").stdout)
    several = json.loads(run("collect", "--region", "eu-west-1", "--region", "us-east-1").stdout)

    assert complaints("collection", collected) == []
    assert complaints("collection", several) == []
    assert_errors_are_noticed("collection", collected)


def test_an_audit_that_could_not_count_is_as_the_schema_says(portfolio):
    def audit(request):
        portfolio.audit.run(json.loads(request["Payload"])["scheduled_time"], hours=0.01)
        return {"StatusCode": 202}

    portfolio.answers["Invoke"] = audit

    answer = parse(portfolio.run("audit", "run", *STACK, "--format", "json"))

    assert answer["tally"] is None
    assert complaints("audit-run", answer) == []


def test_a_scan_without_secrets_is_as_the_schema_says(run_json, list_file):
    path = list_file(entry("a", 40, Tags=tags(owner="b", exempt_until="x", exempt_reason="y")), entry("c"))

    assert complaints("report", run_json("scan", "--from", path, "--now", NOW)) == []
    assert complaints("report", run_json("scan", "--from", list_file())) == []


@pytest.mark.parametrize("name", [path.name.removesuffix(".schema.json") for path in sorted(FOLDER.iterdir())])
def test_an_empty_object_is_refused_by_every_schema(name):
    assert complaints(name, {}) != []


@pytest.mark.parametrize("field", ["version", "tally", "secrets", "parts"])
def test_a_missing_field_would_be_noticed(portfolio, field):
    answer = parse(portfolio.run(*COMMANDS["report"], "--format", "json"))
    del answer[field]

    assert any(f"'{field}' is a required property" in complaint for complaint in complaints("report", answer))
