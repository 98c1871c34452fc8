"""Deleting dead letters for good: what is deleted is saved before."""

import errno
import json
import os
import stat
from pathlib import Path

import pytest

from .conftest import CALLER, aws_error
from .dead_letter_stack import recorded_message

YES = ("--yes", "--reason", "Later runs were complete.")
AUDITS = ("--queue", "failed-audits")


@pytest.fixture
def discard(dead_letters, run_on_stack, tmp_path, monkeypatch):
    """Discards in an empty directory; returns the result."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return lambda *options: run_on_stack("dead-letters", "discard", *options)


def test_messages_are_saved_and_deleted(dead_letters, discard):
    ids = {dead_letters.put("failed-audits", "schedule") for _ in range(3)}
    dead_letters.put("undelivered-events", "rule-throttled")

    result = discard(*AUDITS, *YES, "--save", "audits.jsonl", "--format", "json")

    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    assert (answer["summary"], answer["saved_to"]) == ({"discarded": 3}, "audits.jsonl")
    saved = [json.loads(line) for line in Path("audits.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {message["message_id"] for message in saved} == ids
    assert {message["body"] for message in saved} == {recorded_message("schedule")["Body"]}
    assert saved[0]["attributes"]["ERROR_CODE"] == "ResourceNotFoundException"
    assert (saved[0]["discarded_by"], saved[0]["reason"]) == (CALLER, YES[2])
    assert stat.S_IMODE(Path("audits.jsonl").stat().st_mode) == 0o600
    assert (dead_letters.visible("failed-audits"), dead_letters.visible("undelivered-events")) == (0, 1)


def test_without_a_name_they_are_saved_in_this_directory(dead_letters, discard):
    dead_letters.put("failed-audits", "schedule")

    answer = json.loads(discard(*AUDITS, *YES, "--format", "json").stdout)

    [file] = Path().iterdir()
    assert file.name == answer["saved_to"]
    assert file.name.startswith("dead-letters-")


def test_the_file_is_named_at_the_end(dead_letters, discard):
    dead_letters.put("failed-audits", "schedule")

    assert "discarded 1. Saved to audits.jsonl." in discard(*AUDITS, *YES, "--save", "audits.jsonl").stdout


def test_saving_can_be_refused(dead_letters, discard):
    dead_letters.put("failed-audits", "schedule")

    result = discard(*AUDITS, *YES, "--no-save")

    assert (result.exit_code, "Saved to" in result.stdout) == (0, False)
    assert ([*Path().iterdir()], dead_letters.visible("failed-audits")) == ([], 0)


def test_no_file_is_left_if_nothing_matches(dead_letters, discard):
    assert discard(*AUDITS, *YES).exit_code == 0
    assert [*Path().iterdir()] == []


def test_without_yes_it_is_a_dry_run(dead_letters, discard):
    dead_letters.put("failed-audits", "schedule")

    result = discard(*AUDITS)

    assert (result.exit_code, [*Path().iterdir()]) == (0, [])
    assert "would discard" in result.stdout
    assert "this is a dry run" in result.stdout
    assert dead_letters.visible("failed-audits") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (YES, "give --queue, --cause, --secret, --older-than or --id. Nothing was deleted."),
        ((), "give --queue, --cause, --secret, --older-than or --id. Nothing was deleted."),
        ((*AUDITS, "--yes"), "needs a reason: give --reason TEXT"),
        ((*AUDITS, "--yes", "--reason", " "), "--reason must be 1 to 256 characters"),
        ((*AUDITS, *YES, "--save", "x", "--no-save"), "Give --save or --no-save, not both"),
        ((*AUDITS, *YES, "--save", "no/such/directory"), "--save must be a file that can be created, got no/such/"),
        ((*AUDITS, *YES, "--save", "."), "--save must be "),
    ],
)
def test_what_is_not_said_plainly_deletes_nothing(dead_letters, discard, options, message):
    dead_letters.put("failed-audits", "schedule")

    result = discard(*options)

    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert message in result.stderr
    assert dead_letters.visible("failed-audits") == 1


def test_an_existing_file_is_never_overwritten(dead_letters, discard, tmp_path):
    dead_letters.put("failed-audits", "schedule")
    file = tmp_path / "here" / "evidence"
    file.write_text("before")

    result = discard(*AUDITS, *YES, "--save", "evidence")

    assert (result.exit_code, file.read_text()) == (2, "before")
    assert "--save must be a new file, got evidence, which exists. Nothing was deleted." in result.stderr
    assert dead_letters.visible("failed-audits") == 1


def test_what_cannot_be_saved_is_not_deleted(dead_letters, discard, monkeypatch):
    for _ in range(3):
        dead_letters.put("failed-audits", "schedule")
    written = []

    def write(file, text, write=os.write):
        written.append(text)
        if len(written) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, text)

    monkeypatch.setattr(os, "write", write)

    result = discard(*AUDITS, *YES, "--format", "json")

    assert result.exit_code == 3
    assert json.loads(result.stdout)["summary"] == {"discarded": 1, "kept": 2}
    assert "It could not be saved: No space left on device." in result.stdout
    assert dead_letters.visible("failed-audits") == 2


def test_a_message_that_cannot_be_deleted_stays(dead_letters, discard):
    dead_letters.put("failed-audits", "schedule")
    dead_letters.answers["DeleteMessage"] = lambda _: aws_error("AccessDenied")

    assert discard(*AUDITS, *YES).exit_code == 3
    assert dead_letters.visible("failed-audits") == 1


@pytest.mark.parametrize("operation", ["ReceiveMessage", "DeleteMessage"])
def test_an_interruption_keeps_what_is_not_saved(dead_letters, discard, operation):
    for _ in range(3):
        dead_letters.put("failed-audits", "schedule")

    def interrupt(_):
        raise KeyboardInterrupt

    dead_letters.answers[operation] = interrupt

    assert discard(*AUDITS, *YES).exit_code == 130
    assert dead_letters.visible("failed-audits") == 3
