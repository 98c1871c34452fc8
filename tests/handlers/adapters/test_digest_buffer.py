"""Many rate-limited incidents make one digest, and none is lost, whichever step crashes."""

import json
import sys
from itertools import count

import pytest
from botocore.exceptions import ClientError

from handlers.adapters.digest_buffer import OWNERSHIP_SECONDS, DigestBuffer
from handlers.remediation import notify
from tests.handlers.remediation.transitions import incident, rate_limited
from tests.handlers.scene import crash_at_each_write, run_before

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
def digest_buffer(aws):
    return DigestBuffer("incidents")


@pytest.fixture
def write_incidents(aws):
    """Writes the rows of rate-limited incidents; returns their keys."""

    def write(*numbers):
        keys = []
        for number in numbers:
            row = rate_limited(number)[-1]
            aws.put("incidents", incident(**row, outcome="held", state="closed"))
            keys.append({"secret_arn": row["secret_arn"], "opened_at": row["opened_at"]})
        return keys

    return write


@pytest.fixture
def run_step(context):
    """Runs a step of the execution with this incident; returns whether it owns the digest."""

    def run(transition, key):
        execution = f"execution of {key['secret_arn']}"
        event = {"execution": execution, "turn": transition, "incident": key}
        return notify.handler(event, context)["teller"]

    return run


@pytest.fixture
def published(aws):
    """Reads the secrets in each notification, by topic."""

    def read():
        secrets_by_topic = {CRITICAL: [], REMEDIATION: []}
        for request in aws.requests("Publish"):
            payload = json.loads(json.loads(request["Message"])["sqs"])
            secrets_by_topic[request["TopicArn"].rpartition(":")[2]].append(
                [secret["secret_name"] for secret in payload["held"]["secrets"]]
            )
        return secrets_by_topic

    return read


@pytest.fixture
def clear_table(aws):
    """Empties the table and forgets the requests."""

    def delete_rows():
        dynamodb = aws.client("dynamodb")
        for row in dynamodb.scan(TableName="incidents")["Items"]:
            key = {name: row[name] for name in ("secret_arn", "opened_at")}
            dynamodb.delete_item(TableName="incidents", Key=key)
        aws.forget()

    return delete_rows


def buffered_rows(aws):
    """The rows in the buffer."""
    return [row for row in aws.rows("incidents") if row["secret_arn"] == "held"]


def secret_names(notices):
    """All secrets in these notifications."""
    return {name for notice in notices for name in notice}


def test_the_owner_publishes_all_incidents_in_one_digest_on_each_topic(aws, write_incidents, run_step, published):
    keys = write_incidents(1, 2, 3)

    owners = [key for key in keys if run_step("held", key)]

    assert owners == keys[:1]
    assert aws.requests("Publish") == []

    assert run_step("held_burst", owners[0]) is False

    assert published() == {topic: [["orders/db-1", "orders/db-2", "orders/db-3"]] for topic in (CRITICAL, REMEDIATION)}
    assert buffered_rows(aws) == []


def test_each_rate_limited_incident_puts_its_own_event(aws, write_incidents, run_step):
    for key in write_incidents(1, 2):
        run_step("held", key)

    entries = [entry for request in aws.requests("PutEvents") for entry in request["Entries"]]
    assert [entry["DetailType"] for entry in entries] == ["Rotation Incident Held"] * 2
    assert len({json.loads(entry["Detail"])["eventID"] for entry in entries}) == 2


def test_an_incident_after_a_published_digest_starts_another(write_incidents, run_step, published):
    [first, second] = write_incidents(1, 2)
    assert run_step("held", first)
    run_step("held_burst", first)

    assert run_step("held", second)
    run_step("held_burst", second)

    assert published()[CRITICAL] == [["orders/db-1"], ["orders/db-2"]]


