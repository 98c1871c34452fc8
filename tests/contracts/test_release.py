"""The release: one version everywhere, notes for it, and workflows that run only pinned actions."""

import re
import tomllib

import pytest
import yaml

from components.release import VERSION
from docs.release_notes import read_notes
from tests.paths import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
CHECKOUT = "actions/checkout@"


def read(workflow):
    # YAML 1.1 reads the key `on` as true.
    return yaml.safe_load(workflow.read_text())


def steps_of(workflow):
    return [step for job in read(workflow)["jobs"].values() for step in job["steps"]]


def test_this_version_has_release_notes():
    notes = read_notes(VERSION)

    assert notes
    assert VERSION != "0.1.0" or "First release." in notes


def test_a_release_of_another_version_is_rejected_naming_the_file_to_change():
    with pytest.raises(ValueError, match=r"VERSION in components/release.py must be 99.0.0, got "):
        read_notes("99.0.0")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_and_checkouts_keep_no_credentials(workflow):
    used = [step for step in steps_of(workflow) if "uses" in step]

    assert used
    for step in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"]), step["uses"]
        if step["uses"].startswith(CHECKOUT):
            assert step["with"]["persist-credentials"] is False
    # The version is in a comment for people, and for tools that update it.
    assert len(re.findall(r"uses: \S+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", workflow.read_text(), re.MULTILINE)) == len(used)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_have_read_permissions_at_most(workflow):
    assert read(workflow)["permissions"] in ({}, {"contents": "read"})


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_secrets_are_passed_only_to_single_steps(workflow):
    definition = read(workflow)
    for part in (definition, *definition["jobs"].values()):
        assert "secrets." not in str(part.get("env", {}))
        assert "token" not in str(part.get("env", {})).lower()


def test_the_suite_runs_on_the_oldest_supported_python_and_that_of_the_functions():
    job = read(ROOT / ".github" / "workflows" / "tests.yml")["jobs"]["tests"]
    function = (ROOT / "components" / "function.py").read_text()

    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.13"]
    assert 'requires-python = ">=3.11"' in (ROOT / "pyproject.toml").read_text()
    assert "python3.13" in function


def test_the_package_has_every_folder_and_few_dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    folders = {"rotation_guard": "rotation_guard", "components": "rotation_guard.components"}
    folders["handlers"] = "rotation_guard.handlers"
    packages = {
        ".".join([name, *path.parent.relative_to(ROOT / folder).parts])
        for folder, name in folders.items()
        for path in (ROOT / folder).rglob("__init__.py")
    }

    assert set(project["tool"]["setuptools"]["packages"]) == packages
    assert project["tool"]["setuptools"]["package-data"] == {
        "rotation_guard.cli.doctor": ["expectations.json"],
        "rotation_guard.html_report": ["templates/*"],
    }
    required = {re.split(r"[^\w.-]", requirement)[0] for requirement in project["project"]["dependencies"]}
    assert required == {"boto3", "jinja2", "rich", "svg.py", "typer", "tzdata"}
