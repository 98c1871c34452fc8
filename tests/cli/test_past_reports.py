"""`rotation-guard report --as-of` and `--since`: the last row until a time, in both history modes."""

from datetime import timedelta

import pytest

from .conftest import names

MANUAL_RUN = "f1d3f3e0-0f0a-4a53-8f3c-3d1a6f4b9c11"
LOW_MANUAL_RUN = "0a1b3f3e-0f0a-4a53-8f3c-3d1a6f4b9c11"


def verdicts(answer):
    return {secret["secret_name"]: secret["verdict"] for secret in answer["secrets"]}


def test_the_state_as_of_a_time_is_that_of_the_last_run_before(audit_stack, report_json):
    for hours, verdict in ((50, "in_grace"), (26, "due_soon"), (2, "overdue")):
        run = audit_stack.run(hours=hours)
        audit_stack.history("one", run, hours, 20, verdict=verdict)
    audit_stack.status("one", 20)

    answer = report_json("--as-of", audit_stack.ago(hours=25))

    assert verdicts(answer) == {"one": "due_soon"}
    assert answer["as_of"] == audit_stack.ago(hours=25)
    assert answer["secrets"][0]["age_days"] == 18
    assert answer["run"]["run_id"] == audit_stack.ago(hours=26)
    assert answer["warnings"] == []


def test_the_start_of_a_run_is_part_of_it(audit_stack, report_json):
    run = audit_stack.run(hours=10)
    audit_stack.history("one", run, 10, verdict="overdue")
    audit_stack.status("one")

    assert verdicts(report_json("--as-of", audit_stack.ago(hours=10))) == {"one": "overdue"}
    assert verdicts(report_json("--as-of", audit_stack.ago(hours=10, seconds=1))) == {}


def test_a_date_means_the_end_of_its_day(audit_stack, report_json):
    audit_stack.run(hours=1)
    day = audit_stack.ago(days=2)[:10]

    assert report_json("--as-of", day)["as_of"] == f"{day}T23:59:59Z"
    assert report_json("--as-of", audit_stack.ago()[:10])["as_of"] >= audit_stack.ago()


def test_a_history_of_changes_is_read_by_its_last_row(audit_stack, report_json):
    # Within one day: on the next one such a history has a new row of every secret.
    audit_stack.now = (audit_stack.now - timedelta(days=1)).replace(hour=12)
    for hours in (5, 4, 3, 2):
        audit_stack.run(hours=hours, history_mode="changes", complete=hours > 2)
    audit_stack.history("changed", audit_stack.ago(hours=5), 5, verdict="in_grace")
    audit_stack.history("changed", audit_stack.ago(hours=3), 3, verdict="overdue")
    audit_stack.history("same", audit_stack.ago(hours=5), 5, verdict="fresh")
    for name in ("changed", "same", "new"):
        audit_stack.status(name)
    audit_stack.history("new", audit_stack.ago(hours=2), 2)

    assert verdicts(report_json("--as-of", audit_stack.ago(hours=4))) == {"changed": "in_grace", "same": "fresh"}
    assert verdicts(report_json("--as-of", audit_stack.ago(hours=2.5))) == {"changed": "overdue", "same": "fresh"}


@pytest.mark.parametrize("mode", ["everyRun", "changes"])
@pytest.mark.parametrize("run_id", [MANUAL_RUN, LOW_MANUAL_RUN])
def test_the_rows_of_a_manual_run_are_ordered_by_its_start(audit_stack, report_json, mode, run_id):
    earlier_run = audit_stack.run(hours=6, history_mode=mode)
    audit_stack.run(run_id, hours=4, history_mode=mode)
    later_run = audit_stack.run(hours=2, history_mode=mode)
    for name, hours, verdict in ((earlier_run, 6, "in_grace"), (run_id, 4, "due_soon"), (later_run, 2, "overdue")):
        audit_stack.history("one", name, hours, verdict=verdict)
    audit_stack.status("one")

    def at(hours):
        return verdicts(report_json("--as-of", audit_stack.ago(hours=hours)))["one"]

    assert [at(5), at(3), at(1)] == ["in_grace", "due_soon", "overdue"]


