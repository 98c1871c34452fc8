"""Verdicts for a labelled corpus of secrets, with their limits, exemptions and reasons."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from rotation_guard.domain.audit import verdicts
from rotation_guard.domain.audit.age_limits import AgeClass, find_limit
from rotation_guard.domain.audit.exemptions import read_exemption
from rotation_guard.domain.audit.verdicts import (
    NEEDS_ROTATION,
    OK,
    UNKNOWN,
    VERDICT_NAMES,
    VERDICTS,
    AuditSettings,
    judge,
)
from rotation_guard.domain.ownership import describe_owner, is_rotated_by_owner
from rotation_guard.domain.secret import (
    DATE_FIELDS,
    ListedSecret,
    VersionDates,
    date_versions,
    estimate_dates,
    parse_secret,
    read_date,
    refused_dates,
)
from tests.paths import EVENTS

CORPUS = {path.stem: path for path in sorted((EVENTS / "secrets").glob("*.json"))}
MISTAKES = {
    "last-changed-date",
    "last-rotated-date-null",
    "manual-rotation-ignored",
    "too-young-flagged",
    "replica-flagged",
    "managed-flagged",
    "no-healthy-branch",
    "unreadable-passed",
}
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = ListedSecret(
    "orders/db", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/db-Ab12Cd", {}, current_version_id="v2"
)
LIMIT, UNTIL, WHY, OWNER = (
    f"rotation-guard:{name}" for name in ("max-age-days", "exempt-until", "exempt-reason", "owner")
)


def parse_case(case):
    """The secret of a case of the corpus, and its dates."""
    entry = {name: _date(value) if name in DATE_FIELDS and value else value for name, value in case["entry"].items()}
    secret = parse_secret(entry)
    if "problem" in case:
        return secret, VersionDates(None, problem=case["problem"])
    if "versions" in case:
        return secret, date_versions(
            secret, {version: _date(created_at) for version, created_at in case["versions"].items()}
        )
    return secret, estimate_dates(secret)


def settings_of(case):
    own = dict(case["settings"])
    classes = tuple(AgeClass(**fields) for fields in own.pop("classes", []))
    return AuditSettings(**own, classes=classes)


def judge_case(case):
    return judge(*parse_case(case), settings_of(case), _date(case["now"]))


def tagged(**tags):
    names = {"limit": LIMIT, "until": UNTIL, "why": WHY, "owner": OWNER}
    return replace(SECRET, tags={names.get(name, name): value for name, value in tags.items()})


def aged(days, secret=SECRET, settings=None, **seconds):
    dates = VersionDates(NOW - timedelta(days=days, **seconds))
    return judge(secret, dates, settings or AuditSettings(), NOW)


def _date(text):
    return datetime.fromisoformat(text)


# --- the corpus ------------------------------------------------------------------------------------------------------


def read_corpus():
    cases = [json.loads(path.read_text()) for path in CORPUS.values()]
    assert cases
    return cases


def test_the_corpus_has_every_status_and_every_mistake_of_public_tools():
    cases = read_corpus()

    assert {case["mistake"] for case in cases if "mistake" in case} == MISTAKES
    assert {case["status"] for case in cases} == {OK, NEEDS_ROTATION, UNKNOWN}


@pytest.mark.parametrize("verdict", VERDICTS, ids=lambda verdict: f"{verdict.name}-{verdict.holds.__name__}")
def test_every_row_of_the_table_has_an_example(verdict, monkeypatch):
    matched = []

    def first_match(case, table):
        matched.append(next(row for row in table if row.holds(case) is not None))
        return original(case, table)

    original = verdicts._first_match
    monkeypatch.setattr(verdicts, "_first_match", first_match)
    for case in read_corpus():
        if case["verdict"] == verdict.name:
            judge_case(case)

    assert verdict in matched, (
        f"verdict {verdict.name} has no example in which {verdict.holds.__name__} holds: "
        "add one to tests/events/secrets, such as never-rotated.json"
    )


@pytest.mark.parametrize("name", CORPUS)
def test_a_secret_of_the_corpus_gets_its_verdict(name):
    case = json.loads(CORPUS[name].read_text())

    finding = judge_case(case)

    outcome = (finding.verdict, finding.status, finding.attention)
    assert outcome == (case["verdict"], case["status"], case["attention"]), (
        f"tests/events/secrets/{name}.json: {case['what']} {finding.reason}"
    )
    assert [word for word in case["reason_names"] if word not in finding.reason] == [], finding.reason


def test_verdicts_are_evaluated_in_this_order():
    names = (
        "pending_deletion",
        "replica",
        "unknown",
        "exempt",
        "exemption_invalid",
        "rotation_failing",
        "rotation_missed",
        "managed_elsewhere",
        "never_rotated",
        "overdue",
        "rotation_disabled",
        "due_soon",
        "in_grace",
        "manual_only",
        "fresh",
    )
    assert names == VERDICT_NAMES, "add the verdict to this list, in tests/domain/audit/test_verdicts.py"


# --- ages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-11, -5, 0, 5.5, 14])
def test_a_verdict_does_not_depend_on_the_time_zone(hours):
    zone = timezone(timedelta(hours=hours))
    created_at = NOW - timedelta(days=30, seconds=1)

    finding = judge(
        SECRET, date_versions(SECRET, {"v2": created_at.astimezone(zone)}), AuditSettings(), NOW.astimezone(zone)
    )

    assert (finding.status, finding.age_days, str(finding.dates.value_created_at)) == (
        NEEDS_ROTATION,
        30,
        str(created_at),
    )


def test_fractions_of_a_second_make_no_value_older():
    created_at, now = NOW - timedelta(days=30, microseconds=1), NOW.replace(microsecond=999_999)

    assert judge(SECRET, VersionDates(NOW - timedelta(days=30)), AuditSettings(), now).status == OK
    finding = judge(SECRET, date_versions(SECRET, {"v2": created_at}), AuditSettings(), NOW)
    assert (finding.status, finding.dates.value_created_at) == (NEEDS_ROTATION, NOW - timedelta(days=30, seconds=1))


def test_a_value_is_due_when_it_reaches_its_limit():
    assert aged(10).due_at == NOW + timedelta(days=20)
    assert judge(SECRET, VersionDates(None, problem="denied"), AuditSettings(), NOW).due_at is None


def test_a_value_without_a_date_or_from_the_future_has_no_age():
    assert judge(SECRET, VersionDates(None, problem="denied"), AuditSettings(), NOW).age_days is None
    assert aged(-1).age_days is None
    assert aged(12, hours=23).age_days == 12


# --- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tag", "days"), [("1", 1), ("7", 7), ("030", 30), (" 90 ", 90), ("3650", 3650)])
def test_a_limit_tag_of_one_day_to_ten_years_applies(tag, days):
    limit = find_limit(tagged(limit=tag), 30, ())

    assert (limit.days, limit.source, limit.problem) == (days, "its tag", "")


@pytest.mark.parametrize("tag", ["", " ", "0", "-1", "+5", "abc", "1e3", "30.0", "3651", "1_0", "٣٠", "²", "0x1E"])
def test_a_malformed_limit_tag_is_ignored_and_reported(tag):
    limit = find_limit(tagged(limit=tag), 45, ())

    assert limit.days == 45
    assert limit.problem == f"Its tag {LIMIT} must be an integer from 1 to 3650, got {tag!r}."


def test_a_malformed_limit_tag_needs_attention_if_the_verdict_depends_on_a_limit():
    healthy, old = aged(1, tagged(limit="abc")), aged(31, tagged(limit="abc"))

    assert (healthy.status, healthy.attention, old.status, old.attention) == (OK, True, NEEDS_ROTATION, True)
    assert LIMIT in healthy.reason
    assert LIMIT in old.reason


def test_a_class_by_tag_and_name_requires_both():
    both = AgeClass(7, name="orders/*", tag_key="tier", tag_value="high")

    assert both.matches(tagged(tier="high"))
    assert not both.matches(tagged(tier="low"))
    assert not both.matches(replace(tagged(tier="high"), name="search/db"))
    assert str(both) == "name orders/* and tag tier=high"


def test_a_class_without_criteria_matches_nothing():
    assert not AgeClass(7).matches(SECRET)


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("*", True),
        ("orders/db", True),
        ("orders/*", True),
        ("*db", True),
        ("orders?db", True),
        ("[op]rders/db", True),
        ("orders", False),
        ("Orders/*", False),
        ("order?/db/*", False),
        ("", False),
    ],
)
def test_a_class_by_name_compares_its_pattern_with_the_whole_name(pattern, matches):
    assert AgeClass(7, name=pattern).matches(SECRET) is matches


def test_a_reason_names_the_source_of_the_limit():
    classes = (AgeClass(90, tag_key="tier"),)

    by_class = aged(60, tagged(tier="low"), AuditSettings(classes=classes))
    by_tag = aged(60, tagged(tier="low", limit="50"), AuditSettings(classes=classes))

    assert by_class.reason.endswith("The value in use is 60 days old, within the limit of 90 (age class: tag tier).")
    assert by_tag.reason == "The value in use is 60 days old; the limit is 50 (its tag)."


# --- exemptions ------------------------------------------------------------------------------------------------------


def problem_of(**tags):
    exemption = read_exemption(tagged(**tags), NOW)
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
    assert read_exemption(tagged(owner="payments"), NOW) is None
    assert read_exemption(SECRET, NOW) is None


def test_an_exemption_reason_with_line_separators_is_printed_on_one_line():
    finding = aged(99, tagged(until="2026-09-30", why="by\u2028phone", owner="pay\u2029ments"))

    assert finding.reason == "Exempt until 2026-09-30 by pay ments: by phone"
    assert finding.secret.owner == "pay ments"


def test_an_invalid_exemption_says_what_the_verdict_would_be_without_it():
    assert aged(99, tagged(until="2026-01-01", why="by phone", owner="payments")).reason == (
        "The exemption ended on 2026-01-01. Without it: overdue. The value in use is 99 days old; the limit is 30."
    )


# --- without the dates of versions -----------------------------------------------------------------------------------


def test_a_reason_says_which_dates_an_estimate_is_based_on():
    changed = replace(SECRET, previous_version_id="v1", created_at=NOW - timedelta(days=400), changed_at=NOW)
    rotated = replace(changed, last_rotated_at=NOW - timedelta(days=3), rotation_enabled=True)

    assert judge(changed, estimate_dates(changed), AuditSettings(), NOW).reason == (
        "It is unknown whether the value in use is older than the limit of 30. "
        "Based on CreatedDate and LastChangedDate; the version's own date is unknown."
    )
    assert "Based on LastRotatedDate" in judge(rotated, estimate_dates(rotated), AuditSettings(), NOW).reason


def test_a_secret_without_any_date_is_unknown():
    finding = judge(SECRET, estimate_dates(SECRET), AuditSettings(), NOW)

    assert (finding.verdict, finding.reason) == (
        "unknown",
        "The creation dates of the version and of the secret are unknown.",
    )


# --- first values ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("versions", "fields", "is_first"),
    [
        ({"v2": NOW}, {}, True),
        ({"v2": NOW, "v3": NOW + timedelta(hours=1)}, {"pending_version_id": "v3"}, True),
        ({"v2": NOW, "v1": NOW - timedelta(days=1)}, {}, False),  # an older version, under a label of its owner's
        ({"v2": NOW}, {"previous_version_id": "v1"}, False),
        ({"v2": NOW}, {"last_rotated_at": NOW}, False),
    ],
)
def test_a_first_value_has_no_version_before_it_and_no_rotation(versions, fields, is_first):
    assert date_versions(replace(SECRET, **fields), versions).is_first is is_first


@pytest.mark.parametrize(("days", "is_first"), [(0, True), (7, True), (30, True), (31, False), (3 * 365, False)])
def test_the_only_listed_version_is_the_first_if_it_was_created_soon_after_the_secret(days, is_first):
    secret = replace(SECRET, created_at=NOW - timedelta(days=days + 5))

    assert date_versions(secret, {"v2": NOW - timedelta(days=5)}).is_first is is_first


def test_a_version_with_a_placeholder_date_is_not_older():
    assert date_versions(SECRET, {"v2": NOW, "v1": datetime(1, 1, 1, tzinfo=UTC)}).is_first is True


# --- dates that stand for none ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (None, None),
        (datetime(1, 1, 1, tzinfo=UTC), None),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), None),
        (datetime(1601, 1, 1, tzinfo=UTC), None),
        (datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), None),
        (datetime(2018, 4, 3, 23, 59, 59, tzinfo=UTC), None),
        (datetime(2018, 4, 4, 1, tzinfo=timezone(timedelta(hours=2))), None),
        (datetime(2018, 4, 4, tzinfo=UTC), datetime(2018, 4, 4, tzinfo=UTC)),
        (datetime(2026, 3, 1, 12, 0, 0, 999_999, tzinfo=UTC), NOW),
        (datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12))), None),
    ],
)
def test_no_date_of_a_secret_is_older_than_secrets_manager(date, expected):
    assert read_date(date) == expected


def test_a_version_from_before_the_service_is_old_and_one_from_before_aws_has_no_date():
    old, without_date = (
        date_versions(SECRET, {"v2": date}) for date in (datetime(2016, 1, 1, tzinfo=UTC), datetime.min)
    )

    assert judge(SECRET, old, AuditSettings(), NOW).status == NEEDS_ROTATION
    finding = judge(SECRET, without_date, AuditSettings(), NOW)
    assert (finding.verdict, finding.reason) == ("unknown", "Version v2, which holds AWSCURRENT, has no date.")


# --- what cannot be read, and is stuck -------------------------------------------------------------------------------


def judge_refused(hours, **fields):
    secret = replace(SECRET, pending_version_id="v3", **fields)
    unread = refused_dates("AccessDeniedException")
    assert unread is not None
    dates = replace(unread, pending_since=NOW - timedelta(hours=hours))
    return judge(secret, dates, AuditSettings(), NOW)


def test_a_rotation_that_has_been_in_progress_for_long_is_stuck_even_if_versions_cannot_be_listed():
    finding = judge_refused(25)

    assert (finding.verdict, finding.status, finding.attention) == ("rotation_failing", UNKNOWN, True)
    assert finding.reason == (
        "A rotation has been stuck since 2026-02-28 11:00 UTC: version v3 holds AWSPENDING. "
        "The secret's versions could not be listed: access denied."
    )


def test_a_recent_rotation_or_one_elsewhere_leaves_the_secret_unknown():
    assert judge_refused(24).verdict == "unknown"
    assert judge_refused(25, primary_region="us-east-1").verdict == "unknown"
    assert judge_refused(25, tags={UNTIL: "2026-09-30"}).verdict == "unknown"


# --- who rotates what ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "rotates"),
    [
        ({}, False),
        ({"owning_service": "rds"}, False),
        ({"owning_service": "rds", "rotation_enabled": True}, True),
        ({"owning_service": "docdb", "rotation_enabled": True}, True),
        ({"owning_service": "redshift", "rotation_enabled": True}, True),
        ({"owning_service": "ecs-sc", "rotation_enabled": True}, True),
        ({"owning_service": "appflow", "rotation_enabled": True}, False),
        ({"owning_service": "events", "type": "SalesforceClientSecret", "rotation_enabled": True}, False),
        ({"type": "SalesforceClientSecret"}, False),
        ({"type": "SalesforceClientSecret", "rotation_enabled": True}, True),
    ],
)
def test_only_a_documented_owner_rotates_and_only_while_rotation_is_on(fields, rotates):
    secret = replace(SECRET, **fields)

    assert is_rotated_by_owner(secret) is rotates
    sentence = describe_owner(secret)
    assert ("which rotates it by itself" in sentence or "which its partner rotates" in sentence) is rotates


def test_an_impossible_next_rotation_date_is_ignored():
    far = replace(SECRET, owning_service="rds", rotation_enabled=True, next_rotation_at=NOW + timedelta(days=1001))

    assert aged(60, far).verdict == "overdue"
    assert aged(60, replace(far, next_rotation_at=NOW + timedelta(days=5))).verdict == "managed_elsewhere"


@pytest.mark.parametrize(
    ("rules", "days", "verdict"),
    [
        ({"ScheduleExpression": "cron(0 8 1 * ? *)"}, 40, "managed_elsewhere"),
        ({"ScheduleExpression": "cron(0 8 ? * 2#5 *)", "Duration": "3h"}, 119, "managed_elsewhere"),  # a fifth Monday
        ({"ScheduleExpression": "cron(0 8 1 * ? *)"}, 400, "rotation_missed"),
        ({"ScheduleExpression": "cron(0 8 1 1 ? *)"}, 400, "managed_elsewhere"),
        ({"ScheduleExpression": "cron(0 8 1 1 ? *)"}, 1417, "rotation_missed"),
        ({"Duration": "3h"}, 1417, "rotation_missed"),
        ({}, 900, "managed_elsewhere"),
        ({}, 1417, "rotation_missed"),
    ],
)
def test_a_future_rotation_date_does_not_excuse_a_value_older_than_any_schedule_allows(rules, days, verdict):
    entry = {"Name": "orders/db", "ARN": SECRET.arn, "SecretVersionsToStages": {"v2": ["AWSCURRENT"]}}
    schedule = {"NextRotationDate": NOW + timedelta(days=3), "RotationEnabled": True, "RotationRules": rules}
    secret = parse_secret({**entry, **schedule, "OwningService": "rds"})

    finding = aged(days, secret)

    assert (finding.verdict, finding.attention) == (verdict, verdict == "rotation_missed")
    assert f"{days} days old" in finding.reason


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("rate(4 hours)", "every 4 hours."),
        ("rate(36 hours)", "every 36 hours."),
        ("rate(48 hours)", "every 2 days."),
        ("rate(1 day)", "every 1 day."),
    ],
)
def test_the_reason_for_a_missed_rotation_names_the_schedule(expression, sentence):
    secret = replace(SECRET, owning_service="rds", rotation_enabled=True)
    period = parse_secret(
        {"Name": "x", "ARN": "x", "RotationRules": {"ScheduleExpression": expression}}
    ).rotation_period

    assert sentence in aged(20, replace(secret, rotation_period=period)).reason


@pytest.mark.parametrize("expression", ["rate(0 days)", "rate(0 hours)"])
def test_a_rate_of_zero_is_no_rotation(expression):
    rules = {"ScheduleExpression": expression}
    secret = parse_secret({"Name": "orders/db", "ARN": SECRET.arn, "RotationEnabled": True, "RotationRules": rules})

    assert (secret.rotation_enabled, secret.rotation_configured) == (False, False)
