"""Reads property values in every form: unknown, secret, absent, JSON or string.

Rules are written as if every value were known. A function here raises Undecided for a value that is not, and the rule
then reports nothing about that part: it is evaluated again at the update.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, NoReturn


class Mark(Enum):
    """Replaces a value that cannot be read in a tree of plain values."""

    UNKNOWN = "unknown"
    SECRET = "secret"  # noqa: S105 - a mark, not a secret


UNKNOWN, SECRET = Mark.UNKNOWN, Mark.SECRET

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - how the engine marks one
_OUTPUT_SIGNATURE = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_REFERENCE_SIGNATURE = "5cf8f73096256a8f31e491e813e4eb8e"
_SECRET_TEXT = "[secret]"  # noqa: S105 - what the CLI shows in its place
_UNKNOWN_TEXTS = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # a boolean
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # a number
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",  # a string
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # an array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # an asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # an archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # an object
    }
)


class Undecided(Exception):
    """A value is unknown, secret, or of an unexpected type."""


def to_plain(value: Any) -> Any:
    """Convert the engine's format to plain dicts, lists, strings and numbers, with marks for unknown and secret values.

    Drops the engine's own keys (`__defaults`). Assets and archives become UNKNOWN: no rule reads them.
    """
    if isinstance(value, str):
        if value in _UNKNOWN_TEXTS:
            return UNKNOWN
        return SECRET if value == _SECRET_TEXT else value
    if value is None or isinstance(value, bool | int | Mark):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, list | tuple):
        return [to_plain(inner) for inner in value]
    if isinstance(value, Mapping):
        if _SIGNATURE in value:
            return _read_signed(value)
        return {key: to_plain(inner) for key, inner in value.items() if not str(key).startswith("__")}
    return UNKNOWN


def _read_signed(value: Mapping[str, Any]) -> Any:
    signature = value[_SIGNATURE]
    if signature == _SECRET_SIGNATURE or value.get("secret") is True:
        return SECRET
    if signature == _OUTPUT_SIGNATURE:
        return to_plain(value["value"]) if "value" in value else UNKNOWN
    if signature == _REFERENCE_SIGNATURE:
        return to_plain(value.get("id", ""))
    return UNKNOWN


def require_known(value: Any) -> Any:
    """The value; raises Undecided where it is unknown or secret."""
    if isinstance(value, Mark):
        raise_undecided(value.value)
    return value


def raise_undecided(why: str) -> NoReturn:
    """Raise Undecided, for a part that cannot be evaluated."""
    raise Undecided(why)


def any_of(parts: Iterable[Any], question: Callable[[Any], bool]) -> bool:
    """Whether the answer is yes for some part; raises Undecided where only an undecided part may be one."""
    unsure: Undecided | None = None
    for part in parts:
        try:
            if question(part):
                return True
        except Undecided as reason:
            unsure = reason
    if unsure is not None:
        raise unsure
    return False


def all_of(parts: Iterable[Any], question: Callable[[Any], bool]) -> bool:
    """Whether the answer is yes for every part; raises Undecided where only an undecided part may not be one."""
    return not any_of(parts, lambda part: not question(part))


def member(mapping: Mapping[str, Any], key: str) -> Any:
    """The value of a key, ignoring its case; None where it is absent."""
    if key in mapping:
        return mapping[key]
    lower = key.lower()
    for name in mapping:
        if str(name).lower() == lower:
            return mapping[name]
    return None


def get_path(tree: Any, path: str) -> Any:
    """The value or mark at `a.b.c`; None where it is absent. Strings on the path are parsed as JSON.

    A list with one item on the path stands for the item, as older providers wrote it. Raises Undecided where a value on
    the path is unknown.
    """
    for key in path.split("."):
        tree = require_known(tree)
        if isinstance(tree, str):
            tree = document(tree)
        if isinstance(tree, list) and len(tree) < 2:
            tree = require_known(tree[0]) if tree else None
        if tree is None:
            return None
        if not isinstance(tree, Mapping):
            raise_undecided(f"{key} of a value that is not an object")
        tree = member(tree, key)
    return tree


def get_all(tree: Any, path: str) -> Iterator[Any]:
    """All values and marks at `a.b.c`, through every list on the path."""
    if isinstance(tree, list):
        for inner in tree:
            yield from get_all(inner, path)
    elif not path or isinstance(tree, Mark):
        yield tree
    elif (mapping := document(tree)) is not None:
        key, _, rest = path.partition(".")
        yield from get_all(member(mapping, key), rest)


def number(value: Any) -> int | float | None:
    """A number, also parsed from a string; None where it is absent."""
    value = require_known(value)
    if value is None or value == "":
        return None
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d+(\.\d+)?\s*", value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise_undecided("not a number")
    return int(value) if isinstance(value, float) and value.is_integer() else value


def text(value: Any) -> str | None:
    """A string; None where it is absent or empty, which providers treat alike."""
    value = require_known(value)
    if value is None or value == "":
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise_undecided("not a string")
    return value


def flag(value: Any) -> bool | None:
    """A boolean, also parsed from a string; None where it is absent."""
    value = require_known(value)
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if not isinstance(value, bool):
        raise_undecided("neither true nor false")
    return value


def items(value: Any) -> list[Any]:
    """A list, marks included; a single value becomes a list, and None an empty one."""
    value = require_known(value)
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def texts(value: Any) -> list[str]:
    """A list of strings, all of them known; a single string becomes a list."""
    return [known for known in (text(inner) for inner in items(value)) if known is not None]


def document(value: Any) -> dict[str, Any] | None:
    """A JSON object, also parsed from a string; None where it is absent or empty."""
    value = require_known(value)
    if value is None:
        return None
    if isinstance(value, str):
        if not value.strip():
            return None
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise_undecided("not JSON")
    if not isinstance(value, Mapping):
        raise_undecided("not an object")
    return dict(value)


def repeated_keys(text: str) -> list[str]:
    """The duplicate keys of objects in a JSON text, of which only one value has an effect."""
    repeated: dict[str, None] = {}

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        unique = dict(pairs)
        if len(unique) < len(pairs):
            keys = [key for key, _ in pairs]
            repeated.update(dict.fromkeys(key for key in unique if keys.count(key) > 1))
        return unique

    try:
        json.loads(text, object_pairs_hook=collect)
    except (ValueError, RecursionError):
        return []
    return list(repeated)
