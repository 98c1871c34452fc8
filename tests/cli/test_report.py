"""`rotation-guard report` on the current status, and the run that it is based on."""

import json

import pytest

from .conftest import CALLER, names
from .stacks import ACCOUNT


def test_every_existing_secret_is_reported_with_its_current_age(audit_stack, report_json):
    audit_stack.run()
    audit_stack.status("one", 12, checked_at=audit_stack.ago(days=3), age_days=9, due_at=audit_stack.ago(days=-18))
    audit_stack.status("gone", gone_since=audit_stack.ago(days=1))
    audit_stack.status("expired", expires_at=1)

    answer = report_json()

    assert names(answer) == ["one"]
    secret = answer["secrets"][0]
    assert (secret["age_days"], secret["limit_days"], secret["owner"]) == (12, 30, "payments")
    assert secret["since"] == audit_stack.ago(days=2)
    assert secret["due_at"] == audit_stack.ago(days=-18)
    assert secret["attention"] is False
    assert answer["warnings"] == []


def test_a_report_names_the_run_that_it_is_based_on(audit_stack, report_json, run):
    audit_stack.run(hours=3)
    newest = audit_stack.run(hours=0.5, checked=7, flagged=2, findings=[{"kind": "vanished"}], verdicts={"overdue": 2})

    incidents_json = report_json()["run"]

    assert incidents_json["run_id"] == newest
    assert (incidents_json["checked"], incidents_json["flagged"], incidents_json["complete"]) == (7, 2, True)
    assert incidents_json["findings"] == [{"kind": "vanished"}]
    assert incidents_json["verdicts"] == {"overdue": 2}
    assert newest in run("report", "--stack-outputs", str(audit_stack.outputs)).stdout.replace("\n", "")


@pytest.mark.parametrize("run_id", ["0a1b3f3e", "1fffffff", "2025abcd", "20260000", "2026ffff", "f1d3f3e0"])
def test_a_manual_run_is_ordered_by_its_start(audit_stack, report_json, run_id):
    manual_run = f"{run_id}-3f3e-0f0a-4a53-8f3c-3d1a6f4b9c11"
    scheduled = audit_stack.run(hours=1)
    audit_stack.run(manual_run, hours=2)
    assert report_json()["run"]["run_id"] == scheduled

    audit_stack.run(manual_run, hours=0.5)
    assert report_json()["run"]["run_id"] == manual_run


def test_a_run_in_progress_is_not_used(audit_stack, report_json):
    done = audit_stack.run(hours=1)
    audit_stack.run(hours=0.1, finished_at=None, complete=None, lease_until=audit_stack.ago(hours=-0.2))

    answer = report_json()

    assert answer["run"]["run_id"] == done
    assert answer["warnings"] == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"complete": False, "incomplete_because": ["3 were listed.", "5 are counted."]},
            "3 were listed. 5 are counted.",
        ),
        ({"complete": False}, "is incomplete. It records no reason."),
        ({"hours": 3}, "started 3 hours earlier, which is more than two periods of 1 hour: the audit may"),
        ({"hours": 3, "period_seconds": None}, "more than two periods of 1 hour"),
        ({"hours": 3, "period_seconds": 1800}, "more than two periods of 30 minutes"),
        ({"hours": 60, "period_seconds": 86_400}, "started 2 days earlier, which is more than two periods of 1 day"),
    ],
)
def test_an_unreliable_run_causes_a_warning(audit_stack, report_json, more, message):
    audit_stack.run(**more)

    warnings = report_json()["warnings"]

    assert len(warnings) == 1
    assert message in warnings[0]


def test_a_run_within_two_periods_causes_no_warning(audit_stack, report_json):
    audit_stack.run(hours=1.9)

    assert report_json()["warnings"] == []


def test_a_lost_run_and_a_stack_without_runs_cause_a_warning(audit_stack, report_json):
    assert "No run of the audit had finished by" in report_json()["warnings"][0]

    audit_stack.run(hours=0.9)
    lost = audit_stack.run(hours=0.5, finished_at=None, complete=None, lease_until=audit_stack.ago(hours=0.2))

    assert report_json()["warnings"] == [f"The run {lost} started at {lost} and never finished."]


