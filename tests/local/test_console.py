"""Progress: what is happening now, in a terminal and in a pipe."""

import time

import pytest
from rich.console import Console

from local import console
from local.console import Terminal
from local.demo.scenarios import StepResult
from local.waiting import eventually


@pytest.fixture
def terminal(monkeypatch):
    """A terminal whose standard output is a pipe, and that prints progress soon."""
    monkeypatch.setattr(console, "_PROGRESS_SECONDS", 0.01)
    monkeypatch.setattr(console, "_PROGRESS_INTERVAL_SECONDS", 0.01)
    return Terminal()


def test_a_long_step_is_named_once_in_a_pipe(terminal, capsys):
    errors: list[str] = []

    def printed(line: str) -> bool:
        errors.append(capsys.readouterr().err)
        return line in "".join(errors)

    with terminal.show_progress("starting the embedded AWS") as progress:
        eventually(lambda: printed("starting the embedded AWS ..."), "the first step")
        progress.update("deploying the stack")
        eventually(lambda: printed("deploying the stack ..."), "the second step")
        time.sleep(0.1)
    printed("")
    assert "".join(errors) == "starting the embedded AWS ...\ndeploying the stack ...\n"


def test_a_short_step_prints_no_progress_in_a_pipe(capsys, monkeypatch):
    monkeypatch.setattr(console, "_PROGRESS_SECONDS", 60.0)
    with Terminal().show_progress("starting"):
        pass
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", "")


def test_a_scenario_prints_its_steps_to_standard_output(terminal, capsys):
    def run(progress):
        progress("auditing")
        yield StepResult("audit run", 12.0)

    terminal.print_steps(run)

    assert capsys.readouterr().out.split() == ["audit", "run", "12", "ms"]


def test_a_terminal_shows_the_current_step(monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr(terminal, "_out", Console(force_terminal=True, width=80))
    with terminal.show_progress("starting \x1b[2J") as progress:
        progress.update("deploying the stack \x1b[2J")
        eventually(lambda: "deploying the stack" in capsys.readouterr().out, "the live line")
    assert capsys.readouterr().err == ""
