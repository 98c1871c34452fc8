"""Commands that write: they change only the deployment that was named, and print which it is."""

import errno
import json
import os

import pytest

from .conftest import CALLER, REASON, WRITES
from .stacks import ACCOUNT

WRITING_CALLS = ("PutParameter", "UpdateItem", "PutItem", "DeleteItem", "TransactWriteItems", "DeleteParameter")


@pytest.fixture
def prepare(stack):
    """Prepares something to write; returns the words of the command that writes it."""

    def prepare(*words):
        if words == ("incidents", "release"):
            arn = stack.set_state("orders/db", orphaned_at=stack.ago(hours=1))
            return (*words, arn)
        if words == ("incidents", "ack"):
            return (*words, stack.incident("orders/db")["secret_arn"], "--until", "4h")
        return words

    return prepare


@pytest.fixture
def writes(stack):
    """The operations that wrote to AWS."""
    return lambda: [name for name, _ in stack.calls if name in WRITING_CALLS]


@pytest.mark.parametrize("options", [REASON, ()], ids=["with a reason", "without"])
@pytest.mark.parametrize("words", WRITES)
def test_a_local_deployment_is_never_written_to_by_default(
    stack, run, prepare, writes, tmp_path, monkeypatch, words, options
):
    stack.deploy_locally(tmp_path)
    below = tmp_path / "repository" / "of" / "production"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)

    result = run(*prepare(*words), *options)

    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    for target in ("--stack-outputs", "ROTATION_GUARD_STACK_OUTPUTS", "--local"):
        assert target in result.stderr
    assert "Nothing was written" in result.stderr
    assert (result.stdout, writes()) == ("", [])


@pytest.mark.parametrize("words", WRITES)
@pytest.mark.parametrize("target", ["option", "variable", "local"])
def test_deployment_account_and_region_are_printed_before_and_after_a_write(
    stack, run, prepare, writes, tmp_path, monkeypatch, words, target
):
    stack.deploy_locally(tmp_path)
    monkeypatch.chdir(tmp_path)
    outputs = str(stack.outputs)
    options = {"option": ["--stack-outputs", outputs], "variable": [], "local": ["--local"]}[target]
    environment = {"ROTATION_GUARD_STACK_OUTPUTS": outputs} if target == "variable" else {}

    result = run(*prepare(*words), *REASON, *options, **environment)

    assert result.exit_code == 0, result.stderr
    before, *_, after = result.stdout.splitlines()
    name = "The local deployment at http://127.0.0.1:1" if target == "local" else f"The stack of {outputs}"
    for line in (before, after):
        assert name in line
        assert f", account {ACCOUNT}, Region eu-west-1." in line
    assert CALLER in before
    assert len(writes()) == 1


@pytest.mark.parametrize("words", WRITES)
def test_the_option_local_overrides_the_variable(stack, run, prepare, tmp_path, monkeypatch, words):
    stack.deploy_locally(tmp_path)
    monkeypatch.chdir(tmp_path)

    result = run(*prepare(*words), *REASON, "--local", ROTATION_GUARD_STACK_OUTPUTS="/no/such/file")

    assert result.exit_code == 0
    assert "The stack of" not in result.stdout


@pytest.mark.parametrize("words", [*WRITES, ("remediation", "status"), ("incidents", "list"), ("report",)])
def test_two_deployments_at_once_are_refused(stack, run, prepare, writes, words):
    reason = REASON if words in WRITES else ()

    result = run(*prepare(*words), *reason, "--local", "--stack-outputs", str(stack.outputs))

    assert result.exit_code == 2
    assert "Give --local or --stack-outputs, not both" in result.stderr
    assert writes() == []


@pytest.mark.parametrize("words", WRITES)
def test_credentials_of_another_account_write_nothing(stack, run, prepare, writes, words):
    outputs = json.loads(stack.outputs.read_text())
    outputs["function_arn"] = outputs["function_arn"].replace(ACCOUNT, "999988887777")
    stack.outputs.write_text(json.dumps(outputs))

    result = run(*prepare(*words), *REASON, "--stack-outputs", str(stack.outputs))

    assert result.exit_code == 2
    assert f"is in account 999988887777, and the credentials are for {ACCOUNT}; nothing was written" in result.stderr
    assert (result.stdout, writes()) == ("", [])


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"function_arn": "no arn"}, "must have an output that is an ARN, to name its account"),
        ({"other_arn": "arn:aws:sns:eu-west-1:999988887777:x"}, "must be in one account, got "),
        ({"other_arn": f"arn:aws:sns:eu-west-3:{ACCOUNT}:x"}, "must be in one Region, got eu-west-1, eu-west-3"),
    ],
)
@pytest.mark.parametrize("words", WRITES)
def test_outputs_that_do_not_identify_one_account_are_refused(stack, run, prepare, writes, words, outputs, message):
    stack.add_outputs(outputs)

    result = run(*prepare(*words), *REASON, "--stack-outputs", str(stack.outputs))

    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert message in result.stderr
    assert writes() == []


