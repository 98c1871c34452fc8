"""Finds classes of secrets that no secret can be in: because of what they ask for, or because of one before them."""

import json
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

NAME_ALLOWED = "a pattern of secret names: 1 to 512 letters, digits or /_+=.@!-, with * ? and [...] as wildcards"
MAXIMUM_TEXT = 2048
"""Characters of all classes as the check function is told them: its whole environment has 4 KB
(https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)."""
_LETTERS = frozenset(string.ascii_letters + string.digits + "/_+=.@!-")
"""What names are made of; AWS services put the exclamation mark into those they give, such as `rds!db-...`
(https://docs.aws.amazon.com/secretsmanager/latest/userguide/service-linked-secrets.html)."""
_TOKEN = re.compile(r"\*+|\[!?\]?[^\]]*\]|.", re.DOTALL)
_PATIENCE = 1000
"""Steps after which two patterns count as too hard to compare, and none is refused."""

Class = Mapping[str, Any]
Tokens = tuple[frozenset[str] | None, ...]
"""A pattern: the letters that may stand in each place, None where any number of any letters may."""


def can_match(pattern: Any) -> bool:
    """Whether a secret's name can match (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html)."""
    return isinstance(pattern, str) and 1 <= len(pattern) <= 512 and frozenset() not in _tokens(pattern)


def written(classes: Sequence[Class]) -> str:
    """The classes as the check function reads them."""
    found = []
    for one in classes:
        tag = one.get("tag") or {}
        fields = {"name": one.get("name"), "tag_key": tag.get("key"), "tag_value": tag.get("value")}
        found.append({"days": one["days"]} | {name: value for name, value in fields.items() if value is not None})
    return json.dumps(found, separators=(",", ":"))


def void(classes: Sequence[Class], managed_tag: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """The classes that no secret gets into, by their index, each with why. Their shapes have been checked before."""
    for index, one in enumerate(classes):
        tag = one.get("tag")
        if tag and tag["key"] == managed_tag["key"] and tag.get("value") not in (None, managed_tag["value"]):
            yield index, f"every secret under audit has the tag {managed_tag['key']}={managed_tag['value']}"
            continue
        shadow = next((before for before in range(index) if _takes_in(classes[before], one, managed_tag)), None)
        if shadow is not None:
            yield index, f"the class [{shadow}] before it takes in the same secrets"


def _takes_in(one: Class, other: Class, managed_tag: Mapping[str, str]) -> bool:
    """Whether every secret of the other class is in this one."""
    name, tag = one.get("name"), one.get("tag")
    if tag is not None and not any(
        known["key"] == tag["key"] and tag.get("value") in (None, known.get("value"))
        for known in (other.get("tag"), managed_tag)
        if known
    ):
        return False
    return name is None or _covers(_tokens(name), _tokens(other.get("name") or "*"))


def _covers(wide: Tokens, narrow: Tokens) -> bool:
    """Whether no name fits the narrow pattern alone: looked for letter by letter, in both patterns at once."""
    if wide == narrow:
        return True
    letters = _of_each_kind((*wide, *narrow))
    ahead = [(place, _skipping(wide, {0})) for place in _skipping(narrow, {0})]
    seen = set(ahead)
    while ahead:
        if len(seen) > _PATIENCE:
            return False
        place, reached = ahead.pop()
        for letter in letters:
            then = _after(wide, reached, letter)
            for further in _after(narrow, {place}, letter):
                if not then or (further == len(narrow) and len(wide) not in then):
                    return False
                if (further, then) not in seen:
                    seen.add((further, then))
                    ahead.append((further, then))
    return True


@lru_cache(maxsize=256)
def _tokens(pattern: str) -> Tokens:
    return tuple(
        None if token[0] == "*" else frozenset(letter for letter in _LETTERS if fnmatchcase(letter, token))
        for token in _TOKEN.findall(pattern)
    )


def _of_each_kind(tokens: Tokens) -> list[str]:
    """One letter for all those that no token tells apart."""
    kinds = {frozenset(token for token in tokens if token and letter in token): letter for letter in _LETTERS}
    return list(kinds.values())


def _after(tokens: Tokens, places: set[int] | frozenset[int], letter: str) -> frozenset[int]:
    """The places in a pattern that one more letter leads to."""
    moved = set()
    for place in places:
        token = tokens[place] if place < len(tokens) else frozenset()
        if token is None:
            moved.add(place)
        elif letter in token:
            moved.add(place + 1)
    return _skipping(tokens, moved)


def _skipping(tokens: Tokens, places: set[int]) -> frozenset[int]:
    """The same places, and those behind a wildcard that stands for nothing."""
    return frozenset(places | {place + 1 for place in places if place < len(tokens) and tokens[place] is None})
