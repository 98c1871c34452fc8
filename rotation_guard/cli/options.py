"""The options that commands have in common."""

from typing import Annotated, NoReturn

import typer

from .answers import Answer
from .deployment import VARIABLE
from .formats import write
from .problems import NEEDS_SOMEONE
from .writing import Format

StackOutputs = Annotated[
    str | None,
    typer.Option(
        help=f"Output of `pulumi stack output --json`; - for standard input. {VARIABLE} names it, too.", metavar="FILE"
    ),
]
Local = Annotated[
    bool,
    typer.Option("--local", help=f"The local deployment of this directory or one above it, whatever {VARIABLE} says."),
]
Reason = Annotated[
    str | None,
    typer.Option(help="Why: it is recorded together with who. Commands that write need one.", metavar="TEXT"),
]
Profile = Annotated[str | None, typer.Option(help="Profile of the AWS configuration.", metavar="NAME")]
Region = Annotated[str | None, typer.Option(help="AWS Region.", metavar="REGION")]
Verdicts = Annotated[
    list[str], typer.Option("--verdict", help="Only secrets of this verdict; may be given again.", metavar="VERDICT")
]
Owners = Annotated[
    list[str], typer.Option("--owner", help="Only secrets of this owner; may be given again.", metavar="NAME")
]
OlderThan = Annotated[
    str | None, typer.Option(help="Only secrets with a value older than this, such as 30d.", metavar="SPAN")
]
DueWithin = Annotated[
    str | None, typer.Option(help="Only secrets that reach their limit within this, such as 14d.", metavar="SPAN")
]
Written = Annotated[Format, typer.Option("--format", help="What to write.")]
ExitCode = Annotated[
    bool,
    typer.Option("--exit-code", help="Exit with 1 when something that is shown needs attention, or with a warning."),
]


def give(answer: Answer, written: Format, exit_code: bool) -> NoReturn:
    """Write an answer down, and end the command."""
    write(answer, written)
    raise typer.Exit(NEEDS_SOMEONE if exit_code and answer.needs_someone else 0)
