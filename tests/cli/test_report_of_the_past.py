"""`rotation-guard report --as-of` and `--since`: the last row until a moment, whatever the history keeps."""

from datetime import timedelta

import pytest

from .conftest import names

BY_HAND = "f1d3f3e0-0f0a-4a53-8f3c-3d1a6f4b9c11"
LOW_BY_HAND = "0a1b3f3e-0f0a-4a53-8f3c-3d1a6f4b9c11"


def verdicts(answer):
    return {one["secret_name"]: one["verdict"] for one in answer["secrets"]}


def test_the_state_as_of_a_date_is_that_of_the_last_run_until_then(audited, reported):
    for hours, verdict in ((50, "in_grace"), (26, "due_soon"), (2, "overdue")):
        run = audited.run(hours=hours)
        audited.history("one", run, hours, 20, verdict=verdict)
    audited.status("one", 20)

    answer = reported("--as-of", audited.ago(hours=25))

    assert verdicts(answer) == {"one": "due_soon"}
    assert answer["as_of"] == audited.ago(hours=25)
    assert answer["secrets"][0]["age_days"] == 18
    assert answer["run"]["run_id"] == audited.ago(hours=26)
    assert answer["warnings"] == []


def test_the_moment_of_a_run_belongs_to_it(audited, reported):
    run = audited.run(hours=10)
    audited.history("one", run, 10, verdict="overdue")
    audited.status("one")

    assert verdicts(reported("--as-of", audited.ago(hours=10))) == {"one": "overdue"}
    assert verdicts(reported("--as-of", audited.ago(hours=10, seconds=1))) == {}


def test_a_date_alone_is_the_end_of_that_day(audited, reported):
    audited.run(hours=1)
    day = audited.ago(days=2)[:10]

    assert reported("--as-of", day)["as_of"] == f"{day}T23:59:59Z"
    assert reported("--as-of", audited.ago()[:10])["as_of"] >= audited.ago()


def test_a_history_of_changes_answers_by_the_last_row(audited, reported):
    # Within one day: on the next one such a history has a new row of every secret.
    audited.now = (audited.now - timedelta(days=1)).replace(hour=12)
    for hours in (5, 4, 3, 2):
        audited.run(hours=hours, history_mode="changes", complete=hours > 2)
    audited.history("changed", audited.ago(hours=5), 5, verdict="in_grace")
    audited.history("changed", audited.ago(hours=3), 3, verdict="overdue")
    audited.history("same", audited.ago(hours=5), 5, verdict="fresh")
    for name in ("changed", "same", "new"):
        audited.status(name)
    audited.history("new", audited.ago(hours=2), 2)

    assert verdicts(reported("--as-of", audited.ago(hours=4))) == {"changed": "in_grace", "same": "fresh"}
    assert verdicts(reported("--as-of", audited.ago(hours=2.5))) == {"changed": "overdue", "same": "fresh"}


@pytest.mark.parametrize("mode", ["everyRun", "changes"])
@pytest.mark.parametrize("run_id", [BY_HAND, LOW_BY_HAND])
def test_a_run_by_hand_counts_by_its_time_and_not_by_its_id(audited, reported, mode, run_id):
    early = audited.run(hours=6, history_mode=mode)
    audited.run(run_id, hours=4, history_mode=mode)
    late = audited.run(hours=2, history_mode=mode)
    for name, hours, verdict in ((early, 6, "in_grace"), (run_id, 4, "due_soon"), (late, 2, "overdue")):
        audited.history("one", name, hours, verdict=verdict)
    audited.status("one")

    def at(hours):
        return verdicts(reported("--as-of", audited.ago(hours=hours)))["one"]

    assert [at(5), at(3), at(1)] == ["in_grace", "due_soon", "overdue"]


