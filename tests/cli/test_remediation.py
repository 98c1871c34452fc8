"""`rotation-guard remediation`: the kill switch."""

import csv
import io
import json

import pytest

from handlers.adapters import kill_switch
from rotation_guard.cli import provenance

from .conftest import CALLER, REASON, aws_error
from .stacks import ACCOUNT


@pytest.fixture
def workflow_stops(stack, shared_client, monkeypatch):
    """Whether the workflow is stopped by the switch."""
    monkeypatch.setattr(kill_switch, "client", shared_client)
    return lambda: kill_switch.is_stopped(stack.KILL_SWITCH)


def test_stop_stops_repairs_and_go_resumes_them(stack, run_on_stack, workflow_stops):
    stopped = run_on_stack("remediation", "stop")
    assert (stopped.exit_code, stack.read_switch(), workflow_stops()) == (0, "stop", True)
    assert "nothing is retried, moved or restarted" in stopped.stdout
    assert "the audit and notifications continue" in stopped.stdout

    going = run_on_stack("remediation", "go")
    assert (going.exit_code, stack.read_switch(), workflow_stops()) == (0, "go", False)
    assert "as far as their tags and remediationMode allow" in going.stdout


@pytest.mark.parametrize("word", ["stop", "go"])
def test_stop_and_go_are_idempotent(stack, run_on_stack, word):
    assert [run_on_stack("remediation", word).exit_code for _ in range(2)] == [0, 0]
    assert stack.read_switch() == word


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("go", "Remediation is enabled: the parameter /rotation-guard/kill-switch is go, since 20"),
        (" GO ", "Remediation is enabled: "),
        ("stop", "Remediation is stopped: the parameter /rotation-guard/kill-switch is 'stop', since 20"),
        ("gone fishing", "Remediation is stopped: the parameter /rotation-guard/kill-switch is 'gone fishing'"),
        ("\x1b[2J", r"is '\x1b[2J'"),
        (None, "Remediation is stopped: the parameter /rotation-guard/kill-switch does not exist."),
    ],
)
def test_the_status_agrees_with_the_workflow(stack, run_on_stack, workflow_stops, value, message):
    stack.set_switch(value)

    result = run_on_stack("remediation", "status")

    assert message in " ".join(result.stdout.split())
    assert result.exit_code == 0
    assert run_on_stack("remediation", "status", "--exit-code").exit_code == workflow_stops()


@pytest.mark.parametrize("word", ["stop", "go"])
def test_a_missing_kill_switch_is_not_created(stack, run_on_stack, word):
    # AWS wants to know the type of what it is to make, and moto does not.
    stack.answers["PutParameter"] = lambda request: aws_error(
        "ParameterAlreadyExists" if "Type" in request else "ValidationException"
    )

    result = run_on_stack("remediation", word)

    assert result.exit_code == 3
    assert "The parameter /rotation-guard/kill-switch does not exist, so remediation is stopped" in result.stderr
    assert "Remediation" not in result.stdout


@pytest.mark.parametrize(
    ("options", "arn", "message"),
    [
        (
            [],
            "arn:aws:sns:eu-west-1:999988887777:x",
            f"is in account 999988887777, and the credentials are for {ACCOUNT}.",
        ),
        (
            ["--region", "us-east-1"],
            f"arn:aws:sns:eu-west-1:{ACCOUNT}:x",
            "is in Region eu-west-1, and the command is for",
        ),
    ],
)
def test_a_switch_is_not_reported_missing_with_credentials_of_another_account(
    stack, run_on_stack, options, arn, message
):
    stack.answers["GetParameter"] = lambda request: aws_error("ParameterNotFound")
    stack.add_outputs({"failures_topic_arn": arn})

    result = run_on_stack("remediation", "status", *options)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize(("word", "operation"), [("stop", "PutParameter"), ("status", "GetParameter")])
def test_an_access_error_is_one_sentence(stack, run_on_stack, word, operation):
    stack.answers[operation] = lambda request: aws_error("AccessDeniedException")

    result = run_on_stack("remediation", word)

    assert result.exit_code == 3
    assert "Remediation" not in result.stdout
    assert (
        f"parameter /rotation-guard/kill-switch: {operation} was refused: AccessDeniedException: No." in result.stderr
    )


