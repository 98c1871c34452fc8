"""`rotation-guard incidents`: what is open, and what was of late."""

import csv
import io
import re

import pytest
from rich.cells import cell_len

from rotation_guard.cli.incident_list import ORPHANED_COLUMNS
from rotation_guard.cli.incident_rows import COLUMNS
from rotation_guard.cli.timeline import COLUMNS as TIMELINE_COLUMNS
from rotation_guard.domain.remediation.incidents import Outcome
from tests.paths import ROOT

from .conftest import ARN, REASON, refused

DOCUMENT = ROOT / "docs" / "reports.md"
HELPERS = [
    {"secret_arn": f"open#{ARN}:a-AbCdEf", "opened_at": "claim", "incident_opened_at": "2026-01-01T00:00:00Z"},
    {"secret_arn": f"secret#{ARN}:a-AbCdEf", "opened_at": "standing", "succeeded_at": "2026-01-01T00:00:00Z"},
    {"secret_arn": "limit#actions", "opened_at": "slot-01", "holder": "x", "taken_at": 1},
    {"secret_arn": "held", "opened_at": "teller", "holder": "x"},
    {"secret_arn": "held", "opened_at": f"2026-01-01T00:00:00Z#{ARN}:a-AbCdEf"},
    {"secret_arn": f"restart#{ARN}:a-AbCdEf", "opened_at": "v1", "holder": "x"},
    {
        "secret_arn": "unfinished",
        "opened_at": f"{ARN}:a-AbCdEf#2026-01-01T00:00:00Z",
        "incident_arn": f"{ARN}:a-AbCdEf",
    },
    {"secret_arn": "target#arn:aws:ecs:eu-west-1:123456789012:service/a/b", "opened_at": "restart", "started_at": 1},
]


def shown(answer):
    return [incident["secret_name"] for incident in answer["incidents"]]


def test_what_is_open_comes_first_and_then_the_newest(remediated, told):
    remediated.ended("recovered", "recovered by AWS", 2)
    remediated.incident("old", 300)
    remediated.ended("escalated", "escalated", 20)
    remediated.incident("new", 30)
    remediated.ended("restarting", "rolled forward", 3, state="restarting", closed_at=None)

    assert shown(told()) == ["restarting", "new", "old", "recovered", "escalated"]


def test_the_list_is_what_is_said_where_nothing_else_is(remediated, run, ask, told):
    remediated.incident("a")

    assert shown(told()) == shown(told("list")) == ["a"]
    assert ask("incidents", "--open").exit_code == 0
    assert " release " in run("incidents", "-h").stdout
    assert ask("incidents", "shwo").exit_code == 2


@pytest.mark.parametrize("row", HELPERS, ids=[f"{row['secret_arn']}/{row['opened_at']}" for row in HELPERS])
def test_rows_that_are_no_incidents_are_left_out(remediated, told, row):
    remediated.put(row)

    assert shown(told()) == []


def test_what_was_resolved_of_late_is_shown_however_long_ago_it_ended(remediated, told):
    for name, days in (("lately", 1), ("long ago", 20)):
        ended = {"closed_at": remediated.ago(days=29), "resolved_outcome": "held", "resolved_by": "RotationSucceeded"}
        remediated.ended(name, "resolved", 24 * 30, resolved_at=remediated.ago(days=days), **ended)

    assert shown(told()) == ["lately"]
    assert shown(told("--since", "21d", "--outcome", "resolved")) == ["lately", "long ago"]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ([], ["open", "week", "late"]),
        (["--since", "2d"], ["open", "late"]),
        (["--since", "47h"], ["open"]),
        (["--since", "400d"], ["open", "week", "late", "year"]),
        (["--open"], ["open"]),
        (["--outcome", "held"], ["week"]),
        (["--outcome", " Recovered  by aws "], ["late"]),
        (["--outcome", "held", "--outcome", "escalated", "--since", "400d"], ["week", "year"]),
        (["--open", "--outcome", "held"], []),
    ],
)
def test_incidents_are_chosen_by_time_and_end(remediated, told, options, found):
    remediated.incident("open", 24 * 100)
    remediated.ended("late", "recovered by AWS", 200, closed_at=remediated.ago(hours=47.5))
    remediated.ended("week", "held", 24 * 6)
    remediated.ended("year", "escalated", 24 * 300)

    assert shown(told(*options)) == found


