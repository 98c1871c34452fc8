"""`python -m local report`: the report that is printed, and the page that is written."""

import subprocess
from types import SimpleNamespace

import pytest

from local import commands


@pytest.fixture
def started(monkeypatch):
    """The options of each report that is started; the deployment is running, and its audit has nothing to show."""
    calls = []

    def start(command, **_):
        calls.append(command[command.index("report") :])
        return SimpleNamespace(returncode=3 if "html" in command else 0)

    monkeypatch.setattr(commands.deployment, "load_stack", lambda _: SimpleNamespace(is_alive=lambda: True))
    monkeypatch.setattr(commands.scenarios, "audit_portfolio", lambda stack, progress: iter(()))
    monkeypatch.setattr(subprocess, "run", start)
    return calls


def test_the_report_is_printed_as_asked_and_written_as_a_page(started, tmp_path):
    directory = tmp_path / ".local"

    code = commands.main(["--directory", str(directory), "report", "--", "--attention"])

    page = str(directory / "report.html")
    assert started == [
        ["report", "--local", "--attention"],
        ["report", "--local", "--format", "html", "--output", page],
    ]
    assert code == 3
