"""Classes of secrets with a limit of their own: which patterns a name can match, and which class is never reached."""

import json
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

NAME_ALLOWED = "a pattern of secret names: 1 to 512 letters, digits or /_+=.@!-, with * ? and [...] as wildcards"
MAXIMUM_TEXT = 2048
"""Characters of all classes in the check function's environment, which has 4 KB in total
(https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)."""
_LETTERS = frozenset(string.ascii_letters + string.digits + "/_+=.@!-")
"""What names are made of; AWS services put the exclamation mark into those they give, such as `rds!db-...`
(https://docs.aws.amazon.com/secretsmanager/latest/userguide/service-linked-secrets.html)."""
_TOKEN = re.compile(r"\*+|\[!?\]?[^\]]*\]|.", re.DOTALL)

Class = Mapping[str, Any]
Tokens = tuple[frozenset[str] | None, ...]
"""A pattern: the letters that may stand in each place, None where any number of any letters may."""


def can_match(pattern: Any) -> bool:
    """Whether a secret's name can match (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html)."""
    return isinstance(pattern, str) and 1 <= len(pattern) <= 512 and frozenset() not in _tokens(pattern)


def to_environment(classes: Sequence[Class]) -> str:
    """The classes as JSON, in the form that the check function reads."""
    entries = []
    for age_class in classes:
        tag = age_class.get("tag") or {}
        fields = {"name": age_class.get("name"), "tag_key": tag.get("key"), "tag_value": tag.get("value")}
        entries.append(
            {"days": age_class["days"]} | {name: value for name, value in fields.items() if value is not None}
        )
    return json.dumps(entries, separators=(",", ":"))


def find_unreachable(classes: Sequence[Class], managed_tag: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """The index of each class that no secret can be in, with the reason. Their shapes have been checked before.

    Compares patterns by their text: one that includes another in a less obvious way is accepted.
    """
    for index, age_class in enumerate(classes):
        tag = age_class.get("tag")
        if tag and tag["key"] == managed_tag["key"] and tag.get("value") not in (None, managed_tag["value"]):
            yield index, f"every secret under audit has the tag {managed_tag['key']}={managed_tag['value']}"
            continue
        earlier = next((before for before in range(index) if _includes(classes[before], age_class, managed_tag)), None)
        if earlier is not None:
            yield index, f"class [{earlier}] includes the same secrets and comes first"


def _includes(earlier: Class, later: Class, managed_tag: Mapping[str, str]) -> bool:
    """Whether the earlier class includes every secret of the later one, as far as their texts tell."""
    name, tag = earlier.get("name"), earlier.get("tag")
    includes_tag = tag is None or any(
        known["key"] == tag["key"] and tag.get("value") in (None, known.get("value"))
        for known in (later.get("tag"), managed_tag)
        if known
    )
    return includes_tag and name in (None, "*", later.get("name"))


@lru_cache(maxsize=256)
def _tokens(pattern: str) -> Tokens:
    return tuple(
        None if token[0] == "*" else frozenset(letter for letter in _LETTERS if fnmatchcase(letter, token))
        for token in _TOKEN.findall(pattern)
    )
