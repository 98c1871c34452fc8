"""Renders the page: one text without references, whose policy allows its own script and style and nothing else."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rotation_guard.domain.control_characters import escape_control_characters
from rotation_guard.domain.plain_values import read_account, read_region
from rotation_guard.domain.remediation.links import build_secret_link
from rotation_guard.domain.timestamps import to_iso

from . import charts
from .page import Incident, ReportPage, Secret
from .rows import COMPRESSION_FORMAT, TableRows, split_rows
from .statistics import count_ages, count_owners, count_verdicts, find_due_dates, measure_recovery
from .trend import build_trend, first_month
from .verdicts import SELF_EXPLANATORY, part_of

MAX_DUE, MAX_OWNERS, MAX_EXEMPTIONS, MAX_INCIDENTS = 10, 50, 200, 50
"""Rows of the lists above the table; each list says how many it leaves out."""
_NO_PLACE = ("", "")


@dataclass(frozen=True)
class _SecretRow:
    """One row of the table, as the template shows it."""

    secret: Secret
    link: str
    account: str
    region: str
    part: str
    reason: str
    """Empty if it would only repeat the age and the limit."""


def render_page(page: ReportPage) -> str:
    """The page as one HTML document in UTF-8."""
    environment = _environment()
    style, script = _read("page.css"), _read("page.js")
    places = {_place(secret.secret_arn) for secret in page.secrets} - {_NO_PLACE}
    has_places = len(places) > 1
    return environment.get_template("page.html").render(
        page=page,
        **_statistics(page),
        rows=_render_rows(environment, page.secrets, has_places),
        has_places=has_places,
        verdicts=count_verdicts(page.secrets),
        owners=count_owners(page.secrets),
        attention=sum(secret.attention for secret in page.secrets),
        style=Markup(style),  # noqa: S704 - a file of this package
        script=Markup(script),  # noqa: S704
        style_hash=_hash(style),
        script_hash=_hash(script),
        compression=COMPRESSION_FORMAT,
        maximum={"due": MAX_DUE, "owners": MAX_OWNERS, "exemptions": MAX_EXEMPTIONS, "incidents": MAX_INCIDENTS},
    )


def format_duration(span: timedelta | None) -> str:
    """A duration in its two largest units, such as `2 h 5 min`; empty for None."""
    if span is None:
        return ""
    seconds = int(span.total_seconds())
    parts = []
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        number, seconds = divmod(seconds, size)
        parts += [(number, unit)] if number or parts else []
    return " ".join(f"{number} {unit}" for number, unit in parts[:2] if number) or "0 s"


def _statistics(page: ReportPage) -> dict[str, Any]:
    ages, due = count_ages(page.secrets), find_due_dates(page.secrets, page.at)
    incidents = None if page.incidents is None else _newest_first(page.incidents)
    trend = None if page.runs is None else build_trend(page.runs, incidents or (), page.at)
    return {
        "ages": ages,
        "ages_chart": charts.draw_ages(ages),
        "due": due,
        "due_chart": charts.draw_due(due),
        "trend": trend,
        "trend_chart": None if trend is None else charts.draw_trend(trend),
        "incidents_chart": None if trend is None else charts.draw_incidents(trend),
        "incidents": incidents,
        "recovery": measure_recovery(incidents or ()),
        "period_begins": first_month(page.at),
    }


def _newest_first(incidents: Sequence[Incident]) -> list[Incident]:
    """Those that need attention first, then the newest."""
    return sorted(incidents, key=lambda incident: (incident.attention, incident.opened_at), reverse=True)


def _render_rows(environment: Environment, secrets: Sequence[Secret], has_places: bool) -> TableRows:
    render_row: Any = environment.get_template("secret_row.html").module
    # A macro returns Markup, as the environment escapes.
    return split_rows(render_row.secret_row(row, has_places) for row in _rows(secrets))


def _rows(secrets: Sequence[Secret]) -> Iterator[_SecretRow]:
    for secret in secrets:
        account, region = _place(secret.secret_arn)
        is_plain = secret.verdict in SELF_EXPLANATORY and not secret.attention
        yield _SecretRow(
            secret,
            build_secret_link(secret.secret_arn),
            account,
            region,
            part_of(secret),
            "" if is_plain else secret.reason,
        )


def _place(arn: str) -> tuple[str, str]:
    """The account and the Region of an ARN; empty if it is none."""
    return read_account(arn) or "", read_region(arn) or ""


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__ or __name__, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters |= {
        "date": lambda value: "" if value is None else f"{value:%Y-%m-%d}",
        "minute": lambda value: "" if value is None else f"{value:%Y-%m-%d %H:%M}",
        "second": lambda value: "" if value is None else f"{value:%Y-%m-%d %H:%M:%S}",
        "iso": lambda value: to_iso(value),
        "duration": format_duration,
        "number": lambda value: f"{value:,}".replace(",", " "),
        "plural": lambda count, one, many: one if count == 1 else many,
        "secret_link": build_secret_link,
    }
    return environment


def _finalize(value: object) -> object:
    """What the templates print, with its control characters made visible; Jinja escapes it afterwards."""
    if value is None:
        return ""
    return escape_control_characters(value) if type(value) is str else value


def _read(name: str) -> str:
    return files(__package__ or __name__).joinpath("templates", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """The hash of an inline script or style in a policy (https://www.w3.org/TR/CSP3/#grammardef-hash-source)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
