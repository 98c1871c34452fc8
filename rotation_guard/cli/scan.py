"""`rotation-guard scan`: the audit's verdicts for an account on which nothing is deployed, or for a file."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from rotation_guard.domain.audit.age_limits import MAX_LIMIT_DAYS
from rotation_guard.domain.audit.verdicts import AuditSettings, judge
from rotation_guard.domain.secret import ListedSecret, VersionDates

from .account import Account
from .age_classes import age_class
from .answers import Answer
from .aws import Way
from .listing import read_listing
from .moments import moment
from .options import DueWithin, ExitCode, OlderThan, Owners, Profile, Region, Verdicts, Written, give
from .problems import Misused
from .secret_rows import of_finding, urgent_first
from .selection import selection
from .writing import Format

_MOST_HOURS = MAX_LIMIT_DAYS * 24
_DEFAULTS = AuditSettings()

Judged = Iterable[tuple[ListedSecret, VersionDates]]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Judge the output of `aws secretsmanager list-secrets` instead; - for standard input.",
        metavar="FILE",
    ),
]
Now = Annotated[str | None, typer.Option(help="The moment to judge by; this one unless given.", metavar="DATE")]
MaxAgeDays = Annotated[int, typer.Option(help="A value older than this many days needs rotation.", metavar="DAYS")]
WarnDays = Annotated[int, typer.Option(help="Days before its limit from which on a value is due soon.", metavar="DAYS")]
StuckHours = Annotated[int, typer.Option(help="Hours that a rotation may be under way.", metavar="HOURS")]
MissedHours = Annotated[int, typer.Option(help="Hours that a rotation may be late.", metavar="HOURS")]
MaxAgeClasses = Annotated[
    list[str],
    typer.Option(
        "--max-age-class",
        help="A limit of its own: name:PATTERN=DAYS, tag:KEY=DAYS or tag:KEY=VALUE=DAYS. May be given again; the first "
        "that takes a secret in holds.",
        metavar="CLASS",
    ),
]
ManagedTag = Annotated[
    str | None, typer.Option(help="Only secrets with this tag; all are judged unless given.", metavar="KEY=VALUE")
]


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
    written: Written = Format.TABLE,
    exit_code: ExitCode = False,
) -> None:
    """Judge the secrets of an account on which nothing is deployed, with your own credentials, and change nothing.

    It needs secretsmanager:ListSecrets and secretsmanager:ListSecretVersionIds, and never reads a value.
    """
    settings = AuditSettings(
        _within("--max-age-days", max_age_days, 0, MAX_LIMIT_DAYS),
        _within("--warn-days", warn_days, 0, MAX_LIMIT_DAYS),
        _within("--stuck-hours", stuck_hours, 1, _MOST_HOURS),
        _within("--missed-hours", missed_hours, 1, _MOST_HOURS),
        tuple(age_class(text) for text in max_age_classes),
    )
    chosen = selection(verdicts, owners, older_than, due_within)
    tag = None if managed_tag is None else _tag(managed_tag)
    given = None if now is None else moment("--now", now)
    if listing is not None and (profile is not None or region is not None):
        raise Misused("--profile and --region are for an account, and --from reads a file: give one or the other.")

    warnings = []
    judged: Judged
    if listing is not None:
        read = read_listing(listing)
        judged = [one for one in read.secrets if tag is None or one[0].carries(*tag)]
        name = "standard input" if listing == "-" else listing
        source = {"kind": "file", "description": f"The list of secrets in {name}", "name": listing}
        if read.is_cut_short:
            warnings.append(f"The list in {name} has a NextToken: AWS had more secrets, and they are not in it.")
    else:
        account = Account(Way(profile, region))
        secrets = [one for one in account.secrets() if tag is None or one.carries(*tag)]
        judged = list(account.with_dates(secrets))
        source = {"kind": "account", "description": _place(secrets, account.region), "region": account.region}
    # The time after reading: a value that was made meanwhile is new, and not from the future.
    read_at = datetime.now(UTC).replace(microsecond=0)
    at = given or read_at
    rows = [of_finding(judge(secret, dates, settings, at)) for secret, dates in judged]
    unclear = chosen.cannot_tell(rows, at)
    answer = Answer(
        source=source,
        generated_at=read_at,
        at=at,
        settings=_written(settings, managed_tag),
        filters=chosen.written(),
        rows=urgent_first(chosen.of(rows, at)),
        warnings=[*warnings, *([unclear] if unclear else [])],
    )
    give(answer, written, exit_code)


def _within(option: str, value: int, low: int, high: int) -> int:
    if low <= value <= high:
        return value
    raise Misused(f"{option} must be between {low} and {high}, got {value}.")


def _tag(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not key or not sign:
        raise Misused(f"--managed-tag must be KEY=VALUE, such as Managed=true, got {text!r}.")
    return key, value


def _place(secrets: list[ListedSecret], region: str) -> str:
    account = next((one.arn.split(":")[4] for one in secrets if one.arn.count(":") > 4), "")
    return f"The account {account} in {region}" if account else f"The account in {region}"


def _written(settings: AuditSettings, managed_tag: str | None) -> dict[str, Any]:
    return {
        "max_age_days": settings.max_age_days,
        "warn_days": settings.warn_days,
        "stuck_hours": settings.stuck_hours,
        "missed_hours": settings.missed_hours,
        "max_age_classes": [{"class": str(one), "days": one.days} for one in settings.classes],
        "managed_tag": managed_tag,
    }
