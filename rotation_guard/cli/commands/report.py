"""`rotation-guard report`: what the audit of a deployment recorded."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, NoReturn

import typer

from rotation_guard.domain.csv_format import render_csv

from ..audit_reading import Question, read_deployments
from ..deployment import resolve_deployments
from ..errors import NEEDS_ATTENTION, UsageError
from ..evidence.contents import build_contents
from ..evidence.directory import check_directory, write_evidence
from ..exemption_report import build_exemption_register
from ..formats import Format
from ..options import (
    TIME_HELP,
    AllStackOutputs,
    Command,
    DueWithin,
    ExitCode,
    Local,
    OlderThan,
    Open,
    Output,
    OutputFormat,
    Owners,
    Profiles,
    Region,
    Verdicts,
    finish,
    finish_page,
)
from ..page_output import PageTarget
from ..page_report import build_page, read_page_history
from ..parsing import parse_past_time, utc_now
from ..secret_answer import Reading, SecretAnswer
from ..secret_filter import SecretFilter, parse_filter
from ..secret_report import build_secret_report
from ..secret_stream import SecretStream, open_stream
from ..terminal import print_error, write_stdout

Attention = Annotated[bool, typer.Option("--attention", help="Only secrets that need attention.")]
AsOf = Annotated[
    str | None, typer.Option(help=f"Report the past. {TIME_HELP} A date means the end of that day.", metavar="TIME")
]
Since = Annotated[
    str | None, typer.Option(help="Only what changed since then, with the previous values; as --as-of.", metavar="TIME")
]


Evidence = Annotated[
    str | None,
    typer.Option(
        help="Also write a new directory for an auditor: the report in every format, settings, runs, what the hash "
        "chains prove, and a manifest with SHA-256 sums.",
        metavar="DIR",
    ),
]
SignWith = Annotated[
    str | None, typer.Option(help="Sign the manifest with this asymmetric key of KMS: id, alias or ARN.", metavar="KEY")
]


def report(
    older_than: OlderThan = None,
    verdicts: Verdicts = [],  # noqa: B006 - typer's default of a list, which it copies
    owners: Owners = [],  # noqa: B006
    attention: Attention = False,
    due_within: DueWithin = None,
    as_of: AsOf = None,
    since: Since = None,
    evidence: Evidence = None,
    sign_with: SignWith = None,
    stack_outputs: AllStackOutputs = [],  # noqa: B006
    local: Local = False,
    profile: Profiles = [],  # noqa: B006
    region: Region = None,
    output_format: OutputFormat = Format.TABLE,
    output: Output = None,
    open_page: Open = False,
    exit_code: ExitCode = False,
) -> None:
    """Report what the audit found: which secrets are overdue, why, and which need attention.

    Reads the stack that --stack-outputs or ROTATION_GUARD_STACK_OUTPUTS names, or else the local deployment that
    `make up` started in this directory or one above it.
    """
    target = PageTarget(output, open_page)
    target.check(output_format)
    now = utc_now()
    at = now if as_of is None else parse_past_time("--as-of", as_of, now, end_of_day=True)
    start = None if since is None else parse_past_time("--since", since, now, end_of_day=True)
    if start is not None and start >= at:
        raise UsageError(f"--since must be before {'now' if as_of is None else f'--as-of {as_of}'}, got {since}.")
    secret_filter = parse_filter(verdicts, owners, older_than, due_within, attention)
    if sign_with is not None and evidence is None:
        raise UsageError(f"--sign-with signs the manifest of --evidence DIR, which was not given, got {sign_with}.")
    directory = None if evidence is None else check_directory(evidence)
    deployments = resolve_deployments(stack_outputs, local, profile, region)
    question = Question(now, at, is_past=as_of is not None, since=start, attention=attention)
    if output_format is Format.CSV and len(deployments) == 1 and directory is None:
        stream = open_stream(deployments[0], question, secret_filter)
        if stream is not None:
            _finish_stream(stream, exit_code)
    answer = _assemble(read_deployments(deployments, question), secret_filter, question)
    # Changes have no charts: their page is the tables.
    has_charts = output_format is Format.HTML and since is None
    if directory is None and not has_charts:
        finish(build_secret_report(answer), output_format, exit_code, target=target)
    history = read_page_history(deployments, at, now)
    page, unreadable = build_page(answer, history), [*answer.unreadable, *history.unreadable]
    if directory is not None:
        files, unread = build_contents(answer, deployments, question, page)
        for name in write_evidence(directory, files, answer, deployments[0].session, sign_with):
            print_error(f"Wrote {directory / name}.")
        unreadable += unread
    if has_charts:
        finish_page(page, target, exit_code, unreadable)
    finish(replace(build_secret_report(answer), unreadable=unreadable), output_format, exit_code, target=target)


def exemptions(
    owners: Owners = [],  # noqa: B006
    as_of: AsOf = None,
    stack_outputs: AllStackOutputs = [],  # noqa: B006
    local: Local = False,
    profile: Profiles = [],  # noqa: B006
    region: Region = None,
    output_format: OutputFormat = Format.TABLE,
    exit_code: ExitCode = False,
) -> None:
    """List the register of exemptions: which secrets are exempt, who is responsible, why, and for how many days more.

    Those that have ended, or are invalid, are listed too, and need attention.
    """
    now = utc_now()
    at = now if as_of is None else parse_past_time("--as-of", as_of, now, end_of_day=True)
    question = Question(now, at, is_past=as_of is not None)
    readings = read_deployments(resolve_deployments(stack_outputs, local, profile, region), question)
    answer = _assemble(readings, parse_filter([], owners, None, None), question)
    finish(build_exemption_register(answer), output_format, exit_code)


REPORT = Command(
    report,
    (
        "rotation-guard report --attention",
        "rotation-guard report --older-than 30d --format csv",
        "rotation-guard report --as-of 2026-09-30 --stack-outputs outputs.json",
        "rotation-guard report --since 90d --exit-code",
        "rotation-guard report --older-than 30d --evidence 2026-Q3 --sign-with alias/evidence",
        "rotation-guard report --stack-outputs eu.json --stack-outputs us.json --format markdown",
        "rotation-guard report --format html --output report.html --open",
    ),
)


EXEMPTIONS = Command(
    exemptions,
    ("rotation-guard exemptions", "rotation-guard exemptions --owner payments --format csv"),
)


def _finish_stream(stream: SecretStream, exit_code: bool) -> NoReturn:
    """Write the rows as they are read; the warnings follow, because some are about the rows."""
    records = stream.records
    write_stdout(render_csv(records.columns, records.rows))
    for warning in stream.warnings:
        print_error(f"Warning: {warning}")
    raise typer.Exit(NEEDS_ATTENTION if exit_code and (stream.has_attention or stream.warnings) else 0)


def _assemble(readings: Sequence[Reading], secret_filter: SecretFilter, question: Question) -> SecretAnswer:
    rows = [row for reading in readings for row in reading.rows]
    changes = {key: change for reading in readings for key, change in (reading.changes or {}).items()}
    return SecretAnswer(
        parts=[reading.part for reading in readings],
        generated_at=question.now,
        at=question.at,
        filters=secret_filter.to_json(),
        rows=secret_filter.apply(rows, question.at),
        warnings=secret_filter.warnings(rows, question.at),
        changes=changes if question.since is not None else None,
        since=question.since,
    )
