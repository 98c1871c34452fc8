"""The register of exemptions: a report of its own, and a table in the report on secrets."""

from collections.abc import Sequence

from rotation_guard.domain.audit.secret_rows import PROVENANCE_COLUMNS
from rotation_guard.domain.audit.secret_totals import Exemption, list_exemptions

from .provenance import build_head, describe_source, list_provenance, provenance_cells
from .report import Records, Report, Section
from .secret_answer import SecretAnswer
from .terminal import PLAIN, RED, Column, Row

COLUMNS = (
    "secret_name",
    "account_id",
    "region",
    "state",
    "owner",
    "reason",
    "until",
    "days_left",
    "verdict",
    "since",
    "secret_arn",
)
_TABLE_COLUMNS = (Column("SECRET"), Column("STATE"), Column("UNTIL"), Column("DAYS LEFT", is_number=True))


def build_exemption_register(answer: SecretAnswer) -> Report:
    """The Report of the exemptions among these secrets."""
    exemptions = list_exemptions(answer.rows, answer.at)
    entries = [exemption.to_json() for exemption in exemptions]
    invalid = sum(exemption.state == "invalid" for exemption in exemptions)
    section = _exemption_section(exemptions)
    origins = [provenance_cells(part, answer) for part in answer.parts]
    cells = [[entry[name] for name in COLUMNS] for entry in entries]
    body = {**build_head(answer), "exemptions": entries}
    need = "needs" if invalid == 1 else "need"
    summary = f"{len(entries)} {'exemption' if len(entries) == 1 else 'exemptions'}: {invalid} {need} attention."
    return Report(
        headline=describe_source(answer),
        provenance=list_provenance(answer),
        answer=f"{answer.headline}." if answer.headline else "",
        columns=section.columns,
        rows=section.rows,
        summary=summary if entries else "No secret has an exemption.",
        body=body,
        csv=Records(
            (*COLUMNS, *PROVENANCE_COLUMNS),
            [[*own, *origins[exemption.row.part]] for exemption, own in zip(exemptions, cells, strict=True)],
        ),
        markdown=Records(COLUMNS, cells),
        warnings=answer.warning_sentences,
        has_attention=invalid > 0,
        unreadable=answer.unreadable,
    )


def exemption_sections(exemptions: Sequence[Exemption]) -> list[Section]:
    """The table of these exemptions; none without any."""
    return [_exemption_section(exemptions)] if exemptions else []


def _exemption_section(exemptions: Sequence[Exemption]) -> Section:
    rows = [
        Row(
            exemption.row.secret_name,
            [
                (exemption.state, RED if exemption.state == "invalid" else PLAIN),
                (exemption.until or "?", PLAIN),
                ("?" if exemption.days_left is None else str(exemption.days_left), PLAIN),
            ],
            f"Owner: {exemption.row.owner or 'none'}. Reason: {exemption.reason or 'none'}",
        )
        for exemption in exemptions
    ]
    return Section("Exemptions", _TABLE_COLUMNS, rows)
