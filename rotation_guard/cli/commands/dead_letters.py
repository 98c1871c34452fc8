"""`rotation-guard dead-letters`: what was given up, why, and how it gets on."""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Annotated, NoReturn

import typer

from ..dead_letters.discard import SaveFile, default_save_path, discard
from ..dead_letters.listing import build_explanation, build_list
from ..dead_letters.message import build_message
from ..dead_letters.outcomes import Outcomes, build_outcomes
from ..dead_letters.queues import PURPOSES
from ..dead_letters.reception import MAX_LIMIT
from ..dead_letters.redrive import redrive
from ..dead_letters.selection import Selection, parse_selection
from ..dead_letters.sending import Sending
from ..dead_letters.survey import find_letter, read_queues
from ..deployment import Deployment, Write, begin_write, resolve_deployment
from ..errors import INTERRUPTED, UsageError
from ..formats import Format, write_report
from ..options import Command, ExitCode, Local, OutputFormat, Profile, Region, StackOutputs, finish
from ..parsing import utc_now
from ..provenance import begin_provenance
from ..terminal import print_error

DEFAULT = "list"
_READ_LIMIT = 1_000
"""Messages of a queue that are read unless they are sent or deleted."""

MessageId = Annotated[str, typer.Argument(help="Id of the message.", metavar="ID", show_default=False)]
Queues = Annotated[
    list[str],
    typer.Option(
        "--queue",
        help=f"Only this queue; repeatable. One of: {', '.join(PURPOSES)}, as far as the stack has them.",
        metavar="QUEUE",
        autocompletion=lambda: list(PURPOSES),
    ),
]
Causes = Annotated[
    list[str], typer.Option("--cause", help="Only messages with this cause; repeatable.", metavar="CAUSE")
]
Secrets = Annotated[
    list[str], typer.Option("--secret", help="Only messages about this secret; repeatable.", metavar="SECRET")
]
OlderThan = Annotated[
    str | None, typer.Option(help="Only messages that are older than this, such as 2h.", metavar="SPAN")
]
Ids = Annotated[list[str], typer.Option("--id", help="Only the message with this id; repeatable.", metavar="ID")]
Limit = Annotated[
    int, typer.Option(help=f"Read at most so many messages of each queue, up to {MAX_LIMIT}.", metavar="N")
]
WriteLimit = Annotated[
    int | None,
    typer.Option(
        help=f"At most so many messages of each queue (default: {_READ_LIMIT}, with --yes {MAX_LIMIT}).", metavar="N"
    ),
]
Yes = Annotated[bool, typer.Option("--yes/--dry-run", help="Do it (default: a dry run, which changes nothing).")]
OptionalReason = Annotated[str | None, typer.Option(help="Why; part of the report, with the caller.", metavar="TEXT")]
RequiredReason = Annotated[
    str | None,
    typer.Option(help="Why; saved with the messages and the caller's ARN. Required with --yes.", metavar="TEXT"),
]
Save = Annotated[
    str | None,
    typer.Option(
        help="A new file to which messages are saved before they are deleted "
        "(default: dead-letters-TIME.jsonl in this directory).",
        metavar="FILE",
    ),
]
NoSave = Annotated[bool, typer.Option("--no-save", help="Delete messages without saving them.")]


def list_dead_letters(
    queues: Queues = [],  # noqa: B006 - typer's default of a list, which it copies
    causes: Causes = [],  # noqa: B006
    secrets: Secrets = [],  # noqa: B006
    older_than: OlderThan = None,
    message_ids: Ids = [],  # noqa: B006
    limit: Limit = _READ_LIMIT,
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    output_format: OutputFormat = Format.TABLE,
    exit_code: ExitCode = False,
) -> None:
    """List the messages in all dead-letter queues of a deployment, by cause.

    Reading hides a message for a moment, and raises its receive count; it is not consumed.
    """
    now, selection = utc_now(), parse_selection(queues, causes, secrets, older_than, message_ids, limit)
    deployment = resolve_deployment(stack_outputs, local, profile, region)
    provenance, survey = begin_provenance(deployment), read_queues(deployment, selection, now)
    report = provenance.attach(build_list(survey, selection, deployment, now))
    finish(report, output_format, exit_code, is_incomplete=survey.is_incomplete)


