"""How old a value may be: by the secret's own tag, else by its class, else by the general limit."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ..secret import ListedSecret

LIMIT_TAG = "rotation-guard:max-age-days"
MOST_DAYS = 3650
_DAYS = re.compile(r"[0-9]{1,4}", re.ASCII)


@dataclass(frozen=True, slots=True)
class AgeClass:
    """Secrets with a limit of their own: by a tag, or by a pattern of their names."""

    days: int
    name: str | None = None
    """A pattern in which `*`, `?` and `[...]` are wildcards, compared with the whole name, case and all."""
    tag_key: str | None = None
    tag_value: str | None = None
    """None for a tag with any value."""

    def takes_in(self, secret: ListedSecret) -> bool:
        """Whether this secret is of the class: every criterion that is there has to hold."""
        if self.name is not None and not fnmatchcase(secret.name, self.name):
            return False
        if self.tag_key is None:
            return self.name is not None
        return self.tag_key in secret.tags and self.tag_value in (None, secret.tags[self.tag_key])

    def __str__(self) -> str:
        tag = "" if self.tag_key is None else f"tag {self.tag_key}"
        tag += "" if self.tag_value is None else f"={self.tag_value}"
        return " and ".join(part for part in (f"name {self.name}" if self.name else "", tag) if part)


@dataclass(frozen=True, slots=True)
class Limit:
    """The age that a value may have."""

    days: int
    source: str = ""
    """Where it is from, where that is not the general limit: `its tag`, or the class."""
    problem: str = ""
    """What is wrong with the secret's own tag, in a sentence."""


def find_limit(secret: ListedSecret, max_age_days: int, classes: Sequence[AgeClass]) -> Limit:
    """The limit that holds for a secret; a malformed tag is passed over, and told."""
    problem = ""
    tag = secret.tags.get(LIMIT_TAG)
    if tag is not None:
        text = tag.strip()
        if _DAYS.fullmatch(text) and 1 <= int(text) <= MOST_DAYS:
            return Limit(int(text), "its tag")
        problem = f"Its tag {LIMIT_TAG} must be a whole number of days from 1 to {MOST_DAYS}, got {tag!r}."
    for one in classes:
        if one.takes_in(secret):
            return Limit(one.days, f"its class, {one}", problem)
    return Limit(max_age_days, "", problem)
