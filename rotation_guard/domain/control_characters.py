"""Escapes control characters: names, tags and responses of AWS may contain them, and a terminal obeys them.

All output for people, printed or logged, is escaped here immediately before it leaves the program.
"""

import json
import re
from typing import Any

_CONTROL_CHARACTER = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL and C1: the escape sequences of terminals begin with them
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # characters that change the direction of text (UAX #9)
    "\u2028\u2029"  # line and paragraph separators: some parsers of CSV, JSON and logs start a new line there
    "\ud800-\udfff"  # lone surrogates, which UTF-8 cannot encode
    "]"
)


def escape_control_characters(text: str, keep: str = "") -> str:
    r"""Escape control characters, for example as `\x1b` or `\u202e`.

    Line breaks and tabs are control characters too; `keep` lists those that the output format allows.
    """
    return _CONTROL_CHARACTER.sub(lambda match: match[0] if match[0] in keep else _escape(match[0]), text)


def escape_control_characters_in_json(document: str) -> str:
    r"""Escape control characters in the strings of a JSON document, as `\uXXXX`.

    Line breaks and tabs stay: unescaped they are white space between values, since JSON does not allow them in a string
    (https://www.rfc-editor.org/rfc/rfc8259#section-7).
    """
    return _CONTROL_CHARACTER.sub(
        lambda match: match[0] if match[0] in "\t\r\n" else f"\\u{ord(match[0]):04x}", document
    )


def serialize_log_record(record: dict[str, Any]) -> str:
    """Serialize a log record as one line of JSON; values that JSON does not support become strings.

    Powertools' own serializer does not escape separators, direction marks and C1 controls
    (https://docs.aws.amazon.com/powertools/python/latest/core/logger/#bring-your-own-formatter).
    """
    document = json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=str)
    return escape_control_characters_in_json(document)


def has_control_characters(text: str) -> bool:
    """Whether the text contains a control character."""
    return _CONTROL_CHARACTER.search(text) is not None


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()
