"""`rotation-guard incidents`: the list of open and recent incidents."""

import csv
import io
import re

import pytest
from rich.cells import cell_len

from rotation_guard.cli import provenance
from rotation_guard.cli.incident_report import SUSPENDED_COLUMNS
from rotation_guard.cli.incident_timeline import COLUMNS as TIMELINE_COLUMNS
from rotation_guard.domain.remediation.incident_rows import COLUMNS
from rotation_guard.domain.remediation.incidents import Outcome
from tests.paths import ROOT

from .conftest import REASON, aws_error
from .stacks import ARN

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


def secret_names(answer):
    return [incident["secret_name"] for incident in answer["incidents"]]


def test_open_incidents_come_first_and_then_the_newest(stack, incidents_json):
    stack.closed_incident("recovered", "recovered by AWS", 2)
    stack.incident("old", 300)
    stack.closed_incident("escalated", "escalated", 20)
    stack.incident("new", 30)
    stack.closed_incident("restarting", "rolled forward", 3, state="restarting", closed_at=None)

    assert secret_names(incidents_json()) == ["restarting", "new", "old", "recovered", "escalated"]


def test_list_is_the_default_command(stack, run, run_on_stack, incidents_json):
    stack.incident("a")

    assert secret_names(incidents_json()) == secret_names(incidents_json("list")) == ["a"]
    assert run_on_stack("incidents", "--open").exit_code == 0
    assert " release " in run("incidents", "-h").stdout
    assert run_on_stack("incidents", "shwo").exit_code == 2


@pytest.mark.parametrize("row", HELPERS, ids=[f"{row['secret_arn']}/{row['opened_at']}" for row in HELPERS])
def test_bookkeeping_rows_are_not_listed(stack, incidents_json, row):
    stack.write_row(row)

    assert secret_names(incidents_json()) == []


def test_a_recently_resolved_incident_is_listed_however_long_ago_it_was_closed(stack, incidents_json):
    for name, days in (("lately", 1), ("long ago", 20)):
        ended = {"closed_at": stack.ago(days=29), "resolved_outcome": "held", "resolved_by": "RotationSucceeded"}
        stack.closed_incident(name, "resolved", 24 * 30, resolved_at=stack.ago(days=days), **ended)

    assert secret_names(incidents_json()) == ["lately"]
    assert secret_names(incidents_json("--since", "21d", "--outcome", "resolved")) == ["lately", "long ago"]


