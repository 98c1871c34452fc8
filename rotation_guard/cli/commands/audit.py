"""`rotation-guard audit run`: an audit now, and what it found."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from ..audit_run import RunRequest, build_run_report
from ..deployment import check_credentials, resolve_deployment
from ..errors import Unreachable, UsageError
from ..formats import Format
from ..options import Command, ExitCode, Local, OutputFormat, Profile, Region, StackOutputs, finish
from ..parsing import utc_now
from ..provenance import begin_provenance
from ..terminal import echo

_SECONDS_BETWEEN_LOOKS = 2
_LONGEST_WAIT = 24 * 60
Timeout = Annotated[
    int, typer.Option(help=f"Minutes to wait for the end of the run, at most {_LONGEST_WAIT}.", metavar="MINUTES")
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Start the run, and do not wait for its end.")]


def run(
    timeout: Timeout = 30,
    no_wait: NoWait = False,
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    output_format: OutputFormat = Format.TABLE,
    exit_code: ExitCode = False,
) -> None:
    """Audit all secrets of a deployment now, show the progress, and then what was found.

    It is a run like those of the schedule. Needs lambda:InvokeFunction on the check function and dynamodb:GetItem on
    the table of runs.
    """
    if not 1 <= timeout <= _LONGEST_WAIT:
        raise UsageError(f"--timeout must be between 1 and {_LONGEST_WAIT} minutes, got {timeout}.")
    deployment = resolve_deployment(stack_outputs, local, profile, region)
    check_credentials(deployment)
    request = RunRequest(deployment, datetime.now(UTC))
    request.start()
    if no_wait:
        echo(f"Started the run {request.run_id}: `rotation-guard report` shows it once it has finished.")
        return
    provenance = begin_provenance(deployment)
    end = datetime.now(UTC) + timedelta(minutes=timeout)
    while (row := request.read_finished()) is None:
        if datetime.now(UTC) >= end:
            raise Unreachable(request.explain_unfinished(timeout))
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    finish(provenance.attach(build_run_report(deployment, row, utc_now())), output_format, exit_code)


COMMANDS: Mapping[str, Command] = {
    "run": Command(
        run, ("rotation-guard audit run", "rotation-guard audit run --stack-outputs outputs.json --exit-code")
    ),
}