@pytest.mark.parametrize("words", WRITES)
def test_only_the_stacks_own_arns_identify_its_account_and_region(stack, run, prepare, words):
    stack.add_outputs(
        {
            "state_machine_arn": f"arn:aws:states:eu-west-1:{ACCOUNT}:stateMachine:remediation",
            "certificate_arn": f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/of-cloudfront",
            "peer_role_arn": "arn:aws:iam::999988887777:role/peer",
        }
    )

    result = run(*prepare(*words), *REASON, "--stack-outputs", str(stack.outputs))

    assert result.exit_code == 0, result.stderr
    assert f"account {ACCOUNT}, Region eu-west-1." in result.stdout


@pytest.mark.parametrize(
    ("region", "account", "message"),
    [
        ("eu-west-1", "999988887777", f"SECRET must be in account {ACCOUNT}, like The stack of "),
        ("us-east-1", ACCOUNT, "SECRET must be in Region eu-west-1, like The stack of "),
    ],
)
@pytest.mark.parametrize("word", ["release", "show"])
def test_a_secret_of_another_account_or_region_is_refused(stack, run_on_stack, writes, word, region, account, message):
    arn = f"arn:aws:secretsmanager:{region}:{account}:secret:orders/db-AbCdEf"

    result = run_on_stack("incidents", word, arn)

    assert (result.exit_code, result.stdout, writes()) == (2, "", [])
    assert message in result.stderr
    assert result.stderr.endswith(f": {arn}.\n")


@pytest.mark.parametrize("words", WRITES)
@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC])
def test_nothing_is_written_if_the_output_cannot_be_printed(stack, run, prepare, writes, monkeypatch, words, number):
    def fail(sentence):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("rotation_guard.cli.deployment.echo", fail)
    monkeypatch.setattr("rotation_guard.cli.deployment.discard_output", lambda: None)

    result = run(*prepare(*words), *REASON, "--stack-outputs", str(stack.outputs))

    assert (result.exit_code, result.stderr) == (
        3,
        f"The output cannot be written: {os.strerror(number)}. Nothing else was written.\n",
    )
    assert writes() == []


@pytest.mark.parametrize("words", WRITES)
def test_a_region_other_than_the_stacks_is_refused(stack, run_on_stack, prepare, writes, words):
    result = run_on_stack(*prepare(*words), "--region", "us-east-1")

    assert result.exit_code == 2
    assert "is in Region eu-west-1, and the command is for us-east-1; nothing was written" in result.stderr
    assert writes() == []


@pytest.mark.parametrize("words", WRITES)
@pytest.mark.parametrize(
    ("reason", "message"),
    [
        (None, "needs a reason: give --reason TEXT"),
        ("", "'--reason': must not be empty"),
        ("   ", "--reason must be 1 to 256 characters"),
        ("w" * 257, "got 257: 'wwww"),
        ("two\nlines", r"without control characters, got 9: 'two\nlines'"),
        ("clear\x1b[2J", r"\x1b"),
        ("\u202eevil", r"\u202e"),
    ],
)
def test_a_reason_is_one_printable_line(stack, run, prepare, writes, words, reason, message):
    options = [] if reason is None else ["--reason", reason]

    result = run(*prepare(*words), *options, "--stack-outputs", str(stack.outputs))

    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert message in result.stderr
    assert writes() == []


def test_the_account_is_checked_before_anything_is_written(stack, run_on_stack):
    stack.calls.clear()

    run_on_stack("remediation", "stop")

    calls = [name for name, _ in stack.calls]
    assert calls[0] == "GetCallerIdentity"
    assert calls.count("PutParameter") == 1
    # Who reads is asked for in the background.
    assert {*calls} == {"GetCallerIdentity", "PutParameter", "ListAccountAliases"}


@pytest.mark.parametrize("words", [("report",), ("incidents",), ("incidents", "orphaned"), ("remediation", "status")])
def test_commands_that_read_name_the_deployment(stack, run, tmp_path, monkeypatch, words):
    path = stack.deploy_locally(tmp_path)
    below = tmp_path / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    outputs = str(stack.outputs)
    account_and_region = f", account {ACCOUNT}, Region eu-west-1"

    default = " ".join(run(*words, COLUMNS="500").stdout.split())
    named = " ".join(run(*words, COLUMNS="500", ROTATION_GUARD_STACK_OUTPUTS=outputs).stdout.split())
    local = run(*words, "--local", COLUMNS="500", ROTATION_GUARD_STACK_OUTPUTS=outputs).stdout

    assert f"The local deployment at http://127.0.0.1:1 ({path}){account_and_region}" in default
    assert f"The stack of {outputs}{account_and_region}" in named
    assert "The local deployment at" in local


def test_an_empty_variable_is_ignored(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert "No deployment is configured" in run("report", ROTATION_GUARD_STACK_OUTPUTS="").stderr


def test_an_error_about_the_variables_file_names_the_variable(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    result = run("report", ROTATION_GUARD_STACK_OUTPUTS="missing.json")

    assert result.exit_code == 2
    assert "ROTATION_GUARD_STACK_OUTPUTS must be a readable file, got missing.json" in result.stderr
