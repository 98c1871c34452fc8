"""Points in time: every option that takes one takes a date, a timestamp, or a time span before now."""

from datetime import UTC, datetime, timedelta

import pytest

from rotation_guard.cli.errors import UsageError
from rotation_guard.cli.parsing import parse_past_time, parse_span, parse_time
from tests.paths import ROOT

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DOCUMENT = ROOT / "docs" / "reports.md"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90d", "2025-12-01T12:00:00Z"),
        (" 12h ", "2026-03-01T00:00:00Z"),
        ("2w", "2026-02-15T12:00:00Z"),
        ("0h", "2026-03-01T12:00:00Z"),
        ("2026-02-01", "2026-02-01T00:00:00Z"),
        ("2026-02-01T01:00:00+01:00", "2026-02-01T00:00:00Z"),
        ("2026-02-01 03:04:05.678", "2026-02-01T03:04:05Z"),
    ],
)
def test_a_point_in_time_is_a_date_a_timestamp_or_a_span_before_now(text, expected):
    assert parse_time("--now", text, NOW) == datetime.fromisoformat(expected)
    assert parse_past_time("--since", text, NOW) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2026-02-01", "2026-02-01T23:59:59Z"), ("2026-03-01", "2026-03-01T12:00:00Z"), ("1d", "2026-02-28T12:00:00Z")],
)
def test_a_date_is_the_end_of_its_day_for_reports_and_today_is_now(text, expected):
    assert parse_past_time("--as-of", text, NOW, end_of_day=True) == datetime.fromisoformat(expected)


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "90m", "1d2h", "yesterday", "2026-13-01"])
def test_anything_else_is_refused_with_the_forms_that_are_accepted(text):
    with pytest.raises(UsageError) as refusal:
        parse_time("--now", text, NOW)

    assert str(refusal.value) == (
        "--now must be a date such as 2026-03-01 or 2026-03-01T12:00:00Z, or a time span before now such as 90d, "
        f"got {text!r}."
    )


@pytest.mark.parametrize("text", ["2026-03-01T12:00:01Z", "2026-03-02"])
@pytest.mark.parametrize("end_of_day", [True, False])
def test_the_past_does_not_include_the_future(text, end_of_day):
    with pytest.raises(UsageError, match="--since must not be in the future, got "):
        parse_past_time("--since", text, NOW, end_of_day=end_of_day)


def test_a_span_has_a_limit():
    assert parse_span("--older-than", "3650d") == timedelta(days=3650)
    with pytest.raises(UsageError, match="at most 3650 days, got '3651d'"):
        parse_time("--since", "3651d", NOW)


def test_a_scan_takes_a_span(run_json, list_file):
    earliest = datetime.now(UTC).replace(microsecond=0) - timedelta(days=90)

    as_of = datetime.fromisoformat(run_json("scan", "--from", list_file(), "--now", "90d")["as_of"])

    assert earliest <= as_of <= datetime.now(UTC) - timedelta(days=90)


@pytest.mark.parametrize(("option", "field"), [("--as-of", "as_of"), ("--since", "since")])
def test_a_report_takes_a_span(audit_stack, report_json, option, field):
    run = audit_stack.run(hours=80)
    audit_stack.history("a", run, 80)
    audit_stack.run(hours=1)
    audit_stack.needs_attention("a")

    answer = report_json(option, "3d")

    assert answer[field][:13] == audit_stack.ago(days=3)[:13]
    assert [secret["verdict"] for secret in answer["secrets"]] == ["fresh" if option == "--as-of" else "overdue"]


def test_the_forms_are_documented():
    text = DOCUMENT.read_text(encoding="utf-8")

    for form in ("`2026-03-01`", "`2026-03-01T12:00:00Z`", "`90d`", "`h`, `d` or `w`"):
        assert form in text