def show(
    message_id: MessageId,
    queues: Queues = [],  # noqa: B006
    limit: Limit = _READ_LIMIT,
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    output_format: OutputFormat = Format.TABLE,
    exit_code: ExitCode = False,
) -> None:
    """Show one message: what it is about, why it was given up, what is missing, and where redrive sends it."""
    now, selection = utc_now(), parse_selection(queues, [], [], None, [message_id], limit)
    deployment = resolve_deployment(stack_outputs, local, profile, region)
    provenance = begin_provenance(deployment)
    survey, reading = find_letter(deployment, selection, now)
    if reading is None:
        read = sum(reading.read for reading in survey.readings)
        for warning in survey.warnings:
            print_error(f"Warning: {warning}")
        raise UsageError(
            f"ID must be that of a message in a dead-letter queue, got {message_id!r}, which is not among the {read} "
            "that were read; `rotation-guard dead-letters list` lists them."
        )
    letter = reading.letters[0]
    destination = Sending(deployment).describe(letter, reading.queue)
    report = provenance.attach(build_message(letter, reading, destination, survey, deployment, now))
    finish(report, output_format, exit_code, is_incomplete=survey.is_incomplete)


def explain(
    queues: Queues = [],  # noqa: B006
    causes: Causes = [],  # noqa: B006
    secrets: Secrets = [],  # noqa: B006
    older_than: OlderThan = None,
    message_ids: Ids = [],  # noqa: B006
    limit: Limit = _READ_LIMIT,
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    output_format: OutputFormat = Format.TABLE,
    exit_code: ExitCode = False,
) -> None:
    """Explain the causes that occur, and say what to do about each, with AWS's page about it."""
    now, selection = utc_now(), parse_selection(queues, causes, secrets, older_than, message_ids, limit)
    deployment = resolve_deployment(stack_outputs, local, profile, region)
    provenance, survey = begin_provenance(deployment), read_queues(deployment, selection, now)
    report = provenance.attach(build_explanation(survey, selection, deployment, now))
    finish(report, output_format, exit_code, is_incomplete=survey.is_incomplete)


def redrive_dead_letters(
    queues: Queues = [],  # noqa: B006
    causes: Causes = [],  # noqa: B006
    secrets: Secrets = [],  # noqa: B006
    older_than: OlderThan = None,
    message_ids: Ids = [],  # noqa: B006
    limit: WriteLimit = None,
    yes: Yes = False,
    reason: OptionalReason = None,
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    output_format: OutputFormat = Format.TABLE,
    exit_code: ExitCode = False,
) -> None:
    """Send messages again to what did not take them; a dry run unless --yes is given.

    A message is deleted once its destination has accepted it. Only the target, function, subscriber or queue that
    missed it gets it, and nothing else hears it twice. With --yes it needs --stack-outputs,
    ROTATION_GUARD_STACK_OUTPUTS or --local.
    """
    now, selection = utc_now(), _parse_selection(queues, causes, secrets, older_than, message_ids, limit, yes)
    write = None
    if yes:
        write = begin_write(stack_outputs, local, profile, region, reason, is_reason_required=False)
        _announce(write, output_format)
    deployment = write.deployment if write else resolve_deployment(stack_outputs, local, profile, region)
    outcomes = redrive(deployment, selection, now, is_dry_run=not yes)
    hint = "repeat the command with --yes to send them; it then needs --stack-outputs or --local."
    _finish_outcomes(outcomes, selection, deployment, write, {}, hint, output_format, exit_code)