@pytest.mark.parametrize("mode", ["everyRun", "changes"])
def test_a_stack_with_runs_by_hand_alone_has_a_past(audited, reported, mode):
    audited.run(BY_HAND, hours=6, history_mode=mode)
    audited.run(LOW_BY_HAND, hours=4, history_mode=mode)
    audited.history("one", BY_HAND, 6, verdict="in_grace")
    audited.history("one", LOW_BY_HAND, 4, verdict="overdue")
    audited.status("one")

    assert verdicts(reported("--as-of", audited.ago(hours=5))) == {"one": "in_grace"}
    assert verdicts(reported("--as-of", audited.ago(hours=3))) == {"one": "overdue"}


def test_a_run_that_began_later_than_it_was_scheduled_counts_by_when_it_began(audited, reported):
    early = audited.run(hours=6)
    late = audited.run(audited.ago(hours=4), hours=2)
    audited.history("one", early, 6, verdict="in_grace")
    audited.history("one", late, 2, verdict="overdue")
    audited.status("one")

    assert verdicts(reported("--as-of", audited.ago(hours=3))) == {"one": "in_grace"}


def test_a_secret_that_is_gone_is_reported_as_of_when_it_was_there(audited, reported):
    for hours in (50, 26, 2):
        run = audited.run(hours=hours)
        audited.history("stays", run, hours)
        if hours > 30:
            audited.history("gone", run, hours)
    audited.status("stays")
    audited.status("gone", gone_since=audited.ago(hours=26))

    assert names(reported()) == ["stays"]
    assert sorted(names(reported("--as-of", audited.ago(hours=40)))) == ["gone", "stays"]
    assert names(reported("--as-of", audited.ago(hours=20))) == ["stays"]


@pytest.mark.parametrize(("mode", "hours"), [("everyRun", 2), ("changes", 30)])
def test_a_secret_that_came_back_was_not_there_in_between(audited, reported, mode, hours):
    for began in (60, hours, 1):
        audited.run(hours=began, history_mode=mode)
    audited.history("back", audited.ago(hours=60), 60)
    audited.history("back", audited.ago(hours=1), 1)
    audited.status("back")

    assert names(reported("--as-of", audited.ago(hours=50))) == ["back"]
    assert names(reported("--as-of", audited.ago(hours=1.5))) == []
    assert names(reported("--as-of", audited.ago(hours=0.5))) == ["back"]


def test_an_incomplete_run_makes_no_secret_vanish(audited, reported):
    audited.run(hours=4)
    audited.run(hours=2, complete=False)
    audited.history("one", audited.ago(hours=4), 4)
    audited.status("one")

    answer = reported("--as-of", audited.ago(hours=1))

    assert names(answer) == ["one"]
    assert "is incomplete" in answer["warnings"][0]


def test_a_stack_that_was_not_there_yet_says_so(audited, reported):
    audited.run(hours=1)
    audited.history("one", audited.ago(hours=1), 1)
    audited.status("one")

    answer = reported("--as-of", audited.ago(days=100))

    assert names(answer) == []
    assert answer["run"] is None
    assert "No run of the audit had ended by" in answer["warnings"][0]


@pytest.fixture
def changed(audited):
    """One secret of each kind of change in the last day."""
    before, after = audited.run(hours=26), audited.run(hours=0.5)
    for name in ("same", "worse", "rotated", "gone"):
        audited.history(name, before, 26)
    audited.history("same", after, 0.5)
    audited.status("same")
    audited.needy("worse")
    audited.history("worse", after, 0.5, 50, verdict="overdue", status="needs_rotation", attention=True)
    audited.status("rotated", 0, current_version_id="rotated-2")
    audited.history("rotated", after, 0.5, 0, current_version_id="rotated-2")
    audited.status("new")
    audited.history("new", after, 0.5)
    audited.status("gone", gone_since=audited.ago(hours=0.5))


