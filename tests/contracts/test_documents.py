"""The generated parts of the documents are what their sources say."""

import ast
import importlib.util
import itertools

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


def test_the_readme_is_what_make_docs_would_write(generate):
    assert generate.readme() == generate.README.read_text()


def test_the_page_of_remediation_is_what_make_docs_would_write(generate):
    assert generate.remediation() == generate.REMEDIATION.read_text()


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


def test_the_page_of_policies_is_what_make_docs_would_write(generate):
    assert generate.policies_page.page() == generate.policies_page.PAGE.read_text()


def test_every_setting_and_every_role_is_in_the_readme(generate):
    text = generate.README.read_text()

    assert text.count("| `scheduleExpression` |") == 1
    roles = [role.name for role in generate.deploy_program(generate.stack_config("prod")).of_type("aws:iam/role:Role")]
    assert roles
    for role in roles:
        assert text.count(f"| `{role}` |") == 1


def test_the_program_imports_pulumi_and_components_alone_and_has_no_branches():
    tree = ast.parse((ROOT / "__main__.py").read_text())

    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == {"pulumi", "components.settings", "components.rotation_guard"}
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.If, ast.IfExp, ast.Match, ast.Try))]
