"""The modules of the embedded AWS: where each runs, and that every patch is installed."""

import ast
import importlib
import re

import pytest

import local.emulator
from local.emulator.patches import PATCHES
from tests.paths import ROOT

FOLDER = ROOT / "local" / "emulator"
MODULES = {path.stem: ast.parse(path.read_text()) for path in FOLDER.glob("*.py") if path.stem != "__init__"}
OUTSIDE, INSIDE, WITHOUT_MINISTACK = (
    re.findall(r"^    (\w+) ", group, re.MULTILINE) for group in (local.emulator.__doc__ or "").split("\n\n")[1:]
)


def imports_ministack(tree: ast.Module) -> bool:
    names = [node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom) and not node.level]
    return any(name.partition(".")[0] == "ministack" for name in names)


def test_the_table_of_modules_lists_each_once():
    assert sorted([*OUTSIDE, *INSIDE, *WITHOUT_MINISTACK]) == sorted(MODULES)


@pytest.mark.parametrize("module", [*OUTSIDE, *WITHOUT_MINISTACK])
def test_only_the_modules_over_ministack_import_it(module):
    assert not imports_ministack(MODULES[module])


@pytest.mark.parametrize("module", OUTSIDE)
def test_modules_outside_of_the_emulator_import_none_from_inside(module):
    relative = [node for node in ast.walk(MODULES[module]) if isinstance(node, ast.ImportFrom) and node.level == 1]
    names = {name.name for node in relative for name in node.names} | {node.module for node in relative}
    assert not names & {*INSIDE, *WITHOUT_MINISTACK}


def test_every_patch_is_in_the_list_once():
    patches = [
        importlib.import_module(f"local.emulator.{module}").install
        for module, tree in MODULES.items()
        if any(isinstance(node, ast.FunctionDef) and node.name == "install" for node in tree.body)
    ]
    assert len(patches) > 10
    assert {patch.install for patch in PATCHES} == set(patches)
    assert len(PATCHES) == len(patches)
