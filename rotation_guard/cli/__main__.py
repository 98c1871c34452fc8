"""`rotation-guard`, the console script: one command, or one group of them, per module."""

import io
import os
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any

import typer
from typer.core import TyperGroup

from rotation_guard.domain.control_characters import escape_control_characters

from . import incidents, remediation
from .lines import complain, discard_output
from .problems import UNREACHABLE, Problem
from .report import report
from .scan import scan

INTERRUPTED = 130
COMMANDS: tuple[Callable[..., None], ...] = (report, scan)
_HELP = ["-h", "--help"]
_UsageError: Any = typer.BadParameter.__base__
"""Typer has a copy of click inside, and of its errors about arguments exports this subclass alone."""


class _EscapesMessages(TyperGroup):
    """The outermost group: what its parser says of an argument has no control characters of that argument in it."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """The context of the command line."""
        with _escaped_messages():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run the command, whose own options are parsed only then."""
        with _escaped_messages():
            return super().invoke(ctx)


@contextmanager
def _escaped_messages() -> Generator[None]:
    try:
        yield
    except _UsageError as error:
        message = escape_control_characters(error.format_message(), keep="\n")
        if message == error.format_message():
            raise
        raise _UsageError(message, error.ctx) from None


class _ListsUnlessTold(TyperGroup):
    """A group whose command `list` may be left out."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """What to run, where an option stands first or nothing at all."""
        if not args or (args[0].startswith("-") and args[0] not in _HELP):
            args = [incidents.DEFAULT, *args]
        return super().parse_args(ctx, args)


def _groups() -> tuple[tuple[typer.Typer, Mapping[str, Callable[..., None]]], ...]:
    return (
        (
            typer.Typer(name="incidents", help="What is open, and what was done about it.", cls=_ListsUnlessTold),
            incidents.COMMANDS,
        ),
        (
            typer.Typer(name="remediation", help="Stop all repairs, and let them go on.", no_args_is_help=True),
            remediation.COMMANDS,
        ),
    )


def _in_sentences(command: Callable[..., None]) -> Callable[..., None]:
    """The command, which ends with a sentence and an exit code where it cannot answer."""

    @wraps(command)
    def run(*arguments: object, **options: object) -> None:
        try:
            command(*arguments, **options)
        except Problem as problem:
            complain(str(problem))
            raise typer.Exit(problem.exit_code) from None

    return run


def _app() -> typer.Typer:
    app = typer.Typer(
        name="rotation-guard",
        cls=_EscapesMessages,
        help="Which secrets are overdue for rotation, by the true age of the value in use, and what is done about it.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": _HELP},
    )
    for command in COMMANDS:
        app.command()(_in_sentences(command))
    for group, commands in _groups():
        for name, command in commands.items():
            group.command(name)(_in_sentences(command))
        app.add_typer(group)
    return app


app = _app()


def main() -> None:
    """Run one command."""
    # A stream that is closed, as under some supervisors, is None to Python.
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    # A terminal that cannot show a letter shows its number.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read has seen enough.
        discard_output()
        sys.exit(0)
    except OSError as error:  # such as a full disk behind standard output
        complain(f"The output cannot be written: {error.strerror}.")
        os._exit(UNREACHABLE)  # Python would fail once more, when it flushes that output.


if __name__ == "__main__":
    main()