def test_every_format_shows_the_warnings(audit_stack, run):
    audit_stack.run(complete=False, incomplete_because=["CloudWatch counts 5."])
    audit_stack.status("one")
    options = ["report", "--stack-outputs", str(audit_stack.outputs), "--format"]

    table = run(*options, "table", FORCE_COLOR="1", TERM="xterm-256color").stdout
    assert "WARNING: The run" in table
    assert "\x1b[1;37;41m" in table
    assert "CloudWatch counts 5." in json.loads(run(*options, "json").stdout)["warnings"][0]
    assert "> **Warning:** The run" in run(*options, "markdown").stdout
    csv = run(*options, "csv")
    assert csv.stderr.startswith("Warning: The run")
    assert csv.stdout.startswith("secret_name,")
    assert run(*options, "json", "--exit-code").exit_code == 1


def test_attention_is_one_query_of_the_index(audit_stack, report_json):
    audit_stack.run()
    for index in range(30):
        audit_stack.status(f"fine/{index}")
    audit_stack.needs_attention("old")

    answer = report_json("--attention")

    assert names(answer) == ["old"]
    assert answer["secrets"][0]["attention"] is True
    assert [request["IndexName"] for request in audit_stack.calls_of("Query", "status")] == ["attention"]
    assert audit_stack.calls_of("Scan") == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--older-than", "30d"], ["old"]),
        (["--verdict", "fresh"], ["fine", "soon"]),
        (["--owner", "search"], ["soon"]),
        (["--due-within", "14d"], ["soon"]),
        (["--attention", "--owner", "payments"], ["old"]),
        (["--attention", "--owner", "search"], []),
        (["--attention", "--older-than", "60d"], []),
    ],
)
def test_filters_apply_to_a_report(audit_stack, report_json, options, expected):
    audit_stack.run()
    audit_stack.status("fine")
    audit_stack.status("soon", 20, owner="search")
    audit_stack.needs_attention("old")

    assert sorted(names(report_json(*options))) == expected


def test_an_empty_stack_is_a_valid_report(audit_stack, report_json, run):
    audit_stack.run(checked=0)

    assert report_json("--exit-code")["secrets"] == []
    assert "No secrets match." in run("report", "--stack-outputs", str(audit_stack.outputs)).stdout


def test_the_exit_code_shows_on_request_whether_a_secret_needs_attention(audit_stack, run):
    audit_stack.run()
    audit_stack.needs_attention("old")
    audit_stack.status("fine", owner="search")
    report = ["report", "--stack-outputs", str(audit_stack.outputs)]

    assert run(*report).exit_code == 0
    assert run(*report, "--exit-code").exit_code == 1
    assert run(*report, "--exit-code", "--owner", "search").exit_code == 0


def test_five_thousand_secrets_are_reported(audit_stack, report_json):
    audit_stack.run()
    row = {"verdict": {"S": "fresh"}, "status": {"S": "ok"}, "limit_days": {"N": "30"}}

    def page(request):
        start = int(request.get("ExclusiveStartKey", {}).get("secret_name", {}).get("S", request["Segment"] * 1250))
        items = [{**row, "secret_name": {"S": f"team/{index}/db"}} for index in range(start, start + 625)]
        more = {} if start % 1250 else {"LastEvaluatedKey": {"secret_name": {"S": str(start + 625)}}}
        return {"Items": items, "Count": len(items), **more}

    audit_stack.answers["Scan"] = page

    assert report_json()["summary"]["total"] == 5000


def test_the_default_region_is_that_of_the_stack(audit_stack, report_json, run):
    audit_stack.run()
    outputs = json.loads(audit_stack.outputs.read_text())
    assert report_json()["source"]["region"] == "eu-west-1"

    audit_stack.outputs.write_text(
        json.dumps({**outputs, "function_arn": "arn:aws:lambda:us-east-1:123456789012:function:x"})
    )
    elsewhere = run("report", "--stack-outputs", str(audit_stack.outputs))
    assert elsewhere.exit_code == 3
    assert "Query was refused: ResourceNotFoundException" in elsewhere.stderr
    assert report_json("--region", "eu-west-1")["source"]["region"] == "eu-west-1"


