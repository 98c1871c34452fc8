"""One event as a row of the audit trail: with a key that DynamoDB takes, and never larger than an item may be.

An event has up to 1 MB (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html), and holds texts that
others chose; an item has 400 KB, names of attributes included, and holds only UTF-8
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html).
"""

import hashlib
import re
from datetime import datetime
from typing import Any

from .history import iso
from .rotation import RotationEvent, utc

MAXIMUM_ITEM_BYTES = 400_000
"""Bytes of a row at most: below 400 KB whichever way they are counted."""
_PARTITION_KEY_BYTES = 2048
_IDENTITY_BYTES = 1000
"""What is left of the sort key's 1024 bytes behind the time."""
_TEXT_BYTES = 1000
"""Of an attribute that repeats a part of the event, which `full_event` holds whole."""
_NUMBER_BYTES = 21
"""The largest number takes 38 digits, two to a byte, one byte more and perhaps a sign
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html)."""
_NOT_FOR_A_KEY = re.compile(r"[^ -~]")


def trail_row(event: RotationEvent, text: str, now: datetime, expires_at: int | None) -> dict[str, Any]:
    """The row for an event that came as this JSON text; attributes that are None are to be left out.

    `full_event` is the text as it came, so that nothing gets lost which a parser drops, such as the first of two equal
    keys. Where it is too large it is cut, `truncated` is true, and `original_bytes` and `original_sha256` say what was
    there, in UTF-8.
    """
    row = {
        "secret_arn": _key(event.subject, _PARTITION_KEY_BYTES),
        # In UTC, so that keys sort by time however a time is written.
        "recorded": f"{iso(utc(event.occurred_at))}#{_key(event.identity, _IDENTITY_BYTES)}",
        "event_type": _start_of(_utf8(event.kind), _TEXT_BYTES),
        "timestamp": _start_of(_utf8(event.occurred_at), _TEXT_BYTES),
        "recorded_at": iso(now),
        "rotation_id": event.rotation_id,
        "expires_at": expires_at,
    }
    original = _utf8(text)
    room = MAXIMUM_ITEM_BYTES - _bytes_of(row) - len("full_event")
    if len(original) <= room:
        return {**row, "full_event": original.decode()}
    digest: dict[str, Any] = {
        "truncated": True,
        "original_bytes": len(original),
        "original_sha256": hashlib.sha256(original).hexdigest(),
    }
    return {**row, **digest, "full_event": _start_of(original, room - _bytes_of(digest))}


def _key(text: str, most: int) -> str:
    """The text where it can be part of a key, else as much of it as can, and its digest: each text has its own key."""
    if text.isprintable() and len(text.encode()) <= most:
        return text
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return f"{_NOT_FOR_A_KEY.sub('?', text)[: most - len(digest) - 1]}#{digest}"


def _utf8(text: str) -> bytes:
    r"""The text in UTF-8. A lone surrogate, which has none, becomes its escape (\ud800), which is the same in JSON."""
    return text.encode(errors="backslashreplace")


def _start_of(encoded: bytes, most: int) -> str:
    """As much of the text as so many bytes hold, and no part of a character."""
    return encoded[:most].decode(errors="ignore")


def _bytes_of(row: dict[str, Any]) -> int:
    """What attributes count as: their names, and their values in UTF-8."""
    values = (len(value.encode()) if isinstance(value, str) else _NUMBER_BYTES for value in row.values())
    return sum(len(name) for name in row) + sum(values)
