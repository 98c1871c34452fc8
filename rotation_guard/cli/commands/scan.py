"""`rotation-guard scan`: the audit's verdicts for an account without a deployment, or for a file."""

from typing import Annotated

import typer

from rotation_guard.domain.audit.age_limits import MAX_LIMIT_DAYS
from rotation_guard.domain.audit.audit_settings import AuditSettings
from rotation_guard.domain.audit.verdicts import judge
from rotation_guard.domain.secret import ListedSecret

from ..aws import AwsSession
from ..errors import UsageError
from ..formats import Format
from ..options import (
    TIME_HELP,
    Command,
    DueWithin,
    ExitCode,
    OlderThan,
    OutputFormat,
    Owners,
    Profile,
    Region,
    Verdicts,
    finish,
)
from ..parsing import parse_age_class, parse_time, utc_now
from ..secret_listing import Account, read_listing
from ..secret_report import SecretAnswer, build_secret_report, from_finding, parse_filter

_MAX_HOURS = MAX_LIMIT_DAYS * 24
_DEFAULTS = AuditSettings()

From = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Evaluate the output of `aws secretsmanager list-secrets`, not the account; - reads standard input.",
        metavar="FILE",
    ),
]
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
    profile: Profile = None,
    region: Region = None,
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
    exit_code: ExitCode = False,
) -> None:
    """Evaluate the secrets of an account without a deployment, with your own credentials; nothing is changed.

    Needs secretsmanager:ListSecrets and secretsmanager:ListSecretVersionIds, and never reads a value.
    """
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
    if listing is not None and (profile is not None or region is not None):
        raise UsageError("--from reads a file, so --profile and --region do not apply: give one or the other.")

    warnings = []
    if listing is not None:
        file = read_listing(listing)
        secrets = [(secret, dates) for secret, dates in file.secrets if tag is None or secret.carries(*tag)]
        name = "standard input" if listing == "-" else listing
        source = {"kind": "file", "description": f"The list of secrets in {name}", "name": listing}
        if file.is_truncated:
            warnings.append(f"The list in {name} has a NextToken: AWS had more secrets, which it does not contain.")
    else:
        account = Account(AwsSession(profile, region))
        listed = [secret for secret in account.secrets() if tag is None or secret.carries(*tag)]
        secrets = list(account.with_dates(listed))
        source = {"kind": "account", "description": _describe(listed, account.region), "region": account.region}
    # After reading: a value that was created meanwhile is new, not from the future.
    read_at = utc_now()
    at = fixed_time or read_at
    rows = [from_finding(judge(secret, dates, settings, at)) for secret, dates in secrets]
    answer = SecretAnswer(
        source=source,
        generated_at=read_at,
        at=at,
        settings=settings.to_json(managed_tag),
        filters=secret_filter.to_json(),
        rows=secret_filter.apply(rows, at),
        warnings=[*warnings, *secret_filter.warnings(rows, at)],
    )
    finish(build_secret_report(answer), output_format, exit_code)


SCAN = Command(
    scan,
    (
        "rotation-guard scan --profile audit --region eu-west-1",
        "rotation-guard scan --max-age-days 90 --max-age-class 'name:prod/*=7' --exit-code",
        "aws secretsmanager list-secrets | rotation-guard scan --from -",
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


def _describe(secrets: list[ListedSecret], region: str) -> str:
    account = next((secret.arn.split(":")[4] for secret in secrets if secret.arn.count(":") > 4), "")
    return f"The account {account} in {region}" if account else f"The account in {region}"
