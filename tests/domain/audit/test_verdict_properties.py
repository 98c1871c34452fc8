"""Properties of verdicts for every secret that AWS could list, with any dates, labels and tags."""

import random
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rotation_guard.domain.audit.age_limits import MAX_LIMIT_DAYS, AgeClass
from rotation_guard.domain.audit.audit_settings import AuditSettings
from rotation_guard.domain.audit.verdicts import NEEDS_ROTATION, OK, UNKNOWN, VERDICT_NAMES, judge
from rotation_guard.domain.secret import (
    DATE_FIELDS,
    ListedSecret,
    VersionDates,
    date_versions,
    estimate_dates,
    parse_secret,
)

# Repeatable and without a database, so that every run of the suite tests the same examples.
repeatable = settings(max_examples=200, derandomize=True, database=None)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HERE, ELSEWHERE = "eu-west-1", "us-east-1"
CURRENT, PREVIOUS, PENDING = (f"{digit}0a1f7c2-5f0e-4d3b-9f4e-7a6f2b1c8d90" for digit in "cad")
WITHOUT_LIMIT = {"pending_deletion", "replica", "exempt", "managed_elsewhere"}
"""Verdicts to which the age limit does not apply."""
RANK = {OK: 0, UNKNOWN: 1, NEEDS_ROTATION: 2}