def test_repeated_steps_publish_nothing_twice(aws, write_incidents, run_step, published):
    [first, second] = write_incidents(1, 2)
    assert [run_step("held", first), run_step("held", first), run_step("held", second)] == [True, True, False]

    run_step("held_burst", first)
    assert (run_step("held_burst", first), run_step("held", second)) == (False, True)
    run_step("held_burst", second)

    assert published()[CRITICAL] == [["orders/db-1", "orders/db-2"]]
    assert len(aws.requests("PutEvents")) == 2


def test_more_incidents_than_a_transaction_deletes_make_one_digest_with_their_count(
    aws, digest_buffer, write_incidents, run_step
):
    [first] = write_incidents(1)
    for row in rate_limited(110):
        digest_buffer.add(**row)
    assert run_step("held", first)

    run_step("held_burst", first)

    subjects = [request["Subject"] for request in aws.requests("Publish")]
    assert (
        subjects == ["AT RISK orders/db-1 and 109 more 123456789012 eu-west-1: 110 failed rotations rate limited"] * 2
    )
    assert buffered_rows(aws) == []
    # For each incident, its row in the buffer and in the list of unfinished incidents: 100 writes per transaction.
    # The first transaction adds the incident to its chain.
    assert [len(request["TransactItems"]) for request in aws.requests("TransactWriteItems")] == [2, 100, 100, 20]


def test_all_pages_are_read(aws, digest_buffer):
    for row in rate_limited(5):
        digest_buffer.add(**row)
    pages = count()

    def in_pages(request):
        if next(pages) >= 3:
            return None
        answer = aws.client("dynamodb").query(**request, Limit=2)
        del answer["ResponseMetadata"]
        return answer

    aws.answer("Query", in_pages)

    assert digest_buffer.read_and_release("execution-1") == rate_limited(5)
    assert len(aws.requests("Query")) == 3


def test_ownership_passes_on_after_its_timeout_if_the_owner_died(digest_buffer):
    assert digest_buffer.claim_ownership("execution-1", NOW)

    assert not digest_buffer.claim_ownership("execution-2", NOW + OWNERSHIP_SECONDS)
    assert digest_buffer.claim_ownership("execution-2", NOW + OWNERSHIP_SECONDS + 1)
    # The first was only slow: it publishes, and does not release the ownership of the second.
    digest_buffer.read_and_release("execution-1")
    assert not digest_buffer.claim_ownership("execution-3", NOW + OWNERSHIP_SECONDS + 2)
    assert digest_buffer.claim_ownership("execution-2", NOW + OWNERSHIP_SECONDS + 3)


def test_an_incident_added_after_the_read_is_left_for_the_next_digest(aws, digest_buffer):
    [first, second] = rate_limited(2)
    digest_buffer.add(**first)
    published_rows = digest_buffer.read_and_release("execution-1")
    digest_buffer.add(**second)

    digest_buffer.delete(published_rows)

    assert digest_buffer.read_and_release("execution-1") == [second]


@pytest.mark.parametrize("topic", [CRITICAL, REMEDIATION])
def test_a_digest_that_one_topic_rejects_stays_in_the_buffer(aws, write_incidents, run_step, published, topic):
    [key] = write_incidents(1)
    run_step("held", key)
    error = aws.Refusal("InternalError", 500)
    aws.answer("Publish", lambda request: error if request["TopicArn"].endswith(topic) else None)

    with pytest.raises(ClientError, match="InternalError"):
        run_step("held_burst", key)

    assert len([row for row in buffered_rows(aws) if row["opened_at"] != "teller"]) == 1
    aws.answer("Publish", lambda _: None)
    aws.forget()
    run_step("held_burst", key)
    assert published() == {name: [["orders/db-1"]] for name in (CRITICAL, REMEDIATION)}


def publish_digests(run_step, keys, owns_digest):
    """Does what the state machine does next: every owner reads and publishes its digest."""
    for key in keys:
        if owns_digest[key["secret_arn"]]:
            run_step("held_burst", key)


