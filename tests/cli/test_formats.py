"""The formats of a report: JSON, CSV, Markdown and a table."""

import csv
import io
import json
import re

import pytest
from rich.cells import cell_len

from rotation_guard.cli import errors
from rotation_guard.cli.formats import Format
from rotation_guard.cli.secret_report import CHANGE_COLUMNS
from rotation_guard.domain.audit.secret_rows import COLUMNS, PROVENANCE_COLUMNS
from tests.paths import ROOT

from .conftest import NOW, entry, tags

DOCUMENT = ROOT / "docs" / "reports.md"
LONG = "prod/" + "a-very-long-path/" * 10 + "db"


@pytest.fixture
def render(run, list_file):
    """The report on these entries in a format."""

    def scan(chosen, *entries, **more):
        result = run("scan", "--from", list_file(*entries), "--now", NOW, "--format", chosen, **more)
        assert result.exit_code == 0, result.stderr
        return result.stdout_bytes.decode()

    return scan


@pytest.mark.parametrize("first", ["=", "+", "-", "@"])
def test_a_csv_cell_that_looks_like_a_formula_is_prefixed(render, first):
    owner = f"{first}cmd|' /C calc'!A0"

    rows = list(csv.DictReader(io.StringIO(render("csv", entry(f"{first}name", 3, Tags=tags(owner=owner))))))

    assert (rows[0]["secret_name"], rows[0]["owner"]) == (f"'{first}name", f"'{owner}")


@pytest.mark.parametrize("first", ["\t", "\r", "\n"])
def test_a_csv_cell_that_begins_with_white_space_is_prefixed(render, first):
    text = render("csv", entry(f"{first}=1", 3))

    assert next(csv.DictReader(io.StringIO(text, newline="")))["secret_name"] == f"'{first}=1"


def test_csv_follows_rfc_4180(render):
    text = render("csv", entry('a "quoted", name', 40), entry("line\nbreak", 3))

    assert text.startswith(",".join((*COLUMNS, *PROVENANCE_COLUMNS)) + "\r\n")
    assert '"a ""quoted"", name",needs_rotation,never_rotated,yes,' in text
    assert '"line\nbreak",ok,in_grace,no,' in text
    assert text.endswith("\r\n")
    assert [row["secret_name"] for row in csv.DictReader(io.StringIO(text, newline=""))] == [
        'a "quoted", name',
        "line\nbreak",
    ]


def test_an_empty_report_in_csv_is_its_header(render):
    assert render("csv") == ",".join((*COLUMNS, *PROVENANCE_COLUMNS)) + "\r\n"


@pytest.mark.parametrize("chosen", [chosen.value for chosen in Format])
def test_characters_of_any_script_are_written(render, chosen):
    assert "geheim/schlüssel-日本語-🔑" in render(chosen, entry("geheim/schlüssel-日本語-🔑"))


def test_markdown_cells_are_escaped(render):
    lines = render("markdown", entry("a|b `c` <d> *e* [f] _g_ h_i\\j\nk", 40)).splitlines()

    row = next(line for line in lines if line.startswith("| a"))
    assert row.startswith(r"| a\|b \`c\` \<d\> \*e\* \[f\] \_g\_ h_i\\j k | never_rotated | yes | 40 | 30 |")
    header = next(line for line in lines if line.startswith("| secret |"))
    assert len(re.findall(r"(?<!\\)\|", row)) == len(re.findall(r"(?<!\\)\|", header)) == 9


def test_json_has_a_version_and_the_filters(run, list_file):
    options = ["--verdict", "in_grace", "--older-than", "12h", "--due-within", "4w", "--owner", "a"]

    answer = json.loads(run("scan", "--from", list_file(), "--now", NOW, "--format", "json", *options).stdout)

    assert list(answer) == [
        "version",
        "generated_at",
        "product_version",
        "as_of",
        "headline",
        "tally",
        "source",
        "identity",
        "run",
        "warnings",
        "unreadable",
        "settings",
        "parts",
        "filters",
        "summary",
        "owners",
        "exemptions",
        "secrets",
    ]
    assert answer["version"] == 1
    assert answer["filters"] == {
        "verdict": ["in_grace"],
        "owner": ["a"],
        "attention": False,
        "older_than_days": 0.5,
        "due_within_days": 28,
    }


def test_the_document_names_every_field_format_and_exit_code(run, list_file):
    text = DOCUMENT.read_text(encoding="utf-8")

    for name in (
        *COLUMNS,
        *CHANGE_COLUMNS,
        *PROVENANCE_COLUMNS,
        *json.loads(run("scan", "--from", list_file(), "--format", "json").stdout),
    ):
        assert f"`{name}`" in text
    for code in (
        errors.NEEDS_ATTENTION,
        errors.USAGE,
        errors.UNREACHABLE,
        errors.LISTING_DENIED,
        errors.INTERRUPTED,
    ):
        assert f"\n| {code} | " in text


@pytest.mark.parametrize("columns", ["80", "100", "200"])
def test_no_line_of_the_table_is_wider_than_the_terminal(render, columns):
    entries = [entry(LONG, 40, Tags=tags(owner="payments")), entry("日本語" * 40, 40), entry("short", 3)]

    lines = render("table", *entries, COLUMNS=columns).splitlines()

    assert len(lines) > 8
    assert max(cell_len(line) for line in lines) <= int(columns)


def test_a_long_name_is_not_broken_and_a_short_one_is_in_its_row(render):
    table = render("table", entry(LONG, 40), entry("short", 3))

    assert LONG in table.replace("\n", "")
    assert re.search(r"^short +in_grace +3 +30 2026-03-28$", table, re.MULTILINE)


def test_the_table_gives_the_reason_for_secrets_that_need_attention(render):
    table = render("table", entry("old", 40, Tags=tags(owner="payments")), entry("young", 3))

    assert "Needs attention: It has its first value and was never rotated. The value in use is 40 days" in " ".join(
        table.split()
    )
    assert "Owner: payments." in table
    assert "3 days old" not in table
    assert "2 secrets: never_rotated 1, in_grace 1. 1 needs attention." in table


def test_only_a_terminal_gets_colour(render):
    assert "\x1b" not in render("table", entry("old", 40))
    coloured = render("table", entry("old", 40), FORCE_COLOR="1", TERM="xterm-256color")
    assert "\x1b[31mnever_rotated" in coloured
    assert "\x1b" not in render("json", entry("old", 40), FORCE_COLOR="1")


def test_control_sequences_are_shown_and_not_executed(render):
    table = render("table", entry("a\x1b[2J\x9b31m\u202eb", 40, Tags=tags(owner="\x1b]0;title\x07")))

    assert "\x1b" not in table
    assert "\x9b" not in table
    assert r"a\x1b[2J\x9b31m\u202eb" in table


def test_the_warnings_of_a_long_table_are_repeated_below_it(run, list_file):
    long, short = ([entry(f"s/{index}", 3) for index in range(count)] for count in (21, 20))

    def incidents_json(entries):
        return run("scan", "--from", list_file(*entries, NextToken="more"), "--now", NOW).stdout.count("WARNING")

    assert (incidents_json(short), incidents_json(long)) == (1, 2)
