"""`--format html`: the page of a deployment or of a scan, and where it goes."""

import os
import pty
import re
import stat
import subprocess
import sys
import webbrowser

import pytest

from rotation_guard.cli.formats import Format
from rotation_guard.html_report.trend import list_weeks
from tests.html_report.test_page import read
from tests.paths import ROOT

from .conftest import NOW, entry, tags


@pytest.fixture
def page_of(run_on_stack):
    """The page of the report on the stack, with these options."""

    def render(*options, exit_code=0):
        result = run_on_stack("report", "--format", "html", *options)
        assert result.exit_code == exit_code, result.stderr
        return read(result.stdout_bytes.decode())

    return render


def audit(stack, audit_stack, hours=0.5, **counts):
    return audit_stack.run(hours=hours, checked=2, **{"flagged": 1, "unknown": 0, **counts})


def test_the_page_of_a_deployment_has_its_secrets_runs_and_incidents(stack, audit_stack, page_of):
    audit_stack.needs_attention("old", owner="search")
    audit_stack.status("young")
    audit(stack, audit_stack)
    audit(stack, audit_stack, hours=24 * 40, flagged=7, unknown=3)
    action = {"action": "probe", "at": stack.ago(hours=1), "outcome": "done", "reason": "It was asked."}
    stack.closed_incident("old", "escalated", hours=1, actions=[action])
    stack.closed_incident("young", "rolled forward", hours=200, closed_at=stack.ago(hours=199))

    page = page_of()

    assert page.errors == []
    for text in (
        "1 of 2 secrets is over its limit; 0 could not be judged",
        "1 secret needs attention ; 1 incident needs attention",
        "Account 123456789012 Region eu-west-1",
        "7 over the limit and 3 unknown at first, 1 over the limit and 0 unknown at last",
        "2 incidents were opened.",
        "Mean time to recovery 59 min 59 s, of 1 that recovered",
        "probe done It was asked.",
        "close escalated It was escalated.",
        "old It is old. search overdue needs attention 50 30",
        "Schedule expression rate(1 hour)",
    ):
        assert text in page.text


def test_the_runs_of_a_year_are_read_by_one_call_a_week(stack, audit_stack, page_of):
    for hours in range(0, 24 * 8, 2):
        audit(stack, audit_stack, hours=hours + 0.1, flagged=hours)
    incomplete = audit_stack.run(hours=0.01, complete=False, flagged=99)
    audit_stack.status("a")

    page = page_of()

    assert incomplete
    assert "168 over the limit and 0 unknown at first, 0 over the limit" in page.text
    calls = [call for call in audit_stack.calls_of("Query", "runs") if "ProjectionExpression" in call]
    assert len(calls) == len(list_weeks(audit_stack.now))


def test_other_formats_do_not_read_the_past(stack, audit_stack, run_on_stack):
    audit_stack.status("a")
    audit(stack, audit_stack)

    assert run_on_stack("report", "--format", "json").exit_code == 0

    assert [call for call in audit_stack.calls_of("Query", "runs") if "ProjectionExpression" in call] == []
    assert audit_stack.calls_of("Scan", "incidents") == []


def test_runs_that_were_started_by_hand_are_in_the_trend(stack, audit_stack, page_of):
    audit_stack.status("a")
    audit_stack.run("8a1b0c9d-0000-4000-8000-000000000000", hours=24 * 30, flagged=5, unknown=2)
    audit(stack, audit_stack)

    assert "5 over the limit and 2 unknown at first" in page_of().text


