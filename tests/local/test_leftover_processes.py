"""Fixtures that fail before their `yield`, and deployments that fail, leave no process of the embedded AWS."""

import ast
import re
from pathlib import Path

import pytest

from local.deploy import deployment
from local.emulator import process
from local.emulator.process import Emulator
from tests.paths import ROOT

STARTS = {"Emulator.start", "deployment.up"}
CALLS = re.compile(r"Emulator\.(start|serve)|deployment\.(up|deploy_temporarily)")

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are listed from /proc")


class FixtureError(Exception):
    """An error in a fixture before its `yield`."""


def test_a_fixture_that_fails_after_a_deployment_leaves_no_process(tmp_path, program, leftover_processes):
    root = program('sns.Topic("orders")')

    def set_up() -> None:
        with deployment.deploy_temporarily(tmp_path / ".local", root=root):
            assert leftover_processes()
            raise FixtureError

    with pytest.raises(FixtureError):
        set_up()
    assert leftover_processes() == []
    assert not (tmp_path / ".local").exists()


def test_a_deployment_that_fails_in_a_fixture_leaves_no_process(tmp_path, program, leftover_processes):
    root = program('sns.Topic("orders")\nraise pulumi.RunError("failed on purpose")')
    with (
        pytest.raises(Exception, match="failed on purpose"),
        deployment.deploy_temporarily(tmp_path / ".local", root=root),
    ):
        pass
    assert leftover_processes() == []


@pytest.mark.parametrize("function", ["wait_until_ready", "_write_record"])
def test_an_emulator_that_fails_during_its_start_leaves_no_process(tmp_path, monkeypatch, leftover_processes, function):
    started: list[Emulator] = []

    def fail(emulator: Emulator) -> None:
        assert emulator.process.is_leader_alive()
        started.append(emulator)
        raise FixtureError

    monkeypatch.setattr(process.Emulator, function, fail)
    with pytest.raises(FixtureError), Emulator.serve(tmp_path / "emulator", "eu-west-1"):
        pass
    [emulator] = started
    assert not emulator.process.is_leader_alive()
    assert leftover_processes() == []


def list_fixtures() -> list[tuple[str, ast.FunctionDef]]:
    texts = {path: path.read_text() for path in (ROOT / "tests").rglob("*.py")}
    trees = ((path, ast.parse(text)) for path, text in texts.items() if CALLS.search(text))
    nodes = ((path, node) for path, tree in trees for node in ast.walk(tree))
    return [
        (f"{path.relative_to(ROOT)}::{node.name}", node)
        for path, node in nodes
        if isinstance(node, ast.FunctionDef)
        and any("pytest.fixture" in ast.unparse(decorator) for decorator in node.decorator_list)
    ]


def test_no_fixture_starts_an_emulator_outside_of_a_context_manager():
    """`Emulator.serve` and `deployment.deploy_temporarily` stop it whatever happens."""
    fixtures = list_fixtures()
    assert any("deploy_temporarily" in ast.unparse(node) for _, node in fixtures)
    assert any("Emulator.serve" in ast.unparse(node) for _, node in fixtures)
    unsafe = [
        name
        for name, node in fixtures
        if {ast.unparse(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)} & STARTS
        and not any(isinstance(inner, ast.FunctionDef) and inner is not node for inner in ast.walk(node))
    ]
    assert unsafe == []