@pytest.mark.parametrize(
    ("options", "expected"),
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
def test_incidents_are_filtered_by_time_and_outcome(stack, incidents_json, options, expected):
    stack.incident("open", 24 * 100)
    stack.closed_incident("late", "recovered by AWS", 200, closed_at=stack.ago(hours=47.5))
    stack.closed_incident("week", "held", 24 * 6)
    stack.closed_incident("year", "escalated", 24 * 300)

    assert secret_names(incidents_json(*options)) == expected


def test_a_date_means_the_beginning_of_its_day(stack, incidents_json):
    day = stack.ago(days=3)[:10]
    stack.closed_incident("before", "held", opened_at=f"{stack.ago(days=4)[:10]}T23:59:58Z", closed_at=f"{day}")
    stack.closed_incident("after", "held", opened_at=f"{day}T00:00:01.000Z")

    assert secret_names(incidents_json("--since", day)) == ["after"]
    assert incidents_json("--since", day)["filters"] == {
        "since": f"{day}T00:00:00Z",
        "open": False,
        "outcome": [],
        "attention": False,
    }


def test_all_pages_are_read_and_expired_rows_are_not_listed(stack, incidents_json):
    def page(request):
        number = int(request.get("ExclusiveStartKey", {}).get("opened_at", {}).get("S", "0"))
        row = {"secret_arn": {"S": f"{ARN}:a{number}-AbCdEf"}, "opened_at": {"S": stack.ago(hours=number)}}
        more = {"LastEvaluatedKey": {"opened_at": {"S": str(number + 1)}}} if number < 3 else {}
        # The page in between is one in which the filter has left nothing.
        items = [{**row, "expires_at": {"N": "1" if number == 3 else "9999999999"}}] if number != 1 else []
        return {"Items": items, **more}

    stack.answers["Scan"] = page

    assert secret_names(incidents_json()) == ["a0", "a2"]


@pytest.mark.parametrize(
    ("outcome", "state", "needs_attention"),
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
def test_an_escalated_incident_needs_attention_until_the_secret_has_a_new_value(
    stack, incidents_json, outcome, state, needs_attention
):
    stack.closed_incident("a", outcome, 10)
    stack.set_state("a", **{name: stack.ago(hours=10 - hours) for name, hours in state.items()})

    answer = incidents_json()

    assert answer["incidents"][0]["attention"] is needs_attention
    assert answer["summary"]["attention"] == needs_attention


def test_only_the_latest_incident_of_a_secret_needs_attention(stack, incidents_json):
    stack.closed_incident("a", "escalated", 10)
    stack.closed_incident("a", "recovered by retry", 5)
    stack.closed_incident("b", "held", 10)

    attention = {
        (incident["secret_name"], incident["outcome"]): incident["attention"]
        for incident in incidents_json()["incidents"]
    }

    assert attention == {("a", "recovered by retry"): False, ("a", "escalated"): False, ("b", "held"): True}


def test_an_overdue_workflow_is_reported(stack, incidents_json, run_on_stack):
    stack.incident("dead", alive_until=int(stack.now.timestamp()) - 60)
    stack.incident("alive", 2)

    assert {incident["secret_name"]: incident["overdue"] for incident in incidents_json()["incidents"]} == {
        "dead": True,
        "alive": False,
    }
    assert run_on_stack("incidents").stdout.count("is overdue and presumed dead") == 1


def test_the_table_shows_the_status_and_the_reason(stack, run_on_stack):
    stack.closed_incident("orders/db", "escalated", 2, attempts=3, reason="No retry is left.")
    stack.incident("payments/db", failed_step=None)
    stack.closed_incident("web", "restarted", 3, failures=0, failed_step=None)

    table = run_on_stack("incidents").stdout

    assert re.search(r"^SECRET +OPENED, UTC +STATE +FAILED STEP ATTEMPTS$", table, re.MULTILINE)
    assert re.search(r"^orders/db +\d{4}-\d\d-\d\d \d\d:\d\d escalated +setSecret +3$", table, re.MULTILINE)
    assert re.search(r"^payments/db +\S+ \S+ open +unknown +0$", table, re.MULTILINE)
    assert re.search(r"^web +\S+ \S+ restarted +0$", table, re.MULTILINE)
    assert "  No retry is left." in table
    assert "3 incidents: open 1, escalated 1, restarted 1. 2 need attention." in table


@pytest.mark.parametrize("columns", ["80", "120"])
def test_no_line_is_wider_than_the_terminal(stack, run_on_stack, columns):
    stack.incident("prod/" + "a-very-long-path/" * 10 + "db")
    stack.closed_incident("日本語" * 40, "recovered by retry", failed_step="finishSecret", reason="word " * 60)

    lines = run_on_stack("incidents", COLUMNS=columns).stdout.splitlines()

    assert len(lines) > 8
    assert max(cell_len(line) for line in lines) <= int(columns)


def test_an_empty_list_is_a_sentence(stack, run_on_stack, incidents_json):
    assert "No incidents match since" in run_on_stack("incidents").stdout
    assert "No incidents are open." in run_on_stack("incidents", "--open").stdout
    assert incidents_json()["summary"] == {"total": 0, "attention": 0, "acknowledged": 0, "states": {}}


def test_the_exit_code_shows_on_request_whether_an_incident_needs_attention(stack, run_on_stack):
    stack.closed_incident("a", "recovered by AWS")
    assert run_on_stack("incidents", "--exit-code").exit_code == 0

    stack.incident("b")
    assert run_on_stack("incidents").exit_code == 0
    assert run_on_stack("incidents", "--exit-code").exit_code == 1


def test_csv_and_markdown_are_safe(stack, run_on_stack):
    stack.closed_incident("=cmd|x", "escalated", reason="a|b *c*")

    comma = run_on_stack("incidents", "--format", "csv").stdout
    row = next(csv.DictReader(io.StringIO(comma)))
    assert tuple(row) == (*COLUMNS, *provenance.COLUMNS)
    assert (row["secret_name"], row["outcome"], row["attention"]) == ("'=cmd|x", "escalated", "yes")
    assert r"| =cmd\|x | " in run_on_stack("incidents", "--format", "markdown").stdout
    assert r"| a\|b \*c\* |" in run_on_stack("incidents", "--format", "markdown").stdout


def test_the_document_names_every_field_and_outcome(stack, incidents_json):
    stack.incident("a")
    text = DOCUMENT.read_text(encoding="utf-8")

    for name in (
        *COLUMNS,
        *SUSPENDED_COLUMNS,
        *TIMELINE_COLUMNS,
        *incidents_json(),
        *incidents_json("show", "a"),
        *incidents_json("orphaned"),
    ):
        assert f"`{name}`" in text
    for outcome in Outcome:
        assert outcome in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--since", "soon"], "or a time span before now such as 90d, got 'soon'."),
        (["--since", "9999d"], "--since must be a time span such as 30d, 12h or 2w, at most 3650 days"),
        (["--since", "9999-01-01"], "--since must not be in the future, got 9999-01-01."),
        (["--outcome", "healed"], "--outcome must be one of recovered by AWS, recovered by retry, rolled forward"),
        (["show", ""], "SECRET must be the name or the ARN of a secret, got ''."),
        (["show", "arn:aws:iam::123456789012:role/x"], "got 'arn:aws:iam::123456789012:role/x'."),
        (["show", "a", "--opened-at", "then"], "--opened-at must be a date such as 2026-03-01T12:00:00Z, got 'then'."),
        (["release", "nobody"], "got 'nobody', which neither Secrets Manager nor an incident knows."),
    ],
)
def test_invalid_input_is_named(stack, run_on_stack, words, message):
    stack.incident("a")

    result = run_on_stack("incidents", *words)

    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["show", "a"], ["release", "a", *REASON], ["orphaned"]])
def test_a_stack_without_the_table_is_an_error(audit_stack, run, words):
    result = run("incidents", *words, "--stack-outputs", str(audit_stack.outputs))

    assert result.exit_code == 3
    assert "must have incidents_table_name, got function_arn, runs_table_name" in result.stderr


def test_an_access_error_is_one_sentence(stack, run_on_stack):
    stack.answers["Scan"] = lambda request: aws_error("AccessDeniedException")

    result = run_on_stack("incidents")

    assert result.exit_code == 3
    assert "table incidents: Scan was refused: AccessDeniedException: No." in result.stderr


def test_the_local_deployment_is_the_default(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert "No deployment is configured" in run("incidents").stderr
    assert "--profile and --region require --stack-outputs" in run("incidents", "show", "a", "--profile", "me").stderr
