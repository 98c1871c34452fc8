"""A report that is stored on a schedule: its files, what its CSV says beside the secrets, and the notice about it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..consoles import build_object_link
from ..timestamps import parse_timestamp, to_iso
from .audit_settings import describe_settings
from .run_history import RunHistory
from .secret_rows import COLUMNS, PROVENANCE_COLUMNS, SecretRow, to_json
from .secret_totals import tally_rows
from .tally import Tally, describe_last_complete

CSV_COLUMNS = (*COLUMNS, *PROVENANCE_COLUMNS)
"""The columns of `report --format csv`."""
SUBJECT_LENGTH = 99
"""SNS takes fewer than 100 characters (https://docs.aws.amazon.com/sns/latest/api/API_Publish.html)."""
PREFIX = "reports/"
_KEY = f"{PREFIX}%Y/%m/%Y-%m-%dT%H-%M-%SZ"


def build_key(scheduled_at: datetime) -> str:
    """The name of the files of the report for this time, without an extension: it sorts by time."""
    return scheduled_at.astimezone(UTC).strftime(_KEY)


def read_scheduled_at(key: str) -> datetime | None:
    """The time that a file of this name is for; None if it is not one of a report."""
    name = key.rpartition("/")[2].partition(".")[0]
    try:
        scheduled_at = datetime.strptime(name, _KEY.rpartition("/")[2]).replace(tzinfo=UTC)
    except ValueError:
        return None
    return scheduled_at if key.startswith(build_key(scheduled_at)) else None


@dataclass(frozen=True)
class StoredReport:
    """What a report says, and who stored it."""

    scheduled_at: datetime
    """The time that the schedule was for; every attempt has the same one."""
    generated_at: datetime
    """The time of this attempt, as of which the ages are."""
    rows: Sequence[SecretRow]
    """Every secret under audit, those that need attention first."""
    history: RunHistory
    function_arn: str
    """The function that wrote it, whose ARN names account and Region."""
    product_version: str
    bucket: str

    @property
    def tally(self) -> Tally:
        """Every secret, counted once."""
        return tally_rows(self.rows)

    @property
    def headline(self) -> str:
        """The one sentence of every report, without a full stop."""
        run = self.history.complete
        finished_at = parse_timestamp(run["finished_at"]) if run else None
        return self.tally.describe(describe_last_complete(finished_at, self.generated_at))

    @property
    def account(self) -> str:
        """Its account."""
        return self.function_arn.split(":")[4]

    @property
    def region(self) -> str:
        """Its Region."""
        return self.function_arn.split(":")[3]

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of the run that it is based on, as far as they are recorded."""
        run = self.history.last or {}
        return {**(run.get("settings") or {}), "history": run.get("history_mode")}

    @property
    def key(self) -> str:
        """The name of its files in the bucket, without an extension."""
        return build_key(self.scheduled_at)

    def name(self, extension: str) -> str:
        """The key of one of its files."""
        return f"{self.key}.{extension}"

    def csv_rows(self) -> Iterator[list[object]]:
        """The cells of CSV_COLUMNS, a list for each secret."""
        run_id = self.history.last["run_id"] if self.history.last else None
        settings, at = describe_settings(self.settings), to_iso(self.generated_at)
        origin = [None, run_id, settings, self.product_version, self.function_arn, at]
        for row in self.rows:
            yield [*to_json(row).values(), *origin]


@dataclass(frozen=True)
class ReportNotice:
    """The message about a stored report, for people and for programs."""

    subject: str
    """One line, fewer than 100 characters of printable ASCII."""
    text: str
    payload: Mapping[str, Any]


def build_notice(report: StoredReport, extensions: Iterable[str], notes: Sequence[str] = ()) -> ReportNotice:
    """The message about a report with these files; `notes` say what of it is missing."""
    uris = {extension: f"s3://{report.bucket}/{report.name(extension)}" for extension in extensions}
    links = {
        extension: build_object_link(report.function_arn, report.bucket, report.name(extension)) for extension in uris
    }
    tally, warnings = report.tally, report.history.warnings()
    run = report.history.last
    facts = [
        ("Account", report.account),
        ("Region", report.region),
        ("Scheduled for", f"{report.scheduled_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("Run", run["run_id"] if run else "none"),
        ("Limits", describe_settings(report.settings)),
    ]
    paragraphs = [
        [f"{report.headline}."],
        [f"Warning: {warning}" for warning in warnings],
        [f"{label}: {text}" for label, text in facts],
        [line for extension, uri in uris.items() for line in (f"{extension.upper()}: {uri}", links[extension]) if line],
        list(notes),
    ]
    over = f"{tally.over_limit} of {tally.total} secrets over their limit"
    payload = {
        "schema": 1,
        "headline": report.headline,
        "tally": tally.to_json(),
        "attention": sum(row.attention for row in report.rows),
        "account": report.account,
        "region": report.region,
        "scheduled_at": to_iso(report.scheduled_at),
        "generated_at": to_iso(report.generated_at),
        "run_id": run["run_id"] if run else None,
        "settings": dict(report.settings),
        "product_version": report.product_version,
        "warnings": warnings,
        "notes": list(notes),
        "files": uris,
        "links": links,
    }
    return ReportNotice(
        f"rotation-guard {report.account} {report.region}: {over}"[:SUBJECT_LENGTH],
        "\n\n".join("\n".join(lines) for lines in paragraphs if lines),
        payload,
    )
