"""A run that is too long for one invocation, is started twice, or is lost."""

import itertools
import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.audit import check

RUN = "2026-03-01T12:00:00Z"
SCHEDULED = {"scheduled_time": RUN}
MANAGED = [{"Key": "Managed", "Value": "true"}]
PAGES = 4


def version_of(name):
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def entries_of(page):
    """Three secrets; none on the third page, which is not the last."""
    return [
        {
            "Name": name,
            "ARN": f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name}-Ab12Cd",
            "Tags": MANAGED,
            "SecretVersionsToStages": {version_of(name): ["AWSCURRENT"]},
        }
        for name in ([] if page == 2 else [f"page-{page}/secret-{index}" for index in range(3)])
    ]


@pytest.fixture(autouse=True)
def tables(aws):
    aws.create_tables("history", "status", "runs", "audit-trail", "incidents")


@pytest.fixture
def pages(aws):
    """Four pages of the list."""
    created_at = datetime.now(UTC) - timedelta(days=40)

    def page(parameters):
        number = int(parameters.get("NextToken", "0"))
        more = {"NextToken": str(number + 1)} if number < PAGES - 1 else {}
        return {"SecretList": entries_of(number), **more}

    def versions(parameters):
        name = parameters["SecretId"].partition(":secret:")[2].removesuffix("-Ab12Cd")
        return {
            "Versions": [{"VersionId": version_of(name), "VersionStages": ["AWSCURRENT"], "CreatedDate": created_at}]
        }

    aws.answer("ListSecrets", page)
    aws.answer("ListSecretVersionIds", versions)


@pytest.fixture
def handovers(aws):
    """The events that the function sent to itself; the test delivers them."""
    sent = []

    def take(parameters):
        assert parameters["InvocationType"] == "Event"
        assert parameters["FunctionName"] == "arn:aws:lambda:eu-west-1:123456789012:function:function"
        sent.append(json.loads(parameters["Payload"]))
        return {"StatusCode": 202}

    aws.answer("Invoke", take)
    return sent


@pytest.fixture
def invoke(context):
    """Invokes the function with this request id and remaining time in milliseconds."""

    def run(event, request="request-1", remaining=900_000):
        context.aws_request_id, context.remaining = request, remaining
        return check.handler(event, context)

    return run


def run_row(aws, run=RUN):
    [row] = [row for row in aws.rows("runs") if row["run_id"] == run]
    return row


def names(rows):
    return sorted(row["secret_name"] for row in rows)


@pytest.fixture
def everything(pages):
    return sorted(f"page-{number}/secret-{index}" for number in (0, 1, 3) for index in range(3))


def test_a_run_hands_over_until_every_secret_is_in_one_row(aws, everything, invoke, handovers):
    answer = invoke(SCHEDULED, remaining=20_000)
    assert answer == {"run_id": RUN, "checked": 3, "flagged": 3}
    assert "complete" not in run_row(aws)
    for number in range(1, PAGES):
        assert handovers[-1] == {"run_id": RUN, "part": number}
        answer = invoke(handovers[-1], request=f"request-{number + 1}", remaining=20_000)

    assert len(handovers) == PAGES - 1
    assert answer == {"run_id": RUN, "checked": 9, "flagged": 9}
    row = run_row(aws)
    assert (row["complete"], row["checked"], row["pages"], row["listed"]) == (True, 9, PAGES, 9)
    assert row["verdicts"] == {"never_rotated": 9}
    assert names(aws.rows("history")) == names(aws.rows("status")) == everything
    assert {row["run_id"] for row in aws.rows("history")} == {RUN}
    assert len({row["checked_at"] for row in aws.rows("status")}) == 1
    assert not {"holder", "lease_until", "next_token"} & set(row)


def test_nothing_is_handed_over_with_enough_time(aws, everything, invoke, handovers):
    assert invoke(SCHEDULED)["checked"] == 9

    assert handovers == []
    assert [parameters.get("NextToken") for parameters in aws.requests("ListSecrets")] == [None, "1", "2", "3"]


def test_a_repeated_handover_is_continued_once(aws, everything, invoke, handovers):
    invoke(SCHEDULED, remaining=20_000)
    [part] = handovers
    invoke(part, request="request-2")
    aws.forget()

    answer = invoke(part, request="request-3")

    assert answer["checked"] == 9
    assert aws.requests("ListSecrets") == []
    assert aws.requests("BatchWriteItem") == []
    assert run_row(aws)["checked"] == 9


def test_a_run_that_is_started_twice_is_executed_once(aws, everything, invoke, handovers):
    interruptions = []

    def start_again(parameters):
        # Another invocation of the same scheduled run, while the first is in progress.
        if not interruptions:
            interruptions.append(True)
            invoke(SCHEDULED, request="request-2")
        return

    aws.answer("BatchGetItem", start_again)

    assert invoke(SCHEDULED)["checked"] == 9

    assert interruptions
    assert [parameters.get("NextToken") for parameters in aws.requests("ListSecrets")] == [None, "1", "2", "3"]
    assert run_row(aws)["checked"] == 9


