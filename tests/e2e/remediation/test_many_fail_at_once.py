"""Many rotations that fail at once, and few that may be retried in an hour; two hundred of them are in `make bench`."""

from collections import Counter

import pytest

MANY, ALLOWED = 30, 6
"""How many fail, and `maxActionsPerHour` of the stack."""
API_LIMIT = 50
"""RotateSecret in a second
(https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html)."""


@pytest.fixture(scope="module")
def ended(retrying):
    """How all of them ended: what broke them has passed by then."""
    arns = [retrying.estate.untag(retrying.estate.secret(), "probe") for _ in range(MANY)]
    for arn in arns:
        retrying.estate.breaks(arn, "createSecret", times=1)
    return retrying.listener.all_ended(arns)


def test_as_many_as_may_be_are_retried_and_the_others_are_held(ended):
    assert Counter(each.row["outcome"] for each in ended) == {"recovered by retry": ALLOWED, "held": MANY - ALLOWED}
    assert Counter(each.row["attempts"] for each in ended) == {1: ALLOWED, 0: MANY - ALLOWED}


def test_nothing_is_lost(retrying, ended):
    assert len({each.row["secret_arn"] for each in ended}) == MANY
    assert all(len(retrying.listener.rows(each.row["secret_arn"])) == 1 for each in ended)
    assert all(each.turns[0] == "opened" for each in ended)
    assert Counter(tuple(sorted(each.detail_types)) for each in ended) == {
        ("Opened", "Recovered", "Retried"): ALLOWED,
        ("Held", "Opened"): MANY - ALLOWED,
    }
    assert {status for each in ended for status in each.executions.values()} == {"SUCCEEDED"}


def test_one_notice_tells_of_all_that_were_held(retrying, ended):
    bursts = [notice for notice in retrying.listener.notices if notice.told.get("turn") == "held_burst"]

    assert sorted(notice.topic for notice in bursts) == ["critical", "remediation"]
    assert {notice.told["held"]["count"] for notice in bursts} == {MANY - ALLOWED}
    assert all(each.turns == ["opened"] for each in ended if each.row["outcome"] == "held")


def test_what_was_held_is_as_it_was(retrying, ended):
    for each in ended:
        if each.row["outcome"] == "held":
            assert retrying.estate.labels(each.row["secret_arn"])["AWSCURRENT"] == each.row["current_version_id"]
            assert each.done == []


def test_no_second_sees_more_retries_than_secrets_manager_takes(ended):
    asked = Counter(
        action["at"]
        for each in ended
        for action in each.row["actions"]
        if (action["action"], action["outcome"]) == ("retry", "asked")
    )
    assert sum(asked.values()) == ALLOWED
    assert max(asked.values()) <= API_LIMIT
