"""Reads what a program asked for, in whatever shape it comes: unknown, secret, absent, as JSON, as text.

Rules are written as if every value were known. A reader that meets a value nobody can judge raises Undecided, and the
rule says nothing about that part: it is decided at the update, or not by us.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, NoReturn


class Mark(Enum):
    """Stands in a tree of plain values for one that is not there to be read."""

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
    """A value is unknown, secret, or of a kind that nothing can be said about."""


def to_plain(value: Any) -> Any:
    """The same tree in plain dicts, lists, texts and numbers, with marks for what is unknown or secret.

    The engine's own keys (`__defaults`) are left out. Files and archives become UNKNOWN: no rule looks into them.
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
            return _signed(value)
        return {key: to_plain(inner) for key, inner in value.items() if not str(key).startswith("__")}
    return UNKNOWN


def _signed(value: Mapping[str, Any]) -> Any:
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
    """Say nothing about this part: nobody can tell."""
    raise Undecided(why)


def any_of(parts: Iterable[Any], question: Callable[[Any], bool]) -> bool:
    """Whether the answer is yes for one; raises Undecided where it may be, and is certain for none."""
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
    """Whether the answer is yes for each; raises Undecided where it may be, and is no for none."""
    return not any_of(parts, lambda part: not question(part))


def member(mapping: Mapping[str, Any], key: str) -> Any:
    """The value of a key, written in whatever case; None where it is absent."""
    if key in mapping:
        return mapping[key]
    lower = key.lower()
    return next((value for name, value in mapping.items() if str(name).lower() == lower), None)


def get_path(tree: Any, path: str) -> Any:
    """What lies at `a.b.c`, marks included; None where nothing does. A text on the way there is read as JSON.

    A list of one on the way there is that one: older providers wrote single objects so. Raises Undecided where
    something on the way there is unknown.
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
            raise_undecided(f"{key} of what is no object")
        tree = member(tree, key)
    return tree


def get_all(tree: Any, path: str) -> Iterator[Any]:
    """All that lies at `a.b.c`, marks included, through every list on the way there and at its end."""
    if isinstance(tree, list):
        for inner in tree:
            yield from get_all(inner, path)
    elif not path or isinstance(tree, Mark):
        yield tree
    elif (mapping := document(tree)) is not None:
        key, _, rest = path.partition(".")
        yield from get_all(member(mapping, key), rest)


def number(value: Any) -> int | float | None:
    """A number, also as text; None where it is absent."""
    value = require_known(value)
    if value is None or value == "":
        return None
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d+(\.\d+)?\s*", value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise_undecided("no number")
    return int(value) if isinstance(value, float) and value.is_integer() else value


def text(value: Any) -> str | None:
    """A text; None where it is absent or empty, which providers take for the same."""
    value = require_known(value)
    if value is None or value == "":
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise_undecided("no text")
    return value


def flag(value: Any) -> bool | None:
    """True or false, also as text; None where it is absent."""
    value = require_known(value)
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if not isinstance(value, bool):
        raise_undecided("neither true nor false")
    return value


def items(value: Any) -> list[Any]:
    """A list, marks included; one value alone stands for a list of one, and nothing for none."""
    value = require_known(value)
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def texts(value: Any) -> list[str]:
    """A list of texts, all of them known; one text alone stands for a list of one."""
    return [known for known in (text(inner) for inner in items(value)) if known is not None]


def document(value: Any) -> dict[str, Any] | None:
    """A JSON object, also as a text that holds one; None where it is absent or empty."""
    value = require_known(value)
    if value is None:
        return None
    if isinstance(value, str):
        if not value.strip():
            return None
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise_undecided("no JSON")
    if not isinstance(value, Mapping):
        raise_undecided("no object")
    return dict(value)


def repeated_keys(text: str) -> list[str]:
    """Keys that one object in a JSON text has more than once, so that a value of each is lost."""
    repeated: dict[str, None] = {}

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        kept = dict(pairs)
        if len(kept) < len(pairs):
            keys = [key for key, _ in pairs]
            repeated.update(dict.fromkeys(key for key in kept if keys.count(key) > 1))
        return kept

    try:
        json.loads(text, object_pairs_hook=keep)
    except (ValueError, RecursionError):
        return []
    return list(repeated)
