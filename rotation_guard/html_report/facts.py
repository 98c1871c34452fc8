"""What every page says of the run, the settings and the exemptions that it is based on."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from rotation_guard.domain.audit.secret_rows import SecretRow
from rotation_guard.domain.audit.secret_totals import list_exemptions

from .page import Exemption

_WITHOUT_EXEMPTION = " Without it: "
"""What the audit writes between the problem of an exemption and the verdict that applies instead."""


def describe_run(run: Mapping[str, Any]) -> str:
    """A run of the audit: its id, whether it is complete, and how many secrets it checked."""
    completeness = "complete" if run.get("complete") else "incomplete"
    return f"{run['run_id']}, {completeness}, {int(run.get('checked', 0))} secrets checked"


def list_settings(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The settings that secrets were judged by: a label and its text."""
    for name, value in settings.items():
        text = ", ".join(f"{one['class']}: {one['days']} days" for one in value) if isinstance(value, list) else value
        yield name.replace("_", " ").capitalize(), "none" if text in (None, "") else str(text)


def list_register(rows: Iterable[SecretRow], at: datetime) -> list[Exemption]:
    """The register of exemptions, as the page shows it."""
    return [
        Exemption(
            entry.row.secret_name,
            entry.row.secret_arn,
            entry.row.owner or "",
            entry.reason,
            entry.until or "",
            entry.days_left,
            entry.row.reason.partition(_WITHOUT_EXEMPTION)[0] if entry.state == "invalid" else "",
            entry.state,
        )
        for entry in list_exemptions(rows, at)
    ]
