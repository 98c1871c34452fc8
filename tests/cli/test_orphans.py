"""Secrets that were given up: which they are, and how they are released."""

import csv
import io

from rotation_guard.domain.remediation.remediation_state import RemediationState

from .conftest import ARN, CALLER, REASON, refused


def test_orphaned_secrets_are_listed_with_the_time_since_when(remediated, told, ask):
    old = {"released_at": remediated.ago(days=5), "succeeded_at": remediated.ago(days=9)}
    remediated.standing("new/db", orphaned_at=remediated.ago(hours=1))
    remediated.standing("old/db", orphaned_at=remediated.ago(days=3), **old)
    remediated.standing("released", orphaned_at=remediated.ago(days=3), released_at=remediated.ago(days=2))
    remediated.standing("fine", succeeded_at=remediated.ago(days=2))
    remediated.incident("open")

    answer = told("orphaned")

    assert answer["secrets"] == [
        {
            "secret_name": "old/db",
            "orphaned_at": remediated.ago(days=3),
            **old,
            "secret_arn": f"{ARN}:old/db-AbCdEf",
        },
        {
            "secret_name": "new/db",
            "orphaned_at": remediated.ago(hours=1),
            "succeeded_at": None,
            "released_at": None,
            "secret_arn": f"{ARN}:new/db-AbCdEf",
        },
    ]
    table = ask("incidents", "orphaned")
    assert "2 secrets are told of and not touched" in table.stdout
    assert f"new/db {remediated.ago(hours=1)[:16].replace('T', ' ')} not known\n" in table.stdout
    assert [
        row["secret_name"]
        for row in csv.DictReader(io.StringIO(ask("incidents", "orphaned", "--format", "csv").stdout))
    ] == [
        "old/db",
        "new/db",
    ]


def test_the_exit_code_says_on_demand_whether_there_are_any(remediated, ask):
    assert "No secret is orphaned." in ask("incidents", "orphaned").stdout
    assert ask("incidents", "orphaned", "--exit-code").exit_code == 0

    remediated.standing("a", orphaned_at=remediated.ago(hours=1))
    assert ask("incidents", "orphaned").exit_code == 0
    assert ask("incidents", "orphaned", "--exit-code").exit_code == 1


def test_a_release_is_written_down_and_everything_else_stays(remediated, ask, told):
    since, before = remediated.ago(hours=3), remediated.ago(days=9)
    arn = remediated.standing("orders/db", orphaned_at=since, succeeded_at=before)

    result = ask("incidents", "release", arn)

    assert result.exit_code == 0
    assert "\norders/db is released at " in result.stdout
    row = remediated.row(f"secret#{arn}")
    assert row["released_at"] >= remediated.ago(seconds=0)
    assert row == {
        "secret_arn": f"secret#{arn}",
        "opened_at": "standing",
        "orphaned_at": since,
        "succeeded_at": before,
        "released_at": row["released_at"],
        "released_by": CALLER,
        "release_reason": REASON[1],
    }
    standing = RemediationState(arn, succeeded_at=before, suspended_at=since, released_at=row["released_at"])
    assert standing.is_suspended is False
    assert told("orphaned")["secrets"] == []


def test_a_second_release_changes_nothing(remediated, ask):
    released = remediated.ago(hours=1)
    arn = remediated.standing("a", orphaned_at=remediated.ago(hours=3), released_at=released)

    result = ask("incidents", "release", arn)

    assert result.exit_code == 0
    assert "a is not orphaned, so there is nothing to release; it was released at " in result.stdout
    assert remediated.row(f"secret#{arn}")["released_at"] == released
    assert remediated.asked("UpdateItem") == []


def test_nothing_is_made_for_a_secret_that_was_never_orphaned(remediated, ask):
    arn = remediated.secret("fine")

    result = ask("incidents", "release", "fine")

    assert result.exit_code == 0
    assert result.stdout.startswith("fine is not orphaned, so there is nothing to release.\nDeployment: The stack of ")
    assert remediated.row(f"secret#{arn}") == {}


def test_a_clock_that_is_behind_releases_all_the_same(remediated, ask, told):
    ahead = remediated.ago(hours=-1)
    arn = remediated.standing("a", orphaned_at=ahead)

    ask("incidents", "release", arn)

    assert remediated.row(f"secret#{arn}")["released_at"] == ahead
    assert told("orphaned")["secrets"] == []


def test_a_release_that_is_refused_is_a_sentence(remediated, ask):
    arn = remediated.standing("a", orphaned_at=remediated.ago(hours=1))
    remediated.answers["UpdateItem"] = lambda asked: refused("AccessDeniedException")

    result = ask("incidents", "release", arn)

    assert (result.exit_code, result.stdout.count("\n")) == (3, 1)
    assert "released" not in result.stdout
    assert "UpdateItem was refused: AccessDeniedException" in result.stderr


def test_who_released_a_secret_and_why_is_in_the_timeline_of_its_newest_incident(remediated, ask, told):
    arn = remediated.standing("orders/db", orphaned_at=remediated.ago(hours=1))
    older = remediated.ended("orders/db", "escalated", hours=9)
    newest = remediated.ended("orders/db", "escalated", hours=2)

    assert ask("incidents", "release", arn, "--reason", "The grant is back.").exit_code == 0

    [action] = remediated.actions(newest)
    assert action == {
        "action": "release",
        "at": remediated.row(f"secret#{arn}")["released_at"],
        "outcome": "released",
        "reason": "The grant is back.",
        "by": CALLER,
    }
    assert remediated.actions(older) == []
    assert told("show", "orders/db")["timeline"][-1] == action
    assert f"(by {CALLER})" in " ".join(ask("incidents", "show", "orders/db").stdout.split())
