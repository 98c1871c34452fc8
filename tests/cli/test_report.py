"""`rotation-guard report` on what is true now, and on the run that it rests on."""

import json

import pytest

from .conftest import names


def test_every_secret_that_is_there_is_reported_with_the_age_that_its_value_has_now(audited, reported):
    audited.run()
    audited.status("one", 12, checked_at=audited.ago(days=3), age_days=9, due_at=audited.ago(days=-18))
    audited.status("gone", gone_since=audited.ago(days=1))
    audited.status("expired", expires_at=1)

    answer = reported()

    assert names(answer) == ["one"]
    secret = answer["secrets"][0]
    assert (secret["age_days"], secret["limit_days"], secret["owner"]) == (12, 30, "payments")
    assert secret["since"] == audited.ago(days=2)
    assert secret["due_at"] == audited.ago(days=-18)
    assert secret["attention"] is False
    assert answer["warnings"] == []


def test_it_names_the_run_that_it_rests_on(audited, reported, run):
    audited.run(hours=3)
    newest = audited.run(hours=0.5, checked=7, flagged=2, findings=[{"kind": "vanished"}], verdicts={"overdue": 2})

    told = reported()["run"]

    assert told["run_id"] == newest
    assert (told["checked"], told["flagged"], told["complete"]) == (7, 2, True)
    assert told["findings"] == [{"kind": "vanished"}]
    assert told["verdicts"] == {"overdue": 2}
    assert newest in run("report", "--stack-outputs", str(audited.outputs)).stdout.replace("\n", "")


@pytest.mark.parametrize("run_id", ["0a1b3f3e", "1fffffff", "2025abcd", "20260000", "2026ffff", "f1d3f3e0"])
def test_a_run_by_hand_may_be_the_newest_or_not(audited, reported, run_id):
    by_hand = f"{run_id}-3f3e-0f0a-4a53-8f3c-3d1a6f4b9c11"
    scheduled = audited.run(hours=1)
    audited.run(by_hand, hours=2)
    assert reported()["run"]["run_id"] == scheduled

    audited.run(by_hand, hours=0.5)
    assert reported()["run"]["run_id"] == by_hand


def test_a_run_that_is_under_way_is_not_yet_rested_on(audited, reported):
    done = audited.run(hours=1)
    audited.run(hours=0.1, finished_at=None, complete=None, lease_until=audited.ago(hours=-0.2))

    answer = reported()

    assert answer["run"]["run_id"] == done
    assert answer["warnings"] == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"complete": False, "incomplete_because": ["3 were listed.", "5 are counted."]},
            "3 were listed. 5 are counted.",
        ),
        ({"complete": False}, "is incomplete. It does not say why."),
        ({"hours": 3}, "began 3 hours before, which is more than two periods of 1 hour: the audit may have stopped."),
        ({"hours": 3, "period_seconds": None}, "more than two periods of 1 hour"),
        ({"hours": 3, "period_seconds": 1800}, "more than two periods of 30 minutes"),
        ({"hours": 60, "period_seconds": 86_400}, "began 2 days before, which is more than two periods of 1 day"),
    ],
)
def test_a_run_that_cannot_be_relied_upon_is_told(audited, reported, more, said):
    audited.run(**more)

    warnings = reported()["warnings"]

    assert len(warnings) == 1
    assert said in warnings[0]


def test_a_run_within_two_periods_is_new_enough(audited, reported):
    audited.run(hours=1.9)

    assert reported()["warnings"] == []


def test_a_run_that_was_lost_and_a_stack_without_runs_are_told(audited, reported):
    assert "No run of the audit had ended by" in reported()["warnings"][0]

    audited.run(hours=0.9)
    lost = audited.run(hours=0.5, finished_at=None, complete=None, lease_until=audited.ago(hours=0.2))

    assert reported()["warnings"] == [f"The run {lost} began at {lost} and was never finished."]


def test_the_warning_is_loud_in_every_format(audited, run):
    audited.run(complete=False, incomplete_because=["CloudWatch counts 5."])
    audited.status("one")
    options = ["report", "--stack-outputs", str(audited.outputs), "--format"]

    table = run(*options, "table", FORCE_COLOR="1", TERM="xterm-256color").stdout
    assert "WARNING: The run" in table
    assert "\x1b[1;37;41m" in table
    assert "CloudWatch counts 5." in json.loads(run(*options, "json").stdout)["warnings"][0]
    assert "> **Warning:** The run" in run(*options, "markdown").stdout
    csv = run(*options, "csv")
    assert csv.stderr.startswith("Warning: The run")
    assert csv.stdout.startswith("secret_name,")
    assert run(*options, "json", "--exit-code").exit_code == 1


def test_what_needs_someone_is_one_query_of_the_index(audited, reported):
    audited.run()
    for index in range(30):
        audited.status(f"fine/{index}")
    audited.needy("old")

    answer = reported("--attention")

    assert names(answer) == ["old"]
    assert answer["secrets"][0]["attention"] is True
    assert [asked["IndexName"] for asked in audited.asked("Query", "status")] == ["attention"]
    assert audited.asked("Scan") == []