_SECONDS = st.integers(-90_000, 100_000_000) | st.builds(
    lambda days, seconds: days * 86_400 + seconds, st.sampled_from([0, 1, 7, 23, 30, 90]), st.integers(-1, 1)
)
ago = st.builds(lambda seconds: NOW - timedelta(seconds=seconds), _SECONDS)
"""A date from a day ahead to three years ago, often one at which a verdict changes."""
zones = st.integers(-11 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
# Tags hold every letter, digit and separator; U+2028 is a separator too.
texts = st.text(st.sampled_from("aZ09 _.:/=+-@é中\u2028\u00a0"), max_size=12)
days_of_limit = st.integers(-1, MAX_LIMIT_DAYS + 1).map(str) | st.sampled_from(
    ["7", "30", "90", "abc", "1e3", "", " 90 "]
)
ends = (
    st.integers(-400, 800).map(lambda days: (NOW + timedelta(days=days)).date().isoformat())
    | ago.map(datetime.isoformat)
    | texts
)
tags = st.fixed_dictionaries(
    {},
    optional={
        "rotation-guard:max-age-days": days_of_limit,
        "rotation-guard:exempt-until": ends,
        "rotation-guard:exempt-reason": texts,
        "rotation-guard:owner": texts,
        "tier": st.sampled_from(["low", "high", ""]),
    },
)
labels = st.fixed_dictionaries(
    {},
    optional={
        CURRENT: st.sampled_from([["AWSCURRENT"], ["AWSCURRENT", "AWSPENDING"], ["blue", "AWSCURRENT"]]),
        PREVIOUS: st.sampled_from([["AWSPREVIOUS"], ["AWSPREVIOUS", "green"]]),
        PENDING: st.just(["AWSPENDING"]),
    },
)
entries = st.fixed_dictionaries(
    {
        "Name": st.sampled_from(["orders/db", "pci/cards_1+2=3.a@b-c"]),
        "ARN": st.just(f"arn:aws:secretsmanager:{HERE}:123456789012:secret:orders/db-Ab12Cd"),
        "Tags": tags.map(lambda pairs: [{"Key": key, "Value": value} for key, value in pairs.items()]),
        "SecretVersionsToStages": labels,
    },
    optional={
        "RotationEnabled": st.booleans() | st.none(),
        "RotationLambdaARN": st.just("arn:aws:lambda:eu-west-1:123456789012:function:rotate"),
        "RotationRules": st.just({"AutomaticallyAfterDays": 30}),
        "LastRotatedDate": ago | st.none(),
        "LastChangedDate": ago,
        "NextRotationDate": ago | st.none(),
        "CreatedDate": ago,
        "DeletedDate": ago | st.none(),
        "PrimaryRegion": st.sampled_from([HERE, ELSEWHERE]),
        "OwningService": st.sampled_from(["rds", "appflow"]),
        "Type": st.just("SalesforceClientSecret"),
    },
)
versions = st.fixed_dictionaries({}, optional={CURRENT: ago, PREVIOUS: ago, PENDING: ago})
audit_settings = st.builds(
    AuditSettings,
    max_age_days=st.sampled_from([1, 30, 90, MAX_LIMIT_DAYS]),
    warn_days=st.sampled_from([0, 7, 45]),
    stuck_hours=st.sampled_from([1, 24]),
    missed_hours=st.sampled_from([1, 24]),
    classes=st.lists(
        st.sampled_from([AgeClass(7, tag_key="tier", tag_value="low"), AgeClass(60, name="pci/*")]), max_size=2
    ).map(tuple),
)


def judge_entry(entry, created, rules, now=NOW):
    secret = parse_secret(entry)
    return judge(secret, date_versions(secret, created), rules, now)


def exact_and_estimated(entry, created):
    """The secret, with the dates of its versions and without them."""
    secret = parse_secret(entry)
    return secret, (date_versions(secret, created), estimate_dates(secret))


@repeatable
@given(entries, versions, audit_settings)
def test_every_secret_gets_one_verdict_a_status_and_a_reason_of_one_line(entry, created, rules):
    secret, all_dates = exact_and_estimated(entry, created)
    for dates in all_dates:
        finding = judge(secret, dates, rules, NOW)

        assert finding.verdict in VERDICT_NAMES
        assert finding.status in RANK
        assert isinstance(finding.attention, bool)
        assert len(finding.reason.splitlines()) == 1
        assert finding.reason == finding.reason.strip()
        assert finding.age_days is None or finding.age_days >= 0


@repeatable
@given(entries, versions, audit_settings)
def test_unknown_and_needs_rotation_always_need_attention(entry, created, rules):
    secret, all_dates = exact_and_estimated(entry, created)
    for dates in all_dates:
        finding = judge(secret, dates, rules, NOW)

        assert finding.attention or finding.status == OK
        assert finding.verdict != "unknown" or finding.status == UNKNOWN


@repeatable
@given(entries, audit_settings, st.integers(1, 100_000_000))
def test_a_value_over_its_limit_is_ok_only_if_the_limit_does_not_apply(entry, rules, beyond):
    entry["SecretVersionsToStages"][CURRENT] = ["AWSCURRENT"]
    limit = timedelta(days=judge_entry(entry, {}, rules).limit_days)

    finding = judge_entry(entry, {CURRENT: NOW - limit - timedelta(seconds=beyond)}, rules)

    is_exempt = finding.verdict in WITHOUT_LIMIT or "Without it: managed_elsewhere." in finding.reason
    assert (finding.status == OK) is is_exempt


NOT_ROTATED_BY_OWNER = ["appflow", "events", "aws-datasync", "directconnect", "databrew", "sqlworkbench", "of-tomorrow"]
"""Owning services for which AWS documents no rotation
(https://docs.aws.amazon.com/secretsmanager/latest/userguide/service-linked-secrets.html)."""


@repeatable
@given(entries, audit_settings, st.integers(1, 100_000_000), st.sampled_from([*NOT_ROTATED_BY_OWNER, "rotation off"]))
def test_an_owner_that_does_not_rotate_exempts_no_value_over_its_limit(entry, rules, beyond, owner):
    if owner == "rotation off":
        entry |= {"OwningService": "rds", "RotationEnabled": False}
    else:
        entry["OwningService"] = owner
    entry["SecretVersionsToStages"][CURRENT] = ["AWSCURRENT"]
    limit = timedelta(days=judge_entry(entry, {}, rules).limit_days)

    finding = judge_entry(entry, {CURRENT: NOW - limit - timedelta(seconds=beyond)}, rules)

    assert finding.attention or finding.verdict in {"pending_deletion", "exempt"}
    assert "which rotates it" not in finding.reason


PLACEHOLDERS = [datetime(1, 1, 1, tzinfo=UTC), datetime(1601, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)]


@repeatable
@given(entries, versions, audit_settings, st.sampled_from(PLACEHOLDERS), zones)
def test_a_placeholder_date_counts_as_no_date(entry, created, rules, placeholder, zone):
    without = {name: value for name, value in entry.items() if name not in DATE_FIELDS}
    written = without | dict.fromkeys(DATE_FIELDS, placeholder.replace(tzinfo=zone))

    assert judge_entry(written, created, rules) == judge_entry(without, created, rules)


@repeatable
@given(entries, audit_settings, st.integers(0, 100_000_000))
def test_a_value_within_its_limit_is_ok(entry, rules, remaining):
    entry["SecretVersionsToStages"][CURRENT] = ["AWSCURRENT"]
    limit = timedelta(days=judge_entry(entry, {}, rules).limit_days)

    finding = judge_entry(entry, {CURRENT: min(NOW, NOW - limit + timedelta(seconds=remaining))}, rules)

    assert finding.status == OK


@repeatable
@given(entries, versions, audit_settings, st.integers(1, 100_000_000))
def test_an_older_value_is_never_better(entry, created, rules, older_by):
    secret, all_dates = exact_and_estimated(entry, created)
    for dates in all_dates:
        if dates.value_created_at is None or dates.value_created_at > NOW:
            continue
        older = replace(dates, value_created_at=dates.value_created_at - timedelta(seconds=older_by))

        younger_finding, older_finding = (judge(secret, either, rules, NOW) for either in (dates, older))

        assert RANK[older_finding.status] >= RANK[younger_finding.status]
        assert older_finding.attention >= younger_finding.attention


@repeatable
@given(entries, ago, ago, audit_settings, st.integers(1, 1_000_000))
def test_a_rotation_that_is_stuck_for_longer_is_never_better(entry, version_created, since, rules, longer_by):
    entry["SecretVersionsToStages"] |= {CURRENT: ["AWSCURRENT"], PENDING: ["AWSPENDING"]}
    secret = parse_secret(entry)
    dates = date_versions(secret, {CURRENT: version_created, PENDING: since})
    longer = replace(dates, pending_since=since - timedelta(seconds=longer_by))

    shorter_finding, longer_finding = (judge(secret, either, rules, NOW) for either in (dates, longer))

    assert RANK[longer_finding.status] >= RANK[shorter_finding.status]
    assert longer_finding.attention >= shorter_finding.attention


@repeatable
@given(entries, versions, audit_settings, st.randoms(use_true_random=False))
def test_the_order_of_tags_versions_and_labels_does_not_matter(entry, created, rules, chance: random.Random):
    finding = judge_entry(entry, created, rules)

    stages = [
        (version, chance.sample(labels_of_version, len(labels_of_version)))
        for version, labels_of_version in entry["SecretVersionsToStages"].items()
    ]
    chance.shuffle(stages)
    other = dict(chance.sample(list(entry.items()), len(entry)))
    other["SecretVersionsToStages"] = dict(stages)
    other["Tags"] = chance.sample(entry["Tags"], len(entry["Tags"]))

    assert judge_entry(other, dict(reversed(created.items())), rules) == finding


@repeatable
@given(entries, versions, audit_settings, zones)
def test_the_time_zone_of_dates_does_not_matter(entry, created, rules, zone):
    def in_zone(value):
        return value.astimezone(zone) if isinstance(value, datetime) else value

    finding = judge_entry(entry, created, rules)

    elsewhere = {name: in_zone(value) for name, value in entry.items()}
    assert (
        judge_entry(
            elsewhere,
            {version: in_zone(version_created) for version, version_created in created.items()},
            rules,
            in_zone(NOW),
        )
        == finding
    )


@repeatable
@given(entries, versions, audit_settings)
def test_the_same_secret_gets_the_same_finding_and_is_not_changed(entry, created, rules):
    before = deepcopy((entry, created))

    assert judge_entry(entry, created, rules) == judge_entry(entry, created, rules)
    assert (entry, created) == before


@repeatable
@given(entries, audit_settings, st.sampled_from([None, "No version may be listed: access denied."]))
def test_an_unreadable_secret_is_never_ok_unless_it_is_not_judged_here(entry, rules, problem):
    secret = parse_secret(entry)
    dates = date_versions(secret, {}) if problem is None else VersionDates(None, problem=problem)

    finding = judge(secret, dates, rules, NOW)

    assert finding.verdict in {"unknown", "pending_deletion", "replica"}
    assert (finding.status == UNKNOWN) is (finding.verdict == "unknown")


@st.composite
def consistent_secrets(draw):
    """A secret with a value, and dates of its versions that its entry allows."""
    entry = draw(entries)
    stages = entry["SecretVersionsToStages"]
    stages[CURRENT] = ["AWSCURRENT"]
    lasts = draw(st.lists(st.integers(0, 100_000_000), min_size=4, max_size=4).map(sorted))
    changed, pending, version_created, created = (NOW - timedelta(seconds=seconds) for seconds in lasts)
    if draw(st.booleans()):  # an edit such as of a tag changes this date
        changed = NOW
    if entry.get("LastRotatedDate"):
        entry["LastRotatedDate"] = created + draw(st.sampled_from([0, 0.5, 1])) * (version_created - created)
    entry |= {"CreatedDate": created, "LastChangedDate": changed}
    return parse_secret(entry), {CURRENT: version_created, PREVIOUS: created, PENDING: pending}


@repeatable
@given(consistent_secrets(), audit_settings)
def test_an_estimated_date_makes_nothing_ok_that_a_possible_date_does_not(case, rules):
    secret, created = case

    exact = judge(secret, date_versions(secret, _labelled(secret, created)), rules, NOW)
    rough = judge(secret, estimate_dates(secret), rules, NOW)

    assert rough.status != OK or exact.status == OK
    assert rough.attention >= exact.attention


@repeatable
@given(consistent_secrets(), audit_settings)
def test_an_estimated_date_flags_a_changed_value_only_if_every_possible_date_does(case, rules):
    secret, created = case
    assume(secret.previous_version_id is not None or secret.last_rotated_at is not None)

    exact = judge(secret, date_versions(secret, _labelled(secret, created)), rules, NOW)
    rough = judge(secret, estimate_dates(secret), rules, NOW)

    assert rough.status in (exact.status, UNKNOWN)


def _labelled(secret: ListedSecret, created):
    """Only the versions with a label, which is what ListSecretVersionIds returns."""
    labelled = {secret.current_version_id, secret.previous_version_id, secret.pending_version_id}
    return {version: version_created for version, version_created in created.items() if version in labelled}
