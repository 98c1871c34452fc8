"""`rotation-guard`, the console script: one command per module."""

import io
import os
import sys
from collections.abc import Callable
from functools import wraps

import typer

from .problems import Problem
from .report import report
from .scan import scan

INTERRUPTED = 130
COMMANDS: tuple[Callable[..., None], ...] = (report, scan)


def _in_sentences(command: Callable[..., None]) -> Callable[..., None]:
    """The command, which ends with a sentence and an exit code where it cannot answer."""

    @wraps(command)
    def run(*arguments: object, **options: object) -> None:
        try:
            command(*arguments, **options)
        except Problem as problem:
            sys.stderr.write(f"{problem}\n")
            raise typer.Exit(problem.exit_code) from None

    return run


def _app() -> typer.Typer:
    app = typer.Typer(
        name="rotation-guard",
        help="Which secrets are overdue for rotation, by the true age of the value in use.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for command in COMMANDS:
        app.command()(_in_sentences(command))
    return app


app = _app()


def main() -> None:
    """Run one command."""
    # A terminal that cannot show a letter shows its number.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read has seen enough; Python would complain of it once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


if __name__ == "__main__":
    main()