@pytest.mark.parametrize(
    ("options", "found"),
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
def test_filters_hold_for_a_report_too(audited, reported, options, found):
    audited.run()
    audited.status("fine")
    audited.status("soon", 20, owner="search")
    audited.needy("old")

    assert sorted(names(reported(*options))) == found


def test_an_empty_stack_is_an_answer(audited, reported, run):
    audited.run(checked=0)

    assert reported("--exit-code")["secrets"] == []
    assert "No secret answers to this." in run("report", "--stack-outputs", str(audited.outputs)).stdout


def test_the_exit_code_says_on_demand_whether_something_needs_attention(audited, run):
    audited.run()
    audited.needy("old")
    audited.status("fine", owner="search")
    report = ["report", "--stack-outputs", str(audited.outputs)]

    assert run(*report).exit_code == 0
    assert run(*report, "--exit-code").exit_code == 1
    assert run(*report, "--exit-code", "--owner", "search").exit_code == 0


def test_five_thousand_secrets_are_reported(audited, reported):
    audited.run()
    row = {"verdict": {"S": "fresh"}, "status": {"S": "ok"}, "limit_days": {"N": "30"}}

    def page(asked):
        start = int(asked.get("ExclusiveStartKey", {}).get("secret_name", {}).get("S", asked["Segment"] * 1250))
        items = [{**row, "secret_name": {"S": f"team/{index}/db"}} for index in range(start, start + 625)]
        more = {} if start % 1250 else {"LastEvaluatedKey": {"secret_name": {"S": str(start + 625)}}}
        return {"Items": items, "Count": len(items), **more}

    audited.answers["Scan"] = page

    assert reported()["summary"]["total"] == 5000


def test_the_region_is_that_of_the_stack_unless_another_is_named(audited, reported, run):
    audited.run()
    outputs = json.loads(audited.outputs.read_text())
    assert reported()["source"]["region"] == "eu-west-1"

    audited.outputs.write_text(
        json.dumps({**outputs, "function_arn": "arn:aws:lambda:us-east-1:123456789012:function:x"})
    )
    elsewhere = run("report", "--stack-outputs", str(audited.outputs))
    assert elsewhere.exit_code == 3
    assert "Query was refused: ResourceNotFoundException" in elsewhere.stderr
    assert reported("--region", "eu-west-1")["source"]["region"] == "eu-west-1"


def test_the_local_deployment_is_found_from_below(audited, answered, tmp_path, monkeypatch):
    audited.run()
    audited.status("one")
    below = tmp_path / "some" / "folder"
    below.mkdir(parents=True)
    (tmp_path / ".local").mkdir()
    state = {
        "endpoint_url": "https://dynamodb.eu-west-1.amazonaws.com",
        "region": "eu-west-1",
        "access_key_id": "test",
        "secret_access_key": "hidden",
        "outputs": json.loads(audited.outputs.read_text()),
    }
    (tmp_path / ".local" / "stack.json").write_text(json.dumps(state))
    monkeypatch.chdir(below)

    answer = answered("report")

    assert names(answer) == ["one"]
    assert answer["source"]["kind"] == "local"
    assert "hidden" not in json.dumps(answer)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (None, "No deployment is known"),
        ("{", "is not what `make up` writes"),
        ("[]", "is not what `make up` writes"),
        ('{"endpoint_url": "x"}', "is not what `make up` writes"),
        ("[" * 100_000, "is not what `make up` writes"),
        (
            '{"endpoint_url": "http://127.0.0.1:99999", "region": "eu-west-1", "access_key_id": "a", '
            '"secret_access_key": "b", "outputs": {}}',
            "is not what `make up` writes",
        ),
        (
            '{"endpoint_url": "http://127.0.0.1:1", "region": null, "access_key_id": "a", "secret_access_key": "b", '
            '"outputs": {}}',
            "is not what `make up` writes",
        ),
        (
            '{"endpoint_url": "http://127.0.0.1:9", "region": "eu-west-1", "access_key_id": "a", '
            '"secret_access_key": "b", '
            '"outputs": {"table_name": "a", "status_table_name": "b", "runs_table_name": "c"}}',
            "does not answer. `make up` starts one.",
        ),
    ],
)
def test_a_local_deployment_that_cannot_be_asked_is_told(run, tmp_path, monkeypatch, state, said):
    monkeypatch.chdir(tmp_path)
    if state:
        (tmp_path / ".local").mkdir()
        (tmp_path / ".local" / "stack.json").write_text(state)

    result = run("report")

    assert result.exit_code == 3
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("outputs", "code", "said"),
    [
        ("{", 2, "--stack-outputs must be JSON"),
        ("[]", 2, "--stack-outputs must hold an object of outputs, got list"),
        ("{}", 3, "must have table_name, got none."),
        ('{"table_name": "history", "x": 1}', 3, "must have status_table_name, got table_name, x."),
    ],
)
def test_outputs_that_are_none_are_told(run, tmp_path, outputs, code, said):
    path = tmp_path / "outputs.json"
    path.write_text(outputs)

    result = run("report", "--stack-outputs", str(path))

    assert result.exit_code == code
    assert said in result.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--profile", "me"], "--profile and --region go with --stack-outputs"),
        (["--as-of", "9999-01-01"], "--as-of must not lie in the future, got 9999-01-01."),
        (["--as-of", "Q3"], "--as-of must be a date such as 2026-03-01"),
        (["--since", "9999-01-01T00:00:00Z"], "--since must not lie in the future"),
        (
            ["--as-of", "2026-01-01", "--since", "2026-01-01"],
            "--since must be before --as-of 2026-01-01, got 2026-01-01.",
        ),
        (["--verdict", "Overdue"], "--verdict must be one of"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(run, options, said):
    result = run("report", *options)

    assert result.exit_code == 2
    assert said in result.stderr


def test_a_directory_above_that_may_not_be_read_is_told(run, tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pathlib.Path.is_file", refuse)

    result = run("report")

    assert (result.exit_code, result.stderr.count("\n")) == (3, 1)
    assert ".local/stack.json cannot be read: Permission denied." in result.stderr


def test_a_current_directory_that_is_gone_is_told(run, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    result = run("report")

    assert (result.exit_code, result.stderr.count("\n")) == (3, 1)
    assert "The current directory cannot be read" in result.stderr
