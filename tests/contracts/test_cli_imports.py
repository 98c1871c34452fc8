"""The command line imports the domain and four packages: `pip install rotation-guard` brings no others."""

import ast
import sys
from collections.abc import Iterator

import pytest

from tests.paths import ROOT

FILES = sorted((ROOT / "rotation_guard" / "cli").rglob("*.py"))
DOMAIN = "rotation_guard.domain"
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


@pytest.mark.parametrize(
    "line",
    [
        "from handlers.adapters import clients",
        "from rotation_guard import components",
        "import rotation_guard.components.audit.rotation_audit",
        "from rotation_guard.cli import formats",
        "import pulumi",
        "from local.deploy import deployment",
        "from .. import handlers",
        "def late():\n    import components",
    ],
)
def test_the_rule_can_be_broken(line):
    assert [module for module in imports(line) if complaint(module)]
