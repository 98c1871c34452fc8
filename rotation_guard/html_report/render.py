"""Renders the page: one text without references, whose policy allows its own script and style and nothing else."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from rotation_guard.domain.plain_values import read_account, read_region
from rotation_guard.domain.remediation.links import build_secret_link

from . import charts
from .page import Incident, ReportPage, Secret
from .rows import COMPRESSION_FORMAT, TableRows, split_rows
from .statistics import count_ages, count_owners, count_verdicts, find_due_dates, measure_recovery
from .templating import hash_source, load_templates, read_template
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
    environment = load_templates()
    style, script = read_template("page.css"), read_template("page.js")
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
        style_hash=hash_source(style),
        script_hash=hash_source(script),
        compression=COMPRESSION_FORMAT,
        maximum={"due": MAX_DUE, "owners": MAX_OWNERS, "exemptions": MAX_EXEMPTIONS, "incidents": MAX_INCIDENTS},
    )


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
