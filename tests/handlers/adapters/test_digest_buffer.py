"""Many incidents that are held make one notice, and none is lost, wherever anything dies."""

import json
import sys
from itertools import count

import pytest
from botocore.exceptions import ClientError

from handlers.adapters.digest_buffer import OWNERSHIP_SECONDS, DigestBuffer
from handlers.remediation import notify
from tests.handlers.remediation.transitions import incident, rate_limited
from tests.handlers.scene import crashes, once

NOW = 1_772_323_200
CRITICAL, REMEDIATION = "critical", "remediation"


@pytest.fixture(autouse=True)
def account(aws, monkeypatch):
    aws.create_tables("incidents")
    for topic in (CRITICAL, REMEDIATION):
        aws.client("sns").create_topic(Name=topic)
    # A publication or a deletion may also be the last call of a function.
    conftest = sys.modules[type(aws).__module__]
    monkeypatch.setattr(conftest, "WRITES", conftest.WRITES | {"DeleteItem", "Publish", "PutEvents"})


@pytest.fixture
def burst(aws):
    return DigestBuffer("incidents")


@pytest.fixture
def opened(aws):
    """Writes the rows of incidents that are held; answers their keys."""

    def write(*numbers):
        keys = []
        for number in numbers:
            one = rate_limited(number)[-1]
            aws.put("incidents", incident(**one, outcome="held", state="closed"))
            keys.append({"secret_arn": one["secret_arn"], "opened_at": one["opened_at"]})
        return keys

    return write


@pytest.fixture
def step(context):
    """A step of the execution that holds this incident; answers whether it is the teller."""

    def run(turn, key):
        execution = f"execution of {key['secret_arn']}"
        event = {"execution": execution, "turn": turn, "incident": key}
        return notify.handler(event, context)["teller"]

    return run


@pytest.fixture
def published(aws):
    """Which secrets each topic was told of, in each notice."""

    def read():
        said = {CRITICAL: [], REMEDIATION: []}
        for asked in aws.asked("Publish"):
            facts = json.loads(json.loads(asked["Message"])["sqs"])
            said[asked["TopicArn"].rpartition(":")[2]].append(
                [secret["secret_name"] for secret in facts["held"]["secrets"]]
            )
        return said

    return read


@pytest.fixture
def clear(aws):
    """Makes the table empty, and what was asked forgotten."""

    def do():
        dynamodb = aws.client("dynamodb")
        for row in dynamodb.scan(TableName="incidents")["Items"]:
            key = {name: row[name] for name in ("secret_arn", "opened_at")}
            dynamodb.delete_item(TableName="incidents", Key=key)
        aws.forget()

    return do


def waiting(aws):
    """Rows of the burst that are there."""
    return [row for row in aws.rows("incidents") if row["secret_arn"] == "held"]


def names(notices):
    """All secrets in these notices."""
    return {name for notice in notices for name in notice}


def test_one_of_many_tells_of_all_in_one_notice_on_each_topic(aws, opened, step, published):
    keys = opened(1, 2, 3)

    tellers = [key for key in keys if step("held", key)]

    assert tellers == keys[:1]
    assert aws.asked("Publish") == []

    assert step("held_burst", tellers[0]) is False

    assert published() == {topic: [["orders/db-1", "orders/db-2", "orders/db-3"]] for topic in (CRITICAL, REMEDIATION)}
    assert waiting(aws) == []


def test_each_that_is_held_is_an_event_of_its_own(aws, opened, step):
    for key in opened(1, 2):
        step("held", key)

    entries = [entry for asked in aws.asked("PutEvents") for entry in asked["Entries"]]
    assert [entry["DetailType"] for entry in entries] == ["Rotation Incident Held"] * 2
    assert len({json.loads(entry["Detail"])["eventID"] for entry in entries}) == 2