def test_a_failed_part_is_restarted_by_its_own_retry(aws, everything, invoke, handovers):
    invoke(SCHEDULED, remaining=20_000)
    [part] = handovers
    aws.answer("BatchWriteItem", lambda _: aws.Refusal("InternalServerError", 500))
    with pytest.raises(ClientError):
        invoke(part, request="request-2")
    aws.answer("BatchWriteItem", lambda _: None)

    assert invoke(part, request="request-2")["checked"] == 9

    assert names(aws.rows("history")) == everything
    assert run_row(aws)["complete"] is True


def test_a_handover_that_could_not_be_sent_is_sent_by_the_retry(aws, everything, invoke, handovers):
    take = aws.answers["Invoke"]
    aws.answer("Invoke", lambda _: aws.Refusal("ServiceException", 500))
    with pytest.raises(ClientError):
        invoke(SCHEDULED, remaining=20_000)
    aws.answer("Invoke", take)

    invoke(SCHEDULED, remaining=20_000)
    assert handovers == [{"run_id": RUN, "part": 1}]
    assert invoke(handovers[0], request="request-2")["checked"] == 9

    assert names(aws.rows("history")) == everything


def test_a_lost_handover_is_recorded_by_the_next_run_which_checks_everything(aws, everything, invoke, handovers):
    invoke(SCHEDULED, remaining=20_000)
    aws.client("dynamodb").update_item(  # an hour later
        TableName="runs",
        Key={"audit": {"S": "rotation"}, "run_id": {"S": RUN}},
        UpdateExpression="SET lease_until = :past, started_at = :past",
        ExpressionAttributeValues={":past": {"S": "2026-03-01T12:00:00Z"}},
    )

    assert invoke({"scheduled_time": "2026-03-01T13:00:00Z"}, request="request-2")["checked"] == 9

    lost_run = run_row(aws)
    assert lost_run["complete"] is False
    assert lost_run["incomplete_because"] == [
        "The run never finished: it failed, or the next invocation did not start."
    ]
    next_run = run_row(aws, "2026-03-01T13:00:00Z")
    assert (next_run["complete"], next_run["checked"]) == (True, 9)


def test_a_run_whose_invocation_failed_can_be_taken_over_once_its_lease_expires(aws, everything, invoke, handovers):
    aws.answer("BatchWriteItem", lambda _: aws.Refusal("InternalServerError", 500))
    with pytest.raises(ClientError):
        invoke(SCHEDULED)
    aws.answer("BatchWriteItem", lambda _: None)
    assert invoke(SCHEDULED, request="request-2")["checked"] == 0
    aws.client("dynamodb").update_item(
        TableName="runs",
        Key={"audit": {"S": "rotation"}, "run_id": {"S": RUN}},
        UpdateExpression="SET lease_until = :past",
        ExpressionAttributeValues={":past": {"S": "2026-03-01T12:00:00Z"}},
    )

    assert invoke(SCHEDULED, request="request-3")["checked"] == 9

    assert names(aws.rows("history")) == everything


def test_a_run_killed_at_any_write_and_restarted_leaves_the_rows_of_an_undisturbed_one(
    aws, everything, invoke, handovers
):
    invoke(SCHEDULED)
    undisturbed = {table: aws.rows(table) for table in ("history", "status")}
    writes = len(aws.requests("BatchWriteItem")) + len(aws.requests("UpdateItem"))
    assert writes > 6
    for killed_at in range(1, writes + 1):
        _empty(aws, "history", "status", "runs")
        aws.forget()
        _kill_at(aws, killed_at)
        with pytest.raises(ClientError):
            invoke(SCHEDULED)
        _kill_at(aws, 0)

        assert invoke(SCHEDULED)["checked"] == 9

        row = run_row(aws)
        assert (row["complete"], row["checked"], row["added"], row["verdicts"]) == (True, 9, 9, {"never_rotated": 9})
        for table, rows in undisturbed.items():
            assert _timeless(aws.rows(table)) == _timeless(rows), (table, killed_at)


def _kill_at(aws, number):
    def die(_):
        written = len(aws.requests("BatchWriteItem")) + len(aws.requests("UpdateItem"))
        return aws.Refusal("InternalServerError", 400) if written == number else None

    aws.answer("BatchWriteItem", die)
    aws.answer("UpdateItem", die)


def _empty(aws, *tables):
    dynamodb = aws.client("dynamodb")
    for table in tables:
        dynamodb.delete_table(TableName=table)
    aws.create_tables(*tables)


def _timeless(rows):
    moments = ("checked_at", "since", "attention_since", "first_seen", "accounted_at", "expires_at", "reason")
    bare = [{name: value for name, value in row.items() if name not in moments} for row in rows]
    return sorted(bare, key=lambda row: row["secret_name"])


