"""Builds the audit trail's row for an event, within DynamoDB's limits.

An event has up to 1 MB of text that others chose
(https://aws.amazon.com/blogs/compute/more-room-to-build-serverless-services-now-support-payloads-up-to-1-mb/). An item
has up to 400 KB of UTF-8, attribute names included
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html).
"""

import hashlib
import re
from datetime import datetime
from typing import Any

from .rotation_event import RotationEvent, to_utc
from .timestamps import to_iso

MAXIMUM_ITEM_BYTES = 400_000
"""Maximum size of a row: below 400 KB, whether a KB is 1000 or 1024 bytes."""
_LINK_BYTES = 4000
"""Reserved for the link of the row, which has some 150 bytes, and as many more for each time that history_days was
shortened."""
_PARTITION_KEY_BYTES = 2048
_IDENTITY_BYTES = 1000
"""Of the sort key's 1024 bytes, the time takes the rest."""
_TEXT_BYTES = 1000
"""Maximum size of an attribute that repeats a part of `full_event`."""
_NUMBER_BYTES = 21
"""Maximum size of a number: 38 digits at two per byte, one byte, and a sign
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html)."""
_NOT_FOR_A_KEY = re.compile(r"[^ -~]")


def build_trail_row(event: RotationEvent, text: str, now: datetime, expires_at: int | None) -> dict[str, Any]:
    """The row, without its link, of an event that was received as this JSON text. Leave out attributes that are None.

    `full_event` is the received text: parsing it would lose, for example, the first of two equal keys. A text that is
    too large is cut; then `truncated` is true, and `original_bytes` and `original_sha256` describe the whole text in
    UTF-8. Where events of several accounts arrive, `account` and `region` are those that sent it.
    """
    row = {
        "secret_arn": _make_key(event.subject, _PARTITION_KEY_BYTES),
        # In UTC, so that keys sort by time whatever offset an event uses.
        "recorded": f"{to_iso(to_utc(event.occurred_at))}#{_make_key(event.identity, _IDENTITY_BYTES)}",
        "event_type": _cut(_encode(event.kind), _TEXT_BYTES),
        "timestamp": _cut(_encode(event.occurred_at), _TEXT_BYTES),
        "recorded_at": to_iso(now),
        "rotation_id": event.rotation_id,
        "expires_at": expires_at,
        **({"without_effect": event.without_effect} if event.without_effect else {}),
        **({"account": event.account, "region": _cut(_encode(event.region), _TEXT_BYTES)} if event.account else {}),
    }
    original = _encode(text)
    maximum_text_bytes = MAXIMUM_ITEM_BYTES - _LINK_BYTES - _count_bytes(row) - len("full_event")
    if len(original) <= maximum_text_bytes:
        return {**row, "full_event": original.decode()}
    digest: dict[str, Any] = {
        "truncated": True,
        "original_bytes": len(original),
        "original_sha256": hashlib.sha256(original).hexdigest(),
    }
    return {**row, **digest, "full_event": _cut(original, maximum_text_bytes - _count_bytes(digest))}


def _make_key(text: str, most: int) -> str:
    """The text if DynamoDB accepts it in a key, else its beginning and its digest: different texts, different keys."""
    if text.isprintable() and len(text.encode()) <= most:
        return text
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return f"{_NOT_FOR_A_KEY.sub('?', text)[: most - len(digest) - 1]}#{digest}"


def _encode(text: str) -> bytes:
    r"""The text in UTF-8. A lone surrogate cannot be encoded and becomes its JSON escape, such as \ud800."""
    return text.encode(errors="backslashreplace")


def _cut(encoded: bytes, most: int) -> str:
    """The beginning of a text in UTF-8, with no partial character at the end."""
    return encoded[:most].decode(errors="ignore")


def _count_bytes(row: dict[str, Any]) -> int:
    """The size of these attributes by DynamoDB's rule: names and values in UTF-8."""
    values = (len(value.encode()) if isinstance(value, str) else _NUMBER_BYTES for value in row.values())
    return sum(len(name) for name in row) + sum(values)