@pytest.mark.parametrize("mode", ["everyRun", "changes"])
def test_a_stack_with_only_manual_runs_has_a_past(audit_stack, report_json, mode):
    audit_stack.run(MANUAL_RUN, hours=6, history_mode=mode)
    audit_stack.run(LOW_MANUAL_RUN, hours=4, history_mode=mode)
    audit_stack.history("one", MANUAL_RUN, 6, verdict="in_grace")
    audit_stack.history("one", LOW_MANUAL_RUN, 4, verdict="overdue")
    audit_stack.status("one")

    assert verdicts(report_json("--as-of", audit_stack.ago(hours=5))) == {"one": "in_grace"}
    assert verdicts(report_json("--as-of", audit_stack.ago(hours=3))) == {"one": "overdue"}


def test_a_delayed_run_is_ordered_by_its_start(audit_stack, report_json):
    earlier_run = audit_stack.run(hours=6)
    later_run = audit_stack.run(audit_stack.ago(hours=4), hours=2)
    audit_stack.history("one", earlier_run, 6, verdict="in_grace")
    audit_stack.history("one", later_run, 2, verdict="overdue")
    audit_stack.status("one")

    assert verdicts(report_json("--as-of", audit_stack.ago(hours=3))) == {"one": "in_grace"}


def test_a_deleted_secret_is_reported_as_of_a_time_when_it_existed(audit_stack, report_json):
    for hours in (50, 26, 2):
        run = audit_stack.run(hours=hours)
        audit_stack.history("stays", run, hours)
        if hours > 30:
            audit_stack.history("gone", run, hours)
    audit_stack.status("stays")
    audit_stack.status("gone", gone_since=audit_stack.ago(hours=26))

    assert names(report_json()) == ["stays"]
    assert sorted(names(report_json("--as-of", audit_stack.ago(hours=40)))) == ["gone", "stays"]
    assert names(report_json("--as-of", audit_stack.ago(hours=20))) == ["stays"]


@pytest.mark.parametrize(("mode", "hours"), [("everyRun", 2), ("changes", 30)])
def test_a_recreated_secret_is_not_reported_as_of_a_time_between(audit_stack, report_json, mode, hours):
    for started_hours_ago in (60, hours, 1):
        audit_stack.run(hours=started_hours_ago, history_mode=mode)
    audit_stack.history("back", audit_stack.ago(hours=60), 60)
    audit_stack.history("back", audit_stack.ago(hours=1), 1)
    audit_stack.status("back")

    assert names(report_json("--as-of", audit_stack.ago(hours=50))) == ["back"]
    assert names(report_json("--as-of", audit_stack.ago(hours=1.5))) == []
    assert names(report_json("--as-of", audit_stack.ago(hours=0.5))) == ["back"]


def test_an_incomplete_run_removes_no_secret(audit_stack, report_json):
    audit_stack.run(hours=4)
    audit_stack.run(hours=2, complete=False)
    audit_stack.history("one", audit_stack.ago(hours=4), 4)
    audit_stack.status("one")

    answer = report_json("--as-of", audit_stack.ago(hours=1))

    assert names(answer) == ["one"]
    assert "is incomplete" in answer["warnings"][0]


def test_a_time_before_the_first_run_causes_a_warning(audit_stack, report_json):
    audit_stack.run(hours=1)
    audit_stack.history("one", audit_stack.ago(hours=1), 1)
    audit_stack.status("one")

    answer = report_json("--as-of", audit_stack.ago(days=100))

    assert names(answer) == []
    assert answer["run"] is None
    assert "No run of the audit had finished by" in answer["warnings"][0]


@pytest.fixture
def changed_secrets(audit_stack):
    """One secret of each kind of change in the last day."""
    before, after = audit_stack.run(hours=26), audit_stack.run(hours=0.5)
    for name in ("same", "worse", "rotated", "gone"):
        audit_stack.history(name, before, 26)
    audit_stack.history("same", after, 0.5)
    audit_stack.status("same")
    audit_stack.needs_attention("worse")
    audit_stack.history("worse", after, 0.5, 50, verdict="overdue", status="needs_rotation", attention=True)
    audit_stack.status("rotated", 0, current_version_id="rotated-2")
    audit_stack.history("rotated", after, 0.5, 0, current_version_id="rotated-2")
    audit_stack.status("new")
    audit_stack.history("new", after, 0.5)
    audit_stack.status("gone", gone_since=audit_stack.ago(hours=0.5))


