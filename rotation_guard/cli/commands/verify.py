"""`rotation-guard verify`: whether the rows of the audit trail and the incidents are as they were written."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, NoReturn

import typer

from rotation_guard.domain.evidence.chained_tables import CHAINED_TABLES

from ..aws import AwsSession
from ..chain_reader import verify_tables
from ..deployment import resolve_deployment
from ..errors import NEEDS_ATTENTION, UNREACHABLE, UsageError
from ..evidence.check import check_evidence
from ..evidence.manifest import is_evidence
from ..formats import Format, write_report
from ..options import Command, Local, OutputFormat, Profile, Region, StackOutputs, finish
from ..parsing import utc_now
from ..provenance import begin_provenance
from ..saved_heads import read_heads, write_heads
from ..verification_report import build_verification_report


class TableChoice(StrEnum):
    """The tables to verify."""

    TRAIL = "trail"
    INCIDENTS = "incidents"
    ALL = "all"


Target = Annotated[
    str | None,
    typer.Argument(
        help="Only the chain of this secret, by its name or ARN; or a directory of `report --evidence`.",
        metavar="[SECRET|DIR]",
        show_default=False,
    ),
]
Table = Annotated[TableChoice, typer.Option(help=f"One of: {', '.join(TableChoice)}.", metavar="TABLE")]
Heads = Annotated[
    str | None,
    typer.Option(
        help="Also compare with the ends of the chains in this file, which --save-heads wrote earlier.", metavar="FILE"
    ),
]
SaveHeads = Annotated[
    str | None,
    typer.Option(help="Write the ends of all chains to this file, to be kept elsewhere.", metavar="FILE"),
]


def verify(
    target: Target = None,
    table: Table = TableChoice.ALL,
    heads: Heads = None,
    save_heads: SaveHeads = None,
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    output_format: OutputFormat = Format.TABLE,
) -> None:
    """Verify that no row of the audit trail or the incidents was changed, removed or inserted.

    Names the first such row of each secret, and ends with 1 if there is one. Reads the tables and writes nothing to
    them. Of a directory of evidence, compares every file with the manifest, and the manifest with its signature.
    """
    now = utc_now()
    if target is not None and is_evidence(target):
        _finish_evidence(target, AwsSession(profile, region), now, output_format)
    secret = target
    if secret is not None and save_heads is not None:
        raise UsageError(f"--save-heads saves the ends of all chains: leave out SECRET, got {secret!r}.")
    deployment = resolve_deployment(stack_outputs, local, profile, region)
    saved = read_heads(heads, deployment) if heads is not None else {}
    provenance = begin_provenance(deployment)
    chosen = [each for each in CHAINED_TABLES if table in (TableChoice.ALL, each.name)]
    verified, unread = verify_tables(deployment, chosen, now, saved, secret)
    if secret is not None and not unread and not any(each.heads for each in verified):
        raise UsageError(f"SECRET must be the name or the ARN of a secret with rows in these tables, got {secret!r}.")
    is_broken = any(each.findings for each in verified)
    if save_heads is not None and not is_broken and not unread:
        write_heads(save_heads, deployment, now, verified)
    elif save_heads is not None:
        unread.append(f"--save-heads writes nothing unless every chain is intact: {save_heads} is as it was.")
    write_report(provenance.attach(build_verification_report(verified, deployment, now, unread)), output_format)
    if is_broken:
        raise typer.Exit(NEEDS_ATTENTION)
    raise typer.Exit(UNREACHABLE if unread else 0)


def _finish_evidence(directory: str, session: AwsSession, now: datetime, output_format: Format) -> NoReturn:
    report = check_evidence(directory, session, now)
    if not report.has_attention:
        finish(report, output_format, exit_code=False)
    write_report(report, output_format)
    raise typer.Exit(NEEDS_ATTENTION)


VERIFY = Command(
    verify,
    (
        "rotation-guard verify",
        "rotation-guard verify orders/db --table trail",
        "rotation-guard verify 2026-Q3",
        "rotation-guard verify --stack-outputs outputs.json --save-heads heads.json",
        "rotation-guard verify --stack-outputs outputs.json --heads heads.json --format json",
    ),
)
