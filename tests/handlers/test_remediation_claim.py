"""Who claims the incident of a failed rotation, and what it holds then."""

from datetime import UTC, datetime, timedelta

import pytest
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError

from handlers import remediation_claim
from handlers.adapters.incidents import LostRace
from handlers.events import MalformedEvent
from handlers.settings import InvalidEnvironment

FIRST = "7ac47c8c-f328-423b-9698-6926dd1f293e"
SECOND = "8bd58d9d-a439-534c-a7a9-7a37ee2a3a4f"
GONE = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:gone-Ab12Cd"


@pytest.fixture(autouse=True)
def tables(aws):
    aws.create_tables("incidents")


@pytest.fixture
def claim(context):
    """Has this execution claim the incident; it started at this minute."""

    def ask(event, execution, minute):
        started_at = f"2026-03-01T00:{minute:02}:00.000Z"
        return remediation_claim.handler({"event": event, "execution": execution, "started_at": started_at}, context)

    return ask


@pytest.fixture
def incidents(aws):
    """The incidents in the order of their opening, and what lies beside them: the rows that hold a claim."""

    def read():
        rows = sorted(aws.rows("incidents"), key=lambda row: row["opened_at"])
        held = {row["secret_arn"]: row for row in rows if row["secret_arn"].startswith("open#")}
        return [row for row in rows if row["secret_arn"] not in held], held

    return read


@pytest.fixture
def move(aws):
    """Gives a secret a new value, which takes AWSCURRENT; answers its version."""

    def put(made):
        return aws.client("secretsmanager").put_secret_value(SecretId=made["ARN"], SecretString="new")["VersionId"]

    return put


