"""Reads values of rows and events that have the expected pattern; all others result in None.

Text is printable ASCII on one line, without characters that JSON escapes.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

NAME_LENGTH, ARN_LENGTH, SENTENCE_LENGTH = 512, 700, 300
"""Maximum lengths; that of a secret's name is documented
(https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html)."""
TAG_VALUE_LENGTH = 256
"""(https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Tag.html)."""

_UNCOUNTABLE = 10**15
_UNSAFE = re.compile(r"[^ !#-\[\]-~]")
_VERSION = re.compile(r"[\w-]{1,64}", re.ASCII)
_ERROR = re.compile(r"[\w.]{1,80}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+){1,3}-\d{1,2}")
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_FUNCTION = re.compile(r"arn:[a-z-]+:lambda:[a-z0-9-]+:\d{12}:function:[\w-]{1,140}(?::[\w$-]{1,128})?", re.ASCII)


def read_text(value: Any, length: int) -> str | None:
    """A text on one line that every protocol accepts; None for other types."""
    return _UNSAFE.sub("?", value[:length]) if isinstance(value, str) and value else None


def read_string(value: Any) -> str | None:
    """Any text, as it is."""
    return value if isinstance(value, str) else None


def read_word(words: Iterable[str], value: Any) -> str | None:
    """The value if it is one of these words."""
    return next((word for word in words if word == value), None)


def read_error(value: Any) -> str:
    """The name of an error, or `unknown`; never its message, which may contain anything."""
    return value if isinstance(value, str) and _ERROR.fullmatch(value) else "unknown"


def read_version(value: Any) -> str | None:
    """The id of a version."""
    return value if isinstance(value, str) and _VERSION.fullmatch(value) else None


def read_time(value: Any) -> str | None:
    """A time in ISO 8601 with its offset."""
    return value if isinstance(value, str) and _TIME.fullmatch(value) else None


def read_count(value: Any) -> int | None:
    """An integer that DynamoDB can keep, which returns decimals; it keeps 38 digits, and counts have far fewer."""
    try:
        count = None if value is None else int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return count if count is None or abs(count) < _UNCOUNTABLE else None


def read_mapping(value: Any) -> Mapping[str, Any]:
    """A mapping, empty for other types."""
    return value if isinstance(value, Mapping) else {}


def read_list(value: Any) -> Sequence[Any]:
    """A list, empty for other types."""
    return value if isinstance(value, list | tuple) else []


def read_attributes(row: Mapping[str, Any], readers: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    """A row with what readers make of its attributes, by name, and without those of which they make None."""
    read = ((name, readers[name](value) if name in readers else value) for name, value in row.items())
    return {name: value for name, value in read if value is not None}


def read_set(value: Any) -> frozenset[str]:
    """The strings in a set or a list, empty for other types."""
    return frozenset(word for word in value if isinstance(word, str)) if isinstance(value, set | list) else frozenset()


def read_function_arn(value: Any) -> str | None:
    """The ARN of a Lambda function, with or without a version or an alias."""
    return value if isinstance(value, str) and _FUNCTION.fullmatch(value) else None


def read_region(arn: str | None) -> str | None:
    """The Region in an ARN."""
    return _match(_REGION, arn, 3)


def read_account(arn: str | None) -> str | None:
    """The account in an ARN."""
    return _match(_ACCOUNT, arn, 4)


def _match(pattern: re.Pattern[str], arn: str | None, position: int) -> str | None:
    parts = (arn or "").split(":")
    return parts[position] if len(parts) > position and pattern.fullmatch(parts[position]) else None
