"""Writes CSV that is safe where it is opened."""

import csv
import io
from collections.abc import Iterable, Iterator

from .control_characters import escape_control_characters

_FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet takes a cell that begins with one of these for a formula, or drops the character and looks again
(https://owasp.org/www-community/attacks/CSV_Injection)."""
_ROWS_PER_TEXT = 1000


def render_csv(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """CSV as RFC 4180 defines it, safe to open in a spreadsheet: many rows at a time, whatever their number."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for number, row in enumerate(rows, 1):
        writer.writerow([_to_csv_cell(value) for value in row])
        if number % _ROWS_PER_TEXT == 0:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _to_csv_cell(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, str):
        return value
    # RFC 4180 allows line breaks between quotes.
    text = escape_control_characters(value, keep="\t\r\n")
    return f"'{text}" if text.startswith(_FORMULA_PREFIXES) else text
