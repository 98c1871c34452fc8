"""The account's actions of an hour: exactly so many, in any hour, and no more when all ask at once."""

import random

import pytest
from botocore.exceptions import ClientError

from handlers.adapters.rate_limiter import HOUR_SECONDS, RateLimiter
from tests.handlers.scene import once

NOW = 1_772_330_000


@pytest.fixture(autouse=True)
def table(aws):
    aws.create_tables("incidents")


@pytest.fixture
def holders(aws):
    """Who holds which slot."""
    return lambda: {row["opened_at"]: row["holder"] for row in aws.rows("incidents")}


@pytest.mark.parametrize("per_hour", [0, 1, 3, 50])
def test_so_many_are_let_in_and_the_same_again(per_hour, holders):
    slots = RateLimiter("incidents", per_hour)
    names = [f"holder-{number}" for number in range(per_hour + 2)]

    assert [slots.acquire(name, NOW) for name in names] == [True] * per_hour + [False] * 2
    assert [slots.acquire(name, NOW + HOUR_SECONDS - 1) for name in names] == [True] * per_hour + [False] * 2

    assert sorted(holders().values()) == sorted(names[:per_hour])


def test_a_slot_is_free_an_hour_after_it_was_taken():
    slots = RateLimiter("incidents", 2)
    assert slots.acquire("one", NOW)
    assert slots.acquire("other", NOW + 1800)

    assert not slots.acquire("third", NOW + HOUR_SECONDS - 1)
    assert slots.acquire("third", NOW + HOUR_SECONDS)
    assert not slots.acquire("fourth", NOW + HOUR_SECONDS)
    assert slots.acquire("fourth", NOW + HOUR_SECONDS + 1800)


def test_who_comes_again_an_hour_later_takes_another():
    slots = RateLimiter("incidents", 1)
    assert slots.acquire("one", NOW)
    assert slots.acquire("one", NOW + HOUR_SECONDS)

    assert not slots.acquire("other", NOW + HOUR_SECONDS + 1)


def test_in_no_hour_whatever_are_there_more(aws):
    story, slots, taken = random.Random(6), RateLimiter("incidents", 4), []  # noqa: S311 - a sequence, not a secret
    now = NOW
    for number in range(200):
        now += story.choice((0, 1, 30, 300, 900, 3599))
        busy = [at for at in taken if now - HOUR_SECONDS < at]
        assert slots.acquire(f"holder-{number}", now) == (len(busy) < 4), number
        if len(busy) < 4:
            taken.append(now)

    assert max(sum(at - HOUR_SECONDS < other <= at for other in taken) for at in taken) == 4


def test_of_two_that_want_the_last_one_gets_it(aws, holders):
    slots, answers = RateLimiter("incidents", 1), []
    once(aws, "UpdateItem", lambda: answers.append(slots.acquire("winner", NOW)))

    answers.append(slots.acquire("loser", NOW))

    assert answers == [True, False]
    assert holders() == {"slot-00": "winner"}


def test_of_two_that_want_the_same_the_other_gets_the_next(aws, holders):
    slots = RateLimiter("incidents", 2)
    once(aws, "UpdateItem", lambda: slots.acquire("winner", NOW))

    assert slots.acquire("other", NOW)

    assert holders() == {"slot-00": "winner", "slot-01": "other"}


def test_a_limit_that_was_lowered_counts_those_beyond_it():
    for number in range(5):
        assert RateLimiter("incidents", 5).acquire(f"holder-{number}", NOW if number == 0 else NOW + 1800)

    # The first slot is free by then, and four others are not.
    now = NOW + HOUR_SECONDS
    assert not RateLimiter("incidents", 2).acquire("another", now)
    assert RateLimiter("incidents", 2).acquire("holder-4", now)
    assert RateLimiter("incidents", 5).acquire("another", now)


@pytest.mark.parametrize("when", ["before", "after"])
def test_who_is_cut_short_takes_one(aws, holders, when):
    slots = RateLimiter("incidents", 3)
    aws.crash(1, when)
    with pytest.raises(aws.Crash):
        slots.acquire("one", NOW)
    aws.crash(0, "")

    assert slots.acquire("one", NOW + 1)

    assert list(holders().values()) == ["one"]


@pytest.mark.parametrize("operation", ["Query", "UpdateItem"])
def test_a_trouble_of_dynamodb_lets_nobody_in(aws, operation):
    aws.answer(operation, lambda _: aws.Refusal("ThrottlingException"))

    with pytest.raises(ClientError, match="ThrottlingException"):
        RateLimiter("incidents", 3).acquire("one", NOW)


def test_other_rows_of_the_table_are_no_slots(aws):
    aws.put("incidents", {"secret_arn": "arn", "opened_at": "slot-00", "holder": "x", "taken_at": NOW})

    assert RateLimiter("incidents", 1).acquire("one", NOW)
