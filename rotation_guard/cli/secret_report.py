"""Reports on secrets: the Report of an answer, for every format."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.style import Style

from rotation_guard.domain.audit.secret_rows import COLUMNS, PROVENANCE_COLUMNS, Change, SecretRow, to_json
from rotation_guard.domain.audit.secret_totals import (
    Exemption,
    OwnerTotal,
    describe_accepted,
    list_exemptions,
    tally_rows,
    total_by_owner,
)
from rotation_guard.domain.audit.verdicts import NEEDS_ROTATION, OK, UNKNOWN, VERDICT_NAMES

from .exemption_report import exemption_sections
from .provenance import build_head, describe_source, list_provenance, provenance_cells
from .report import Records, Report, Section
from .secret_answer import SecretAnswer
from .terminal import GREEN, PLAIN, RED, YELLOW, Column, Row

CHANGE_COLUMNS = ("changed", "verdict_before", "value_created_at_before")
_NAME_COLUMN = Column("SECRET")
_PART_COLUMNS = (Column("ACCOUNT"), Column("REGION"))
_TABLE_COLUMNS = (Column("VERDICT"), Column("AGE", is_number=True), Column("LIMIT", is_number=True), Column("DUE"))
_MARKDOWN_COLUMNS = ("secret", "verdict", "attention", "age", "limit", "due", "owner", "reason")
_OWNER_COLUMNS = (
    Column("OWNER"),
    Column("SECRETS", is_number=True),
    Column("OVER LIMIT", is_number=True),
    Column("UNKNOWN", is_number=True),
    Column("ACCEPTED", is_number=True),
    Column("NEED ATTENTION", is_number=True),
)
_SHOWN_OWNERS = 10
"""Owners in a table; the other formats have all of them."""
_NO_OWNER = "(no owner)"


@dataclass(frozen=True)
class Summary:
    """Rows, counted."""

    total: int = 0
    attention: int = 0
    status: Mapping[str, int] = field(default_factory=dict)
    verdicts: Mapping[str, int] = field(default_factory=dict)
    """The verdicts that occur, in the order of docs/audit.md."""


def build_secret_report(answer: SecretAnswer) -> Report:
    """The Report of these secrets."""
    summary = _summarize(answer.rows)
    owners, exemptions = total_by_owner(answer.rows), list_exemptions(answer.rows, answer.at)
    return Report(
        headline=describe_source(answer),
        provenance=list_provenance(answer),
        answer=f"{answer.headline}." if answer.headline else "",
        columns=_table_columns(answer),
        rows=[_table_row(row, answer) for row in answer.rows],
        summary=_summary_sentence(summary, answer.rows),
        sections=_owner_sections(owners),
        body=_body(answer, summary, owners, exemptions),
        csv=Records(csv_columns(answer), csv_rows(answer, answer.rows)),
        markdown=_markdown_records(answer),
        markdown_sections=[*_owner_sections(owners, len(owners)), *exemption_sections(exemptions)],
        warnings=answer.warning_sentences,
        has_attention=summary.attention > 0,
        unreadable=answer.unreadable,
    )


def _summarize(rows: Sequence[SecretRow]) -> Summary:
    verdicts = Counter(row.verdict for row in rows)
    status = Counter(row.status for row in rows)
    ordered = [*VERDICT_NAMES, *sorted(verdicts.keys() - set(VERDICT_NAMES))]
    return Summary(
        len(rows),
        sum(row.attention for row in rows),
        {name: status[name] for name in (OK, NEEDS_ROTATION, UNKNOWN)},
        {name: verdicts[name] for name in ordered if verdicts[name]},
    )


def _summary_sentence(summary: Summary, rows: Sequence[SecretRow]) -> str:
    if not summary.total:
        return "No secrets match."
    verdicts = ", ".join(f"{name} {count}" for name, count in summary.verdicts.items())
    need = "needs" if summary.attention == 1 else "need"
    secrets = "secret" if summary.total == 1 else "secrets"
    text = f"{summary.total} {secrets}: {verdicts}. {summary.attention} {need} attention."
    accepted = describe_accepted(rows)
    return f"{text} Of these, {accepted}" if accepted else text


def _describe_change(change: Change) -> str:
    if change.before is None or change.after is None:
        return change.kinds[0]
    phrases = {
        "verdict": f"was {change.before.verdict}",
        "value": "new value",
        "attention": "needs attention" if change.after.attention else "no longer needs attention",
    }
    return ", ".join(phrases[kind] for kind in change.kinds if kind != "attention" or "verdict" not in change.kinds)


def _table_columns(answer: SecretAnswer) -> Sequence[Column]:
    return (_NAME_COLUMN, *(_PART_COLUMNS if answer.has_several_parts else ()), *_TABLE_COLUMNS)


def _table_row(row: SecretRow, answer: SecretAnswer) -> Row:
    age = "?" if row.age_days is None else str(row.age_days)
    limit = "?" if row.limit_days is None else str(row.limit_days)
    due = f"{row.due_at:%Y-%m-%d}" if row.due_at else ""
    notes = [f"({_describe_change(answer.changes[row.key])})"] if answer.changes is not None else []
    notes += [f"Needs attention: {row.reason}"] if row.attention else []
    notes += [f"Owner: {row.owner}."] if row.owner and row.attention else []
    parts = [(row.account_id, PLAIN), (row.region, PLAIN)] if answer.has_several_parts else []
    cells = [*parts, (row.verdict, _style(row)), (age, PLAIN), (limit, PLAIN), (due, PLAIN)]
    return Row(row.secret_name, cells, " ".join(notes))


def _style(row: SecretRow) -> Style:
    if row.status == OK:
        return YELLOW if row.attention else GREEN
    return RED


def _owner_sections(owners: Sequence[OwnerTotal], shown: int = _SHOWN_OWNERS) -> list[Section]:
    if not any(total.owner for total in owners):
        return []
    rows = [
        Row(
            total.owner or _NO_OWNER,
            [
                (str(total.tally.total), PLAIN),
                (str(total.tally.over_limit), RED if total.tally.over_limit else PLAIN),
                (str(total.tally.unknown), RED if total.tally.unknown else PLAIN),
                (str(total.tally.total_accepted), PLAIN),
                (str(total.attention), PLAIN),
            ],
        )
        for total in owners[:shown]
    ]
    rest = len(owners) - shown
    note = f"{rest} more {'owner' if rest == 1 else 'owners'}: --format json has all of them." if rest > 0 else ""
    return [Section("Totals by owner", _OWNER_COLUMNS, rows, note)]


def _body(
    answer: SecretAnswer, summary: Summary, owners: Sequence[OwnerTotal], exemptions: Sequence[Exemption]
) -> dict[str, Any]:
    secrets = [to_json(row) for row in answer.rows]
    if answer.changes is not None:
        for row, secret in zip(answer.rows, secrets, strict=True):
            change = answer.changes[row.key]
            before = None if change.before is None else to_json(change.before)
            secret["change"] = {"kinds": list(change.kinds), "before": before}
    return {
        **build_head(answer),
        "filters": dict(answer.filters),
        "summary": {
            "total": summary.total,
            "attention": summary.attention,
            "status": dict(summary.status),
            "verdicts": dict(summary.verdicts),
            "accepted": tally_rows(answer.rows).total_accepted,
        },
        "owners": [total.to_json() for total in owners],
        "exemptions": [exemption.to_json() for exemption in exemptions],
        "secrets": secrets,
    }


def csv_columns(answer: SecretAnswer) -> tuple[str, ...]:
    """The columns of the report in CSV."""
    return (*COLUMNS, *(CHANGE_COLUMNS if answer.changes is not None else ()), *PROVENANCE_COLUMNS)


def csv_rows(answer: SecretAnswer, rows: Iterable[SecretRow]) -> Iterator[list[object]]:
    """The cells of these rows."""
    origins = [provenance_cells(part, answer) for part in answer.parts]
    for row in rows:
        cells = list(to_json(row).values())
        if answer.changes is not None:
            change = answer.changes[row.key]
            before = {} if change.before is None else to_json(change.before)
            cells += [" ".join(change.kinds), before.get("verdict"), before.get("value_created_at")]
        yield [*cells, *origins[row.part]]


def _markdown_records(answer: SecretAnswer) -> Records:
    columns, rows = list(_MARKDOWN_COLUMNS), [_markdown_cells(row) for row in answer.rows]
    if answer.changes is not None:
        columns.insert(1, "changed")
        for row, cells in zip(answer.rows, rows, strict=True):
            cells.insert(1, _describe_change(answer.changes[row.key]))
    if answer.has_several_parts:
        columns[1:1] = ["account", "region"]
        for row, cells in zip(answer.rows, rows, strict=True):
            cells[1:1] = [row.account_id, row.region]
    return Records(columns, rows)


def _markdown_cells(row: SecretRow) -> list[object]:
    due = row.due_at and f"{row.due_at:%Y-%m-%d}"
    attention = "yes" if row.attention else ""
    return [row.secret_name, row.verdict, attention, row.age_days, row.limit_days, due, row.owner, row.reason]
