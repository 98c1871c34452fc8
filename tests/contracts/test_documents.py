"""The generated parts of the documents are what their sources say."""

import ast
import importlib.util
import itertools
import re

import pytest

from tests.page_commands import read_commands
from tests.paths import ROOT


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("generate_documents", ROOT / "docs" / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_generated_page_is_up_to_date(generate):
    pages = generate.pages()

    assert ROOT / "README.md" in pages
    for path, text in pages.items():
        assert path.read_text() == text, f"{path.relative_to(ROOT)}: run make docs"


def test_the_decision_table_of_the_page_is_that_of_the_product(generate):
    columns = generate.decision_table.COLUMNS
    lines = generate.decision_table.evidence().splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]

    for values in itertools.product(*columns.values()):
        actions = [row[-1] for row in rows if all(map(_matches, row, values))]
        assert actions == [generate.decision_table.decided(*values)], values


def _matches(cell, value):
    """Whether a cell such as `any`, `works or unknown` or `any but works` includes this value."""
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


def test_a_setting_that_is_off_by_default_adds_roles_and_changes_no_other(generate, prod):
    table = generate.write_optional_permissions()
    before = list(generate._permissions(prod))

    for addition in generate.optional_settings.list_additions():
        own = {role.name for role in prod.of_type("aws:iam/role:Role")}
        assert addition.roles
        assert list(generate._permissions(addition.recording, own)) == before, addition.setting
        for role in addition.roles:
            assert table.count(f"| `{addition.setting}` | `{role}` |") == 1


def test_decision_records_are_numbered_without_gaps_and_superseded_by_existing_ones(generate):
    decisions = list(generate.decision_index.read_decisions())

    assert [decision.number for decision in decisions] == list(range(1, len(decisions) + 1))
    superseding = {int(decision.status.split()[-1]) for decision in decisions if decision.status != "accepted"}
    assert superseding <= {decision.number for decision in decisions}


def test_links_between_pages_have_a_target():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text())]
    internal = [(page, link) for page, link in links if not link.startswith(("http", "mailto:", "#"))]

    assert len(internal) > 20
    for page, link in internal:
        target, _, heading = link.partition("#")
        file = page.parent / target
        assert file.exists(), f"{page.relative_to(ROOT)} links to {link}"
        if heading and file.suffix == ".md":
            assert heading in list(map(_anchor, re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE))), link


def list_commands_of_pages():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]
    return [command.text for page in pages for command in read_commands(page.read_text())]


def test_a_command_that_lists_alarms_says_of_which_type():
    """CloudWatch lists no composite alarm unless it is asked for the type; the embedded AWS lists both.

    (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html)
    """
    commands = [command for command in list_commands_of_pages() if "describe-alarms" in command]

    assert len(commands) == 3
    for command in commands:
        [of_type] = re.findall(r"--alarm-types (\w+)", command)
        assert f"{of_type}s[]" in command


def test_a_bucket_is_made_by_a_command_that_works_in_every_region():
    """S3 takes us-east-1 for no LocationConstraint, and needs one in every other Region; `aws s3 mb` knows.

    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketConfiguration.html)
    """
    commands = list_commands_of_pages()

    assert [command for command in commands if "s3 mb" in command]
    assert not [command for command in commands if "create-bucket" in command]


def _anchor(heading):
    """GitHub's anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_program_imports_only_pulumi_and_components_and_has_no_branches():
    tree = ast.parse((ROOT / "__main__.py").read_text())

    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == {"pulumi", "components.settings", "components.rotation_guard"}
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.If, ast.IfExp, ast.Match, ast.Try))]
