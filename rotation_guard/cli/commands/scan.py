"""`rotation-guard scan` and `collect`: the audit's verdicts for an account without a deployment, or for a file."""

import json
from typing import Annotated

import typer

from rotation_guard.domain.audit.age_limits import MAX_LIMIT_DAYS
from rotation_guard.domain.audit.audit_settings import AuditSettings

from ..account import Account
from ..collection import build_collection
from ..errors import UsageError
from ..formats import Format, write_file
from ..identity import begin_identity
from ..options import (
    TIME_HELP,
    Command,
    DueWithin,
    ExitCode,
    OlderThan,
    Open,
    Output,
    OutputFormat,
    Owners,
    Profiles,
    Regions,
    Verdicts,
    finish,
    finish_page,
)
from ..page_output import PageTarget
from ..page_report import build_page
from ..parsing import parse_age_class, parse_time, utc_now
from ..scanning import Scanning, list_sessions
from ..secret_answer import SecretAnswer
from ..secret_filter import parse_filter
from ..secret_report import build_secret_report

_MAX_HOURS = MAX_LIMIT_DAYS * 24
_DEFAULTS = AuditSettings()

From = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Evaluate a file of `rotation-guard collect` or `aws secretsmanager list-secrets`, not the account; - "
        "reads standard input.",
        metavar="FILE",
    ),
]
Collection = Annotated[str, typer.Option("--output", help="Where to write it; - is standard output.", metavar="FILE")]
Now = Annotated[str | None, typer.Option(help=f"Evaluate as of this time (default: now). {TIME_HELP}", metavar="TIME")]
MaxAgeDays = Annotated[int, typer.Option(help="A value older than this many days needs rotation.", metavar="DAYS")]
WarnDays = Annotated[int, typer.Option(help="A value is due soon this many days before its limit.", metavar="DAYS")]
StuckHours = Annotated[int, typer.Option(help="A rotation in progress for more hours is failing.", metavar="HOURS")]
MissedHours = Annotated[int, typer.Option(help="A rotation that is this many hours late is missed.", metavar="HOURS")]
MaxAgeClasses = Annotated[
    list[str],
    typer.Option(
        "--max-age-class",
        help="A limit for some secrets: name:PATTERN=DAYS, tag:KEY=DAYS or tag:KEY=VALUE=DAYS. Repeatable; the first "
        "one that matches a secret applies.",
        metavar="CLASS",
    ),
]
ManagedTag = Annotated[str | None, typer.Option(help="Only secrets with this tag (default: all).", metavar="KEY=VALUE")]


def scan(
    listing: From = None,
    profile: Profiles = [],  # noqa: B006
    region: Regions = [],  # noqa: B006
    now: Now = None,
    max_age_days: MaxAgeDays = _DEFAULTS.max_age_days,
    warn_days: WarnDays = _DEFAULTS.warn_days,
    stuck_hours: StuckHours = _DEFAULTS.stuck_hours,
    missed_hours: MissedHours = _DEFAULTS.missed_hours,
    max_age_classes: MaxAgeClasses = [],  # noqa: B006 - typer's default of a list, which it copies
    managed_tag: ManagedTag = None,
    verdicts: Verdicts = [],  # noqa: B006
    owners: Owners = [],  # noqa: B006
    older_than: OlderThan = None,
    due_within: DueWithin = None,
    output_format: OutputFormat = Format.TABLE,
    output: Output = None,
    open_page: Open = False,
    exit_code: ExitCode = False,
) -> None:
    """Evaluate the secrets of an account without a deployment, with your own credentials; nothing is changed.

    Needs secretsmanager:ListSecrets and secretsmanager:ListSecretVersionIds, and never reads a value.
    """
    target = PageTarget(output, open_page)
    target.check(output_format)
    settings = AuditSettings(
        _require_range("--max-age-days", max_age_days, 0, MAX_LIMIT_DAYS),
        _require_range("--warn-days", warn_days, 0, MAX_LIMIT_DAYS),
        _require_range("--stuck-hours", stuck_hours, 1, _MAX_HOURS),
        _require_range("--missed-hours", missed_hours, 1, _MAX_HOURS),
        tuple(parse_age_class(text) for text in max_age_classes),
    )
    secret_filter = parse_filter(verdicts, owners, older_than, due_within)
    tag = None if managed_tag is None else _parse_tag(managed_tag)
    fixed_time = None if now is None else parse_time("--now", now, utc_now())
    if listing is not None and (profile or region):
        raise UsageError("--from reads a file, so --profile and --region do not apply: give one or the other.")

    scanning = Scanning(settings, managed_tag, tag, fixed_time)
    scans = scanning.file(listing) if listing is not None else scanning.accounts(profile, region)
    readings, read_at = [scan.reading for scan in scans], max(scan.read_at for scan in scans)
    at = fixed_time or max(scan.at for scan in scans)
    rows = [row for reading in readings for row in reading.rows]
    answer = SecretAnswer(
        parts=[reading.part for reading in readings],
        generated_at=read_at,
        at=at,
        filters=secret_filter.to_json(),
        rows=secret_filter.apply(rows, at),
        warnings=secret_filter.warnings(rows, at),
    )
    if output_format is Format.HTML:
        finish_page(build_page(answer), target, exit_code, answer.unreadable)
    finish(build_secret_report(answer), output_format, exit_code)


def collect(
    output: Collection = "-",
    profile: Profiles = [],  # noqa: B006
    region: Regions = [],  # noqa: B006
) -> None:
    """Write what an audit needs to know of an account's secrets to a file, which `scan --from` judges exactly.

    For auditors without access: it has names, tags and dates, and no value. Needs secretsmanager:ListSecrets and
    secretsmanager:ListSecretVersionIds.
    """
    collections = []
    for session in list_sessions(profile, region):
        identity = begin_identity(session)
        account = Account(session)
        collections.append(build_collection(account, identity.result(), utc_now()))
    write_file("--output", output, json.dumps(collections if len(collections) > 1 else collections[0], indent=1) + "\n")


COLLECT = Command(
    collect,
    (
        "rotation-guard collect --profile prod --region eu-west-1 --output prod.json",
        "rotation-guard collect --profile prod --profile dev --region eu-west-1 --region us-east-1 --output all.json",
    ),
)
SCAN = Command(
    scan,
    (
        "rotation-guard scan --profile audit --region eu-west-1",
        "rotation-guard scan --max-age-days 90 --max-age-class 'name:prod/*=7' --exit-code",
        "aws secretsmanager list-secrets | rotation-guard scan --from -",
        "rotation-guard scan --from prod.json --max-age-days 90",
    ),
)


def _require_range(option: str, value: int, low: int, high: int) -> int:
    if low <= value <= high:
        return value
    raise UsageError(f"{option} must be between {low} and {high}, got {value}.")


def _parse_tag(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not key or not sign:
        raise UsageError(f"--managed-tag must be KEY=VALUE, such as Managed=true, got {text!r}.")
    return key, value
