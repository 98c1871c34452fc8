"""The application of `rotation-guard`: its commands and groups, and how each of them ends."""

import inspect
import io
import os
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from rotation_guard.domain.control_characters import escape_control_characters
from rotation_guard.entry_points import replace_closed_streams

from .commands import audit, dead_letters, incidents, remediation
from .commands.doctor import DOCTOR
from .commands.drill import DRILL
from .commands.report import EXEMPTIONS, REPORT
from .commands.scan import COLLECT, SCAN
from .commands.verify import VERIFY
from .errors import INTERRUPTED, LISTING_DENIED, NEEDS_ATTENTION, UNREACHABLE, USAGE, CommandError
from .identity import DISTRIBUTION, product_version
from .options import Command
from .terminal import discard_output, echo, print_error, progress

COMMANDS: Mapping[str, Command] = {
    "report": REPORT,
    "exemptions": EXEMPTIONS,
    "scan": SCAN,
    "collect": COLLECT,
    "verify": VERIFY,
    "doctor": DOCTOR,
    "drill": DRILL,
}
_HELP_OPTIONS = ["-h", "--help"]
_LISTING = incidents.DEFAULT
_EXIT_CODES = f"""

Exit codes:
  0  success
  {NEEDS_ATTENTION}  with --exit-code: something needs attention, or there is a warning; verify: a chain is broken
  {USAGE}  invalid option, file or name
  {UNREACHABLE}  AWS or the deployment cannot be reached
  {LISTING_DENIED}  scan: ListSecrets is denied
  {INTERRUPTED}  interrupted"""
_TyperUsageError: Any = typer.BadParameter.__base__
"""Typer has its own copy of click, and exports only this subclass of its usage error."""


class _MainGroup(TyperGroup):
    """The outermost group: invalid arguments end the command as all errors do, with one sentence."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Parse the options of the group."""
        with _usage_errors():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        """Parse the options of the command, and run it."""
        with _usage_errors():
            return super().invoke(ctx)


class _Command(TyperCommand):
    """A command without empty options: those of a script whose variable is not set, and never what was meant."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a usage error for an empty option."""
        for parameter in self.params:
            value = ctx.params.get(parameter.name)
            if parameter.param_type_name == "option" and "" in (value if isinstance(value, list | tuple) else [value]):
                raise typer.BadParameter("must not be empty.", ctx, param_hint=f"'{parameter.opts[0]}'")
        return super().invoke(ctx)


class _ListingGroup(TyperGroup):
    """A group whose command `list` is the default."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert the default command if an option, or nothing, is given."""
        is_option = bool(args) and args[0].startswith("-") and args[0] not in _HELP_OPTIONS
        # Completion parses the words before the incomplete one, which may be the name of a command.
        if is_option or not (args or ctx.resilient_parsing):
            args = [_LISTING, *args]
        return super().parse_args(ctx, args)


@contextmanager
def _usage_errors() -> Generator[None]:
    try:
        yield
    except _TyperUsageError as error:
        # It has printed the help. Typer recognizes it by its name, too, and exports no class.
        if type(error).__name__ == "NoArgsIsHelpError":
            raise
        hint = f" Try `{error.ctx.command_path} --help`." if error.ctx else ""
        message = escape_control_characters(" ".join(error.format_message().replace("Value error, ", "").split()))
        print_error(f"{message.rstrip('.')}.{hint}")
        raise typer.Exit(USAGE) from None


def _groups() -> tuple[tuple[typer.Typer, Mapping[str, Command]], ...]:
    return (
        (_group("audit", "Run an audit now.", "rotation-guard audit run"), audit.COMMANDS),
        (
            _group(
                "incidents",
                "List and explain incidents, and release suspended secrets.",
                "rotation-guard incidents --since 30d",
                "rotation-guard incidents show orders/db",
                cls=_ListingGroup,
            ),
            incidents.COMMANDS,
        ),
        (
            _group(
                "remediation",
                "Stop all repairs of a deployment, and resume them.",
                "rotation-guard remediation status",
            ),
            remediation.COMMANDS,
        ),
        (
            _group(
                "dead-letters",
                "Show what could not be delivered or handled, and send it again.",
                "rotation-guard dead-letters",
                "rotation-guard dead-letters redrive",
                cls=_ListingGroup,
            ),
            dead_letters.COMMANDS,
        ),
    )


def _group(name: str, text: str, *examples: str, cls: type[TyperGroup] = TyperGroup) -> typer.Typer:
    """A group with its help; without a default command it shows that help."""
    return typer.Typer(name=name, help=text, cls=cls, no_args_is_help=cls is TyperGroup, epilog=_epilog(examples))


def _epilog(examples: tuple[str, ...]) -> str:
    """The examples below a command's help: each on a line of its own."""
    return "\n".join(("Examples:", *(f"  $ {example}" for example in examples)))


def _add(app: typer.Typer, name: str, command: Command) -> None:
    """Register a command; its docstring is its help, without the line breaks within a paragraph."""
    paragraphs = inspect.cleandoc(command.run.__doc__ or "").split("\n\n")
    text = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    app.command(name, cls=_Command, help=text, epilog=_epilog(command.examples))(_catch_errors(command.run))


def _catch_errors(command: Callable[..., None]) -> Callable[..., None]:
    """The command, which ends with one sentence and an exit code if it cannot answer, and shows progress."""

    @wraps(command)
    def run(*arguments: object, **options: object) -> None:
        try:
            with progress.shown():
                command(*arguments, **options)
        except CommandError as error:
            print_error(str(error))
            raise typer.Exit(error.exit_code) from None
        except BrokenPipeError:
            # The reader has closed the pipe, such as `head`; Typer would end with 1.
            discard_output()
            raise typer.Exit from None

    return run


def _print_version(is_requested: bool) -> None:
    if is_requested:
        version = product_version()
        echo(f"{DISTRIBUTION} {version}" if version else f"{DISTRIBUTION}, run from a checkout that is not installed")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True)
]


def _main_options(show_version: Version = False) -> None:
    """Find secrets that are overdue for rotation, and see what is done about them."""


def build_app() -> typer.Typer:
    """The commands and groups, with their examples."""
    app = typer.Typer(
        name=DISTRIBUTION,
        cls=_MainGroup,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": _HELP_OPTIONS},
        epilog=_epilog(("rotation-guard report --attention", "rotation-guard scan --region eu-west-1")) + _EXIT_CODES,
    )
    app.callback()(_main_options)
    for name, command in COMMANDS.items():
        _add(app, name, command)
    for group, commands in _groups():
        for name, command in commands.items():
            _add(group, name, command)
        app.add_typer(group)
    return app


app = build_app()


def run() -> None:
    """Run one command, and end the process with its exit code; KeyboardInterrupt passes."""
    replace_closed_streams()
    # A terminal that cannot encode a character shows its code.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except BrokenPipeError:
        # The reader has closed the pipe, such as `head`.
        discard_output()
        sys.exit(0)
    except OSError as error:  # such as a full disk behind standard output
        print_error(f"The output cannot be written: {error.strerror}.")
        os._exit(UNREACHABLE)  # Python would fail again when it flushes that output.