def test_a_part_that_arrives_after_the_next_handover_is_not_continued(aws, everything, invoke, handovers):
    invoke(SCHEDULED, remaining=20_000)
    invoke(handovers[0], request="request-2", remaining=20_000)
    aws.forget()

    invoke(handovers[0], request="request-3")

    assert aws.requests("BatchWriteItem") == []
    assert handovers[-1] == {"run_id": RUN, "part": 2}


def test_an_invocation_that_lost_its_lease_does_not_complete_the_run(aws, everything, invoke, handovers):
    def lose_lease(_):
        aws.client("dynamodb").update_item(
            TableName="runs",
            Key={"audit": {"S": "rotation"}, "run_id": {"S": RUN}},
            UpdateExpression="SET holder = :other",
            ExpressionAttributeValues={":other": {"S": "request-2"}},
        )

    aws.answer("BatchGetItem", lose_lease)
    invoke(SCHEDULED)
    assert "finished_at" not in run_row(aws)

    invoke(SCHEDULED, remaining=20_000)
    assert handovers == []


def test_a_secret_listed_on_two_pages_counts_once(aws, everything, invoke):
    page = aws.answers["ListSecrets"]

    def overlapping(parameters):
        answer = page(parameters)
        if parameters.get("NextToken") == "1":
            answer["SecretList"] = page({})["SecretList"][-1:] + answer["SecretList"]
        return answer

    aws.answer("ListSecrets", overlapping)

    assert invoke(SCHEDULED)["checked"] == 9

    assert names(aws.rows("history")) == everything


@given(
    cuts=st.lists(st.integers(0, 7), max_size=6),
    repetitions=st.lists(st.integers(0, 6), max_size=3),
    order=st.randoms(),
)
@settings(
    max_examples=25,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_neither_order_nor_pages_of_the_list_change_the_findings(
    aws, pages, invoke, handovers, cuts, repetitions, order
):
    listed = [*entries_of(0), *entries_of(1), *entries_of(3)][:7]
    expected = names([{"secret_name": entry["Name"]} for entry in listed])
    order.shuffle(listed)
    # Some are shown twice, as when the list changes between two pages; equal cuts make empty pages with a token.
    listed += [listed[index] for index in repetitions]
    edges = [0, *sorted(cuts), len(listed)]
    split = [listed[start:end] for start, end in itertools.pairwise(edges)]

    def page(parameters):
        number = int(parameters.get("NextToken", "0"))
        more = {"NextToken": str(number + 1)} if number + 1 < len(split) else {}
        return {"SecretList": split[number], **more}

    aws.answer("ListSecrets", page)
    _empty(aws, "history", "status", "runs")

    assert invoke(SCHEDULED) == {"run_id": RUN, "checked": 7, "flagged": 7}

    assert names(aws.rows("history")) == names(aws.rows("status")) == expected


def test_manual_runs_do_not_hide_scheduled_ones(aws, everything, invoke):
    every_page = aws.answers["ListSecrets"]
    aws.answer("ListSecrets", lambda _: {"SecretList": entries_of(0)})
    for number in range(12):
        invoke({}, request=f"f{number:07x}-0000-4000-8000-000000000000")
    for row in aws.rows("runs"):
        aws.client("dynamodb").update_item(  # long ago
            TableName="runs",
            Key={"audit": {"S": "rotation"}, "run_id": {"S": row["run_id"]}},
            UpdateExpression="SET started_at = :past",
            ExpressionAttributeValues={":past": {"S": "2026-01-01T12:00:00Z"}},
        )
    aws.answer("ListSecrets", every_page)
    invoke({"scheduled_time": "2026-03-01T11:00:00Z"}, request="request-1")
    aws.answer("ListSecrets", lambda _: {"SecretList": entries_of(0)})

    invoke(SCHEDULED, request="request-2")

    assert run_row(aws)["incomplete_because"] == ["The previous run checked 9 secrets, but this one checked only 3."]


@pytest.mark.parametrize("request_id", ["0a0c328f-d024-4808-b43a-2eba13cc04cd", "f0a0c328-d024-4808-b43a-2eba13cc04cd"])
def test_a_manual_run_counts_as_an_earlier_run(aws, everything, invoke, request_id):
    invoke({}, request=request_id)
    aws.answer("ListSecrets", lambda _: {"SecretList": entries_of(0)})

    invoke(SCHEDULED, request="request-2")

    assert run_row(aws)["complete"] is False


def test_a_run_of_many_secrets_is_completed_by_an_invocation_with_enough_time(
    aws, everything, invoke, handovers, monkeypatch
):
    monkeypatch.setattr(check, "MANY_SECRETS", 5)

    invoke(SCHEDULED, remaining=100_000)
    assert "finished_at" not in run_row(aws)
    assert handovers == [{"run_id": RUN, "part": 1}]
    aws.forget()
    answer = invoke(handovers[0], request="request-2", remaining=100_000)

    assert answer == {"run_id": RUN, "checked": 9, "flagged": 9}
    assert aws.requests("ListSecrets") == []
    assert len(handovers) == 1
    assert run_row(aws)["complete"] is True