def test_a_crash_at_any_write_of_an_added_incident_loses_none(aws, write_incidents, run_step, published, clear_table):
    def prepare():
        clear_table()
        keys[:] = write_incidents(1, 2)
        return lambda: run_step("held", keys[0])

    keys, crash_count = [], 0
    for crash_point, is_digest_owner in crash_at_each_write(aws, prepare):
        crash_count += 1
        owns_digest = {keys[0]["secret_arn"]: is_digest_owner, keys[1]["secret_arn"]: run_step("held", keys[1])}

        publish_digests(run_step, keys, owns_digest)

        assert list(owns_digest.values()) == [True, False], crash_point
        assert published() == {topic: [["orders/db-1", "orders/db-2"]] for topic in (CRITICAL, REMEDIATION)}, (
            crash_point
        )
        assert buffered_rows(aws) == [], crash_point
    # Its row, its event, a note of each, the owner's row, and its place in the chain.
    assert crash_count == 2 * 6


def test_a_crash_at_any_write_of_the_owner_loses_no_incident(aws, write_incidents, run_step, published, clear_table):
    def prepare():
        clear_table()
        keys[:] = write_incidents(1, 2, 3)
        assert [run_step("held", key) for key in keys[:2]] == [True, False]
        return lambda: run_step("held_burst", keys[0])

    keys, crash_count = [], 0
    for crash_point, _ in crash_at_each_write(aws, prepare):
        crash_count += 1

        assert (
            {"orders/db-1", "orders/db-2"}
            == secret_names(published()[CRITICAL])
            == secret_names(published()[REMEDIATION])
        ), crash_point
        assert all(len(notices) <= 2 for notices in published().values()), crash_point
        assert buffered_rows(aws) == [], crash_point
    # The owner's row, a notification and its note for each topic, and the deletion of the published rows.
    assert crash_count == 2 * 6


def test_an_owner_that_never_comes_back_loses_no_incident(aws, write_incidents, run_step, published, clear_table):
    """Wherever it stopped, the next digest has every incident that it did not publish."""
    for number in range(1, 7):
        for when in ("before", "after"):
            clear_table()
            keys = write_incidents(1, 2, 3)
            assert [run_step("held", key) for key in keys[:2]] == [True, False]
            aws.crash(number, when)
            with pytest.raises(aws.Crash):
                run_step("held_burst", keys[0])
            aws.crash(0, "")
            for row in buffered_rows(aws):
                if row["opened_at"] == "teller":
                    aws.put("incidents", {**row, "until": 0})

            assert run_step("held", keys[2])
            run_step("held_burst", keys[2])

            all_secrets = {"orders/db-1", "orders/db-2", "orders/db-3"}
            assert secret_names(published()[CRITICAL]) == secret_names(published()[REMEDIATION]) == all_secrets, (
                number,
                when,
            )


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
def test_an_incident_added_while_the_owner_works_is_in_its_digest_or_the_next(
    aws, write_incidents, run_step, published, operation, number
):
    keys, result = write_incidents(1, 2, 3), {}
    assert [run_step("held", key) for key in keys[:2]] == [True, False]
    run_before(aws, operation, lambda: result.update(is_digest_owner=run_step("held", keys[2])), number)

    run_step("held_burst", keys[0])

    assert "is_digest_owner" in result
    if result["is_digest_owner"]:
        run_step("held_burst", keys[2])
    for topic in (CRITICAL, REMEDIATION):
        assert secret_names(published()[topic]) == {"orders/db-1", "orders/db-2", "orders/db-3"}
    assert buffered_rows(aws) == []


@pytest.mark.parametrize(("operation", "number"), [("PutItem", 1), ("PutEvents", 1), ("UpdateItem", 3)])
def test_an_incident_added_around_a_whole_digest_is_in_it_or_owns_the_next(
    aws, write_incidents, run_step, published, operation, number
):
    """The first reads, and releases the ownership, before or after the second adds its row and claims the ownership."""
    [first, second] = write_incidents(1, 2)
    assert run_step("held", first)
    run_before(aws, operation, lambda: run_step("held_burst", first), number)

    if run_step("held", second):
        run_step("held_burst", second)

    for topic in (CRITICAL, REMEDIATION):
        assert secret_names(published()[topic]) == {"orders/db-1", "orders/db-2"}
    assert buffered_rows(aws) == []
