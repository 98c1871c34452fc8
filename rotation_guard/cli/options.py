"""The options that commands share, and how a command is registered."""

from collections.abc import Callable, Sequence
from typing import Annotated, NamedTuple, NoReturn

import typer

from rotation_guard.domain.audit.verdicts import VERDICT_NAMES
from rotation_guard.html_report.page import ReportPage

from .deployment import STACK_OUTPUTS_VARIABLE
from .errors import NEEDS_ATTENTION, UNREACHABLE
from .formats import Format, write_report
from .page_output import TO_STDOUT, PageTarget
from .report import Report
from .terminal import print_error

TIME_HELP = "A date (2026-03-01), a timestamp (2026-03-01T12:00:00Z) or a time span before now (90d), in UTC."


class Command(NamedTuple):
    """A command and the examples in its help."""

    run: Callable[..., None]
    examples: tuple[str, ...]


StackOutputs = Annotated[
    str | None,
    typer.Option(
        help=f"Output of `pulumi stack output --json`; - reads standard input. Default: {STACK_OUTPUTS_VARIABLE}.",
        metavar="FILE",
    ),
]
AllStackOutputs = Annotated[
    list[str],
    typer.Option(
        "--stack-outputs",
        help="Output of `pulumi stack output --json`, of a stack or of a hub; - reads standard input; repeatable, for "
        f"several accounts and Regions in one report. Default: {STACK_OUTPUTS_VARIABLE}.",
        metavar="FILE",
    ),
]
Local = Annotated[
    bool,
    typer.Option(
        "--local",
        help=f"Use the local deployment of this directory or one above it, even if {STACK_OUTPUTS_VARIABLE} is set.",
    ),
]
Reason = Annotated[
    str | None,
    typer.Option(help="Why; recorded together with the caller's ARN. Required.", metavar="TEXT"),
]
Profile = Annotated[str | None, typer.Option(help="Profile of the AWS configuration.", metavar="NAME")]
Profiles = Annotated[
    list[str],
    typer.Option(
        "--profile",
        help="Profile of the AWS configuration; repeatable, for several accounts in one report.",
        metavar="NAME",
    ),
]
Region = Annotated[str | None, typer.Option(help="AWS Region.", metavar="REGION")]
Regions = Annotated[
    list[str], typer.Option("--region", help="AWS Region; repeatable: each profile in each Region.", metavar="REGION")
]
Verdicts = Annotated[
    list[str],
    typer.Option(
        "--verdict",
        help=f"Only secrets with this verdict; repeatable. One of: {', '.join(VERDICT_NAMES)}.",
        metavar="VERDICT",
        autocompletion=lambda: list(VERDICT_NAMES),
    ),
]
Owners = Annotated[list[str], typer.Option("--owner", help="Only secrets with this owner; repeatable.", metavar="NAME")]
OlderThan = Annotated[
    str | None, typer.Option(help="Only secrets whose value is older than this, such as 30d.", metavar="SPAN")
]
DueWithin = Annotated[
    str | None,
    typer.Option(help="Only secrets that reach their age limit within this time, such as 14d.", metavar="SPAN"),
]


OutputFormat = Annotated[
    Format, typer.Option("--format", help=f"Output format: {', '.join(Format)}.", metavar="FORMAT")
]
Output = Annotated[
    str | None,
    typer.Option(
        help="File for the HTML page; - is standard output. Default: standard output, or a new file in a terminal.",
        metavar="FILE",
    ),
]
Open = Annotated[bool, typer.Option("--open", help="Open the HTML page in a browser.")]
ExitCode = Annotated[
    bool,
    typer.Option("--exit-code", help="Exit with 1 if anything that is shown needs attention, or with a warning."),
]


def finish_page(page: ReportPage, target: PageTarget, exit_code: bool, unreadable: Sequence[str]) -> NoReturn:
    """Write an HTML page, and end the command: with 3 if a part of what was asked for could not be read."""
    # Templates and charts take a quarter of a second to import, which the other formats need not wait for.
    from rotation_guard.html_report.render import render_page

    target.write(lambda: render_page(page), page.generated_at)
    if unreadable:
        for sentence in unreadable:
            print_error(sentence)
        raise typer.Exit(UNREACHABLE)
    needs_attention = bool(page.warnings) or any(secret.attention for secret in page.secrets)
    raise typer.Exit(NEEDS_ATTENTION if exit_code and needs_attention else 0)


def finish(
    report: Report,
    output_format: Format,
    exit_code: bool,
    *,
    is_incomplete: bool = False,
    target: PageTarget = TO_STDOUT,
) -> NoReturn:
    """Write a report, and end the command: with 3 if a part of what was asked for could not be read.

    `is_incomplete` says so of a report whose warnings name that part.
    """
    write_report(report, output_format, target)
    for sentence in report.unreadable:
        print_error(sentence)
    if is_incomplete or report.is_incomplete:
        raise typer.Exit(UNREACHABLE)
    raise typer.Exit(NEEDS_ATTENTION if exit_code and report.needs_attention else 0)
