"""`make screenshots`: the pictures of the HTML report in the README, from fixed data."""

import sys
import tempfile
from pathlib import Path

from rotation_guard.html_report.render import render_page
from tests.html_report import sample
from tests.paths import ROOT
from tests.validators.tools import Missing

from .chromium import launch

FOLDER = ROOT / "docs" / "images"
SIZE = {"width": 1200, "height": 1460}


def main() -> None:
    """Write a picture of the page in each colour scheme."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, launch() as browser:
        path = Path(directory) / "report.html"
        path.write_text(render_page(sample.build_page()), encoding="utf-8")
        for scheme in ("light", "dark"):
            page = browser.new_page(color_scheme=scheme, viewport=SIZE)
            page.goto(path.as_uri())
            page.wait_for_selector("html[data-ready]")
            picture = FOLDER / f"report-{scheme}.png"
            page.screenshot(path=picture)
            sys.stdout.write(f"Written: {picture.relative_to(ROOT)}, {picture.stat().st_size // 1000} KB\n")


if __name__ == "__main__":
    try:
        main()
    except Missing as missing:
        sys.exit(str(missing))
