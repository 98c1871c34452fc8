"""CSV as a spreadsheet opens it: every cell is text or a number, and none is a formula."""

import csv
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.cli.conftest import NOW, entry, tags
from tests.paths import ROOT

SOFFICE = shutil.which("soffice") or ""
NAMES = (
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(1)",
    '=HYPERLINK("http://127.0.0.1/")',
    "a,b",
    'quo"ted',
    "two\nlines",
    "ünï/日本",
)
OWNER = "=cmd|' /C calc'!A0"


@pytest.fixture(scope="module")
def opened(tmp_path_factory) -> Path:
    """The folder of a report that LibreOffice has opened and saved, as CSV and as a workbook."""
    if not SOFFICE:
        pytest.skip("no soffice on the PATH: Debian's package libreoffice-calc-nogui has it")
    folder = tmp_path_factory.mktemp("csv")
    listing = json.dumps([entry(name, 40, Tags=tags(owner=OWNER)) for name in NAMES])
    command = [sys.executable, "-m", "rotation_guard.cli", "scan", "--from", "-", "--now", NOW, "--format", "csv"]
    written = subprocess.run(command, cwd=ROOT, input=listing.encode(), capture_output=True, check=True).stdout
    (folder / "report.csv").write_bytes(written)
    # Comma, quotes, UTF-8; evaluates formulas, as opening the file does.
    filters = {"xlsx": "xlsx", "csv": "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1"}
    for kind, chosen in filters.items():
        options = ["--headless", f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--convert-to", chosen]
        (folder / kind).mkdir()
        subprocess.run(
            [SOFFICE, *options, "--infilter=CSV:44,34,76,1,,0,false,true", "--outdir", folder / kind, "report.csv"],
            cwd=folder,
            check=True,
            capture_output=True,
            timeout=300,
        )
    return folder


def test_every_cell_is_shown_as_it_was_written(opened):
    with (opened / "report.csv").open(newline="", encoding="utf-8") as file:
        written = list(csv.reader(file))
    [saved_path] = (opened / "csv").iterdir()
    with saved_path.open(newline="", encoding="utf-8") as file:
        saved = list(csv.reader(file))

    assert len(saved) == len(NAMES) + 1
    names = [row[0] for row in saved[1:]]
    assert sorted(names) == sorted(row[0] for row in written[1:])
    assert {name.removeprefix("'") for name in names} == set(NAMES)


def test_no_cell_is_a_formula(opened):
    [workbook] = (opened / "xlsx").iterdir()
    with zipfile.ZipFile(workbook) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()

    assert sheet.count("<row ") == len(NAMES) + 1
    assert "<f" not in sheet.replace("<formatting", "")


def test_a_formula_would_be_noticed(opened):
    (opened / "planted.csv").write_text("name\n=1+1\n")
    options = ["--headless", f"-env:UserInstallation={(opened / 'profile').as_uri()}", "--convert-to", "xlsx"]
    command = [SOFFICE, *options, "--infilter=CSV:44,34,76,1,,0,false,true", "--outdir", opened, "planted.csv"]
    subprocess.run(command, cwd=opened, check=True, capture_output=True, timeout=300)

    with zipfile.ZipFile(opened / "planted.xlsx") as parts:
        assert "<f" in parts.read("xl/worksheets/sheet1.xml").decode()
