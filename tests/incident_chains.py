"""Verifies the chains of incidents in tables that a test has at hand."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from rotation_guard.domain.evidence.chained_tables import INCIDENTS, read_text
from rotation_guard.domain.evidence.links import CHAIN_OF, Head
from rotation_guard.domain.evidence.verification import ChainRows, ChainVerification, verify_chain


def verify_incidents(items: Iterable[dict[str, Any]], now: datetime) -> dict[str, ChainVerification]:
    """What the chain of each secret proves, by its ARN; the items are all of the Incidents table."""
    rows: dict[str, ChainRows] = {}
    heads: dict[str, Head] = {}
    for item in items:
        if INCIDENTS.is_head(item):
            heads[read_text(item, CHAIN_OF)] = Head.from_item(item)
            continue
        for linked in INCIDENTS.read(item, now):
            chain = rows.setdefault(read_text(item, "secret_arn"), ChainRows())
            chain.add(linked.key, linked.content, linked.link, linked.recorded_at)
    seconds = int(now.timestamp())
    return {
        arn: verify_chain(rows.get(arn, ChainRows()), heads.get(arn), seconds) for arn in rows.keys() | heads.keys()
    }