def test_a_date_is_its_first_moment(remediated, told):
    day = remediated.ago(days=3)[:10]
    remediated.ended("before", "held", opened_at=f"{remediated.ago(days=4)[:10]}T23:59:58Z", closed_at=f"{day}")
    remediated.ended("after", "held", opened_at=f"{day}T00:00:01.000Z")

    assert shown(told("--since", day)) == ["after"]
    assert told("--since", day)["filters"] == {"since": f"{day}T00:00:00Z", "open": False, "outcome": []}


def test_everything_is_read_page_by_page_and_what_has_expired_is_not_shown(remediated, told):
    def page(asked):
        number = int(asked.get("ExclusiveStartKey", {}).get("opened_at", {}).get("S", "0"))
        row = {"secret_arn": {"S": f"{ARN}:a{number}-AbCdEf"}, "opened_at": {"S": remediated.ago(hours=number)}}
        more = {"LastEvaluatedKey": {"opened_at": {"S": str(number + 1)}}} if number < 3 else {}
        # The page in between is one in which the filter has left nothing.
        items = [{**row, "expires_at": {"N": "1" if number == 3 else "9999999999"}}] if number != 1 else []
        return {"Items": items, **more}

    remediated.answers["Scan"] = page

    assert shown(told()) == ["a0", "a2"]


@pytest.mark.parametrize(
    ("outcome", "standing", "needs"),
    [
        ("escalated", {}, True),
        ("held", {}, True),
        ("held", {"succeeded_at": -1}, True),
        ("held", {"succeeded_at": 1}, False),
        ("escalated", {"succeeded_at": 1}, False),
        ("rolled forward", {}, False),
        ("restarted", {}, False),
    ],
)
def test_what_ended_with_people_needs_someone_until_the_secret_has_a_new_value(
    remediated, told, outcome, standing, needs
):
    remediated.ended("a", outcome, 10)
    remediated.standing("a", **{name: remediated.ago(hours=10 - hours) for name, hours in standing.items()})

    answer = told()

    assert answer["incidents"][0]["attention"] is needs
    assert answer["summary"]["attention"] == needs


def test_a_later_incident_speaks_for_its_secret(remediated, told):
    remediated.ended("a", "escalated", 10)
    remediated.ended("a", "recovered by retry", 5)
    remediated.ended("b", "held", 10)

    needs = {(one["secret_name"], one["outcome"]): one["attention"] for one in told()["incidents"]}

    assert needs == {("a", "recovered by retry"): False, ("a", "escalated"): False, ("b", "held"): True}


def test_a_workflow_that_is_not_heard_of_is_told(remediated, told, ask):
    remediated.incident("dead", alive_until=int(remediated.now.timestamp()) - 60)
    remediated.incident("alive", 2)

    assert {one["secret_name"]: one["overdue"] for one in told()["incidents"]} == {"dead": True, "alive": False}
    assert ask("incidents").stdout.count("has not been heard of") == 1


def test_the_table_says_where_it_stands_and_why(remediated, ask):
    remediated.ended("orders/db", "escalated", 2, attempts=3, reason="No retry is left.")
    remediated.incident("payments/db", failed_step=None)
    remediated.ended("web", "restarted", 3, failures=0, failed_step=None)

    table = ask("incidents").stdout

    assert re.search(r"^SECRET +OPENED, UTC +STATE +FAILED STEP ATTEMPTS$", table, re.MULTILINE)
    assert re.search(r"^orders/db +\d{4}-\d\d-\d\d \d\d:\d\d escalated +setSecret +3$", table, re.MULTILINE)
    assert re.search(r"^payments/db +\S+ \S+ open +unknown +0$", table, re.MULTILINE)
    assert re.search(r"^web +\S+ \S+ restarted +0$", table, re.MULTILINE)
    assert "  No retry is left." in table
    assert "3 incidents: open 1, escalated 1, restarted 1. 2 need someone." in table


