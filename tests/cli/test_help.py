"""What a user reads before running a command: help with choices and examples, completion, and the version."""

import shlex
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from rotation_guard.cli import application, errors, identity
from rotation_guard.cli.commands import audit, dead_letters, incidents, remediation
from rotation_guard.cli.formats import Format
from rotation_guard.domain.audit.verdicts import VERDICT_NAMES
from rotation_guard.domain.remediation.incidents import Outcome

COMMANDS = {
    **{(name,): command for name, command in application.COMMANDS.items()},
    **{("audit", name): command for name, command in audit.COMMANDS.items()},
    **{("incidents", name): command for name, command in incidents.COMMANDS.items()},
    **{("dead-letters", name): command for name, command in dead_letters.COMMANDS.items()},
    **{("remediation", name): command for name, command in remediation.COMMANDS.items()},
}
EXAMPLES = [(words, example) for words, command in COMMANDS.items() for example in command.examples]


def help_text(run, *words):
    """The help without line breaks and frames."""
    result = run(*words, "--help", COLUMNS="200")
    assert result.exit_code == 0
    return " ".join(result.stdout.replace("│", " ").split())


def parse(words):
    """Parse the words of a command line as the program does, without running the command."""
    context: Any = get_command(application.app).make_context("rotation-guard", list(words))
    while hasattr(context.command, "resolve_command"):
        remaining = [*context._protected_args, *context.args]
        name, command, rest = context.command.resolve_command(context, remaining)
        context = command.make_context(name, list(rest), parent=context)
    return context


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_help_has_examples(run, words):
    text = help_text(run, *words)

    assert COMMANDS[words].examples
    for example in COMMANDS[words].examples:
        assert f"$ {example}" in text


@pytest.mark.parametrize(("words", "example"), EXAMPLES)
def test_every_example_is_a_valid_command(words, example):
    [arguments] = [shlex.split(part)[1:] for part in example.split(" | ") if part.strip().startswith("rotation-guard ")]

    context = parse(arguments)

    assert context.command.name == words[-1]


def test_an_example_with_an_unknown_option_would_be_noticed():
    with pytest.raises(application._TyperUsageError):
        parse(["report", "--quux"])


@pytest.mark.parametrize(
    ("words", "choices"),
    [
        (("report",), VERDICT_NAMES),
        (("scan",), VERDICT_NAMES),
        (("scan",), list(Format)),
        (("incidents", "list"), list(Outcome)),
        (("incidents", "show"), list(Format)),
    ],
)
def test_help_lists_the_choices_of_an_option(run, words, choices):
    assert ", ".join(choices) in help_text(run, *words)


@pytest.mark.parametrize("words", [words for words in COMMANDS if words not in (("scan",), ("collect",))], ids=" ".join)
def test_every_command_that_needs_a_deployment_names_the_variable(run, words):
    assert "Default: ROTATION_GUARD_STACK_OUTPUTS." in help_text(run, *words)


def test_the_help_documents_the_exit_codes(run):
    text = help_text(run)

    for code in (
        0,
        errors.NEEDS_ATTENTION,
        errors.USAGE,
        errors.UNREACHABLE,
        errors.LISTING_DENIED,
        errors.INTERRUPTED,
    ):
        assert f" {code} " in text.partition("Exit codes:")[2]


def test_the_version_is_that_of_the_installed_package(run):
    assert run("--version").stdout == f"rotation-guard {version('rotation-guard')}\n"


def test_a_checkout_that_is_not_installed_has_no_version(run, monkeypatch):
    def version(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(identity, "version", version)

    result = run("--version")

    assert (result.exit_code, result.stdout) == (0, "rotation-guard, run from a checkout that is not installed\n")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("rotation-guard inc", "incidents"),
        ("rotation-guard incidents rel", "release"),
        ("rotation-guard scan --verd", "--verdict"),
        ("rotation-guard scan --verdict over", "overdue"),
        ("rotation-guard report --format mark", "markdown"),
    ],
)
def test_a_shell_completes_commands_options_and_choices(line, expected):
    words = line.split(" ")
    environment = {
        "_ROTATION_GUARD_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }

    result = CliRunner().invoke(application.app, [], prog_name="rotation-guard", env=environment)

    assert expected in result.stdout.split()


def test_completion_can_be_installed(run):
    assert "--install-completion" in help_text(run)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["scan", "--format", "xml"], "'xml' is not one of 'table', 'json', 'csv', 'markdown', 'html'."),
        (["scan", "--max-age-days", "many"], "Invalid value for '--max-age-days'"),
        (["scan", "--quux"], "No such option: --quux."),
        (["scan", "more"], "Got unexpected extra argument"),
        (["incidents", "show"], "Missing argument 'SECRET'."),
        (["incidents", "shwo"], "No such command 'shwo'."),
        (["shwo"], "No such command 'shwo'."),
    ],
)
def test_a_usage_error_is_one_sentence_that_names_the_help(run, words, message):
    result = run(*words)

    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert message in result.stderr
    assert "Value error" not in result.stderr
    assert result.stderr.endswith(" --help`.\n")
