"""The operators' door opens on the domain alone: what it imports is held to that.

import-linter knows the rooms by the names that they have in a checkout; `cli/` uses the package's.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "cli").rglob("*.py"))
DOMAIN = "rotation_guard.handlers.domain"
PACKAGES = {"boto3", "botocore", "rich", "typer"}


def imports(source: str) -> Iterator[str]:
    """Every module that a text imports, wherever in it; a relative one begins with dots."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            # `from package import module` names a module, too.
            yield from (f"{module.removesuffix('.')}.{name.name}" for name in node.names)


def complaint(module: str) -> str | None:
    """What is wrong with an import of the command line's; None for nothing."""
    if module.startswith(".."):
        return "leaves the room by a relative import"
    if module.startswith((".", f"{DOMAIN}.")) or module == DOMAIN:
        return None
    top = module.partition(".")[0]
    return None if top in PACKAGES or top in sys.stdlib_module_names else "is none of the domain's"


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_the_command_line_knows_the_domain_and_no_other_room(path):
    wrong = {module: found for module in imports(path.read_text()) if (found := complaint(module))}

    assert wrong == {}


def test_the_domain_is_imported_by_the_name_that_it_has_when_it_is_installed():
    found = {module for path in FILES for module in imports(path.read_text())}

    assert any(module.startswith(f"{DOMAIN}.verdicts.") for module in found)
    assert len(FILES) > 10


@pytest.mark.parametrize(
    "line",
    [
        "from rotation_guard.handlers.adapters import clients",
        "from rotation_guard.handlers import adapters",
        "from rotation_guard import handlers",
        "import rotation_guard.components.rotation_audit",
        "from rotation_guard.cli import formats",
        "from handlers.domain import verdicts",
        "import pulumi",
        "from local import deployment",
        "from .. import handlers",
        "from ..handlers.domain import verdicts",
        "def late():\n    import components",
    ],
)
def test_the_rule_can_be_broken(line):
    assert [module for module in imports(line) if complaint(module)]
