"""The commands of `python -m local` when something is wrong: one sentence and no traceback."""

import contextlib
import errno
import io
import json
import os
import re
import shlex
import subprocess
import sys

import pytest

from local.commands import main
from local.waiting import eventually
from tests.paths import ROOT


def test_an_invalid_event_is_reported_in_one_line(shared, tmp_path, capsys):
    bad = {
        "no-such-event": (None, "There is no file or recorded event 'no-such-event'"),
        "cut-short.json": ("{", "cut-short.json is not JSON"),
        "list.json": (
            "[]",
            "list.json is not an event in EventBridge's format: it lacks detail, detail-type, source",
        ),
        "text.json": ('{"source": "a", "detail-type": "b", "detail": "c"}', "it has a detail that is not an object"),
    }
    for name, (text, sentence) in bad.items():
        if text is not None:
            (tmp_path / name).write_text(text)
        with contextlib.chdir(tmp_path):
            assert main(["--directory", str(shared.directory), "event", name]) == 1
        output = capsys.readouterr().err
        assert sentence in output
        assert len(output.splitlines()) == 1


def test_down_without_a_stack_reports_that_none_was_running(directory, capsys):
    assert main(["--directory", str(directory), "down"]) == 0
    assert capsys.readouterr().out == "No stack was running; nothing is left behind.\n"
    assert not directory.exists()


COMMANDS = [["up", "--no-stories"], ["down"], ["status"], ["env"], ["drill"], ["report"], ["event", "rotation-failed"]]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("obstacle", ["file", "below a file"])
def test_a_directory_that_cannot_be_written_is_reported_in_one_line(tmp_path, capsys, command, obstacle):
    (tmp_path / "taken").write_text("")
    directory = tmp_path / "taken" if obstacle == "file" else tmp_path / "taken" / ".local"

    code = main(["--directory", str(directory), *command])

    captured = capsys.readouterr()
    output = captured.out + captured.err
    assert len(output.splitlines()) == 1
    assert "Traceback" not in output
    nothing_runs = command[0] in ("status", "env", "drill", "event") or (command[0] == "down" and obstacle != "file")
    assert ("No stack" in output) if nothing_runs else (str(tmp_path / "taken") in output)
    assert code == (0 if "nothing is left behind" in output else 1)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_read_only_file_system_is_reported_in_one_line(directory, capsys, monkeypatch, command):
    def refuse(*arguments, **options):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(directory))

    directory.mkdir()
    monkeypatch.setattr(os, "open", refuse)

    main(["--directory", str(directory), *command])

    captured = capsys.readouterr()
    output = captured.out + captured.err
    assert len(output.splitlines()) == 1
    assert "No stack is running" in output or f"{directory} cannot be used: Read-only file system." in output


@pytest.mark.parametrize(
    "record",
    ["[1]", '{"pid": "x", "started": 5, "port": "q", "access_key_id": 1, "secret_access_key": 2}', "[" * 100_000],
    ids=["list", "types", "nested"],
)
def test_an_invalid_process_record_is_removed(directory, capsys, record):
    folder = directory / "emulator-1"
    folder.mkdir(parents=True)
    (folder / "process.json").write_text(record)

    assert main(["--directory", str(directory), "down"]) == 0
    assert not directory.exists()


def test_an_unreadable_description_is_an_error(directory, capsys):
    # A directory instead of a file: root, who may run this test, can read every file.
    (directory / "stack.json").mkdir(parents=True)

    for command in (["status"], ["down"], ["up"], ["env"]):
        assert main(["--directory", str(directory), *command]) == 1
        captured = capsys.readouterr()
        assert captured.err == f"{directory / 'stack.json'} cannot be used: Is a directory.\n"
        assert captured.out == ""


@pytest.mark.parametrize(
    "change", [{"folder": None}, {"endpoint_url": None}, {"outputs": []}, {"resources": [1]}, "[" * 100_000]
)
def test_an_invalid_description_is_ignored(shared, directory, capsys, change):
    described = json.loads((shared.directory / "stack.json").read_text())
    directory.mkdir()
    text = change if isinstance(change, str) else json.dumps({**described, **change})
    (directory / "stack.json").write_text(text)

    assert main(["--directory", str(directory), "status"]) == 1
    assert "No stack is running" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["status"], ["env"]])
def test_a_full_disk_is_named(shared, capsys, monkeypatch, command):
    class Full(io.StringIO):
        def flush(self):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sys, "stdout", Full())

    assert main(["--directory", str(shared.directory), *command]) == 1
    assert capsys.readouterr().err == "The output cannot be written: No space left on device.\n"


@pytest.mark.parametrize(("command", "stream"), [("env", 1), ("event -", 0)])
def test_a_closed_stream_causes_no_traceback(shared, command, stream):
    arguments = shlex.join([sys.executable, "-m", "local", "--directory", str(shared.directory)])
    sign = "<" if stream == 0 else ">"
    ended = subprocess.run(
        ["/bin/sh", "-c", f"{arguments} {command} {stream}{sign}&-"], cwd=ROOT, capture_output=True, check=False
    )

    assert b"Traceback" not in ended.stdout + ended.stderr
    assert ended.returncode == (1 if command == "event -" else 0)


def test_the_log_contains_no_control_characters(shared):
    arn = "arn:aws:sqs:eu-west-1:111122223333:no\x1b[2J\u202e\x9b"
    events = shared.client("events")
    events.put_rule(Name="nasty", EventPattern=json.dumps({"source": ["nasty"]}))
    events.put_targets(Rule="nasty", Targets=[{"Id": "a", "Arn": arn}])
    events.put_events(Entries=[{"Source": "nasty", "DetailType": "\u202e\x1b[2J", "Detail": "{}"}])
    log = shared.emulator.log

    eventually(lambda: "nasty" in log.read_text() or r"\u202e" in log.read_text(), "a line in the log")

    assert not set(log.read_text()) & {"\x1b", "\u202e", "\x9b"}
    events.remove_targets(Rule="nasty", Ids=["a"])
    events.delete_rule(Name="nasty")


def test_an_unknown_profile_and_mode_are_ignored(shared):
    command = [sys.executable, "-m", "local", "--directory", str(shared.directory), "status"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    wrong = dict.fromkeys(("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_DEFAULTS_MODE"), "no-such")

    done = subprocess.run(command, cwd=ROOT, env={**environment, **wrong}, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", [["status"], ["drill"], ["event", "rotation-failed"], ["env"]])
def test_every_command_reports_when_no_stack_is_running(directory, capsys, command):
    assert main(["--directory", str(directory), *command]) == 1
    captured = capsys.readouterr()
    assert "No stack is running: start one with `make up`." in captured.out + captured.err


@pytest.mark.parametrize(
    "arguments",
    [["\x1b[2J\u202e"], ["event", "\x1b[2J\u202e"], ["up", "--stack", "\x1b[2J\u202e"], ["up", "--port", "\u202e"]],
)
def test_errors_escape_control_characters_of_arguments(shared, tmp_path, capsys, arguments):
    directory = shared.directory if arguments[0] == "event" else tmp_path / ".local"
    with contextlib.suppress(SystemExit):
        main(["--directory", str(directory), *arguments])

    output = capsys.readouterr().err
    assert r"\u202e" in output
    assert not set(output) & {"\x1b", "\u202e"}


def test_help_shows_the_commands(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    output = capsys.readouterr().out
    assert re.findall(r"^ {4}(\w+)", output, re.MULTILINE) == [
        "up",
        "down",
        "status",
        "event",
        "drill",
        "report",
        "env",
    ]
