"""Control characters, made visible: names, tags and answers of AWS may hold anything, and a terminal obeys it.

Everything that this project prints or logs for people passes here at the place where it leaves the program.
"""

import json
import re
from typing import Any

_CONTROL_CHARACTER = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL and C1: the escape sequences of terminals begin with them
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what changes the direction of the text after it (UAX #9)
    "\u2028\u2029"  # line and paragraph separators: some readers of CSV, JSON and logs begin a line there
    "\ud800-\udfff"  # surrogates without a partner, which UTF-8 cannot encode
    "]"
)


def escape_control_characters(text: str, keep: str = "") -> str:
    r"""The text with each control character as its escape, such as `\x1b` or `\u202e`.

    Line breaks and tabs are control characters, too; `keep` names those that stay, for a format that has a place for
    them.
    """
    return _CONTROL_CHARACTER.sub(lambda match: match[0] if match[0] in keep else _escape(match[0]), text)


def escape_control_characters_in_json(document: str) -> str:
    r"""A JSON document with the control characters in its strings as JSON escapes them, all of them as `\uXXXX`.

    Line breaks and tabs stay: unescaped they are white space between values, since JSON allows none in a string
    (https://www.rfc-editor.org/rfc/rfc8259#section-7).
    """
    return _CONTROL_CHARACTER.sub(
        lambda match: match[0] if match[0] in "\t\r\n" else f"\\u{ord(match[0]):04x}", document
    )


def serialize_log_record(record: dict[str, Any]) -> str:
    """A record of the log as one line of JSON; what JSON has no form for as text.

    Powertools' own serializer leaves separators, marks of direction and C1 controls as they are
    (https://docs.aws.amazon.com/powertools/python/latest/core/logger/#bring-your-own-formatter).
    """
    document = json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=str)
    return escape_control_characters_in_json(document)


def has_control_characters(text: str) -> bool:
    """Whether there is one."""
    return _CONTROL_CHARACTER.search(text) is not None


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()
