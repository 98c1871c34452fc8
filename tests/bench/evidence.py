"""What evidence costs: recording an event with a link, and verifying half a million rows.

`python -m tests.bench.evidence ROWS SECRETS` verifies that many rows and prints JSON: the seconds of the processor and
the peak of the memory, with and without verification. The rows are made while they are read, as AWS would send them.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import boto3

from handlers.adapters import clients
from handlers.adapters.audit_trail import AuditTrail
from handlers.adapters.items import to_item
from rotation_guard.cli.chain_reader import ChainReader
from rotation_guard.domain.audit_trail import build_trail_row
from rotation_guard.domain.event_parser import parse_text
from rotation_guard.domain.evidence.chained_tables import AUDIT_TRAIL
from rotation_guard.domain.evidence.links import HEAD, LINK, Head, add_link, build_head_key
from tests.moto_aws import empty_account
from tests.paths import EVENTS, ROOT

from .figures import Figure
from .measured_command import read_peak_megabytes

EVENTS_RECORDED, ROUNDS = 100, 5
ROWS, SECRETS = 500_000, 5_000
PAGE = 400
"""Rows of some 2.5 KB in a page of 1 MB."""
_TEXT = (EVENTS / "rotation-succeeded.json").read_text(encoding="utf-8")
_NOW = datetime(2026, 11, 30, tzinfo=UTC)


def recording() -> Iterator[Figure]:
    """Recording events with links, compared with a PutItem of each row."""
    pairs = [(_record(with_links=False), _record(with_links=True)) for _ in range(ROUNDS)]
    baseline, value = (statistics.median(column) for column in zip(*pairs, strict=True))
    yield Figure(f"record {EVENTS_RECORDED} events of one secret, over PutItem", value, "s", baseline=baseline)


def verification() -> Iterator[Figure]:
    """Verifying half a million rows, compared with reading them."""
    few, many = (_verify_in_a_process(rows) for rows in (ROWS // 10, ROWS))
    yield Figure(f"verify {ROWS} rows, over reading them", many["verify"], "s", baseline=many["read"])
    yield Figure(
        f"memory for {ROWS} rows, over {ROWS // 10}", many["memory"], "MB", baseline=few["memory"], ratio_bound=1.2
    )


def _record(*, with_links: bool) -> float:
    """The seconds of the processor for recording events."""
    with empty_account():
        clients.client.cache_clear()
        dynamodb = boto3.client("dynamodb", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
        dynamodb.create_table(
            TableName="trail",
            KeySchema=[
                {"AttributeName": "secret_arn", "KeyType": "HASH"},
                {"AttributeName": "recorded", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("secret_arn", "recorded")],
            BillingMode="PAY_PER_REQUEST",
        )
        with patch("handlers.adapters.audit_trail.client", lambda *_, **__: dynamodb):
            trail = AuditTrail("trail")
            began = time.process_time()
            for number in range(EVENTS_RECORDED):
                text = _TEXT.replace("eventID", f'x": "", "eventID": "{number}", "y')
                event = parse_text(text)
                if with_links:
                    trail.append(event, text, _NOW, None, lambda _: None)
                else:
                    row = to_item(build_trail_row(event, text, _NOW, None))
                    condition = "attribute_not_exists(secret_arn)"
                    dynamodb.put_item(TableName="trail", Item=row, ConditionExpression=condition)
            return time.process_time() - began


def _verify_in_a_process(rows: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.evidence", str(rows), str(SECRETS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


class _Table:
    """A client of DynamoDB whose table has so many rows of so many secrets, and their heads."""

    def __init__(self, rows: int, secrets: int) -> None:
        self.meta = SimpleNamespace(events=SimpleNamespace(register=lambda *_: None))
        self._rows, self._secrets = rows // secrets, secrets
        self._segments: dict[int, Iterator[list[dict[str, Any]]]] = {}

    def scan(self, *, Segment: int, TotalSegments: int, **_: Any) -> dict[str, Any]:  # noqa: N803
        pages = self._segments.setdefault(Segment, self._pages(range(Segment, self._secrets, TotalSegments)))
        items = next(pages, None)
        return {"Items": items, "LastEvaluatedKey": {}} if items else {"Items": []}

    def _pages(self, secrets: range) -> Iterator[list[dict[str, Any]]]:
        page: list[dict[str, Any]] = []
        for item in self._items(secrets):
            page.append(item)
            if len(page) == PAGE:
                yield page
                page = []
        yield page

    def _items(self, secrets: range) -> Iterator[dict[str, Any]]:
        template = to_item(build_trail_row(parse_text(_TEXT), _TEXT, _NOW, int(_NOW.timestamp()) + 10**9))
        for secret in secrets:
            key, head = f"{template['secret_arn']['S']}-{secret}", None
            for number in range(self._rows):
                row = {**template, "secret_arn": {"S": key}, "recorded": {"S": f"2026-11-30T00:00:00Z#{number:09}"}}
                link, head = add_link(row, head, "2026-11-30T00:00:00Z")
                yield {**row, LINK: link.to_value()}
            if isinstance(head, Head):
                yield {"secret_arn": {"S": build_head_key(key)}, "recorded": {"S": HEAD}, **head.to_item(key)}


def _main(rows: int, secrets: int) -> None:
    began = time.process_time()
    table = _Table(rows, secrets)
    while table.scan(Segment=0, TotalSegments=1)["Items"]:
        pass
    made = time.process_time()
    session = SimpleNamespace(client=lambda _: _Table(rows, secrets), endpoint_url=None)
    deployment: Any = SimpleNamespace(session=session, output=lambda name: name, description="the benchmark")
    with patch("rotation_guard.cli.dynamodb.translate_aws_errors", lambda *_: patch.dict({}, {})):
        verified = ChainReader(deployment, AUDIT_TRAIL, _NOW, {}).verify_all()
    ended = time.process_time()
    if (verified.rows, len(verified.findings)) != (rows // secrets * secrets, 0):
        raise RuntimeError(f"all rows must be intact, got {verified.rows} and {verified.findings}")
    report = {"read": made - began, "verify": ended - made - (made - began), "memory": read_peak_megabytes()}
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]))
