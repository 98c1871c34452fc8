"""AWS's answers about any number of secrets, each generated from its number: Secrets Manager, STS, IAM, DynamoDB."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from handlers.adapters.items import to_item
from rotation_guard.domain.audit.audit_settings import AuditSettings
from rotation_guard.domain.audit.reconciliation import read_reconciled_state
from rotation_guard.domain.audit.secret_status import build_status_row
from rotation_guard.domain.audit.verdicts import judge
from rotation_guard.domain.secret import date_versions, parse_secret

from . import population

ACCOUNT = "123456789012"
STATUS_TABLE, RUNS_TABLE, INCIDENTS_TABLE = "status", "runs", "incidents"
STACK_OUTPUTS = {
    "table_name": "history",
    "status_table_name": STATUS_TABLE,
    "runs_table_name": RUNS_TABLE,
    "incidents_table_name": INCIDENTS_TABLE,
    "schedule_expression": "rate(1 hour)",
    "function_arn": f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:check",
}
"""Of the stack whose tables these are."""
PAGE = 100
"""Entries in a page of ListSecrets: the most that AWS gives (`MaxResults`), whatever the client asks for."""
PAGE_BYTES = 1_000_000
"""Of a page of DynamoDB, which ends after 1 MB
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html#Scan.Pagination)."""
_KINDS = 10
"""Secrets with the same last digit have the same properties."""
_SENTINEL = 8_765_430
"""The number in the templates of the rows, which occurs in no other part of them."""
_IDENTITY = f"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>\
<Arn>arn:aws:iam::{ACCOUNT}:user/auditor</Arn><UserId>AIDA</UserId><Account>{ACCOUNT}</Account>\
</GetCallerIdentityResult></GetCallerIdentityResponse>"""
_ALIASES = """<ListAccountAliasesResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListAccountAliasesResult>\
<AccountAliases/><IsTruncated>false</IsTruncated></ListAccountAliasesResult></ListAccountAliasesResponse>"""

Request = Mapping[str, Any]


class Answers:
    """The answers about so many secrets; DynamoDB's are those of a stack whose audit has checked all of them."""

    def __init__(self, size: int, now: datetime) -> None:
        self._size, self._now = size, now

    def answer(self, operation: str, request: Request) -> str:
        """The body of a response: XML of STS and IAM, else JSON."""
        match operation:
            case "GetCallerIdentity":
                return _IDENTITY
            case "ListAccountAliases":
                return _ALIASES
            case "ListSecrets":
                return self._list_secrets(int(request.get("NextToken", 0)))
            case "ListSecretVersionIds":
                return self._list_versions(_read_number(request["SecretId"]))
            case "DescribeSecret":
                return self._describe(_read_number(request["SecretId"]))
            case "Scan" | "Query":
                return self._read_table(request)
        raise ValueError(f"the operation must be one that the commands call, got {operation}")

    def _list_secrets(self, start: int) -> str:
        end = min(self._size, start + PAGE)
        entries = [population.entry(number, self._now) for number in range(start, end)]
        return _to_json({"SecretList": entries, **({"NextToken": str(end)} if end < self._size else {})})

    def _list_versions(self, number: int) -> str:
        dates = population.version_dates(number, self._now)
        labels = {population.version_id(number, label): label for label in ("AWSCURRENT", "AWSPREVIOUS")}
        versions = [
            {
                "VersionId": version,
                "VersionStages": [label],
                "CreatedDate": dates[version],
                "LastAccessedDate": self._now,
                "KmsKeyIds": ["DefaultEncryptionKey"],
            }
            for version, label in labels.items()
        ]
        return _to_json({"ARN": population.arn(number), "Name": population.name(number), "Versions": versions})

    def _describe(self, number: int) -> str:
        entry = population.entry(number, self._now)
        entry["VersionIdsToStages"] = entry.pop("SecretVersionsToStages")
        return _to_json(entry)

    def _read_table(self, request: Request) -> str:
        match request["TableName"]:
            case table if table == STATUS_TABLE:
                return self._read_statuses(request)
            case table if table == RUNS_TABLE:
                return _to_json({"Items": list(self._find_runs(request["ExpressionAttributeValues"]))})
        return _to_json({"Items": []})

    def _read_statuses(self, request: Request) -> str:
        """A page of the table, of a segment of it, or of the index of secrets that need attention."""
        first = int(request.get("ExclusiveStartKey", {}).get("number", {}).get("N", request.get("Segment", 0) - 1))
        step = request.get("TotalSegments", 1)
        start = first + step if "ExclusiveStartKey" in request else first + 1
        numbers: Iterable[int] = range(start, self._size, step)
        if request.get("IndexName"):
            numbers = (number for number in numbers if self._templates[number % _KINDS][1])
        rows, length, last = [], 0, -1
        for number in numbers:
            template, _ = self._templates[number % _KINDS]
            rows.append(template % {"number": number})
            length, last = length + len(rows[-1]), number
            if length > PAGE_BYTES:
                key = f', "LastEvaluatedKey": {{"number": {{"N": "{last}"}}}}'
                return f'{{"Items": [{",".join(rows)}]{key}}}'
        return f'{{"Items": [{",".join(rows)}]}}'

    def _find_runs(self, values: Request) -> Iterator[Mapping[str, Any]]:
        """The scheduled run at the end of the period that is asked for; nobody started one by hand."""
        run_id = (values.get(":until") or values.get(":last") or {}).get("S")
        if run_id is not None and ":low" not in values and ":high" not in values:
            row = {
                "audit": "rotation",
                "run_id": run_id,
                "started_at": run_id,
                "finished_at": run_id,
                "complete": True,
                "checked": self._size,
                "flagged": self._size // 5,
                "unknown": 0,
                "history_mode": "everyRun",
                "period_seconds": 3600,
            }
            yield to_item(row)

    @cached_property
    def _templates(self) -> list[tuple[str, bool]]:
        """The status of each kind of secret as the product writes it, and whether it needs attention."""
        return [self._build_template(_SENTINEL + kind) for kind in range(_KINDS)]

    def _build_template(self, number: int) -> tuple[str, bool]:
        before = self._now - timedelta(hours=1)
        secret = parse_secret(population.entry(number, self._now))
        dates = date_versions(secret, population.version_dates(number, self._now))
        finding = judge(secret, dates, AuditSettings(), before)
        row = to_item(build_status_row(finding, {}, read_reconciled_state({}, secret, before), before, None))
        text = _to_json(row).replace("%", "%%")
        return (
            text.replace(f"{number:07}", "%(number)07d").replace(f"{number:08x}", "%(number)08x"),
            "attention" in row,
        )


def _read_number(secret_id: str) -> int:
    """The number of the secret with this name or ARN."""
    return population.number_of(secret_id.removesuffix("-Ab12Cd"))


def _to_json(answer: Mapping[str, Any]) -> str:
    # Dates are epoch seconds in AWS's JSON protocol.
    return json.dumps(answer, default=datetime.timestamp)
