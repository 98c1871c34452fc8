"""The link to the runbook."""

import tomllib
from email.message import Message
from importlib.metadata import PackageNotFoundError

import pytest

from components.release import REPOSITORY, VERSION, resolve_runbook
from rotation_guard.cli import incident_timeline
from tests.paths import ROOT

PYPROJECT = ROOT / "pyproject.toml"


def describe(**fields):
    described = Message()
    for name, value in fields.items():
        described[name.replace("_", "-")] = value
    return described


def test_the_runbook_is_the_one_that_the_stack_links_to(monkeypatch):
    urls = tomllib.loads(PYPROJECT.read_text())["project"]["urls"]
    described = describe(Version=VERSION, Project_URL=f"Repository, {urls['Repository']}")
    monkeypatch.setattr(incident_timeline, "metadata", lambda _: described)

    assert urls["Repository"] == REPOSITORY
    assert incident_timeline.find_runbook() == resolve_runbook()


@pytest.mark.parametrize("described", [PackageNotFoundError("rotation-guard"), describe(Version=VERSION)])
def test_without_a_repository_there_is_no_link(monkeypatch, described):
    def metadata(_):
        if isinstance(described, Exception):
            raise described
        return described

    monkeypatch.setattr(incident_timeline, "metadata", metadata)

    assert incident_timeline.find_runbook() == ""
