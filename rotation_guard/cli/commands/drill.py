"""`rotation-guard drill`: whether the stack hears an event, by one that is put on its bus."""

import uuid
from typing import Annotated

import typer

from rotation_guard.domain.drill_event import DrillKind, Place, build_drill_event

from ..account import Account
from ..deployment import Write, begin_write
from ..drill import Drill, build_drill_report
from ..errors import UsageError
from ..formats import Format
from ..options import Command, ExitCode, Local, OutputFormat, Profile, Region, StackOutputs, finish
from ..parsing import utc_now
from ..provenance import begin_provenance
from ..terminal import print_error

_LONGEST_TIMEOUT = 3600
_NOTHING = "Nothing was written."
Event = Annotated[DrillKind, typer.Option("--event", help=f"What happened: {', '.join(DrillKind)}.", metavar="EVENT")]
Secret = Annotated[
    str | None,
    typer.Option(
        help="Name or ARN of the secret whose rotation fails. Required with rotation-failed.", metavar="SECRET"
    ),
]
DrillReason = Annotated[
    str | None,
    typer.Option(help="Why; recorded together with the caller's ARN. Required with rotation-failed.", metavar="TEXT"),
]
Timeout = Annotated[
    int,
    typer.Option(help=f"Seconds to wait for the traces of the event, at most {_LONGEST_TIMEOUT}.", metavar="SECONDS"),
]


def drill(
    event: Event = DrillKind.ROTATION_SUCCEEDED,
    secret: Secret = None,
    reason: DrillReason = None,
    timeout: Timeout = 120,
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    output_format: OutputFormat = Format.TABLE,
    exit_code: ExitCode = False,
) -> None:
    """Put an event on the bus of a deployment, and follow it to the audit trail.

    rotation-succeeded, the default, is about a secret that does not exist: it is recorded, and nobody is notified.
    rotation-failed is about a secret of yours: it opens an incident, notifies people, and remediation does what it
    would do after a real failure. Both need a stack with the setting drill; canary needs one with canarySchedule. The
    event names the stack, so that no other stack of the account acts on it.

    Needs --stack-outputs, ROTATION_GUARD_STACK_OUTPUTS or --local; events:PutEvents on the bus, dynamodb:GetItem on the
    audit trail; and for rotation-failed dynamodb:Query on the incidents and secretsmanager:DescribeSecret.
    """
    fails = event is DrillKind.ROTATION_FAILED
    if not 1 <= timeout <= _LONGEST_TIMEOUT:
        raise UsageError(f"--timeout must be between 1 and {_LONGEST_TIMEOUT} seconds, got {timeout}. {_NOTHING}")
    if fails and secret is None:
        raise UsageError(f"--event {event} needs the secret whose rotation fails: give --secret. {_NOTHING}")
    if not fails and secret is not None:
        raise UsageError(f"--secret requires --event {DrillKind.ROTATION_FAILED}, got --event {event}. {_NOTHING}")
    write = begin_write(stack_outputs, local, profile, region, reason, is_reason_required=fails)
    place = Place(write.caller_arn.split(":")[1], write.deployment.regions[0], write.deployment.accounts[0])
    drill_event = build_drill_event(
        event,
        place,
        write.deployment.output("incidents_table_name"),
        utc_now(),
        str(uuid.uuid4()),
        secret_arn=None if secret is None else _find_secret(secret, write, place),
        note={"by": write.caller_arn, **({"reason": write.reason} if write.reason else {})},
    )
    run, provenance = Drill(write, drill_event), begin_provenance(write.deployment)
    write.announce(None if output_format is Format.TABLE else print_error)
    run.put()
    run.follow(timeout)
    finish(provenance.attach(build_drill_report(run, timeout, utc_now())), output_format, exit_code)


def _find_secret(text: str, write: Write, place: Place) -> str:
    """The ARN of the secret with this name or ARN, in the deployment's account and Region."""
    described = Account(write.deployment.session).describe(text) if text.strip() else None
    if described is None:
        raise UsageError(
            f"--secret must be the name or the ARN of a secret that DescribeSecret shows, got {text[:2048]!r}. "
            f"{_NOTHING}"
        )
    arn = str(described["ARN"])
    if not arn.startswith(place.build_secret_arn("")):
        raise UsageError(
            f"--secret must be in account {place.account} and Region {place.region}, as the deployment is, got {arn}. "
            f"{_NOTHING}"
        )
    return arn


DRILL = Command(
    drill,
    (
        "rotation-guard drill --stack-outputs outputs.json",
        "rotation-guard drill --event canary --stack-outputs outputs.json --format json",
        "rotation-guard drill --event rotation-failed --secret orders/db --reason 'on-call training' "
        "--stack-outputs outputs.json",
    ),
)
