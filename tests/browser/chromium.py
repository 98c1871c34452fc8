"""Debian's Chromium and Playwright's driver, as `tests/validators/install.sh` has installed them."""

import importlib
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.validators import tools

_OPTIONS = (
    "--no-sandbox",  # Chromium's own sandbox does not run as root.
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_packages() -> Path:
    """The Python packages that drive and examine it. Raises tools.Missing where anything is missing."""
    [packages] = tools.installed("browser").glob("lib/python*/site-packages")
    if shutil.which("chromium") is None:
        raise tools.Missing("Skipped: no chromium on the PATH.")
    return packages


@contextmanager
def launch() -> Generator[Any]:
    """A browser, as Playwright's `Browser`."""
    packages = str(find_packages())
    # Behind everything else: these tests only add to the environment of `make test`.
    if packages not in sys.path:
        sys.path.append(packages)
    playwright = importlib.import_module("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=[*_OPTIONS])
        try:
            yield browser
        finally:
            browser.close()
