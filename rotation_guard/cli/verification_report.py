"""The Report of a verification: per table what was verified, and per secret the first row that is not as it was."""

from collections.abc import Sequence
from datetime import datetime

from rotation_guard.domain.rotation_event import secret_name_of
from rotation_guard.domain.timestamps import to_iso
from rotation_guard.domain.wording import capitalize_first

from .chain_reader import TableVerification
from .deployment import Deployment
from .report import JSON_VERSION, Records, Report, row_records
from .terminal import PLAIN, RED, Column, Row

_COLUMNS = (Column("SECRET"), Column("TABLE"), Column("FINDING"), Column("NUMBER", is_number=True))
CSV_COLUMNS = ("secret_name", "table", "finding", "sequence", "row", "reason", "secret_arn")


def build_verification_report(
    tables: Sequence[TableVerification], deployment: Deployment, now: datetime, warnings: Sequence[str]
) -> Report:
    """The Report about these tables; `warnings` says what could not be read."""
    findings = [
        {
            "secret_name": secret_name_of(key),
            "table": verified.table.name,
            "finding": str(finding.kind),
            "sequence": finding.sequence,
            "row": finding.row or None,
            "reason": finding.reason,
            "secret_arn": key,
        }
        for verified in tables
        for key, finding in sorted(verified.findings.items())
    ]
    rows = [
        Row(
            str(finding["secret_name"]),
            [
                (str(finding["table"]), PLAIN),
                (str(finding["finding"]), RED),
                ("" if finding["sequence"] is None else str(finding["sequence"]), PLAIN),
            ],
            f"{finding['row']}: {finding['reason']}" if finding["row"] else capitalize_first(str(finding["reason"])),
        )
        for finding in findings
    ]
    return Report(
        headline=f"{deployment.description}, as of {now:%Y-%m-%d %H:%M:%S} UTC, tamper evidence.",
        facts=[(verified.table.title.capitalize(), _describe(verified)) for verified in tables],
        columns=_COLUMNS,
        rows=rows,
        summary=_summarize(tables, len(findings)),
        body={
            "version": JSON_VERSION,
            "generated_at": to_iso(now),
            "source": dict(deployment.source),
            "warnings": list(warnings),
            "summary": {"intact": not findings and bool(tables), "findings": len(findings)},
            "tables": [
                {
                    "table": verified.table.name,
                    "table_name": verified.table_name,
                    "rows": verified.rows,
                    "secrets": verified.secrets,
                    "older": verified.older,
                    "expired": verified.expired,
                    "findings": len(verified.findings),
                }
                for verified in tables
            ],
            "findings": findings,
        },
        csv=Records(CSV_COLUMNS, [[finding[name] for name in CSV_COLUMNS] for finding in findings]),
        markdown=row_records(_COLUMNS, rows),
        warnings=warnings,
        has_attention=bool(findings),
    )


def _describe(verified: TableVerification) -> str:
    text = f"{_count(verified.rows, 'row')} of {_count(verified.secrets, 'secret')} checked"
    if verified.older:
        text += f"; {_count(verified.older, 'row')} from before the chain began {_are(verified.older)} not covered"
    if verified.expired:
        text += f"; {_count(verified.expired, 'row')} expired and {_are(verified.expired)} gone"
    return f"{text}."


def _summarize(tables: Sequence[TableVerification], findings: int) -> str:
    if findings:
        verb = "is" if findings == 1 else "are"
        return (
            f"{_count(findings, 'chain')} {verb} broken: the first row of each that was changed, removed or inserted."
        )
    if not tables:
        return "Nothing was verified."
    if not any(verified.rows for verified in tables):
        return "No row is in a chain yet."
    return "Every chain is intact."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