@pytest.mark.parametrize("until", ["now", "as of then"])
def test_changes_since_a_time_include_the_previous_values(audit_stack, report_json, changed_secrets, until):
    options = [] if until == "now" else ["--as-of", audit_stack.ago(hours=0.1)]

    answer = report_json("--since", audit_stack.ago(hours=25), *options)

    kinds = {secret["secret_name"]: secret["change"]["kinds"] for secret in answer["secrets"]}
    assert kinds == {"worse": ["verdict", "attention"], "rotated": ["value"], "new": ["appeared"], "gone": ["vanished"]}
    before = {secret["secret_name"]: secret["change"]["before"] for secret in answer["secrets"]}
    assert before["new"] is None
    assert before["worse"]["verdict"] == "fresh"
    assert before["rotated"]["current_version_id"] == "rotated-1"
    assert answer["since"] == audit_stack.ago(hours=25)
    assert answer["summary"]["total"] == 4


def test_every_format_shows_the_changes(audit_stack, run, changed_secrets):
    report = ["report", "--stack-outputs", str(audit_stack.outputs), "--since", audit_stack.ago(hours=25), "--format"]

    table = run(*report, "table").stdout
    assert "(was fresh) Needs attention: It is old." in table
    assert "(new value)" in table
    assert "(appeared)" in table
    assert "(vanished)" in table
    lines = run(*report, "csv").stdout.splitlines()
    assert ",changed,verdict_before,value_created_at_before," in lines[0]
    assert any(line.startswith("worse,") and ",verdict attention,fresh,20" in line for line in lines)
    assert any(line.startswith("new,") and ",appeared,,," in line for line in lines)
    markdown = run(*report, "markdown").stdout
    assert "| secret | changed | verdict |" in markdown
    assert "| worse | was fresh | overdue |" in markdown


def test_filters_apply_to_changes(audit_stack, report_json, changed_secrets):
    since = ["--since", audit_stack.ago(hours=25)]

    assert names(report_json(*since, "--attention")) == ["worse"]
    assert names(report_json(*since, "--older-than", "30d")) == ["worse"]


def test_a_comparison_with_an_incomplete_run_causes_a_warning(audit_stack, report_json):
    run = audit_stack.run(hours=26, complete=False, incomplete_because=["2 were listed."])
    audit_stack.run(hours=0.5)
    audit_stack.history("one", run, 26)
    audit_stack.status("one")

    assert report_json("--since", audit_stack.ago(hours=25))["warnings"] == [
        f"The run {run} is incomplete. 2 were listed."
    ]
    assert "had finished by" in report_json("--since", audit_stack.ago(days=9))["warnings"][0]


def test_a_past_run_is_read_in_batches_by_key(audit_stack, report_json):
    run = audit_stack.run(hours=1)
    for index in range(101):
        audit_stack.history(f"s/{index}", run, 1)
        audit_stack.status(f"s/{index}")
    audit_stack.calls.clear()

    assert len(names(report_json("--as-of", audit_stack.ago(hours=0.5)))) == 101
    assert len(audit_stack.calls_of("BatchGetItem")) == 2
    assert audit_stack.calls_of("Query", "history") == []


def test_throttled_reads_are_retried(audit_stack, report_json, monkeypatch):
    monkeypatch.setattr("rotation_guard.cli.tables.time.sleep", lambda seconds: None)
    run = audit_stack.run(hours=1)
    audit_stack.status("one")
    batches = []

    def batch(request):
        batches.append(request["RequestItems"]["history"]["Keys"])
        row = {"secret_name": {"S": "one"}, "run_id": {"S": run}, "checked_at": {"S": audit_stack.ago(hours=1)}}
        if len(batches) < 3:
            return {"Responses": {}, "UnprocessedKeys": request["RequestItems"]}
        return {"Responses": {"history": [row]}, "UnprocessedKeys": {}}

    audit_stack.answers["BatchGetItem"] = batch
    assert names(report_json("--as-of", audit_stack.ago(hours=0.5))) == ["one"]
    assert len(batches) == 3


def test_reads_that_stay_throttled_are_an_error(audit_stack, run, monkeypatch):
    monkeypatch.setattr("rotation_guard.cli.tables.time.sleep", lambda seconds: None)
    audit_stack.run(hours=1)
    audit_stack.status("one")
    audit_stack.answers["BatchGetItem"] = lambda request: {"Responses": {}, "UnprocessedKeys": request["RequestItems"]}

    result = run("report", "--stack-outputs", str(audit_stack.outputs), "--as-of", audit_stack.ago(hours=0.5))

    assert result.exit_code == 3
    assert result.stderr == "DynamoDB throttles reads of history: they did not complete in 8 attempts.\n"
    assert "0 secrets" not in result.stdout
