"""`rotation-guard remediation`: the kill switch."""

import pytest

from handlers.adapters import kill_switch

from .conftest import ACCOUNT, CALLER, REASON, refused


@pytest.fixture
def stops(remediated, shared_client, monkeypatch):
    """What the workflow makes of the switch."""
    monkeypatch.setattr(kill_switch, "client", shared_client)
    return lambda: kill_switch.is_stopped(remediated.KILL_SWITCH)


def test_stop_stops_and_go_lets_go_on(remediated, ask, stops):
    stopped = ask("remediation", "stop")
    assert (stopped.exit_code, remediated.switch(), stops()) == (0, "stop", True)
    assert "nothing is retried, moved or restarted" in stopped.stdout
    assert "the notices go on" in stopped.stdout

    going = ask("remediation", "go")
    assert (going.exit_code, remediated.switch(), stops()) == (0, "go", False)
    assert "as far as their tags and remediationMode allow" in going.stdout


@pytest.mark.parametrize("word", ["stop", "go"])
def test_either_may_be_said_twice(remediated, ask, word):
    assert [ask("remediation", word).exit_code for _ in range(2)] == [0, 0]
    assert remediated.switch() == word


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("go", "Remediation may act: the parameter /rotation-guard/kill-switch says go, since 20"),
        (" GO ", "Remediation may act: "),
        ("stop", "Remediation is stopped: the parameter /rotation-guard/kill-switch says 'stop', since 20"),
        ("gone fishing", "Remediation is stopped: the parameter /rotation-guard/kill-switch says 'gone fishing'"),
        ("\x1b[2J", r"says '\x1b[2J'"),
        (None, "Remediation is stopped: the parameter /rotation-guard/kill-switch is not there.\n"),
    ],
)
def test_the_status_is_what_the_workflow_makes_of_it(remediated, ask, stops, value, said):
    remediated.turn(value)

    result = ask("remediation", "status")

    assert said in result.stdout
    assert result.exit_code == 0
    assert ask("remediation", "status", "--exit-code").exit_code == stops()


@pytest.mark.parametrize("word", ["stop", "go"])
def test_a_switch_that_is_gone_is_not_made_by_hand(remediated, ask, word):
    # AWS wants to know the type of what it is to make, and moto does not.
    remediated.answers["PutParameter"] = lambda asked: refused(
        "ParameterAlreadyExists" if "Type" in asked else "ValidationException"
    )

    result = ask("remediation", word)

    assert result.exit_code == 3
    assert "The parameter /rotation-guard/kill-switch is not there, so remediation is stopped" in result.stderr
    assert "Remediation" not in result.stdout


@pytest.mark.parametrize(
    ("options", "arn", "said"),
    [
        (
            [],
            "arn:aws:sns:eu-west-1:999988887777:x",
            f"is in account 999988887777, and the credentials are of {ACCOUNT}.",
        ),
        (
            ["--region", "us-east-1"],
            f"arn:aws:sns:eu-west-1:{ACCOUNT}:x",
            "is in Region eu-west-1, and the command is for",
        ),
    ],
)
def test_a_switch_that_another_account_lacks_is_not_said_to_be_gone(remediated, ask, options, arn, said):
    remediated.answers["GetParameter"] = lambda asked: refused("ParameterNotFound")
    remediated.name({"failures_topic_arn": arn})

    result = ask("remediation", "status", *options)

    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


@pytest.mark.parametrize(("word", "operation"), [("stop", "PutParameter"), ("status", "GetParameter")])
def test_a_refusal_is_a_sentence(remediated, ask, word, operation):
    remediated.answers[operation] = lambda asked: refused("AccessDeniedException")

    result = ask("remediation", word)

    assert result.exit_code == 3
    assert "Remediation" not in result.stdout
    assert (
        f"parameter /rotation-guard/kill-switch: {operation} was refused: AccessDeniedException: No." in result.stderr
    )


def test_stopping_needs_no_leave_to_read(remediated, ask):
    remediated.answers["GetParameter"] = lambda asked: refused("AccessDeniedException")

    assert ask("remediation", "stop").exit_code == 0


@pytest.mark.parametrize("word", ["stop", "go", "status"])
def test_a_stack_without_the_switch_is_named(audited, run, word):
    reason = () if word == "status" else REASON
    result = run("remediation", word, *reason, "--stack-outputs", str(audited.outputs))

    assert result.exit_code == 3
    assert "must have kill_switch_parameter_name, got " in result.stderr


def test_who_stopped_it_and_why_is_on_record_and_in_the_status(remediated, ask):
    ask("remediation", "stop", "--reason", "Database moves tonight.")
    ask("remediation", "go", "--reason", "It has moved.")

    made, stopped, going = remediated.records()
    assert made == ""
    assert stopped.startswith(f"stop by {CALLER} at 20")
    assert stopped.endswith(": Database moves tonight.")
    assert going.endswith(": It has moved.")
    said = ask("remediation", "status").stdout.splitlines()
    assert said[0].startswith("Remediation may act: the parameter /rotation-guard/kill-switch says go, since 20")
    assert said[1] == f"Last change: go by {CALLER}. Reason: It has moved."
    assert said[2].endswith(", account 123456789012, Region eu-west-1.")


def test_a_change_by_another_tool_has_no_reason_of_ours(remediated, ask):
    ask("remediation", "go", "--reason", "Let it work.")
    recorded = remediated.records()[-1]
    # The console sends the description again as it is.
    remediated.turn("stop", Description=recorded)

    said = ask("remediation", "status").stdout

    assert "Remediation is stopped" in said
    assert "Let it work." not in said
    assert "no reason was recorded" in said


def test_the_status_is_told_though_its_history_may_not_be_read(remediated, ask):
    remediated.answers["GetParameterHistory"] = lambda asked: refused("AccessDeniedException")

    result = ask("remediation", "status")

    assert result.exit_code == 0
    assert "Remediation may act" in result.stdout
    assert "Who and why cannot be read. " in result.stdout
    assert "GetParameterHistory was refused: AccessDeniedException" in result.stdout


def test_the_longest_record_fits_into_a_parameters_description(remediated, ask, run):
    # IAM: a path has at most 512 characters, the name of a user 64.
    arn = f"arn:aws-us-gov:iam::123456789012:user{'/' + 'p' * 510 + '/'}{'u' * 64}"
    identity = {"Account": "123456789012", "Arn": arn, "UserId": "x", "ResponseMetadata": {"HTTPStatusCode": 200}}
    remediated.answers["GetCallerIdentity"] = lambda asked: identity

    assert ask("remediation", "stop", "--reason", "w" * 256).exit_code == 0

    assert len(remediated.records()[-1]) <= 1024
    assert f"Last change: stop by {arn}. Reason: {'w' * 256}\n" in ask("remediation", "status").stdout
