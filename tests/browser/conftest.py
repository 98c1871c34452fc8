"""Chromium, driven by Playwright: both as `tests/validators/install.sh` has installed them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rotation_guard.html_report.document import Document, render_document
from rotation_guard.html_report.page import ReportPage
from rotation_guard.html_report.render import render_page
from tests.validators import tools

from .chromium import find_packages, launch

_TIMEOUT_MILLISECONDS = 10_000
"""How long an action waits for its element."""


@pytest.fixture(scope="session")
def packages() -> Path:
    """The Python packages of these tests; skips them with the reason where anything is missing."""
    try:
        return find_packages()
    except tools.Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def axe(packages: Path) -> str:
    """The source of axe-core."""
    return (packages / "axe_playwright_python" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def chromium(packages: Path) -> Iterator[Any]:
    """One browser for all tests."""
    with launch() as browser:
        yield browser


class OpenPage:
    """A page in the browser, and what it did that it must not do."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(f"console {message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", self._note_request)
        page.on("dialog", self._note_dialog)

    def _note_request(self, request: Any) -> None:
        if not request.is_navigation_request():
            self.complaints.append(f"request: {request.url}")

    def _note_dialog(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def rows(self) -> list[list[str]]:
        """The cells of each row that is shown; the first one without its reason."""
        return self.page.evaluate(
            "[...document.querySelectorAll('#table tbody tr:not([hidden])')].map((row) => [...row.cells].map("
            "(cell, index) => (index ? cell : cell.firstChild).textContent.trim()))"
        )

    def column(self, index: int) -> list[str]:
        """One column of these."""
        return [row[index] for row in self.rows()]


@pytest.fixture
def open_page(chromium: Any, tmp_path: Path) -> Iterator[Callable[..., OpenPage]]:
    """Opens a page in a new window from a file; options are those of Playwright's `new_context`."""
    contexts = []

    def open_(report: ReportPage | Document, **options: Any) -> OpenPage:
        path = tmp_path / f"{len(contexts)}.html"
        has_script = isinstance(report, ReportPage)
        text = render_page(report) if isinstance(report, ReportPage) else render_document(report)
        path.write_text(text, encoding="utf-8")
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, "offline": True, **options})
        contexts.append(context)
        opened = OpenPage(context.new_page())
        opened.page.set_default_timeout(_TIMEOUT_MILLISECONDS)
        opened.page.goto(path.as_uri())
        if has_script and options.get("java_script_enabled", True):
            opened.page.wait_for_selector("html[data-ready]")
        return opened

    yield open_
    for context in contexts:
        context.close()
