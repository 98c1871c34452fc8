"""The generated parts of the documents are what their sources say."""

import ast
import importlib.util
import itertools
import re

import pytest

from tests.paths import ROOT


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("generate_documents", ROOT / "docs" / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_generated_page_is_what_make_docs_would_write(generate):
    pages = generate.pages()

    assert ROOT / "README.md" in pages
    for path, text in pages.items():
        assert path.read_text() == text, f"{path.relative_to(ROOT)}: run make docs"


def test_the_page_of_remediation_decides_as_the_workflow_does(generate):
    columns = generate.decision_table.COLUMNS
    lines = generate.decision_table.evidence().splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]

    for values in itertools.product(*columns.values()):
        actions = [row[-1] for row in rows if all(map(_says, row, values))]
        assert actions == [generate.decision_table.decided(*values)], values


def _says(cell, value):
    """Whether a cell such as `any`, `works or unknown`, `any but works` is about this value."""
    if cell == "any":
        return True
    listed = value in cell.removeprefix("any but ").split(" or ")
    return listed is not cell.startswith("any but ")


def test_every_setting_and_every_role_is_on_its_page(generate, prod):
    settings, permissions = ((ROOT / "docs" / f"{page}.md").read_text() for page in ("settings", "permissions"))

    for setting in generate.settings.SETTINGS.values():
        assert settings.count(f"| `{setting.key}` |") == 1
        assert f"`{setting.key}`" in (ROOT / "README.md").read_text()
    roles = [role.name for role in prod.of_type("aws:iam/role:Role")]
    assert roles
    for role in roles:
        assert permissions.count(f"| `{role}` |") == 1


def test_decisions_are_numbered_without_a_gap_and_superseded_by_ones_that_exist(generate):
    decisions = list(generate.decision_index.read_decisions())

    assert [decision.number for decision in decisions] == list(range(1, len(decisions) + 1))
    superseding = {int(decision.status.split()[-1]) for decision in decisions if decision.status != "accepted"}
    assert superseding <= {decision.number for decision in decisions}


def test_links_between_pages_lead_somewhere():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text())]
    inside = [(page, link) for page, link in links if not link.startswith(("http", "mailto:", "#"))]

    assert len(inside) > 20
    for page, link in inside:
        target, _, heading = link.partition("#")
        file = page.parent / target
        assert file.exists(), f"{page.relative_to(ROOT)} links to {link}"
        if heading and file.suffix == ".md":
            assert heading in list(map(_anchor, re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE))), link


def _anchor(heading):
    """GitHub's anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_program_imports_pulumi_and_components_alone_and_has_no_branches():
    tree = ast.parse((ROOT / "__main__.py").read_text())

    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == {"pulumi", "components.settings", "components.rotation_guard"}
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.If, ast.IfExp, ast.Match, ast.Try))]
