"""The console script in a process of its own, from any directory."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rotation_guard.cli import application
from tests.paths import ROOT

from .conftest import NOW, entry

SCRIPT = Path(sys.executable).with_name("rotation-guard")
MODULE = [sys.executable, "-m", "rotation_guard.cli"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
"""The code of this checkout, even if another one is installed."""
PIPES: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def started(command, *arguments, cwd, stdin=b"", **environment):
    return subprocess.run(
        [*command, *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        check=False,
        env={**ENVIRONMENT, **environment},
    )


@pytest.mark.parametrize("command", [MODULE, [str(SCRIPT)]], ids=["module", "script"])
def test_it_runs_from_any_directory(command, tmp_path):
    if command != MODULE and not SCRIPT.exists():
        pytest.skip("the package is not installed here")
    stdin = json.dumps([entry("ü", 40)]).encode()

    done = started(command, "scan", "--from", "-", "--now", NOW, "--exit-code", cwd=tmp_path, stdin=stdin)

    assert done.returncode == 1
    assert "never_rotated" in done.stdout.decode()
    assert done.stderr == b""


def test_the_help_lists_every_command(run):
    done = run("--help")

    assert done.exit_code == 0
    commands = (*application.COMMANDS, "audit", "dead-letters", "incidents", "remediation")
    assert {"report", "scan"} < set(commands)
    assert all(f" {command} " in done.stdout for command in commands)


@pytest.mark.parametrize(
    ("group", "commands"),
    [
        ("audit", ["run"]),
        ("incidents", ["list", "show", "release", "orphaned"]),
        ("remediation", ["stop", "go", "status"]),
    ],
)
def test_the_help_of_a_group_lists_its_commands(run, group, commands):
    done = run(group, "--help")

    assert done.exit_code == 0
    assert all(f" {command} " in done.stdout for command in commands)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["report"], 3),
        (["incidents"], 3),
        (["incidents", "show", "a"], 3),
        (["remediation", "status"], 3),
        (["remediation", "stop", "--local", "--reason", "a"], 3),
        (["remediation", "stop", "--reason", "a"], 2),
    ],
)
def test_an_error_is_one_sentence(run, tmp_path, monkeypatch, command, code):
    monkeypatch.chdir(tmp_path)

    done = run(*command)

    assert done.exit_code == code
    assert "deployment" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_error_of_the_process_has_no_traceback(tmp_path):
    done = started(MODULE, "report", cwd=tmp_path)

    assert done.returncode == 3
    assert done.stderr.count(b"\n") == 1
    assert b"Traceback" not in done.stderr


def test_a_terminal_that_cannot_encode_a_character_shows_its_code(tmp_path):
    stdin = json.dumps([entry("日", 3)]).encode()
    scan = ["scan", "--from", "-", "--now", NOW]

    table = started(MODULE, *scan, cwd=tmp_path, stdin=stdin, PYTHONIOENCODING="latin-1")
    comma = started(MODULE, *scan, "--format", "csv", cwd=tmp_path, stdin=stdin, PYTHONIOENCODING="latin-1")

    assert b"\\u65e5" in table.stdout
    assert "日" in comma.stdout.decode()


def test_a_date_without_a_zone_is_in_utc_in_every_time_zone(tmp_path):
    stdin = json.dumps([entry("one", VersionCreatedDates={"v1": "2026-01-01"})]).encode()
    scan = ["scan", "--from", "-", "--now", "2026-03-01", "--format", "json"]

    answer = json.loads(started(MODULE, *scan, cwd=tmp_path, stdin=stdin, TZ="America/New_York").stdout)

    assert answer["as_of"] == "2026-03-01T00:00:00Z"
    assert answer["secrets"][0]["value_created_at"] == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("chosen", ["table", "csv"])
def test_a_closed_pipe_is_no_error(tmp_path, chosen):
    path = tmp_path / "list.json"
    path.write_text(json.dumps([entry(f"s/{index}", 40) for index in range(3000)]))
    command = [*MODULE, "scan", "--from", str(path), "--format", chosen]

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 0


@pytest.mark.parametrize(("words", "stream"), [("scan --from list.json --format json", "1>"), ("scan --from -", "0<")])
def test_a_closed_stream_causes_no_traceback(tmp_path, words, stream):
    (tmp_path / "list.json").write_text("[]")

    done = subprocess.run(
        ["/bin/sh", "-c", f"{shlex.join(MODULE)} {words} {stream}&-"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        env=ENVIRONMENT,
    )

    assert b"Traceback" not in done.stderr
    assert done.returncode == (0 if stream == "1>" else 2)


def test_ctrl_c_in_a_command_has_its_own_exit_code(tmp_path):
    listing = tmp_path / "listing"
    os.mkfifo(listing)
    command = [*MODULE, "scan", "--from", str(listing)]
    # The writing end opens once the command reads, which waits from then on.
    with subprocess.Popen(command, env=ENVIRONMENT, **PIPES) as process, listing.open("wb"):
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)

    assert (process.returncode, output, errors) == (130, b"", b"")


def test_ctrl_c_during_the_imports_ends_without_a_traceback(tmp_path):
    module = [sys.executable, "-X", "importtime", *MODULE[1:]]
    with subprocess.Popen([*module, "scan", "--from", "-"], cwd=tmp_path, env=ENVIRONMENT, **PIPES) as process:
        lines: Any = process.stderr
        next(line for line in lines if b"rotation_guard.domain.control_characters" in line)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)

    assert (process.returncode, output) == (130, b"")
    assert all(line.startswith(b"import time:") for line in errors.splitlines())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device here that is always full")
@pytest.mark.parametrize("chosen", ["table", "json", "csv", "markdown"])
def test_an_output_that_cannot_be_written_is_one_sentence(tmp_path, chosen):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*MODULE, "scan", "--from", "-", "--format", chosen],
            cwd=tmp_path,
            input=b"[]",
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            env=ENVIRONMENT,
        )

    assert done.returncode == 3
    assert done.stderr == b"The output cannot be written: No space left on device.\n"