def test_whoever_comes_after_a_burst_begins_another(opened, step, published):
    [first, second] = opened(1, 2)
    assert step("held", first)
    step("held_burst", first)

    assert step("held", second)
    step("held_burst", second)

    assert published()[CRITICAL] == [["orders/db-1"], ["orders/db-2"]]


def test_steps_that_run_twice_tell_nothing_twice(aws, opened, step, published):
    [first, second] = opened(1, 2)
    assert [step("held", first), step("held", first), step("held", second)] == [True, True, False]

    step("held_burst", first)
    assert (step("held_burst", first), step("held", second)) == (False, True)
    step("held_burst", second)

    assert published()[CRITICAL] == [["orders/db-1", "orders/db-2"]]
    assert len(aws.asked("PutEvents")) == 2


def test_more_than_one_transaction_takes_are_one_notice_with_their_number(aws, burst, opened, step):
    [first] = opened(1)
    for each in rate_limited(110):
        burst.add(**each)
    assert step("held", first)

    step("held_burst", first)

    subjects = [asked["Subject"] for asked in aws.asked("Publish")]
    assert (
        subjects == ["AT RISK orders/db-1 and 109 more 123456789012 eu-west-1: 110 failed rotations rate limited"] * 2
    )
    assert waiting(aws) == []
    # Of each, the row in the burst and the one in the list of what is unfinished: 100 writes to a transaction.
    assert [len(asked["TransactItems"]) for asked in aws.asked("TransactWriteItems")] == [100, 100, 20]


def test_all_pages_are_read(aws, burst):
    for each in rate_limited(5):
        burst.add(**each)
    pages = count()

    def in_pages(asked):
        if next(pages) >= 3:
            return None
        answer = aws.client("dynamodb").query(**asked, Limit=2)
        del answer["ResponseMetadata"]
        return answer

    aws.answer("Query", in_pages)

    assert burst.read_and_release("execution-1") == rate_limited(5)
    assert len(aws.asked("Query")) == 3


def test_a_teller_that_died_is_followed_by_the_next_after_a_while(burst):
    assert burst.claim_ownership("execution-1", NOW)

    assert not burst.claim_ownership("execution-2", NOW + OWNERSHIP_SECONDS)
    assert burst.claim_ownership("execution-2", NOW + OWNERSHIP_SECONDS + 1)
    # The first was only slow: it tells, and leaves the other its turn.
    burst.read_and_release("execution-1")
    assert not burst.claim_ownership("execution-3", NOW + OWNERSHIP_SECONDS + 2)
    assert burst.claim_ownership("execution-2", NOW + OWNERSHIP_SECONDS + 3)


def test_what_was_joined_since_the_reading_is_left_for_the_next(aws, burst):
    [first, second] = rate_limited(2)
    burst.add(**first)
    published_rows = burst.read_and_release("execution-1")
    burst.add(**second)

    burst.delete(published_rows)

    assert burst.read_and_release("execution-1") == [second]


@pytest.mark.parametrize("topic", [CRITICAL, REMEDIATION])
def test_a_topic_that_cannot_be_told_keeps_the_burst(aws, opened, step, published, topic):
    [key] = opened(1)
    step("held", key)
    refusal = aws.Refusal("InternalError", 500)
    aws.answer("Publish", lambda asked: refusal if asked["TopicArn"].endswith(topic) else None)

    with pytest.raises(ClientError, match="InternalError"):
        step("held_burst", key)

    assert len([row for row in waiting(aws) if row["opened_at"] != "teller"]) == 1
    aws.answer("Publish", lambda _: None)
    aws.forget()
    step("held_burst", key)
    assert published() == {each: [["orders/db-1"]] for each in (CRITICAL, REMEDIATION)}


def finish(step, keys, tellers):
    """What the state machine goes on to do: every teller gathers and tells."""
    for key in keys:
        if tellers[key["secret_arn"]]:
            step("held_burst", key)


