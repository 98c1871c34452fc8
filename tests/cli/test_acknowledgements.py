"""Acknowledging an incident: who works on it, why and until when."""

from datetime import datetime, timedelta

import pytest

from rotation_guard.domain.timestamps import to_iso

from .conftest import CALLER, aws_error

REASON = ("--reason", "Vendor ticket 4711.")


@pytest.fixture
def ack(stack, run_on_stack):
    """Acknowledges the incident of a secret, for two hours by default; returns the result."""

    def ack(name="orders/db", until="2h", reason=REASON):
        return run_on_stack("incidents", "ack", name, *reason, *(("--until", until) if until else ()))

    return ack


def writes(stack):
    return stack.calls_of("UpdateItem", "incidents")


def test_an_acknowledgement_is_shown_with_who_why_and_until_when(stack, ack, incidents_json, run_on_stack):
    stack.closed_incident("orders/db", "escalated")

    result = ack()

    assert result.exit_code == 0, result.stderr
    [row] = incidents_json("list")["incidents"]
    until = to_iso(stack.now + timedelta(hours=2))
    assert (row["acknowledged"], row["acknowledged_by"], row["acknowledged_reason"]) == (True, CALLER, REASON[1])
    assert abs_seconds(row["acknowledged_until"], until) <= 60
    assert row["attention"] is True
    for words in (("list",), ("show", "orders/db")):
        text = " ".join(run_on_stack("incidents", *words, COLUMNS="200").stdout.split())
        assert f"cknowledged{':' if words[0] == 'show' else ''} by moto until " in text
        assert REASON[1] in text


def abs_seconds(first, second):
    return abs((datetime.fromisoformat(first) - datetime.fromisoformat(second)).total_seconds())


def test_it_is_part_of_the_timeline(stack, ack, incidents_json):
    incident = stack.closed_incident("orders/db", "escalated")
    ack()

    [entry] = [entry for entry in incidents_json("show", "orders/db")["timeline"] if entry["action"] == "acknowledge"]

    assert (entry["by"], entry["reason"], entry["outcome"]) == (CALLER, REASON[1], "acknowledged")
    assert entry["until"] > entry["at"]
    assert [action["action"] for action in stack.actions(incident)] == ["acknowledge"]


def test_only_its_own_attributes_change(stack, ack):
    incident = stack.closed_incident("orders/db", "escalated")
    before = stack.row(incident["secret_arn"], incident["opened_at"])

    ack()

    after = stack.row(incident["secret_arn"], incident["opened_at"])
    assert {name: value for name, value in after.items() if not name.startswith("acknowledged_")} == before
    [request] = writes(stack)
    assert request["ConditionExpression"] == "attribute_exists(secret_arn) AND #state = :state AND #outcome = :outcome"


def test_attention_leaves_it_out_until_it_is_over(stack, ack, incidents_json):
    stack.closed_incident("orders/db", "escalated")
    stack.closed_incident("old/db", "held", hours=24 * 30)
    stack.closed_incident("over", "escalated", acknowledged_until=stack.ago(hours=1), acknowledged_by=CALLER)
    stack.closed_incident("fine", "recovered by AWS")
    ack()

    answer = incidents_json("list", "--attention")

    assert [row["secret_name"] for row in answer["incidents"]] == ["over", "old/db"]
    assert [row["acknowledged"] for row in answer["incidents"]] == [False, False]
    assert (answer["filters"]["attention"], answer["filters"]["since"]) == (True, None)


def test_the_exit_code_counts_it_unless_only_attention_is_asked_for(stack, ack, run_on_stack):
    stack.closed_incident("orders/db", "escalated")
    ack()

    assert run_on_stack("incidents", "list", "--exit-code").exit_code == 1
    assert run_on_stack("incidents", "list", "--attention", "--exit-code").exit_code == 0
    assert "No incidents need attention." in run_on_stack("incidents", "list", "--attention").stdout
    assert "1 needs attention, of which 1 is acknowledged." in run_on_stack("incidents").stdout


def test_repeating_it_writes_nothing_and_another_one_replaces_it(stack, ack, incidents_json):
    stack.incident("orders/db")
    until = to_iso(stack.now + timedelta(days=1))

    for _ in range(2):
        assert ack(until=until).exit_code == 0
    assert len(writes(stack)) == 1
    ack(until=until, reason=("--reason", "Another reason."))

    [row] = incidents_json("list")["incidents"]
    assert row["acknowledged_reason"] == "Another reason."
    assert len(writes(stack)) == 2


@pytest.mark.parametrize("outcome", ["recovered by AWS", "resolved", "rolled forward"])
def test_an_incident_that_is_over_is_refused(stack, ack, outcome):
    stack.closed_incident("orders/db", outcome)

    result = ack()

    assert (result.exit_code, result.stderr.count("\n"), writes(stack)) == (2, 1, [])
    assert f"is over ({outcome}), so there is nothing to acknowledge. Nothing was written." in result.stderr


def test_an_incident_that_ends_meanwhile_is_refused(stack, ack):
    stack.incident("orders/db")
    stack.answers["UpdateItem"] = lambda _: aws_error("ConditionalCheckFailedException")

    result = ack()

    assert result.exit_code == 2
    assert "has changed meanwhile, so it was not acknowledged" in result.stderr


def test_a_secret_without_an_incident_is_refused(stack, ack):
    stack.secret("quiet/db")

    assert "quiet/db has no recorded incident" in ack("quiet/db").stderr


@pytest.mark.parametrize(
    ("until", "message"),
    [
        (None, "An acknowledgement needs an end: give --until TIME"),
        ("2020-01-01", "--until must be in the future, and at most 90 days from now, got 2020-01-01."),
        ("91d", "--until must be in the future, and at most 90 days from now, got 91d."),
        ("9999-12-31T23:59:59Z", "--until must be in the future"),
        ("soon", "--until must be a time span from now such as 4h or 2d, or a date"),
        ("0h", "--until must be in the future"),
    ],
)
def test_an_end_that_is_no_end_is_refused(stack, ack, until, message):
    stack.incident("orders/db")

    result = ack(until=until)

    assert (result.exit_code, result.stderr.count("\n"), writes(stack)) == (2, 1, [])
    assert message in result.stderr


def test_csv_has_who_and_until_when(stack, ack, run_on_stack):
    stack.incident("orders/db")
    ack()

    header, row = run_on_stack("incidents", "--format", "csv").stdout.splitlines()

    assert ",execution,acknowledged,acknowledged_by,acknowledged_until,acknowledged_reason," in header
    assert f",yes,{CALLER}," in row
