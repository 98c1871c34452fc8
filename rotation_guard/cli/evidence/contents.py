"""What a directory of evidence has in it: the report in each format, the runs, and what the hash chains prove."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from rotation_guard.domain.csv_format import render_csv
from rotation_guard.domain.evidence.chained_tables import CHAINED_TABLES
from rotation_guard.html_report.page import ReportPage
from rotation_guard.html_report.render import render_page

from ..audit_reading import Question
from ..chain_reader import verify_tables
from ..deployment import Deployment
from ..dynamodb import Record
from ..errors import Unreachable
from ..exemption_report import build_exemption_register
from ..formats import render_json, render_markdown
from ..hub_reading import is_hub
from ..provenance import begin_provenance
from ..report import Report
from ..saved_heads import describe_heads
from ..secret_answer import SecretAnswer
from ..secret_report import build_secret_report
from ..tables import AuditTables
from ..verification_report import build_verification_report

RUN_DAYS = 92
"""Days whose runs are listed: a quarter."""
_BOOKKEEPING = ("changed", "expires_at", "holder", "lease_until", "next_token", "part")


def build_contents(
    answer: SecretAnswer, deployments: Sequence[Deployment], question: Question, page: ReportPage
) -> tuple[dict[str, bytes], list[str]]:
    """The files by name, and what could not be read for them, one sentence each; `page` is that of the answer."""
    report, register = build_secret_report(answer), build_exemption_register(answer)
    files = {
        "report.json": render_json(report),
        "report.csv": "".join(render_csv(report.csv.columns, report.csv.rows)),
        "report.md": render_markdown(report),
        "report.html": render_page(page),
        "exemptions.csv": "".join(render_csv(register.csv.columns, register.csv.rows)),
    }
    unread: list[str] = []
    runs: list[dict[str, Any]] = []
    for deployment in deployments:
        try:
            rows = [] if is_hub(deployment) else _list_runs(AuditTables(deployment), question)
        except Unreachable as error:
            unread.append(str(error))
            rows = []
        runs.append({"source": dict(deployment.source), "runs": rows})
    files["runs.json"] = _to_json({"since_days": RUN_DAYS, "deployments": runs})
    for number, deployment in enumerate(deployments, 1):
        suffix = f"-{number}" if len(deployments) > 1 else ""
        verification, heads, problems = _verify_chains(deployment, question)
        files[f"verification{suffix}.json"] = render_json(verification)
        files[f"heads{suffix}.json"] = _to_json(heads)
        unread += problems
    return {name: text.encode("utf-8") for name, text in files.items()}, unread


def _list_runs(tables: AuditTables, question: Question) -> list[Record]:
    """The runs of a quarter, newest first."""
    since = question.at - timedelta(days=RUN_DAYS)
    runs = [*tables.scheduled_runs(question.at, since), *tables.manual_runs(since, question.at)]
    runs.sort(key=lambda run: run["started_at"], reverse=True)
    return [{name: value for name, value in run.items() if name not in _BOOKKEEPING} for run in runs]


def _verify_chains(deployment: Deployment, question: Question) -> tuple[Report, Mapping[str, Any], list[str]]:
    # Those of a hub repeat what its members have.
    tables = () if is_hub(deployment) else CHAINED_TABLES
    verified, unread = verify_tables(deployment, tables, question.now, {})
    report = build_verification_report(verified, deployment, question.now, unread)
    return begin_provenance(deployment).attach(report), describe_heads(deployment, question.now, verified), unread


def _to_json(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=True) + "\n"