@pytest.mark.parametrize(("table", "said"), [("incidents", "The incidents are missing."), ("runs", "The trend is")])
def test_a_table_that_cannot_be_read_is_named_and_everything_else_is_shown(stack, audit_stack, page_of, table, said):
    audit_stack.status("young")
    audit(stack, audit_stack)

    def refuse(request):
        is_refused = request["TableName"] == table and ("ProjectionExpression" in request or table == "incidents")
        code = "AccessDeniedException"
        if is_refused:
            return {"Error": {"Code": code, "Message": "No."}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        return answers(request)

    client = audit_stack._dynamodb
    operation = "scan" if table == "incidents" else "query"
    answers = lambda request: getattr(client, operation)(**request)  # noqa: E731
    audit_stack.answers["Scan" if table == "incidents" else "Query"] = refuse

    page = page_of(exit_code=3)

    assert said in page.text
    assert f"table {table}" in page.text
    assert "AccessDenied" in page.text or "denied" in page.text
    assert "young" in page.text


def test_a_deployment_without_a_table_of_incidents_has_no_section_for_them(audit_stack, run):
    audit_stack.status("young")
    audit_stack.run()

    result = run("report", "--format", "html", "--stack-outputs", str(audit_stack.outputs))

    assert result.exit_code == 0
    page = read(result.stdout)
    assert "has no table of incidents, so the report contains none of its own." in page.text
    assert "Mean time to recovery 0" not in page.text


def test_an_incident_with_an_invalid_time_is_counted_and_left_out(stack, audit_stack, page_of):
    audit_stack.status("a")
    audit(stack, audit_stack)
    stack.incident("a", opened_at="not a time")
    stack.incident("b", actions=[{"action": "probe", "at": "never", "outcome": "done"}])

    page = page_of()

    assert "1 incident is left out, because the time of its opening is invalid." in page.text
    assert "1 incident needs attention" in page.text


def test_a_report_of_the_past_has_the_incidents_until_then(stack, audit_stack, page_of):
    run_id = audit(stack, audit_stack, hours=48)
    audit_stack.status("a")
    audit_stack.history("a", run_id, hours=48)
    stack.closed_incident("a", "rolled forward", hours=24)

    assert "No incident has been opened" in page_of("--as-of", "36h").text


def test_the_page_of_a_scan_says_that_it_has_no_history(run, list_file):
    exempt = tags(owner="data", exempt_until="2026-06-01", exempt_reason="the vendor rotates it")
    ended = tags(owner="search", exempt_until="2026-02-01", exempt_reason="migration")
    entries = [entry("a", 40, Tags=exempt), entry("b", 40, Tags=ended), entry("c", 3)]

    result = run("scan", "--from", list_file(*entries), "--now", NOW, "--format", "html", "--max-age-class", "name:x=7")

    assert result.exit_code == 0
    page = read(result.stdout)
    for text in (
        "1 of 3 secrets is over its limit; 0 could not be judged; 1 is accepted (1 exempt).",
        "A scan evaluates this moment only: it has no trend and no incidents.",
        "a data the vendor rotates it 2026-06-01 92 valid",
        "b search migration 2026-02-01 -28 needs attention : The exemption ended on 2026-02-01.",
        "Max age days 30",
        "Max age classes name x: 7 days",
        "Filters none: all secrets",
    ):
        assert text in page.text


def test_the_page_names_the_filters(run, list_file):
    result = run(
        *("scan", "--from", list_file(entry("a", 40)), "--now", NOW, "--format", "html"),
        *("--older-than", "30d", "--owner", "x", "--owner", "y"),
    )

    assert "Filter: owner x, y Filter: older than days 30" in read(result.stdout).text


def test_a_page_goes_to_the_file_and_its_path_is_printed(run, list_file, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("an earlier one")

    result = run("scan", "--from", list_file(entry("a")), "--format", "html", "--output", str(path))

    assert result.stdout == f"Written: {path}\n"
    assert read(path.read_text(encoding="utf-8")).errors == []
    assert sorted(each.name for each in tmp_path.iterdir()) == ["report.html", "secrets.json"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_a_new_file_has_the_mode_that_the_umask_allows(run, list_file, tmp_path, mask, mode):
    path = tmp_path / "new.html"
    before = os.umask(mask)
    try:
        run("scan", "--from", list_file(entry("a")), "--format", "html", "--output", str(path))
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_an_existing_file_keeps_its_mode_and_its_links(run, list_file, tmp_path):
    path, link = tmp_path / "private.html", tmp_path / "latest.html"
    path.write_text("an earlier one")
    path.chmod(0o600)
    link.symlink_to(path)

    run("scan", "--from", list_file(entry("a")), "--format", "html", "--output", str(link))

    assert link.is_symlink()
    assert path.read_text().startswith("<!DOCTYPE html>")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_written_is_one_sentence(run, list_file, tmp_path):
    path = tmp_path / "missing" / "report.html"

    result = run("scan", "--from", list_file(entry("a")), "--format", "html", "--output", str(path))

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"--output must be a file that can be written, got {path}: No such file or directory.\n"


def test_a_dash_is_standard_output(run, list_file):
    result = run("scan", "--from", list_file(entry("a")), "--format", "html", "--output", "-")

    assert result.stdout.startswith("<!DOCTYPE html>")


def test_a_terminal_gets_the_path_of_a_new_file_and_no_html(list_file, tmp_path):
    command = [sys.executable, "-m", "rotation_guard.cli", "scan", "--from", list_file(entry("a")), "--format", "html"]
    controller, terminal = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, stdout=terminal, check=False, env=environment)
    os.close(terminal)
    shown = os.read(controller, 4096).decode()
    os.close(controller)

    assert done.returncode == 0
    name = re.fullmatch(r"Written: (rotation-guard-\d{4}-\d\d-\d\dT\d{6}Z\.html)\r\n", shown)
    assert name is not None
    assert (tmp_path / name[1]).read_text().startswith("<!DOCTYPE html>")


def test_open_starts_a_browser_with_the_file(run, list_file, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    monkeypatch.chdir(tmp_path)

    result = run("scan", "--from", list_file(entry("a")), "--format", "html", "--open")

    [path] = tmp_path.glob("rotation-guard-*.html")
    assert result.stdout == f"Written: {path.name}\n"
    assert opened == [path.as_uri()]


def test_without_a_browser_the_file_is_written_all_the_same(run, list_file, tmp_path, monkeypatch):
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    path = tmp_path / "a.html"

    result = run("scan", "--from", list_file(entry("a")), "--format", "html", "--open", "--output", str(path))

    assert result.exit_code == 0
    assert result.stderr == f"No browser could be started: open {path} in one.\n"
    assert path.exists()


@pytest.mark.parametrize("chosen", [chosen for chosen in Format if chosen is not Format.HTML])
@pytest.mark.parametrize("options", [["--open"], ["--output", "a.html"]])
def test_other_formats_have_no_file_and_no_browser(run, list_file, chosen, options):
    result = run("scan", "--from", list_file(), "--format", chosen, *options)

    assert result.exit_code == 2
    assert result.stderr == f"--output and --open require --format html, got --format {chosen}.\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["incidents", "--format", "html", "--watch"], "--watch needs --format table, got html."),
        (["report", "--format", "html", "--open", "--output", "-"], "--open requires a file, got --output -."),
    ],
)
def test_what_has_no_page_is_refused_before_anything_is_read(run_on_stack, stack, words, sentence):
    result = run_on_stack(*words)

    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr
    assert stack.calls == []


@pytest.mark.parametrize(("days", "code"), [(40, 1), (3, 0)])
def test_the_exit_code_says_whether_anything_needs_attention(run, list_file, days, code):
    options = ["--now", NOW, "--format", "html", "--exit-code"]

    assert run("scan", "--from", list_file(entry("a", days)), *options).exit_code == code


@pytest.mark.parametrize(
    "words", [["incidents"], ["exemptions"], ["verify"], ["report", "--since", "7d"]], ids=" ".join
)
def test_what_has_no_charts_is_a_page_of_its_tables(stack, audit_stack, run_on_stack, words):
    audit_stack.status("<b>old</b>", 90, verdict="exempt", exempt_until="2099-01-01", exempt_reason="A reason.")
    audit(stack, audit_stack)
    audit(stack, audit_stack, hours=24 * 8)
    stack.closed_incident("<b>old</b>", "escalated", hours=1)

    html, markdown = (run_on_stack(*words, "--format", chosen).stdout_bytes.decode() for chosen in ("html", "markdown"))

    page = read(html)
    assert page.errors == []
    assert not page.attributes("script")
    shown = [" ".join(text.split()) for text in page.texts]
    for line in markdown.splitlines():
        if line.startswith("| ") and "---" not in line:
            cells = [re.sub(r"\\(.)", r"\1", cell.strip()) for cell in line.strip("| ").split(" | ")]
            assert [cell for cell in cells if cell and cell not in shown] == []


def test_the_page_of_any_report_goes_where_that_of_secrets_goes(run_on_stack, audit_stack, stack, tmp_path):
    audit(stack, audit_stack)
    audit(stack, audit_stack, hours=24 * 8)
    path = tmp_path / "changes.html"

    result = run_on_stack("report", "--since", "7d", "--format", "html", "--output", str(path))

    assert (result.exit_code, result.stdout) == (0, f"Written: {path}\n")
    assert read(path.read_text(encoding="utf-8")).errors == []


def test_a_page_of_the_last_day_that_python_knows_has_no_due_dates(run, list_file):
    result = run("scan", "--from", list_file(entry("a", 3)), "--now", "9999-12-31", "--format", "html")

    assert result.exit_code == 0
    assert "a" in result.stdout
