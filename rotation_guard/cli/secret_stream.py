"""A report in CSV on more secrets than fit in memory: rows are written as they are read.

They cannot be sorted then: those that need attention come first, and each group is in the order of its table.
"""

from collections.abc import Iterator

from rotation_guard.domain.audit.secret_rows import SecretRow, from_record

from .audit_reading import Question, read_part
from .deployment import Deployment
from .dynamodb import Record
from .errors import Unreachable
from .hub_reading import is_hub
from .report import Records
from .secret_answer import Part, SecretAnswer
from .secret_filter import SecretFilter
from .secret_report import csv_columns, csv_rows
from .tables import AuditTables

MANY_SECRETS = 50_000
"""More secrets than this are not sorted."""


class SecretStream:
    """The rows of one deployment, read once."""

    def __init__(self, deployment: Deployment, question: Question, secret_filter: SecretFilter, part: Part) -> None:
        self._tables, self._question, self._filter = AuditTables(deployment), question, secret_filter
        self._answer = SecretAnswer([part], question.now, question.at, secret_filter.to_json(), [])
        self._omitted = 0
        self.has_attention = False
        """Whether a row that was read needs attention."""

    @property
    def records(self) -> Records:
        """The CSV; its rows can be read once."""
        return Records(csv_columns(self._answer), csv_rows(self._answer, self._matching_rows()))

    @property
    def warnings(self) -> list[str]:
        """Why the report may be wrong or incomplete, once all rows are read."""
        return [*self._answer.warning_sentences, *self._filter.describe_omitted(self._omitted)]

    def _matching_rows(self) -> Iterator[SecretRow]:
        at = self._question.at
        for record in self._records():
            if record.get("gone_since"):
                continue
            row = from_record(record, at)
            if self._filter.matches(row, at):
                self.has_attention |= row.attention
                yield row
            else:
                self._omitted += self._filter.omits_for_unknown_age(row, at)

    def _records(self) -> Iterator[Record]:
        yield from self._tables.each_needing_attention()
        if not self._question.attention:
            yield from (record for record in self._tables.each_status() if record.get("attention") != "yes")


def open_stream(deployment: Deployment, question: Question, secret_filter: SecretFilter) -> SecretStream | None:
    """The stream of a deployment with many secrets; None if its last run checked no more than can be sorted.

    Raises CommandError.
    """
    if is_hub(deployment) or question.is_past or question.since is not None:
        return None
    if _count_checked(deployment, question) <= MANY_SECRETS:
        return None
    return SecretStream(deployment, question, secret_filter, read_part(deployment, question))


def _count_checked(deployment: Deployment, question: Question) -> int:
    """How many secrets the last scheduled run checked; 0 if it cannot be read."""
    try:
        runs = AuditTables(deployment).scheduled_runs(question.at)
        return next((run.get("checked", 0) for run in runs if run.get("finished_at")), 0)
    except Unreachable:
        return 0
