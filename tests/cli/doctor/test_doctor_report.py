"""What `rotation-guard doctor` prints."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from rotation_guard.cli import provenance
from rotation_guard.cli.doctor_report import COLUMNS
from tests.cli.golden_files import compare
from tests.cli.test_json_schema import assert_errors_are_noticed, complaints
from tests.paths import ROOT

GOLDEN = Path(__file__).parent / "golden"
DOCUMENT = ROOT / "docs" / "doctor.md"


@pytest.fixture
def ailing(aws):
    """A stack with a broken rule, a dead letter, and a question that cannot be answered."""
    aws.rule("failed")["State"] = "DISABLED"
    aws.queue("failed_audits_dead_letters_url")["ApproximateNumberOfMessages"] = "2"
    aws.denied = {"ssm:GetParameter"}
    return aws


def without_time_and_place(text):
    """The text without what differs from run to run: the path of the outputs, and times."""
    text = re.sub(r"(/[\w.-]+\s?)+outputs\.json", "outputs.json", text)
    return re.sub(r"2\d{3}-\d\d-\d\d([T ])\d\d:\d\d:\d\d", r"2026-01-01\g<1>12:00:00", text)


@pytest.mark.parametrize("columns", [60, 200])
def test_the_table_fits_the_terminal_and_is_plain_text(ailing, doctor, columns):
    result = doctor(ailing, COLUMNS=str(columns), NO_COLOR="1")

    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert result.stdout.isascii()
    # The path of a temporary file may be longer than a line.
    body = lines[lines.index("") :]
    assert max(cell_len(line) for line in body) <= columns
    compare(GOLDEN / f"table-{columns}.txt", without_time_and_place("\n".join([*body, ""])))


def test_the_broken_links_come_first_then_those_that_cannot_be_told(ailing, doctor):
    links = json.loads(doctor(ailing, "--format", "json").stdout)["links"]

    verdicts = [link["verdict"] for link in links]
    assert verdicts == sorted(verdicts, key=("broken", "cannot tell", "ok").index)
    assert verdicts[:4] == ["broken", "broken", "cannot tell", "ok"]
    assert all(link["fix"] and link["reason"] for link in links[:3])


def test_the_summary_counts_the_links(ailing, aws, doctor):
    result = doctor(ailing)

    total = len(json.loads(doctor(ailing, "--format", "json").stdout)["links"])
    assert result.stdout.splitlines()[-1] == f"{total} links: {total - 3} ok, 2 broken, 1 cannot be told."


@pytest.mark.parametrize(("break_it", "code"), [(False, 0), (True, 1)])
def test_the_exit_code_says_whether_all_is_ok(aws, doctor, break_it, code):
    if break_it:
        aws.denied = {"ssm:GetParameter"}

    assert doctor(aws).exit_code == 0
    assert doctor(aws, "--exit-code").exit_code == code


def test_json_has_the_documented_fields(ailing, doctor):
    report = json.loads(doctor(ailing, "--format", "json").stdout)
    document = DOCUMENT.read_text(encoding="utf-8")

    head = ["version", "generated_at", "product_version", "source", "identity"]
    assert list(report) == [*head, "warnings", "summary", "links"]
    assert report["version"] == 1
    assert list(report["summary"]) == ["total", "ok", "broken", "cannot_tell"]
    assert report["summary"]["total"] == sum(report["summary"][name] for name in ("ok", "broken", "cannot_tell"))
    assert {tuple(link) for link in report["links"]} == {COLUMNS}
    for name in (*report, *report["summary"], *COLUMNS):
        assert f"`{name}`" in document, name


def test_csv_has_a_row_for_each_link(ailing, doctor):
    rows = list(csv.DictReader(io.StringIO(doctor(ailing, "--format", "csv").stdout, newline="")))

    assert list(rows[0]) == [*COLUMNS, *provenance.COLUMNS]
    assert (rows[0]["subject"], rows[0]["link"], rows[0]["verdict"]) == ("rule", "failed", "broken")
    assert rows[0]["fix"].startswith("Run `aws events enable-rule")


def test_markdown_has_a_row_for_each_link(ailing, doctor):
    lines = doctor(ailing, "--format", "markdown").stdout.splitlines()

    assert "| subject | link | verdict | reason | fix |" in lines
    assert [line for line in lines if line.startswith("| rule | failed | broken | ")]


def test_text_of_aws_cannot_control_the_terminal(aws, doctor):
    aws.function("claim").update(State="Failed", StateReason="\x1b[2J\nok")

    result = doctor(aws)

    assert "\x1b" not in result.stdout
    assert r"\x1b[2J" in result.stdout


def test_json_is_as_its_schema_says(ailing, doctor):
    report = json.loads(doctor(ailing, "--format", "json").stdout)

    assert complaints("doctor", report) == []
    assert_errors_are_noticed("doctor", report)
