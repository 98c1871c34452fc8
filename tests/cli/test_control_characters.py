"""Control characters of names, tags, files and responses are escaped in all output."""

import json
import re

import pytest

from rotation_guard.domain.control_characters import escape_control_characters

from .conftest import NOW, aws_error, entry, tags

# By the Unicode Character Database: categories Cc and Cs, and of Cf and Zl/Zp what changes lines or direction (UAX #9).
FORBIDDEN = [
    *map(chr, range(0x20)),
    *map(chr, range(0x7F, 0xA0)),
    *"\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    "\ud800",
    "\udfff",
]
NASTY = "a\x00\x07\x1b[2J\x7f\x85\x9b31m\u200e\u2028\u2029\u202e\u2066\ud800[red]b"


def offending(text, layout="\n"):
    return [character for character in text if character in FORBIDDEN and character not in layout]


@pytest.mark.parametrize("character", FORBIDDEN, ids=lambda character: f"{ord(character):04x}")
def test_each_control_character_is_escaped(character):
    escaped = escape_control_characters(f"a{character}b")

    assert not offending(escaped)
    assert re.fullmatch(r"a\\(x[0-9a-f]{2}|u[0-9a-f]{4}|[ntr])b", escaped)


def test_other_characters_are_unchanged():
    text = "geheim/schlüssel-日本語-🔑 עברית عربى e\u0301 \u200d \\x1b [red]"

    assert escape_control_characters(text) == text


@pytest.mark.parametrize("chosen", ["table", "json", "csv", "markdown"])
def test_a_file_cannot_control_a_terminal_or_a_reader(run, list_file, chosen):
    nasty = entry(
        NASTY, 40, Tags=tags(owner=NASTY), ARN=f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{NASTY}"
    )

    result = run("scan", "--from", list_file(nasty), "--now", NOW, "--format", chosen)

    assert result.exit_code == 0
    assert not offending(result.stdout, "\r\n" if chosen == "csv" else "\n")
    assert r"\u202e" in result.stdout
    assert "red" in result.stdout


def test_json_decodes_to_the_original_name(run, list_file):
    stdout = run("scan", "--from", list_file(entry(NASTY, 40)), "--now", NOW, "--format", "json").stdout

    assert json.loads(stdout)["secrets"][0]["secret_name"] == NASTY


def test_a_warning_for_csv_is_escaped(run, tmp_path):
    path = tmp_path / "\x1b[2J\u202elist.json"
    path.write_text(json.dumps({"SecretList": [], "NextToken": "more"}))

    result = run("scan", "--from", str(path), "--format", "csv")

    assert "Warning: " in result.stderr
    assert not offending(result.stderr)


@pytest.mark.parametrize(
    "words",
    [
        ["scan", "--from", "missing\x1b[2J\u202e"],
        ["scan", "--now", NASTY.replace("\x00", "")],
        ["scan", "--format", "\x1b[31m\u202e"],
        ["scan", "--max-age-days", "\x1b[31m\u202e"],
        ["\x1b[31m\u202e"],
        ["scan", "--\x1b[31m\u202e"],
        ["incidents", "\u202e\x1b]0;x\x07"],
        ["remediation", "stop", "more\x1b[31m"],
    ],
)
def test_an_error_message_escapes_what_it_quotes(run, words):
    result = run(*words)

    assert result.exit_code == 2
    assert not offending(result.stderr)
    assert result.stdout == ""


def test_an_error_of_aws_is_escaped(stack, run_on_stack):
    refusal = aws_error("AccessDenied\x1b[31m")
    refusal["Error"]["Message"] = NASTY
    stack.answers["GetParameter"] = lambda request: refusal

    result = run_on_stack("remediation", "status")

    assert result.exit_code == 3
    assert not offending(result.stderr)
    assert r"\x1b[31m" in result.stderr


@pytest.mark.parametrize("chosen", ["table", "json", "csv", "markdown"])
@pytest.mark.parametrize("words", [("incidents", "list"), ("incidents", "show", "a"), ("incidents", "orphaned")])
def test_a_row_of_dynamodb_is_escaped(stack, run_on_stack, words, chosen):
    nasty = NASTY.replace("\ud800", "")
    stack.closed_incident("a", "escalated", reason=nasty, execution=f"arn:aws:states:eu-west-1:1:execution:{nasty}:>")
    stack.set_state("a", orphaned_at=nasty)

    result = run_on_stack(*words, "--format", chosen)

    assert result.exit_code == 0, result.stderr
    assert not offending(result.stdout, "\r\n" if chosen == "csv" else "\n")