def discard_dead_letters(
    queues: Queues = [],  # noqa: B006
    causes: Causes = [],  # noqa: B006
    secrets: Secrets = [],  # noqa: B006
    older_than: OlderThan = None,
    message_ids: Ids = [],  # noqa: B006
    limit: WriteLimit = None,
    yes: Yes = False,
    reason: RequiredReason = None,
    save: Save = None,
    no_save: NoSave = False,
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    output_format: OutputFormat = Format.TABLE,
    exit_code: ExitCode = False,
) -> None:
    """Delete messages for good, and save them to a file; a dry run unless --yes is given.

    Needs --queue, --cause, --secret, --older-than or --id. A message that cannot be saved is not deleted. With --yes it
    needs --reason, and --stack-outputs, ROTATION_GUARD_STACK_OUTPUTS or --local.
    """
    now, selection = utc_now(), _parse_selection(queues, causes, secrets, older_than, message_ids, limit, yes)
    if selection.is_empty:
        raise UsageError(
            "Discard needs to know which messages: give --queue, --cause, --secret, --older-than or --id. Nothing was "
            "deleted."
        )
    if save is not None and no_save:
        raise UsageError(f"Give --save or --no-save, not both; got --save {save}. Nothing was deleted.")
    if not yes:
        deployment = resolve_deployment(stack_outputs, local, profile, region)
        outcomes = discard(deployment, selection, now, is_dry_run=True, file=None)
        hint = (
            "repeat the command with --yes and --reason TEXT to delete them; it then needs --stack-outputs or --local."
        )
        _finish_outcomes(outcomes, selection, deployment, None, {}, hint, output_format, exit_code)
    write = begin_write(stack_outputs, local, profile, region, reason)
    path = None if no_save else save or default_save_path(now)
    record = {"discarded_by": write.caller_arn, "reason": write.reason, "discarded_at": f"{now:%Y-%m-%dT%H:%M:%SZ}"}
    with nullcontext() if path is None else SaveFile(path, record) as file:
        _announce(write, output_format)
        outcomes = discard(write.deployment, selection, now, is_dry_run=False, file=file)
    saved = {"saved_to": path} if path is not None and outcomes.outcomes else {}
    _finish_outcomes(outcomes, selection, write.deployment, write, saved, "", output_format, exit_code)


COMMANDS: Mapping[str, Command] = {
    DEFAULT: Command(
        list_dead_letters,
        (
            "rotation-guard dead-letters",
            "rotation-guard dead-letters list --exit-code --stack-outputs outputs.json",
            "rotation-guard dead-letters list --secret orders/db --format json",
        ),
    ),
    "show": Command(show, ("rotation-guard dead-letters show 4a8e1b1c-6f0a-4a57-9d0c-3f9d0f1f2a3b",)),
    "explain": Command(
        explain,
        ("rotation-guard dead-letters explain", "rotation-guard dead-letters explain --queue undelivered-events"),
    ),
    "redrive": Command(
        redrive_dead_letters,
        (
            "rotation-guard dead-letters redrive",
            "rotation-guard dead-letters redrive --cause NO_PERMISSIONS --yes --stack-outputs outputs.json",
        ),
    ),
    "discard": Command(
        discard_dead_letters,
        (
            "rotation-guard dead-letters discard --queue failed-audits --older-than 2h",
            "rotation-guard dead-letters discard --queue failed-audits --yes --reason 'later runs were complete' "
            "--save audits.jsonl --stack-outputs outputs.json",
        ),
    ),
}


def _parse_selection(
    queues: list[str],
    causes: list[str],
    secrets: list[str],
    older_than: str | None,
    message_ids: list[str],
    limit: int | None,
    yes: bool,
) -> Selection:
    default = MAX_LIMIT if yes else _READ_LIMIT
    return parse_selection(queues, causes, secrets, older_than, message_ids, default if limit is None else limit)


def _announce(write: Write, output_format: Format) -> None:
    write.announce(None if output_format is Format.TABLE else print_error)


def _finish_outcomes(
    outcomes: Outcomes,
    selection: Selection,
    deployment: Deployment,
    write: Write | None,
    saved: Mapping[str, str],
    hint: str,
    output_format: Format,
    exit_code: bool,
) -> NoReturn:
    if write is not None:
        outcomes.record = {"caller": write.caller_arn, **({"reason": write.reason} if write.reason else {}), **saved}
    report = build_outcomes(outcomes, selection, deployment, utc_now(), hint=hint)
    report = begin_provenance(deployment).attach(report)
    if outcomes.is_interrupted:
        write_report(report, output_format)
        raise typer.Exit(INTERRUPTED)
    finish(report, output_format, exit_code, is_incomplete=outcomes.is_incomplete)
