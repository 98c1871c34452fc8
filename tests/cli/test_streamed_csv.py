"""CSV of more secrets than can be sorted in memory."""

import csv
import io

import pytest


@pytest.fixture
def many(audit_stack, monkeypatch):
    """A stack whose last run checked more secrets than are sorted."""
    monkeypatch.setattr("rotation_guard.cli.secret_stream.MANY_SECRETS", 2)
    audit_stack.run(checked=3)
    audit_stack.status("young", 3)
    audit_stack.status("gone", gone_since="2026-01-01T00:00:00Z")
    audit_stack.status("no-age", status="unknown", verdict="unknown", value_created_at=None)
    audit_stack.needs_attention("old")
    return audit_stack


def read(run, stack, *options):
    result = run("report", "--stack-outputs", str(stack.outputs), "--format", "csv", *options)
    return result, list(csv.DictReader(io.StringIO(result.stdout)))


def test_the_rows_are_those_of_a_sorted_report(many, run, monkeypatch):
    _, streamed = read(run, many)
    monkeypatch.setattr("rotation_guard.cli.secret_stream.MANY_SECRETS", 1000)
    _, collected = read(run, many)

    assert streamed[0]["secret_name"] == collected[0]["secret_name"] == "old"
    for row in (*streamed, *collected):
        del row["generated_at"]
    assert sorted(map(str, streamed)) == sorted(map(str, collected))
    assert len(streamed) == 3


def test_no_more_than_a_page_is_kept(many, run):
    read(run, many)

    assert all("TotalSegments" not in request for request in many.calls_of("Scan", "status"))


def test_filters_and_their_warning_apply(many, run):
    result, rows = read(run, many, "--older-than", "30d")

    assert [row["secret_name"] for row in rows] == ["old"]
    assert "The age of 1 secret is unknown" in result.stderr


def test_attention_reads_the_index_alone(many, run):
    _, rows = read(run, many, "--attention")

    assert [row["secret_name"] for row in rows] == ["old"]
    assert many.calls_of("Scan", "status") == []


def test_the_exit_code_counts_what_was_written(many, run):
    assert read(run, many, "--exit-code", "--verdict", "fresh")[0].exit_code == 0
    assert read(run, many, "--exit-code")[0].exit_code == 1


def test_an_error_while_rows_are_written_ends_with_its_sentence(many, run):
    many.answers["Scan"] = lambda request: {"Error": {"Code": "AccessDeniedException", "Message": "No."}}

    result, rows = read(run, many)

    assert result.exit_code == 3
    assert result.stderr.endswith("table status: Scan was refused: AccessDeniedException: No.\n")
    assert len(rows) <= 1