def cancelled(aws, *codes):
    """A transaction that DynamoDB did not carry out, and why not."""
    return aws.Refusal("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in codes])


def test_a_failure_opens_an_incident(secret, failed, claim, incidents):
    made = secret()
    labels = {made["VersionId"]: ["AWSCURRENT"]}

    answer = claim(failed(made["ARN"]), "execution-1", 50)

    opened_at = "2026-03-01T00:50:00.000Z"
    assert answer == {"outcome": "opened", "incident": {"opened_at": opened_at, "versions": labels}}
    [incident], held = incidents()
    assert incident == {
        "secret_arn": made["ARN"],
        "opened_at": opened_at,
        "state": "open",
        "secret_name": "orders/db",
        "execution": "execution-1",
        "event_type": "RotationFailed",
        "occurred_at": "2026-03-01T00:50:20Z",
        "failed_step": "createSecret",
        "error_message": failed(made["ARN"])["detail"]["errorMessage"],
        "current_version_id": made["VersionId"],
        "versions": labels,
        "failures": 1,
        "attempts": 0,
        "event_ids": {"e3b69cfe-b70e-4c94-baa9-9decc3c150b9"},
        "rotation_ids": {FIRST},
        "actions": [],
    }
    assert set(held) == {f"open#{made['ARN']}"}


def test_five_copies_of_a_failure_are_one_incident_with_one_failure(secret, failed, claim, incidents):
    made = secret()

    answers = [claim(failed(made["ARN"]), f"execution-{number}", number) for number in range(5)]

    assert [answer["outcome"] for answer in answers] == ["opened", "known", "known", "known", "known"]
    assert {answer["incident"]["opened_at"] for answer in answers} == {"2026-03-01T00:00:00.000Z"}
    [incident], _ = incidents()
    assert incident["failures"] == 1


@pytest.mark.parametrize(("rotation", "rotations"), [(FIRST, {FIRST}), (SECOND, {FIRST, SECOND})])
def test_another_failure_is_counted_into_the_open_incident(secret, failed, claim, incidents, rotation, rotations):
    made = secret()
    claim(failed(made["ARN"]), "execution-1", 1)

    answer = claim(failed(made["ARN"], rotation, event_id="another"), "execution-2", 2)

    assert answer["outcome"] == "known"
    [incident], _ = incidents()
    assert incident["failures"] == 2
    assert incident["event_ids"] == {"e3b69cfe-b70e-4c94-baa9-9decc3c150b9", "another"}
    assert incident["rotation_ids"] == rotations


def test_a_failure_of_an_unknown_rotation_opens_and_joins_too(secret, failed, claim, incidents):
    made = secret()
    for number in (1, 2):
        event = failed(made["ARN"], event_id=f"event-{number}")
        event["detail"]["requestID"] = None
        claim(event, f"execution-{number}", number)

    [incident], _ = incidents()
    assert (incident["failures"], incident["event_ids"]) == (2, {"event-1", "event-2"})
    assert "rotation_ids" not in incident


def test_failures_of_two_secrets_are_two_incidents(secret, failed, claim, incidents):
    for name in ("orders/db", "orders/queue"):
        claim(failed(secret(name)["ARN"]), f"execution-{name}", 1)

    opened, held = incidents()
    assert {incident["secret_name"] for incident in opened} == {"orders/db", "orders/queue"}
    assert len(held) == 2


def test_an_execution_that_asks_twice_is_answered_the_same(secret, failed, claim, incidents):
    made = secret()

    first = claim(failed(made["ARN"]), "execution-1", 1)
    before = incidents()
    second = claim(failed(made["ARN"]), "execution-1", 1)

    assert first == second
    assert first["outcome"] == "opened"
    assert incidents() == before


def test_a_failure_after_a_new_value_closes_the_old_incident_and_opens_another(secret, failed, claim, incidents, move):
    made = secret()
    claim(failed(made["ARN"]), "execution-1", 1)
    version = move(made)

    before = datetime.now(UTC).replace(microsecond=0)
    answer = claim(failed(made["ARN"], SECOND, event_id="another"), "execution-2", 2)

    assert answer["outcome"] == "opened"
    assert answer["incident"]["opened_at"] == "2026-03-01T00:02:00.000Z"
    (old, new), held = incidents()
    assert (old["state"], old["outcome"], old["failures"]) == ("closed", "recovered by AWS", 1)
    closed_at = datetime.fromisoformat(old["closed_at"])
    assert before <= closed_at <= datetime.now(UTC)
    assert 0 <= old["expires_at"] - (closed_at + timedelta(days=400)).timestamp() < 2
    assert (new["state"], new["failures"], new["current_version_id"]) == ("open", 1, version)
    assert (new["event_ids"], new["rotation_ids"]) == ({"another"}, {SECOND})
    assert "expires_at" not in new
    [claimed] = held.values()
    assert (claimed["incident_opened_at"], claimed["execution"]) == (new["opened_at"], "execution-2")
    assert claimed["current_version_id"] == version


def test_a_closed_incident_is_kept_for_good_where_history_is(secret, failed, claim, incidents, move, monkeypatch):
    monkeypatch.setenv("HISTORY_DAYS", "0")
    made = secret()
    claim(failed(made["ARN"]), "execution-1", 1)
    move(made)
    claim(failed(made["ARN"], SECOND, event_id="another"), "execution-2", 2)

    (old, _), _ = incidents()
    assert old["state"] == "closed"
    assert "expires_at" not in old


@pytest.mark.parametrize(
    ("event_id", "failures"), [(None, 1), ("another", 2)], ids=["a copy", "another of the same rotation"]
)
def test_what_an_incident_holds_opens_no_other_however_late_it_comes(
    secret, failed, claim, incidents, move, event_id, failures
):
    made = secret()
    claim(failed(made["ARN"]), "execution-1", 1)
    move(made)

    answer = claim(failed(made["ARN"], event_id=event_id), "execution-2", 2)

    assert answer["outcome"] == "known"
    [incident], _ = incidents()
    assert (incident["state"], incident["failures"]) == ("open", failures)


def test_of_two_that_claim_at_once_one_opens_and_the_other_joins(aws, secret, failed, claim, incidents):
    made = secret()
    winner = failed(made["ARN"], event_id="the-winner")

    def be_faster(_):
        aws.answer("TransactWriteItems", lambda _: None)
        assert claim(winner, "execution-1", 1)["outcome"] == "opened"

    aws.answer("TransactWriteItems", be_faster)

    assert claim(failed(made["ARN"]), "execution-2", 2)["outcome"] == "known"

    [incident], held = incidents()
    assert (incident["execution"], incident["failures"]) == ("execution-1", 2)
    assert len(held) == 1


def test_of_two_that_supersede_at_once_one_opens_and_the_other_joins(aws, secret, failed, claim, incidents, move):
    made = secret()
    claim(failed(made["ARN"]), "execution-1", 1)
    move(made)

    def be_faster(_):
        aws.answer("TransactWriteItems", lambda _: None)
        assert claim(failed(made["ARN"], SECOND, event_id="the-winner"), "execution-2", 2)["outcome"] == "opened"

    aws.answer("TransactWriteItems", be_faster)

    assert claim(failed(made["ARN"], SECOND, event_id="the-loser"), "execution-3", 3)["outcome"] == "known"

    (old, new), _ = incidents()
    assert (old["state"], old["execution"]) == ("closed", "execution-1")
    assert (new["state"], new["execution"], new["failures"]) == ("open", "execution-2", 2)


def test_an_incident_closed_between_look_and_count_is_looked_for_again(aws, secret, failed, claim, incidents):
    made = secret()
    claim(failed(made["ARN"]), "execution-1", 1)

    def close_first(_):
        aws.answer("UpdateItem", lambda _: None)
        close(aws, incidents())

    aws.answer("UpdateItem", close_first)

    answer = claim(failed(made["ARN"], SECOND, event_id="another"), "execution-2", 2)

    assert answer["outcome"] == "opened"
    assert [incident["state"] for incident in incidents()[0]] == ["closed", "open"]


def test_of_two_copies_at_once_one_is_counted(aws, secret, failed, claim, incidents):
    made = secret()
    claim(failed(made["ARN"]), "execution-1", 1)
    copy = failed(made["ARN"], SECOND, event_id="another")

    def be_faster(_):
        aws.answer("UpdateItem", lambda _: None)
        assert claim(copy, "execution-2", 2)["outcome"] == "known"

    aws.answer("UpdateItem", be_faster)

    assert claim(copy, "execution-3", 3)["outcome"] == "known"

    assert [incident["failures"] for incident in incidents()[0]] == [2]


@pytest.mark.parametrize("code", ["ConditionalCheckFailed", "TransactionConflict"])
def test_a_race_is_lost_five_times_before_the_step_gives_up(aws, secret, failed, claim, incidents, code):
    made = secret()
    aws.answer("TransactWriteItems", lambda _: cancelled(aws, "None", code))

    with pytest.raises(LostRace, match=f"^5 attempts to claim the incident of {made['ARN']} lost to others$"):
        claim(failed(made["ARN"]), "execution-1", 1)

    assert len(aws.asked("TransactWriteItems")) == 5
    assert incidents() == ([], {})


def test_a_race_lost_once_is_run_again(aws, secret, failed, claim, incidents):
    made = secret()
    answers = iter([cancelled(aws, "TransactionConflict", "None")])
    aws.answer("TransactWriteItems", lambda _: next(answers, None))

    assert claim(failed(made["ARN"]), "execution-1", 1)["outcome"] == "opened"

    assert len(incidents()[0]) == 1


def test_a_transaction_that_failed_for_another_reason_is_no_race(aws, secret, failed, claim):
    made = secret()
    aws.answer("TransactWriteItems", lambda _: cancelled(aws, "ThrottlingError", "None"))

    with pytest.raises(ClientError, match="TransactionCanceledException"):
        claim(failed(made["ARN"]), "execution-1", 1)

    assert len(aws.asked("TransactWriteItems")) == 1


def test_an_event_without_a_secret_claims_nothing(aws, failed, claim):
    event = failed(GONE)
    event["detail"]["additionalEventData"] = None

    answer = claim(event, "execution-1", 1)

    assert answer == {"outcome": "unidentified", "incident": {"opened_at": None, "versions": None}}
    assert aws.rows("incidents") == []


def test_the_incident_of_a_deleted_secret_is_opened_without_its_labels(failed, claim, incidents):
    answer = claim(failed(GONE), "execution-1", 1)

    assert (answer["outcome"], answer["incident"]["versions"]) == ("opened", None)
    [incident], _ = incidents()
    assert incident["secret_name"] == "gone"
    assert not {"versions", "current_version_id"} & set(incident)


def test_the_incident_of_a_secret_that_may_not_be_described_is_opened_too(aws, secret, failed, claim, incidents):
    made = secret()
    aws.answer("DescribeSecret", lambda _: aws.Refusal("AccessDeniedException"))

    first = claim(failed(made["ARN"]), "execution-1", 1)
    second = claim(failed(made["ARN"], SECOND, event_id="another"), "execution-2", 2)

    assert (first["outcome"], first["incident"]["versions"]) == ("opened", None)
    assert second["outcome"] == "known"
    assert [incident["failures"] for incident in incidents()[0]] == [2]


def test_a_trouble_of_secrets_manager_is_for_the_workflow_to_retry(aws, secret, failed, claim):
    made = secret()
    aws.answer("DescribeSecret", lambda _: aws.Refusal("InternalServiceError", 500))

    with pytest.raises(ClientError, match="InternalServiceError"):
        claim(failed(made["ARN"]), "execution-1", 1)

    assert aws.rows("incidents") == []


def test_what_is_no_event_is_refused(claim, aws):
    with pytest.raises(MalformedEvent):
        claim({"detail": None}, "execution-1", 1)


def test_an_incomplete_environment_is_told_as_what_it_is(aws, failed, claim, monkeypatch):
    monkeypatch.delenv("INCIDENTS_TABLE_NAME")

    with pytest.raises(InvalidEnvironment, match=r"^INCIDENTS_TABLE_NAME must be set"):
        claim(failed(GONE), "execution-1", 1)


def close(aws, incidents):
    """What will end an incident one day: its row says so, and the claim is gone."""
    (incident,), held = incidents
    write = TypeSerializer().serialize
    dynamodb = aws.client("dynamodb")
    dynamodb.put_item(
        TableName="incidents",
        Item={name: write(value) for name, value in (incident | {"state": "closed"}).items() if value},
    )
    [row] = held.values()
    dynamodb.delete_item(TableName="incidents", Key={name: write(row[name]) for name in ("secret_arn", "opened_at")})