def test_a_crash_before_or_after_any_write_of_who_joins_loses_nobody(aws, opened, step, published, clear):
    def prepare():
        clear()
        keys[:] = opened(1, 2)
        return lambda: step("held", keys[0])

    keys, crashed = [], 0
    for crash, is_teller in crashes(aws, prepare):
        crashed += 1
        tellers = {keys[0]["secret_arn"]: is_teller, keys[1]["secret_arn"]: step("held", keys[1])}

        finish(step, keys, tellers)

        assert list(tellers.values()) == [True, False], crash
        assert published() == {topic: [["orders/db-1", "orders/db-2"]] for topic in (CRITICAL, REMEDIATION)}, crash
        assert waiting(aws) == [], crash
    # Its row, its event, a note of each, and the teller's row.
    assert crashed == 2 * 5


def test_a_crash_before_or_after_any_write_of_the_teller_loses_nobody(aws, opened, step, published, clear):
    def prepare():
        clear()
        keys[:] = opened(1, 2, 3)
        assert [step("held", key) for key in keys[:2]] == [True, False]
        return lambda: step("held_burst", keys[0])

    keys, crashed = [], 0
    for crash, _ in crashes(aws, prepare):
        crashed += 1

        assert {"orders/db-1", "orders/db-2"} == names(published()[CRITICAL]) == names(published()[REMEDIATION]), crash
        assert all(len(notices) <= 2 for notices in published().values()), crash
        assert waiting(aws) == [], crash
    # The teller's row, a notice and its note for each topic, and what was told.
    assert crashed == 2 * 6


def test_a_teller_that_dies_for_good_loses_nobody(aws, opened, step, published, clear):
    """Whatever it has done by then, the next that is held has all that it has not told."""
    for number in range(1, 7):
        for when in ("before", "after"):
            clear()
            keys = opened(1, 2, 3)
            assert [step("held", key) for key in keys[:2]] == [True, False]
            aws.crash(number, when)
            with pytest.raises(aws.Crash):
                step("held_burst", keys[0])
            aws.crash(0, "")
            for row in waiting(aws):
                if row["opened_at"] == "teller":
                    aws.put("incidents", {**row, "until": 0})

            assert step("held", keys[2])
            step("held_burst", keys[2])

            everyone = {"orders/db-1", "orders/db-2", "orders/db-3"}
            assert names(published()[CRITICAL]) == names(published()[REMEDIATION]) == everyone, (number, when)


@pytest.mark.parametrize(
    ("operation", "number"),
    [
        ("DeleteItem", 1),
        ("Query", 1),
        ("Publish", 1),
        ("Publish", 2),
        ("UpdateItem", 1),
        ("UpdateItem", 2),
        ("TransactWriteItems", 1),
    ],
)
def test_who_joins_while_the_teller_is_at_it_is_told_by_it_or_by_the_next(
    aws, opened, step, published, operation, number
):
    keys, late = opened(1, 2, 3), {}
    assert [step("held", key) for key in keys[:2]] == [True, False]
    once(aws, operation, lambda: late.update(is_teller=step("held", keys[2])), number)

    step("held_burst", keys[0])

    assert "is_teller" in late
    if late["is_teller"]:
        step("held_burst", keys[2])
    for topic in (CRITICAL, REMEDIATION):
        assert names(published()[topic]) == {"orders/db-1", "orders/db-2", "orders/db-3"}
    assert waiting(aws) == []


@pytest.mark.parametrize(("operation", "number"), [("PutItem", 1), ("PutEvents", 1), ("UpdateItem", 3)])
def test_who_joins_while_a_burst_is_told_around_it_is_told_by_it_or_tells(
    aws, opened, step, published, operation, number
):
    """The teller reads before or after the row of who joins, and is gone before or after that one asks to tell."""
    [teller, late] = opened(1, 2)
    assert step("held", teller)
    once(aws, operation, lambda: step("held_burst", teller), number)

    if step("held", late):
        step("held_burst", late)

    for topic in (CRITICAL, REMEDIATION):
        assert names(published()[topic]) == {"orders/db-1", "orders/db-2"}
    assert waiting(aws) == []
