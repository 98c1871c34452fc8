"""The command line imports what the package shares and four other packages, so `pip install` needs no others."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT

CLI = ROOT / "rotation_guard" / "cli"
FILES = sorted(CLI.rglob("*.py"))
DOMAIN = "rotation_guard.domain"
SHARED = (DOMAIN, "rotation_guard.html_report", "rotation_guard.entry_points")
PACKAGES = {"boto3", "botocore", "rich", "typer"}


def imported_modules(source: str) -> Iterator[str]:
    """Every module that this code imports, at any place; the name of a relative one begins with dots."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            # `from package import module` imports a module, too.
            yield from (f"{module.removesuffix('.')}.{name.name}" for name in node.names)


def violation(module: str, depth: int = 0) -> str | None:
    """Why the command line may not import this module, from a package this deep in it; None if it may."""
    dots = len(module) - len(module.lstrip("."))
    if dots:
        return "leaves the package by a relative import" if dots > depth + 1 else None
    if any(module.startswith(f"{package}.") or module == package for package in SHARED):
        return None
    top = module.partition(".")[0]
    return None if top in PACKAGES or top in sys.stdlib_module_names else "is not shared"


def depth_of(path: Path) -> int:
    """How many packages below the command line's own this file is."""
    return len(path.relative_to(CLI).parts) - 1


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(CLI)) for path in FILES])
def test_the_command_line_imports_only_what_is_shared_and_its_dependencies(path):
    modules = imported_modules(path.read_text())
    violations = {module: reason for module in modules if (reason := violation(module, depth_of(path)))}

    assert violations == {}


def test_the_html_report_imports_only_the_domain_and_what_renders_it():
    files = sorted((ROOT / "rotation_guard" / "html_report").glob("*.py"))
    modules = {module for path in files for module in imported_modules(path.read_text()) if not module.startswith(".")}
    packages = {module.partition(".")[0] for module in modules if not module.startswith(f"{DOMAIN}.")}

    assert packages - set(sys.stdlib_module_names) == {"jinja2", "markupsafe", "svg"}


def test_packages_of_commands_are_checked_too():
    assert {depth_of(path) for path in FILES} == {0, 1}
    assert violation("..deployment", depth=1) is None
    assert violation("...components", depth=1)


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
        "def lazy():\n    import components",
    ],
)
def test_the_rule_can_be_violated(line):
    assert [module for module in imported_modules(line) if violation(module)]
