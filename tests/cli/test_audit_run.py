"""`rotation-guard audit run`: it starts the check function, waits for the run's row, and shows what was found."""

import itertools
import json

import pytest

from .conftest import aws_error
from .stacks import ACCOUNT

FINISHED = {
    "checked": 214,
    "flagged": 17,
    "unknown": 4,
    "outdated_replicas": 0,
    "accepted": {"exempt": 9, "replica": 4, "managed_elsewhere": 3},
    "verdicts": {"fresh": 177, "overdue": 17, "unknown": 4, "exempt": 9, "replica": 4, "managed_elsewhere": 3},
    "seconds": 2,
}


@pytest.fixture
def check(audit_stack, monkeypatch):
    """The check function: it does what a test says with each run that is asked for."""
    outputs = json.loads(audit_stack.outputs.read_text()) | {"function_name": "check"}
    audit_stack.outputs.write_text(json.dumps(outputs))
    waits = []
    monkeypatch.setattr("rotation_guard.cli.commands.audit.time.sleep", waits.append)

    class Check:
        def __init__(self):
            self.asked, self.waits, self.answers = [], waits, audit_stack.answers

        def behaves(self, run=None):
            def invoke(request):
                self.asked.append(request)
                if run is not None:
                    audit_stack.run(json.loads(request["Payload"])["scheduled_time"], hours=0.01, **run)
                return {"StatusCode": 202}

            audit_stack.answers["Invoke"] = invoke

    return Check()


@pytest.fixture
def run_audit(audit_stack, run):
    return lambda *options: run("audit", "run", "--stack-outputs", str(audit_stack.outputs), *options)


def test_what_was_found_is_shown(check, run_audit):
    check.behaves(FINISHED)

    result = run_audit()

    assert result.exit_code == 0
    assert "17 of 214 secrets are over their limit; 4 could not be judged; 16 are accepted" in " ".join(
        result.stdout.split()
    )
    assert "checked 214 secrets in 2 seconds." in " ".join(result.stdout.split())
    [asked] = check.asked
    assert (asked["FunctionName"], asked["InvocationType"]) == ("check", "Event")
    assert run_audit("--exit-code").exit_code == 1


def test_json_has_the_tally_the_settings_and_the_run(check, run_audit):
    check.behaves({**FINISHED, "settings": {"max_age_days": 30}})

    answer = json.loads(run_audit("--format", "json").stdout)

    assert answer["tally"]["accepted"]["total"] == 16
    assert answer["settings"] == {"max_age_days": 30}
    assert answer["run"]["run_id"] == json.loads(check.asked[0]["Payload"])["scheduled_time"]
    assert answer["run"]["complete"] is True


def test_an_incomplete_run_says_why(check, run_audit):
    check.behaves({**FINISHED, "complete": False, "incomplete_because": ["2 were listed."]})

    result = run_audit("--exit-code")

    assert result.exit_code == 1
    assert "WARNING: 2 were listed." in result.stdout
    assert "this run is incomplete." in " ".join(result.stdout.split())


def test_it_waits_until_the_run_has_finished(check, run_audit, audit_stack, monkeypatch):
    check.behaves({"finished_at": None, "part": 2, "checked": 100})

    def finish(seconds):
        audit_stack.run(json.loads(check.asked[0]["Payload"])["scheduled_time"], hours=0.01, **FINISHED)

    monkeypatch.setattr("rotation_guard.cli.commands.audit.time.sleep", finish)

    assert run_audit().exit_code == 0


@pytest.mark.parametrize(
    ("row", "progress"),
    [
        (None, "it has not started yet"),
        ({"finished_at": None}, "the first invocation is at work"),
        ({"finished_at": None, "part": 2, "checked": 100}, "100 secrets recorded by 2 earlier invocations"),
    ],
)
def test_a_run_that_does_not_finish_is_one_sentence_with_its_log_group(
    check, run_audit, monkeypatch, audit_stack, row, progress
):
    check.behaves(row)

    years = itertools.count(2026)

    class Clock:
        @staticmethod
        def now(zone):
            return audit_stack.now.replace(year=next(years))

    monkeypatch.setattr("rotation_guard.cli.commands.audit.datetime", Clock)

    result = run_audit("--timeout", "1")

    assert (result.exit_code, result.stdout) == (3, "")
    assert f"did not finish within 1 minute ({progress}): its log group is /aws/lambda/check." in result.stderr
    assert result.stderr.count("\n") == 1


def test_without_waiting_it_names_the_run(check, run_audit):
    check.behaves()

    result = run_audit("--no-wait")

    assert result.exit_code == 0
    assert json.loads(check.asked[0]["Payload"])["scheduled_time"] in result.stdout
    assert check.waits == []


def test_a_refusal_is_one_sentence(check, run_audit):
    check.answers["Invoke"] = lambda _: aws_error("AccessDeniedException")

    result = run_audit()

    assert (result.exit_code, result.stdout) == (3, "")
    assert "check: Invoke was refused: AccessDeniedException" in result.stderr


def test_credentials_of_another_account_start_nothing(check, run_audit):
    check.behaves()
    check.answers["GetCallerIdentity"] = lambda _: {"Account": "210987654321", "Arn": "arn:aws:iam::210987654321:root"}

    result = run_audit()

    assert result.exit_code == 2
    assert f"is in account {ACCOUNT}" in result.stderr
    assert check.asked == []


@pytest.mark.parametrize("minutes", ["0", "1441"])
def test_a_wait_out_of_range_is_refused(run_audit, minutes):
    result = run_audit("--timeout", minutes)

    assert result.exit_code == 2
    assert f"--timeout must be between 1 and 1440 minutes, got {minutes}." in result.stderr
