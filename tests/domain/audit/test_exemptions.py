"""Exemptions of a secret by its tags."""

import pytest

from rotation_guard.domain.audit.exemptions import read_exemption
from tests.domain.audit.judged_secrets import (
    NOW,
    OWNER,
    SECRET,
    UNTIL,
    WHY,
    judge_at_age,
    with_tags,
)


def problem_of(**tags):
    exemption = read_exemption(with_tags(**tags), NOW)
    assert exemption is not None
    return exemption.problem


def problem_until(until):
    return problem_of(until=until, why="by phone", owner="payments")


@pytest.mark.parametrize(
    "until", ["2026-03-01", "2026-03-01T12:00:00Z", "2026-03-01 12:00:00", "2026-03-01T07:00:00-05:00", "2027-03-01"]
)
def test_an_exemption_is_valid_to_its_last_second_and_for_a_year(until):
    assert problem_until(until) == ""


@pytest.mark.parametrize(
    ("until", "problem"),
    [
        ("2026-02-28", "The exemption ended on 2026-02-28."),
        ("2026-03-01T11:59:59", "The exemption ended on 2026-03-01T11:59:59."),
        ("2026-03-01T12:59:59+01:00", "The exemption ended on 2026-03-01T12:59:59+01:00."),
        ("2027-03-02", "The exemption's end must be within a year, got 2027-03-02."),
        ("9999-12-31", "The exemption's end must be within a year, got 9999-12-31."),
        ("next year", "The exemption's end must be a date such as 2030-01-31, got 'next year'."),
        ("2026-02-30", "The exemption's end must be a date such as 2030-01-31, got '2026-02-30'."),
        ("1777777777", "The exemption's end must be a date such as 2030-01-31, got '1777777777'."),
        ("0001-01-01T00:00:00+14:00", "must be a date"),
        ("9999-12-31T23:59:59-14:00", "must be a date"),
    ],
)
def test_an_invalid_exemption_says_why(until, problem):
    assert problem in problem_until(until)


def test_an_exemption_lacks_blank_and_missing_tags():
    assert problem_of(until="2026-09-30", why=" ") == f"The exemption lacks {WHY} and {OWNER}."
    assert problem_of(why="by phone") == f"The exemption lacks {OWNER} and {UNTIL}."
    assert problem_of(until="") == f"The exemption lacks {WHY} and {OWNER} and {UNTIL}."


def test_an_owner_alone_requests_no_exemption():
    assert read_exemption(with_tags(owner="payments"), NOW) is None
    assert read_exemption(SECRET, NOW) is None


def test_an_exemption_reason_with_line_separators_is_printed_on_one_line():
    finding = judge_at_age(99, with_tags(until="2026-09-30", why="by\u2028phone", owner="pay\u2029ments"))

    assert finding.reason == "Exempt until 2026-09-30 by pay ments: by phone"
    assert finding.secret.owner == "pay ments"


def test_an_invalid_exemption_says_what_the_verdict_would_be_without_it():
    assert judge_at_age(99, with_tags(until="2026-01-01", why="by phone", owner="payments")).reason == (
        "The exemption ended on 2026-01-01. Without it: overdue. The value in use is 99 days old; the limit is 30."
    )