@pytest.mark.parametrize("columns", ["80", "120"])
def test_no_line_is_wider_than_the_terminal(remediated, ask, columns):
    remediated.incident("prod/" + "a-very-long-path/" * 10 + "db")
    remediated.ended("日本語" * 40, "recovered by retry", failed_step="finishSecret", reason="word " * 60)

    lines = ask("incidents", COLUMNS=columns).stdout.splitlines()

    assert len(lines) > 8
    assert max(cell_len(line) for line in lines) <= int(columns)


def test_nothing_open_is_said_in_words(remediated, ask, told):
    assert "No incident answers to this since" in ask("incidents").stdout
    assert "No incident is open." in ask("incidents", "--open").stdout
    assert told()["summary"] == {"total": 0, "attention": 0, "states": {}}


def test_the_exit_code_says_on_demand_whether_something_needs_someone(remediated, ask):
    remediated.ended("a", "recovered by AWS")
    assert ask("incidents", "--exit-code").exit_code == 0

    remediated.incident("b")
    assert ask("incidents").exit_code == 0
    assert ask("incidents", "--exit-code").exit_code == 1


def test_csv_and_markdown_are_safe(remediated, ask):
    remediated.ended("=cmd|x", "escalated", reason="a|b *c*")

    comma = ask("incidents", "--format", "csv").stdout
    row = next(csv.DictReader(io.StringIO(comma)))
    assert tuple(row) == COLUMNS
    assert (row["secret_name"], row["outcome"], row["attention"]) == ("'=cmd|x", "escalated", "yes")
    assert r"| =cmd\|x | " in ask("incidents", "--format", "markdown").stdout
    assert r"| a\|b \*c\* |" in ask("incidents", "--format", "markdown").stdout


def test_the_document_names_every_field_and_outcome(remediated, told):
    remediated.incident("a")
    text = DOCUMENT.read_text(encoding="utf-8")

    for name in (*COLUMNS, *ORPHANED_COLUMNS, *TIMELINE_COLUMNS, *told(), *told("show", "a"), *told("orphaned")):
        assert f"`{name}`" in text
    for outcome in Outcome:
        assert outcome in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--since", "soon"], "--since must be a span of time such as 7d, or a date such as 2026-03-01, got 'soon'."),
        (["--since", "9999d"], "--since must be a span of time such as 30d, 12h or 2w, at most 3650 days"),
        (["--since", "9999-01-01"], "--since must not lie in the future, got 9999-01-01."),
        (["--outcome", "healed"], "--outcome must be one of recovered by AWS, recovered by retry, rolled forward"),
        (["show", ""], "SECRET must be the name or the ARN of a secret, got ''."),
        (["show", "arn:aws:iam::123456789012:role/x"], "got 'arn:aws:iam::123456789012:role/x'."),
        (["show", "a", "--opened-at", "then"], "--opened-at must be a date such as 2026-03-01T12:00:00Z, got 'then'."),
        (["release", "nobody"], "got 'nobody', of which neither Secrets Manager nor an incident tells."),
    ],
)
def test_what_cannot_be_used_is_named(remediated, ask, words, said):
    remediated.incident("a")

    result = ask("incidents", *words)

    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["show", "a"], ["release", "a", *REASON], ["orphaned"]])
def test_a_stack_that_has_no_such_table_is_named(audited, run, words):
    result = run("incidents", *words, "--stack-outputs", str(audited.outputs))

    assert result.exit_code == 3
    assert "must have incidents_table_name, got function_arn, runs_table_name" in result.stderr


def test_a_refusal_is_a_sentence(remediated, ask):
    remediated.answers["Scan"] = lambda asked: refused("AccessDeniedException")

    result = ask("incidents")

    assert result.exit_code == 3
    assert "table incidents: Scan was refused: AccessDeniedException: No." in result.stderr


def test_the_local_deployment_is_asked_unless_another_is_named(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert "No deployment is known" in run("incidents").stderr
    assert "--profile and --region go with --stack-outputs" in run("incidents", "show", "a", "--profile", "me").stderr
