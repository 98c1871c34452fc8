"""The rows of the table of secrets: as many as fit are HTML, and the others compressed HTML that the script unpacks.

A page without scripts shows the first rows, which are those that need attention, and says how many it does not show.
"""

import base64
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

MAX_PLAIN_BYTES = 560_000
"""Bytes of rows that stay plain: with 5 000 secrets the whole page is below 1 MB, whatever they need."""
COMPRESSION_FORMAT = "deflate"
"""The name of zlib's format in the browser (https://compression.spec.whatwg.org/#supported-formats)."""


@dataclass(frozen=True)
class TableRows:
    """The rows of a table."""

    plain: Sequence[Markup]
    compressed: str
    """The remaining rows; empty if there are none."""
    hidden: int
    """How many these are."""


def split_rows(rows: Iterable[Markup], max_bytes: int = MAX_PLAIN_BYTES) -> TableRows:
    """Rows in their order: those of the first so many bytes, and the others, compressed."""
    plain: list[Markup] = []
    compressor, pieces, hidden, size = zlib.compressobj(9), [], 0, 0
    for row in rows:
        encoded = row.encode()
        size += len(encoded)
        if size <= max_bytes:
            plain.append(row)
        else:
            pieces.append(compressor.compress(encoded))
            hidden += 1
    packed = base64.b64encode(b"".join([*pieces, compressor.flush()])).decode() if hidden else ""
    return TableRows(plain, packed, hidden)