@pytest.mark.parametrize("until", ["now", "as of then"])
def test_what_changed_since_a_date_is_told_with_how_it_was(audited, reported, changed, until):
    options = [] if until == "now" else ["--as-of", audited.ago(hours=0.1)]

    answer = reported("--since", audited.ago(hours=25), *options)

    kinds = {one["secret_name"]: one["change"]["kinds"] for one in answer["secrets"]}
    assert kinds == {"worse": ["verdict", "attention"], "rotated": ["value"], "new": ["appeared"], "gone": ["vanished"]}
    before = {one["secret_name"]: one["change"]["before"] for one in answer["secrets"]}
    assert before["new"] is None
    assert before["worse"]["verdict"] == "fresh"
    assert before["rotated"]["current_version_id"] == "rotated-1"
    assert answer["since"] == audited.ago(hours=25)
    assert answer["summary"]["total"] == 4


def test_a_change_is_told_in_every_format(audited, run, changed):
    report = ["report", "--stack-outputs", str(audited.outputs), "--since", audited.ago(hours=25), "--format"]

    table = run(*report, "table").stdout
    assert "(was fresh) It is old." in table
    assert "(new value)" in table
    assert "(appeared)" in table
    assert "(vanished)" in table
    lines = run(*report, "csv").stdout.splitlines()
    assert lines[0].endswith(",changed,verdict_before,value_created_at_before")
    assert any(line.startswith("worse,") and ",verdict attention,fresh,20" in line for line in lines)
    assert any(line.startswith("new,") and line.endswith(",appeared,,") for line in lines)
    markdown = run(*report, "markdown").stdout
    assert "| secret | changed | verdict |" in markdown
    assert "| worse | was fresh | overdue |" in markdown


def test_filters_hold_for_changes(audited, reported, changed):
    since = ["--since", audited.ago(hours=25)]

    assert names(reported(*since, "--attention")) == ["worse"]
    assert names(reported(*since, "--older-than", "30d")) == ["worse"]


def test_a_comparison_with_a_run_that_did_not_see_all_is_told(audited, reported):
    run = audited.run(hours=26, complete=False, incomplete_because=["2 were listed."])
    audited.run(hours=0.5)
    audited.history("one", run, 26)
    audited.status("one")

    assert reported("--since", audited.ago(hours=25))["warnings"] == [f"The run {run} is incomplete. 2 were listed."]
    assert "had ended by" in reported("--since", audited.ago(days=9))["warnings"][0]


def test_a_past_run_is_read_by_key_and_not_secret_by_secret(audited, reported):
    run = audited.run(hours=1)
    for index in range(101):
        audited.history(f"s/{index}", run, 1)
        audited.status(f"s/{index}")
    audited.calls.clear()

    assert len(names(reported("--as-of", audited.ago(hours=0.5)))) == 101
    assert len(audited.asked("BatchGetItem")) == 2
    assert audited.asked("Query", "history") == []


def test_reads_that_are_throttled_are_asked_again(audited, reported, monkeypatch):
    monkeypatch.setattr("rotation_guard.cli.records.time.sleep", lambda seconds: None)
    run = audited.run(hours=1)
    audited.status("one")
    asked = []

    def batch(request):
        asked.append(request["RequestItems"]["history"]["Keys"])
        row = {"secret_name": {"S": "one"}, "run_id": {"S": run}, "checked_at": {"S": audited.ago(hours=1)}}
        if len(asked) < 3:
            return {"Responses": {}, "UnprocessedKeys": request["RequestItems"]}
        return {"Responses": {"history": [row]}, "UnprocessedKeys": {}}

    audited.answers["BatchGetItem"] = batch
    assert names(reported("--as-of", audited.ago(hours=0.5))) == ["one"]
    assert len(asked) == 3


def test_reads_that_are_throttled_to_the_end_are_told(audited, run, monkeypatch):
    monkeypatch.setattr("rotation_guard.cli.records.time.sleep", lambda seconds: None)
    audited.run(hours=1)
    audited.status("one")
    audited.answers["BatchGetItem"] = lambda request: {"Responses": {}, "UnprocessedKeys": request["RequestItems"]}

    result = run("report", "--stack-outputs", str(audited.outputs), "--as-of", audited.ago(hours=0.5))

    assert result.exit_code == 3
    assert result.stderr == "DynamoDB throttles reads of history: 8 tries did not bring them to an end.\n"
