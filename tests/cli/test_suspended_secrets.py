"""Secrets whose repairs are suspended: the list, and releasing them."""

import csv
import io

from rotation_guard.domain.remediation.remediation_state import RemediationState

from .conftest import CALLER, REASON, aws_error
from .stacks import ARN


def test_suspended_secrets_are_listed_with_the_time_of_suspension(stack, incidents_json, run_on_stack):
    old = {"released_at": stack.ago(days=5), "succeeded_at": stack.ago(days=9)}
    stack.set_state("new/db", orphaned_at=stack.ago(hours=1))
    stack.set_state("old/db", orphaned_at=stack.ago(days=3), **old)
    stack.set_state("released", orphaned_at=stack.ago(days=3), released_at=stack.ago(days=2))
    stack.set_state("fine", succeeded_at=stack.ago(days=2))
    stack.incident("open")

    answer = incidents_json("orphaned")

    assert answer["secrets"] == [
        {
            "secret_name": "old/db",
            "orphaned_at": stack.ago(days=3),
            **old,
            "secret_arn": f"{ARN}:old/db-AbCdEf",
        },
        {
            "secret_name": "new/db",
            "orphaned_at": stack.ago(hours=1),
            "succeeded_at": None,
            "released_at": None,
            "secret_arn": f"{ARN}:new/db-AbCdEf",
        },
    ]
    table = run_on_stack("incidents", "orphaned")
    assert "Repairs of 2 secrets are suspended" in table.stdout
    assert f"new/db {stack.ago(hours=1)[:16].replace('T', ' ')} unknown\n" in table.stdout
    assert [
        row["secret_name"]
        for row in csv.DictReader(io.StringIO(run_on_stack("incidents", "orphaned", "--format", "csv").stdout))
    ] == [
        "old/db",
        "new/db",
    ]


def test_the_exit_code_shows_on_request_whether_a_secret_is_suspended(stack, run_on_stack):
    assert "No secret's repairs are suspended." in run_on_stack("incidents", "orphaned").stdout
    assert run_on_stack("incidents", "orphaned", "--exit-code").exit_code == 0

    stack.set_state("a", orphaned_at=stack.ago(hours=1))
    assert run_on_stack("incidents", "orphaned").exit_code == 0
    assert run_on_stack("incidents", "orphaned", "--exit-code").exit_code == 1


def test_a_release_is_recorded_and_other_fields_are_unchanged(stack, run_on_stack, incidents_json):
    since, before = stack.ago(hours=3), stack.ago(days=9)
    arn = stack.set_state("orders/db", orphaned_at=since, succeeded_at=before)

    result = run_on_stack("incidents", "release", arn)

    assert result.exit_code == 0
    assert "\norders/db is released at " in result.stdout
    row = stack.row(f"secret#{arn}")
    assert row["released_at"] >= stack.ago(seconds=0)
    assert row == {
        "secret_arn": f"secret#{arn}",
        "opened_at": "standing",
        "orphaned_at": since,
        "succeeded_at": before,
        "released_at": row["released_at"],
        "released_by": CALLER,
        "release_reason": REASON[1],
    }
    state = RemediationState(arn, succeeded_at=before, suspended_at=since, released_at=row["released_at"])
    assert state.is_suspended is False
    assert incidents_json("orphaned")["secrets"] == []


def test_a_second_release_changes_nothing(stack, run_on_stack):
    released = stack.ago(hours=1)
    arn = stack.set_state("a", orphaned_at=stack.ago(hours=3), released_at=released)

    result = run_on_stack("incidents", "release", arn)

    assert result.exit_code == 0
    assert "Repairs of a are not suspended, so there is nothing to release; it was released at " in result.stdout
    assert stack.row(f"secret#{arn}")["released_at"] == released
    assert stack.calls_of("UpdateItem") == []


def test_releasing_a_secret_that_is_not_suspended_writes_nothing(stack, run_on_stack):
    arn = stack.secret("fine")

    result = run_on_stack("incidents", "release", "fine")

    assert result.exit_code == 0
    assert result.stdout.startswith(
        "Repairs of fine are not suspended, so there is nothing to release.\nDeployment: The stack of "
    )
    assert stack.row(f"secret#{arn}") == {}


def test_a_release_works_although_the_local_clock_is_behind(stack, run_on_stack, incidents_json):
    ahead = stack.ago(hours=-1)
    arn = stack.set_state("a", orphaned_at=ahead)

    run_on_stack("incidents", "release", arn)

    assert stack.row(f"secret#{arn}")["released_at"] == ahead
    assert incidents_json("orphaned")["secrets"] == []


def test_a_refused_release_is_one_sentence(stack, run_on_stack):
    arn = stack.set_state("a", orphaned_at=stack.ago(hours=1))
    stack.answers["UpdateItem"] = lambda request: aws_error("AccessDeniedException")

    result = run_on_stack("incidents", "release", arn)

    assert (result.exit_code, result.stdout.count("\n")) == (3, 1)
    assert "released" not in result.stdout
    assert "UpdateItem was refused: AccessDeniedException" in result.stderr


def test_the_timeline_of_the_newest_incident_shows_who_released_the_secret_and_why(stack, run_on_stack, incidents_json):
    arn = stack.set_state("orders/db", orphaned_at=stack.ago(hours=1))
    older = stack.closed_incident("orders/db", "escalated", hours=9)
    newest = stack.closed_incident("orders/db", "escalated", hours=2)

    assert run_on_stack("incidents", "release", arn, "--reason", "The grant is back.").exit_code == 0

    [action] = stack.actions(newest)
    assert action == {
        "action": "release",
        "at": stack.row(f"secret#{arn}")["released_at"],
        "outcome": "released",
        "reason": "The grant is back.",
        "by": CALLER,
    }
    assert stack.actions(older) == []
    assert incidents_json("show", "orders/db")["timeline"][-1] == action
    assert f"(by {CALLER})" in " ".join(run_on_stack("incidents", "show", "orders/db").stdout.split())