def test_the_local_deployment_of_a_parent_directory_is_found(audit_stack, run_json, tmp_path, monkeypatch):
    audit_stack.run()
    audit_stack.status("one")
    below = tmp_path / "some" / "folder"
    below.mkdir(parents=True)
    (tmp_path / ".local").mkdir()
    state = {
        "endpoint_url": "https://dynamodb.eu-west-1.amazonaws.com",
        "region": "eu-west-1",
        "access_key_id": "test",
        "secret_access_key": "hidden",
        "outputs": json.loads(audit_stack.outputs.read_text()),
    }
    (tmp_path / ".local" / "stack.json").write_text(json.dumps(state))
    monkeypatch.chdir(below)
    audit_stack.answers["GetCallerIdentity"] = lambda _: {"Account": ACCOUNT, "Arn": CALLER}
    audit_stack.answers["ListAccountAliases"] = lambda _: {"AccountAliases": ["prod"]}

    answer = run_json("report")

    assert names(answer) == ["one"]
    assert answer["source"]["kind"] == "local"
    assert answer["identity"] == {
        "account_id": ACCOUNT,
        "account_alias": "prod",
        "region": "eu-west-1",
        "caller_arn": CALLER,
    }
    assert "hidden" not in json.dumps(answer)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (None, "No deployment is configured"),
        ("{", "is not a description that `make up` writes"),
        ("[]", "is not a description that `make up` writes"),
        ('{"endpoint_url": "x"}', "is not a description that `make up` writes"),
        ("[" * 100_000, "is not a description that `make up` writes"),
        (
            '{"endpoint_url": "http://127.0.0.1:99999", "region": "eu-west-1", "access_key_id": "a", '
            '"secret_access_key": "b", "outputs": {}}',
            "is not a description that `make up` writes",
        ),
        (
            '{"endpoint_url": "http://127.0.0.1:1", "region": null, "access_key_id": "a", "secret_access_key": "b", '
            '"outputs": {}}',
            "is not a description that `make up` writes",
        ),
        (
            '{"endpoint_url": "http://127.0.0.1:9", "region": "eu-west-1", "access_key_id": "a", '
            '"secret_access_key": "b", '
            '"outputs": {"table_name": "a", "status_table_name": "b", "runs_table_name": "c"}}',
            "does not answer. `make up` starts one.",
        ),
    ],
)
def test_an_unusable_local_deployment_is_an_error(run, tmp_path, monkeypatch, state, message):
    monkeypatch.chdir(tmp_path)
    if state:
        (tmp_path / ".local").mkdir()
        (tmp_path / ".local" / "stack.json").write_text(state)

    result = run("report")

    assert result.exit_code == 3
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("outputs", "code", "message"),
    [
        ("{", 2, "--stack-outputs must be JSON"),
        ("[]", 2, "--stack-outputs must contain an object of outputs, got list"),
        ("{}", 3, "must have runs_table_name, got none."),
        ('{"table_name": "history", "x": 1}', 3, "must have runs_table_name, got table_name, x."),
    ],
)
def test_invalid_outputs_are_an_error(run, tmp_path, outputs, code, message):
    path = tmp_path / "outputs.json"
    path.write_text(outputs)

    result = run("report", "--stack-outputs", str(path))

    assert result.exit_code == code
    assert message in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--profile", "me"], "--profile and --region require --stack-outputs"),
        (["--as-of", "9999-01-01"], "--as-of must not be in the future, got 9999-01-01."),
        (["--as-of", "Q3"], "--as-of must be a date such as 2026-03-01"),
        (["--since", "9999-01-01T00:00:00Z"], "--since must not be in the future"),
        (
            ["--as-of", "2026-01-01", "--since", "2026-01-01"],
            "--since must be before --as-of 2026-01-01, got 2026-01-01.",
        ),
        (["--verdict", "Overdue"], "--verdict must be one of"),
    ],
)
def test_an_invalid_option_is_named(run, options, message):
    result = run("report", *options)

    assert result.exit_code == 2
    assert message in result.stderr


def test_an_unreadable_parent_directory_is_an_error(run, tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pathlib.Path.is_file", refuse)

    result = run("report")

    assert (result.exit_code, result.stderr.count("\n")) == (3, 1)
    assert ".local/stack.json cannot be read: Permission denied." in result.stderr


def test_a_deleted_current_directory_is_an_error(run, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    result = run("report")

    assert (result.exit_code, result.stderr.count("\n")) == (3, 1)
    assert "The current directory cannot be read" in result.stderr
