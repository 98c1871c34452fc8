"""Reports on a deployment: one row for each link."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.style import Style

from rotation_guard.domain.timestamps import to_iso

from .deployment import Deployment
from .doctor.link import BROKEN, CANNOT_TELL, OK, Link
from .report import JSON_VERSION, Records, Report
from .terminal import GREEN, RED, YELLOW, Column, Row

COLUMNS = ("subject", "link", "verdict", "reason", "fix")
_STYLES: Mapping[str, Style] = {OK: GREEN, BROKEN: RED, CANNOT_TELL: YELLOW}


def build_doctor_report(links: Sequence[Link], deployment: Deployment, now: datetime) -> Report:
    """The Report of these links."""
    counts = {verdict: sum(link.verdict == verdict for link in links) for verdict in _STYLES}
    warnings = [finding.reason for link in links for finding in link.findings if finding.is_warning]
    return Report(
        headline=f"{deployment.source['description']}, examined at {now:%Y-%m-%d %H:%M:%S} UTC.",
        columns=(Column("LINK"), Column("VERDICT")),
        rows=[_to_row(link) for link in links],
        summary=_write_summary(counts),
        body={
            "version": JSON_VERSION,
            "generated_at": to_iso(now),
            "source": dict(deployment.source),
            "warnings": warnings,
            "summary": {"total": len(links), **{verdict.replace(" ", "_"): count for verdict, count in counts.items()}},
            "links": [_to_json(link) for link in links],
        },
        csv=Records(COLUMNS, (_to_json(link).values() for link in links)),
        markdown=Records(COLUMNS, (_to_json(link).values() for link in links)),
        warnings=warnings,
        has_attention=counts[OK] < len(links),
    )


def _write_summary(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    return (
        f"{total} link{'' if total == 1 else 's'}: {counts[OK]} ok, {counts[BROKEN]} broken, "
        f"{counts[CANNOT_TELL]} cannot be told."
    )


def _to_row(link: Link) -> Row:
    fix = f" Fix: {link.fix}" if link.fix else ""
    return Row(f"{link.subject}: {link.name}", [(link.verdict, _STYLES[link.verdict])], f"{link.reason}{fix}")


def _to_json(link: Link) -> dict[str, Any]:
    return {
        "subject": link.subject,
        "link": link.name,
        "verdict": link.verdict,
        "reason": link.reason,
        "fix": link.fix,
    }
