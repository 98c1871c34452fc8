"""Every secret is in one class, and the headline says how many are in each."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotation_guard.domain.audit.tally import Tally, describe_last_complete, tally, tally_run
from rotation_guard.domain.audit.verdicts import VERDICT_NAMES

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRETS = st.lists(
    st.tuples(
        st.sampled_from(("ok", "needs_rotation", "unknown", "of a later release")),
        st.sampled_from((*VERDICT_NAMES, "of a later release")),
        st.booleans(),
    )
)


def test_the_headline_is_one_sentence_whose_parts_add_up():
    secrets = [
        *[("needs_rotation", "overdue", True)] * 15,
        *[("needs_rotation", "rotation_failing", True)] * 2,
        *[("unknown", "unknown", True)] * 4,
        *[("ok", "exempt", False)] * 9,
        *[("ok", "replica", False)] * 4,
        *[("ok", "managed_elsewhere", False)] * 3,
        *[("ok", "fresh", False)] * 100,
        *[("ok", "rotation_disabled", True)] * 77,
    ]

    counted = tally(secrets)

    assert counted.describe("last complete run 12 minutes ago") == (
        "17 of 214 secrets are over their limit; 4 could not be judged; 16 are accepted (9 exempt, 4 replicas, "
        "3 rotated by AWS); last complete run 12 minutes ago"
    )
    assert counted.within_limit == 177


@pytest.mark.parametrize(
    ("secrets", "headline"),
    [
        ([], "0 of 0 secrets are over their limit; 0 could not be judged; 0 are accepted"),
        (
            [("needs_rotation", "exemption_invalid", True)],
            "1 of 1 secret is over its limit; 0 could not be judged; 0 are accepted",
        ),
        (
            [("ok", "replica", True), ("ok", "replica", False), ("ok", "pending_deletion", False)],
            "0 of 3 secrets are over their limit; 0 could not be judged; 1 replica is older than its limit; "
            "2 are accepted (1 replica, 1 scheduled for deletion)",
        ),
        (
            [("ok", "exempt", False), ("ok", "replica", True), ("ok", "replica", True)],
            "0 of 3 secrets are over their limit; 0 could not be judged; 2 replicas are older than their limit; "
            "1 is accepted (1 exempt)",
        ),
    ],
)
def test_one_none_and_several_are_told_apart(secrets, headline):
    assert tally(secrets).describe() == headline


def test_a_status_that_is_not_known_never_counts_as_ok():
    assert tally([("of a later release", "exempt", False)]).unknown == 1


def test_a_replica_whose_age_is_uncertain_could_not_be_judged():
    assert tally([("unknown", "replica", True)]).unknown == 1


@given(SECRETS)
def test_the_classes_add_up(secrets):
    classes = tally(secrets).to_json()

    accepted = classes["accepted"]
    parts = [classes[name] for name in ("within_limit", "over_limit", "unknown", "outdated_replicas")]
    assert min(parts) >= 0
    assert sum(parts) + accepted["total"] == classes["total"] == len(secrets)
    assert sum(count for name, count in accepted.items() if name != "total") == accepted["total"]


@given(SECRETS, SECRETS)
def test_accounts_are_added_up(first, second):
    both = tally(first)
    both.merge(tally(second))

    assert both == tally([*first, *second])


def test_the_row_of_a_run_gives_the_same_headline():
    row = {"checked": 5, "flagged": 1, "unknown": 1, "outdated_replicas": 0, "accepted": {"exempt": 2}}

    assert tally_run(row) == Tally(5, 1, 1, 0, {"exempt": 2})


def test_the_row_of_an_older_release_gives_none():
    assert tally_run({"checked": 5, "flagged": 1, "unknown": 1}) is None


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=59), "less than a minute"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(minutes=12, seconds=59), "12 minutes"),
        (timedelta(minutes=119), "119 minutes"),
        (timedelta(hours=2), "2 hours"),
        (timedelta(hours=47), "47 hours"),
        (timedelta(days=2), "2 days"),
        (timedelta(days=400), "400 days"),
        (timedelta(seconds=-5), "less than a minute"),
    ],
)
def test_the_last_complete_run_has_an_age(age, text):
    assert describe_last_complete(NOW - age, NOW) == f"last complete run {text} ago"


def test_no_complete_run_is_said():
    assert describe_last_complete(None, NOW) == "no run was complete yet"
