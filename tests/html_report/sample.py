"""Pages from fixed data: the one of the screenshots, one of any size, and one whose texts are hostile."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from rotation_guard.cli.secret_report import SecretRow
from rotation_guard.domain.audit.secret_totals import tally_rows
from rotation_guard.html_report.document import Document, Table
from rotation_guard.html_report.page import Exemption, Incident, ReportPage, Run, TimelineEntry

AT = datetime(2026, 11, 30, 8, 15, tzinfo=UTC)
"""The time of every page."""
ACCOUNT, REGION = "123456789012", "eu-west-1"
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "-->",
    "<!--",
    "]]>",
    "&amp;",
    "&#60;b&#62;",
    "{{7*7}}",
    "{% raw %}",
    "\"' onmouseover=alert(1) x='",
    "</style></title></textarea></option></select>",
    "javascript:alert(1)",
    "=cmd|' /C calc'!A0",
    "日本語/schlüssel-🔑",
    "a  b",
)
"""Names and tags that must appear as they are written here."""
CONTROLLED = {"\u202egnp.exe": r"\u202egnp.exe", "\x1b[31mred": r"\x1b[31mred", "a\nb\u2028c": r"a\nb\u2028c"}
"""Names with control characters, and how they appear."""
_DAY = timedelta(days=1)
_OWNERS = ("payments", "search", "platform", "data", "identity", None)
_KINDS = ("db/orders", "api-key/mailer", "token/ci", "db/reporting", "oauth/client", "smtp/relay", "license/key")
_VERDICTS = (
    # verdict, status, needs attention, how many of the sample, age of the first value, days between two
    ("overdue", "needs_rotation", True, 9, 34, 23),
    ("never_rotated", "needs_rotation", True, 5, 61, 80),
    ("exemption_invalid", "needs_rotation", True, 2, 48, 60),
    ("rotation_missed", "needs_rotation", True, 1, 36, 0),
    ("unknown", "unknown", True, 4, None, 0),
    ("rotation_failing", "ok", True, 2, 28, 1),
    ("rotation_disabled", "ok", True, 3, 9, 4),
    ("exempt", "ok", False, 9, 70, 41),
    ("replica", "ok", False, 4, 6, 5),
    ("managed_elsewhere", "ok", False, 3, 12, 9),
    ("due_soon", "ok", False, 17, 24, 0.35),
    ("manual_only", "ok", False, 22, 1, 0.8),
    ("in_grace", "ok", False, 12, 0, 0.6),
    ("fresh", "ok", False, 121, 0, 0.18),
)
_OLD = "The value in use is {age} days old; the limit is 30."
_REASONS = {
    "overdue": _OLD,
    "never_rotated": f"It has its first value and was never rotated. {_OLD}",
    "exemption_invalid": f"The exemption ended on 2026-11-20. Without it: overdue. {_OLD}",
    "rotation_missed": f"AWS should have rotated it by 2026-11-27 08:00 UTC. {_OLD}",
    "unknown": "AWS refused to list its versions: AccessDeniedException. The age of the value in use is unknown.",
    "rotation_failing": "A rotation has been stuck since 2026-11-28 06:10 UTC: version 7c1d holds AWSPENDING.",
    "rotation_disabled": "AWS rotated it before, but rotation is now off.",
    "exempt": "Exempt until 2027-02-28 by {owner}: the vendor rotates it by phone",
    "replica": "It is a replica; its primary is audited in us-east-1.",
    "managed_elsewhere": "It belongs to the service rds, which rotates it by itself.",
}


def build_secret(name: str, verdict: str = "fresh", status: str = "ok", age: int | None = 3, **more: Any) -> SecretRow:
    """A secret whose value is so many days old."""
    created_at = None if age is None else AT - age * _DAY
    region = more.pop("region", REGION)
    values: dict[str, Any] = {
        "secret_name": name,
        "secret_arn": f"arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:{name}-AbCdEf",
        "status": status,
        "verdict": verdict,
        "attention": status != "ok",
        "reason": "",
        "age_days": age,
        "limit_days": 30,
        "value_created_at": created_at,
        "due_at": None if created_at is None else created_at + 30 * _DAY,
        "since": AT - 2 * _DAY,
        "owner": "payments",
    }
    return SecretRow(**values | more)


def build_secrets() -> list[SecretRow]:
    """The secrets of the sample, in the order of a report."""
    secrets = []
    for verdict, status, attention, total, first, step in _VERDICTS:
        for number in range(total):
            age = None if first is None else int(first + number * step)
            owner = _OWNERS[(number * 5 + len(verdict)) % len(_OWNERS)]
            name = f"{('prod', 'staging')[number % 5 == 3]}/{owner or 'legacy'}/{_KINDS[number % 7]}-{number + 1:02}"
            reason = _REASONS.get(verdict, "").format(age=age, owner=owner or "platform")
            since = AT - timedelta(days=max((age or 9) - 30, 1))
            secrets.append(
                build_secret(name, verdict, status, age, attention=attention, owner=owner, reason=reason, since=since)
            )
    return sorted(secrets, key=lambda row: (not row.attention, -(row.age_days or -1), row.secret_name))


def build_page(**more: Any) -> ReportPage:
    """The sample; fields may be replaced."""
    secrets = more.get("secrets") or build_secrets()
    tally = tally_rows(secrets)
    values: dict[str, Any] = {
        "subject": f"Production, account {ACCOUNT} (example-prod), Region {REGION}",
        "headline": f"{tally.describe('last complete run 12 minutes ago')}.",
        "at": AT,
        "generated_at": AT,
        "secrets": secrets,
        "tally": tally,
        "provenance": [
            ("Account", f"{ACCOUNT} (example-prod)"),
            ("Region", REGION),
            ("Run", "2026-11-30T08:00:00Z, complete, 214 secrets checked"),
            ("Read by", f"arn:aws:sts::{ACCOUNT}:assumed-role/audit/alice"),
            ("Product", "rotation-guard 1.0.0"),
        ],
        "settings": [
            ("Maximum age", "30 days"),
            ("Due soon", "7 days before the limit"),
            ("Rotation stuck", "after 24 hours"),
            ("Schedule", "rate(1 hour)"),
            ("Filters", "none"),
        ],
        "exemptions": list(_exemptions(secrets)),
        "runs": list(build_runs()),
        "incidents": list(build_incidents()),
    }
    return ReportPage(**values | more)


def build_short_page() -> ReportPage:
    """The sample with two secrets of each verdict and two incidents: as varied, and quick to examine."""
    seen: Counter[str] = Counter()
    secrets = []
    for secret in build_secrets():
        seen[secret.verdict] += 1
        secrets += [secret] if seen[secret.verdict] <= 2 else []
    return build_page(secrets=secrets, incidents=list(build_incidents())[:2], warnings=["The run is incomplete."])


def _exemptions(secrets: list[SecretRow]) -> Iterator[Exemption]:
    for secret in secrets:
        if secret.verdict == "exempt":
            yield Exemption(
                secret.secret_name,
                secret.secret_arn,
                secret.owner or "platform",
                "the vendor rotates it by phone",
                "2027-02-28",
                90,
            )
        if secret.verdict == "exemption_invalid":
            yield Exemption(
                secret.secret_name,
                secret.secret_arn,
                secret.owner or "",
                "until the migration is over",
                "2026-11-20",
                -10,
                "The exemption ended on 2026-11-20.",
            )


def build_runs(weeks: int = 56) -> Iterator[Run]:
    """A run each day: many secrets are overdue at first, and one week has a disturbance."""
    for day in range(weeks * 7, -1, -1):
        over = 17 + day * 46 // 392 + (day // 7 * 7) % 5
        unknown = 4 + (19 if 118 <= day <= 127 else 0) + day // 60 % 3
        yield Run(AT - day * _DAY - timedelta(minutes=15), 214 - day // 6, over, unknown)


def build_incidents() -> Iterator[Incident]:
    """Incidents of the period; the newest is escalated."""
    outcomes = ("recovered by AWS", "rolled forward", "recovered by retry", "fallen back", "rolled forward", "resolved")
    for number in range(27):
        opened_at = AT - timedelta(days=1 + number * number * 0.55, hours=number % 7)
        is_escalated = number == 0
        recovered_at = None if is_escalated else opened_at + timedelta(minutes=4 + number * 7 % 55, seconds=12)
        name = f"prod/{_OWNERS[number % 5]}/{_KINDS[number % 7]}-{number + 1:02}"
        yield Incident(
            name,
            f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-AbCdEf",
            opened_at,
            "escalated" if is_escalated else outcomes[number % 6],
            attention=is_escalated,
            closed_at=recovered_at or opened_at + timedelta(minutes=9),
            recovered_at=recovered_at,
            failed_step="setSecret",
            reason="Neither value works: the database refuses both." if is_escalated else "AWSPENDING works.",
            entries=_timeline(opened_at, is_escalated),
        )


def _timeline(opened_at: datetime, is_escalated: bool) -> list[TimelineEntry]:
    step = timedelta(seconds=1)
    entries = [
        TimelineEntry(opened_at - 8 * step, "RotationFailed", "setSecret"),
        TimelineEntry(opened_at, "open"),
        TimelineEntry(opened_at + 61 * step, "probe", "done", "Evidence: AWSCURRENT fails, AWSPENDING works."),
    ]
    if is_escalated:
        return [
            *entries[:2],
            TimelineEntry(opened_at + 61 * step, "probe", "done", "Evidence: AWSCURRENT fails, AWSPENDING fails."),
            TimelineEntry(
                opened_at + 540 * step, "close", "escalated", "Neither value works: the database refuses both."
            ),
            TimelineEntry(opened_at + 541 * step, "notify", "critical", "The on-call engineer was notified."),
        ]
    return [*entries, TimelineEntry(opened_at + 252 * step, "close", "rolled forward", "AWSPENDING works.")]


def build_large_page(total: int = 5000, attention: float = 0.1) -> ReportPage:
    """A page of so many secrets, of which this share needs attention; names differ as they do in an account."""
    secrets = []
    for number in range(total):
        is_over = number < total * attention
        age = 31 + number * 7919 % 600 if is_over else number * 7919 % 30
        name = f"{_OWNERS[number % 5]}/production/{_KINDS[number % 7]}-{number * 2654435761 % 2**32:08x}"
        reason = f"The value in use is {age} days old; the limit is 30."
        verdict, status = ("overdue", "needs_rotation") if is_over else ("fresh", "ok")
        owner = f"team-{number % 40:02}"
        arn = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-{number * 40503 % 2**24:06x}"
        secrets.append(build_secret(name, verdict, status, age, owner=owner, reason=reason, secret_arn=arn))
    return build_page(secrets=secrets)


def build_hostile_page() -> ReportPage:
    """A page whose every text is hostile."""
    texts = [*HOSTILE, *CONTROLLED]
    secrets = [
        build_secret(text, "overdue", "needs_rotation", 40, owner=texts[-1 - index], reason=f"It is {text}")
        for index, text in enumerate(texts)
    ]
    secrets.append(build_secret("other", HOSTILE[0], "strange", None, secret_arn="no arn", owner=None))
    everything = " ".join(texts)
    exemptions = [Exemption(text, "", text, text, text, None, text) for text in texts]
    entries = [TimelineEntry(None, text, text, text) for text in texts]
    incidents = [Incident(everything, everything, AT - _DAY, everything, True, reason=everything, entries=entries)]
    return build_page(
        secrets=secrets,
        subject=everything,
        headline=everything,
        warnings=texts,
        notes=texts,
        provenance=[(text, text) for text in texts],
        settings=[(text, text) for text in texts],
        exemptions=exemptions,
        incidents=incidents,
    )


def build_document(text: str, rows: int = 1) -> Document:
    """A page without charts that has this text in every place."""
    facts = [(text, text)]
    columns, cells = [text, text, text], [[text, text, None]] * rows
    tables = [Table(text, columns, cells), Table(f"2: {text}", columns, cells), Table("", columns, cells)]
    return Document(text, text, text, text, facts, facts, tables, text, [text], facts)
