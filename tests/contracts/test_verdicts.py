"""Every list of verdicts elsewhere is complete. Each failure names the file to edit."""

import pytest

from local.demo import portfolio
from rotation_guard.domain.audit.verdicts import VERDICT_NAMES
from tests.paths import ROOT


@pytest.mark.parametrize("name", VERDICT_NAMES)
def test_the_demo_has_secrets_of_every_verdict(name):
    assert name in portfolio.VERDICTS, f"verdict {name} has no demo secret: add one to _LIKE in local/demo/portfolio.py"


@pytest.mark.parametrize("name", VERDICT_NAMES)
def test_the_page_of_the_audit_describes_every_verdict(name):
    lines = (ROOT / "docs" / "audit.md").read_text().splitlines()

    has_row = any(line.startswith(f"| `{name}` |") for line in lines)
    assert has_row, f"{name} lacks a row in docs/audit.md: run `make docs`"


def test_every_verdict_that_the_demo_shows_exists():
    assert set(portfolio.VERDICTS) <= set(VERDICT_NAMES), "remove it from _LIKE in local/demo/portfolio.py"
