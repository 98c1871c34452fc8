"""The account's hourly limit of actions: it holds for any hour, and for concurrent requests."""

import random

import pytest
from botocore.exceptions import ClientError

from handlers.adapters.rate_limiter import HOUR_SECONDS, RateLimiter
from tests.handlers.scene import run_before

NOW = 1_772_330_000


@pytest.fixture(autouse=True)
def table(aws):
    aws.create_tables("incidents")


@pytest.fixture
def holders(aws):
    """The holder of each slot."""
    return lambda: {row["opened_at"]: row["holder"] for row in aws.rows("incidents")}


@pytest.mark.parametrize("per_hour", [0, 1, 3, 50])
def test_the_limit_admits_that_many_holders_and_the_same_ones_again(per_hour, holders):
    limiter = RateLimiter("incidents", per_hour)
    names = [f"holder-{number}" for number in range(per_hour + 2)]

    assert [limiter.acquire(name, NOW) for name in names] == [True] * per_hour + [False] * 2
    assert [limiter.acquire(name, NOW + HOUR_SECONDS - 1) for name in names] == [True] * per_hour + [False] * 2

    assert sorted(holders().values()) == sorted(names[:per_hour])


def test_a_slot_is_free_an_hour_after_it_was_taken():
    limiter = RateLimiter("incidents", 2)
    assert limiter.acquire("one", NOW)
    assert limiter.acquire("other", NOW + 1800)

    assert not limiter.acquire("third", NOW + HOUR_SECONDS - 1)
    assert limiter.acquire("third", NOW + HOUR_SECONDS)
    assert not limiter.acquire("fourth", NOW + HOUR_SECONDS)
    assert limiter.acquire("fourth", NOW + HOUR_SECONDS + 1800)


def test_a_holder_that_returns_an_hour_later_takes_another_slot():
    limiter = RateLimiter("incidents", 1)
    assert limiter.acquire("one", NOW)
    assert limiter.acquire("one", NOW + HOUR_SECONDS)

    assert not limiter.acquire("other", NOW + HOUR_SECONDS + 1)


def test_no_period_of_an_hour_has_more_actions_than_the_limit(aws):
    generator, limiter, acquired_at = random.Random(6), RateLimiter("incidents", 4), []  # noqa: S311 - a sequence, not a secret
    now = NOW
    for number in range(200):
        now += generator.choice((0, 1, 30, 300, 900, 3599))
        busy = [at for at in acquired_at if now - HOUR_SECONDS < at]
        assert limiter.acquire(f"holder-{number}", now) == (len(busy) < 4), number
        if len(busy) < 4:
            acquired_at.append(now)

    assert max(sum(at - HOUR_SECONDS < other <= at for other in acquired_at) for at in acquired_at) == 4


def test_only_one_of_two_concurrent_holders_gets_the_last_slot(aws, holders):
    limiter, answers = RateLimiter("incidents", 1), []
    run_before(aws, "UpdateItem", lambda: answers.append(limiter.acquire("winner", NOW)))

    answers.append(limiter.acquire("loser", NOW))

    assert answers == [True, False]
    assert holders() == {"slot-00": "winner"}


def test_a_holder_that_loses_a_slot_to_another_gets_the_next_one(aws, holders):
    limiter = RateLimiter("incidents", 2)
    run_before(aws, "UpdateItem", lambda: limiter.acquire("winner", NOW))

    assert limiter.acquire("other", NOW)

    assert holders() == {"slot-00": "winner", "slot-01": "other"}


def test_a_lowered_limit_counts_the_slots_beyond_it():
    for number in range(5):
        assert RateLimiter("incidents", 5).acquire(f"holder-{number}", NOW if number == 0 else NOW + 1800)

    # The first slot is free by then; the other four are not.
    now = NOW + HOUR_SECONDS
    assert not RateLimiter("incidents", 2).acquire("another", now)
    assert RateLimiter("incidents", 2).acquire("holder-4", now)
    assert RateLimiter("incidents", 5).acquire("another", now)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_holder_that_crashes_and_retries_takes_one_slot(aws, holders, when):
    limiter = RateLimiter("incidents", 3)
    aws.crash(1, when)
    with pytest.raises(aws.Crash):
        limiter.acquire("one", NOW)
    aws.crash(0, "")

    assert limiter.acquire("one", NOW + 1)

    assert list(holders().values()) == ["one"]


@pytest.mark.parametrize("operation", ["Query", "UpdateItem"])
def test_an_error_of_dynamodb_admits_no_holder(aws, operation):
    aws.answer(operation, lambda _: aws.Refusal("ThrottlingException"))

    with pytest.raises(ClientError, match="ThrottlingException"):
        RateLimiter("incidents", 3).acquire("one", NOW)


def test_other_rows_of_the_table_are_not_slots(aws):
    aws.put("incidents", {"secret_arn": "arn", "opened_at": "slot-00", "holder": "x", "taken_at": NOW})

    assert RateLimiter("incidents", 1).acquire("one", NOW)
