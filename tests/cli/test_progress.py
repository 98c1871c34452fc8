"""Progress on standard error: only in a terminal, and only while a command waits."""

import io
import time
from types import SimpleNamespace

import pytest

from rotation_guard.cli import terminal
from rotation_guard.cli.terminal import Progress, echo

ERASE = "\r\x1b[2K"


class FakeTerminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def stderr(monkeypatch):
    """A terminal as standard error, where progress is updated a hundred times a second."""
    stream = FakeTerminal()
    monkeypatch.setattr(terminal, "sys", SimpleNamespace(stderr=stream))
    monkeypatch.setattr(terminal, "_PROGRESS_SECONDS", 0.01)
    monkeypatch.setenv("TERM", "xterm-256color")
    return stream


@pytest.fixture
def progress(monkeypatch):
    """The progress of a process of its own."""
    progress = Progress()
    monkeypatch.setattr(terminal, "progress", progress)
    return progress


def wait_for(stream, text):
    deadline = time.monotonic() + 10
    while text not in stream.getvalue():
        assert time.monotonic() < deadline, stream.getvalue()
        time.sleep(0.005)


def test_a_wait_says_what_it_waits_for_and_is_erased(stderr, progress):
    with progress.shown():
        progress.update("Listing secrets: 300 so far")
        wait_for(stderr, "Listing secrets: 300 so far (0 s) ...")

    assert stderr.getvalue().endswith(ERASE)


def test_a_command_that_answers_within_a_second_shows_none(stderr, progress, monkeypatch):
    monkeypatch.setattr(terminal, "_PROGRESS_SECONDS", 1)

    with progress.shown():
        progress.update("Listing secrets")

    assert stderr.getvalue() == ""


def test_standard_error_that_is_no_terminal_gets_none(progress, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(terminal, "sys", SimpleNamespace(stderr=stream))
    monkeypatch.setattr(terminal, "_PROGRESS_SECONDS", 0.01)

    with progress.shown():
        time.sleep(0.05)

    assert stream.getvalue() == ""


def test_a_terminal_without_control_sequences_gets_none(stderr, progress, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")

    with progress.shown():
        time.sleep(0.05)

    assert stderr.getvalue() == ""


def test_a_sentence_is_printed_on_a_line_of_its_own(stderr, progress, monkeypatch):
    stdout = io.StringIO()
    monkeypatch.setattr(terminal, "sys", SimpleNamespace(stderr=stderr, stdout=stdout))

    with progress.shown():
        wait_for(stderr, "Working")
        with monkeypatch.context() as context:
            # Progress returns after another second, which this test does not wait for.
            context.setattr(terminal, "_PROGRESS_SECONDS", 1)
            echo("Done.")
            assert stderr.getvalue().endswith(ERASE)

    assert stdout.getvalue() == "Done.\n"


def test_nothing_is_shown_once_the_answer_is_printed(stderr, progress):
    with progress.shown():
        wait_for(stderr, "Working")
        progress.end()
        shown = stderr.getvalue()
        time.sleep(0.05)

        assert stderr.getvalue() == shown
    assert shown.endswith(ERASE)


def test_a_name_does_not_control_the_terminal_nor_fill_it(stderr, progress):
    with progress.shown():
        progress.update(f"Waiting for table \x1b]0;x\x07{'long' * 50}")
        wait_for(stderr, r"Waiting for table \x1b]0;x\x07")

    assert max(map(len, stderr.getvalue().split(ERASE))) < 40


def test_a_terminal_that_was_closed_does_not_end_the_command(stderr, progress, monkeypatch):
    def fail(text):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(stderr, "write", fail)

    with progress.shown():
        time.sleep(0.05)