def test_stop_needs_no_read_permission(stack, run_on_stack):
    stack.answers["GetParameter"] = lambda request: aws_error("AccessDeniedException")

    assert run_on_stack("remediation", "stop").exit_code == 0


@pytest.mark.parametrize("word", ["stop", "go", "status"])
def test_a_stack_without_a_kill_switch_is_an_error(audit_stack, run, word):
    reason = () if word == "status" else REASON
    result = run("remediation", word, *reason, "--stack-outputs", str(audit_stack.outputs))

    assert result.exit_code == 3
    assert "must have kill_switch_parameter_name, got " in result.stderr


def test_the_caller_and_the_reason_are_recorded_and_in_the_status(stack, run_on_stack):
    run_on_stack("remediation", "stop", "--reason", "Database moves tonight.")
    run_on_stack("remediation", "go", "--reason", "It has moved.")

    created, stopped, going = stack.switch_records()
    assert created == ""
    assert stopped.startswith(f"stop by {CALLER} at 20")
    assert stopped.endswith(": Database moves tonight.")
    assert going.endswith(": It has moved.")
    message = run_on_stack("remediation", "status", COLUMNS="500").stdout.splitlines()
    assert ", account 123456789012, Region eu-west-1, as of 20" in message[0]
    assert message[-3].startswith("Remediation is enabled: the parameter /rotation-guard/kill-switch is go, since 20")
    assert message[-1] == f"Last change: go by {CALLER}. Reason: It has moved."


def test_a_change_by_another_tool_has_no_recorded_reason(stack, run_on_stack):
    run_on_stack("remediation", "go", "--reason", "Let it work.")
    recorded = stack.switch_records()[-1]
    # The console sends the description again as it is.
    stack.set_switch("stop", Description=recorded)

    message = run_on_stack("remediation", "status").stdout

    assert "Remediation is stopped" in message
    assert "Let it work." not in message
    assert "no reason was recorded" in message


def test_the_status_is_shown_if_its_history_cannot_be_read(stack, run_on_stack):
    stack.answers["GetParameterHistory"] = lambda request: aws_error("AccessDeniedException")

    result = run_on_stack("remediation", "status")

    assert result.exit_code == 0
    assert "Remediation is enabled" in result.stdout
    output = " ".join(result.stdout.split())
    assert "The last change cannot be read. " in output
    assert "GetParameterHistory was refused: AccessDeniedException" in output


def test_the_longest_record_fits_into_a_parameters_description(stack, run_on_stack, run):
    # IAM: a path has at most 512 characters, the name of a user 64.
    arn = f"arn:aws-us-gov:iam::123456789012:user{'/' + 'p' * 510 + '/'}{'u' * 64}"
    identity = {"Account": "123456789012", "Arn": arn, "UserId": "x", "ResponseMetadata": {"HTTPStatusCode": 200}}
    stack.answers["GetCallerIdentity"] = lambda request: identity

    assert run_on_stack("remediation", "stop", "--reason", "w" * 256).exit_code == 0

    assert len(stack.switch_records()[-1]) <= 1024
    status = run_on_stack("remediation", "status", COLUMNS="1000").stdout
    assert f"Last change: stop by {arn}. Reason: {'w' * 256}\n" in status


def test_json_and_csv_have_the_switch_who_set_it_and_why(stack, run_on_stack):
    run_on_stack("remediation", "stop", "--reason", "Database moves tonight.")

    switch = json.loads(run_on_stack("remediation", "status", "--format", "json").stdout)["kill_switch"]
    [row] = csv.DictReader(io.StringIO(run_on_stack("remediation", "status", "--format", "csv").stdout))

    assert switch | {"since": None} == {
        "parameter": stack.KILL_SWITCH,
        "state": "stopped",
        "value": "stop",
        "since": None,
        "changed_by": CALLER,
        "reason": "Database moves tonight.",
    }
    assert {name: row[name] for name in switch} == switch
    assert tuple(row) == (*switch, *provenance.COLUMNS)


def test_json_of_a_missing_switch_says_that_repairs_are_stopped(stack, run_on_stack):
    stack.set_switch(None)

    switch = json.loads(run_on_stack("remediation", "status", "--format", "json").stdout)["kill_switch"]

    assert (switch["state"], switch["value"], switch["since"]) == ("stopped", None, None)
