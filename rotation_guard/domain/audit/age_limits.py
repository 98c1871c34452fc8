"""How old a value may be: the limit of the secret's own tag, else of its age class, else the general limit."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..secret import ListedSecret
from ..secret_filter import SecretFilter
from ..tags import LIMIT_TAG

MAX_LIMIT_DAYS = 3650
_DAYS = re.compile(r"[0-9]{1,4}", re.ASCII)


@dataclass(frozen=True, slots=True)
class AgeClass:
    """An age limit for all secrets with a tag, a name pattern, or both."""

    days: int
    name: str | None = None
    """A case-sensitive pattern for the whole name, with the wildcards `*`, `?` and `[...]`."""
    tag_key: str | None = None
    tag_value: str | None = None
    """None matches any value."""

    def matches(self, secret: ListedSecret) -> bool:
        """Whether the secret meets every criterion that is set; False if none is set."""
        return (self.name, self.tag_key) != (None, None) and self._filter().matches(secret)

    def __str__(self) -> str:
        return str(self._filter())

    def _filter(self) -> SecretFilter:
        return SecretFilter(self.name, self.tag_key, self.tag_value)


@dataclass(frozen=True, slots=True)
class Limit:
    """The maximum age of one secret's value."""

    days: int
    source: str = ""
    """What sets the limit: `its tag` or the age class; empty for the general limit."""
    problem: str = ""
    """Why the secret's own tag is ignored, in a sentence; empty if it is not."""


def find_limit(secret: ListedSecret, max_age_days: int, classes: Sequence[AgeClass]) -> Limit:
    """The secret's age limit. A malformed tag is ignored and reported as `problem`."""
    problem = ""
    tag = secret.tags.get(LIMIT_TAG)
    if tag is not None:
        text = tag.strip()
        if _DAYS.fullmatch(text) and 1 <= int(text) <= MAX_LIMIT_DAYS:
            return Limit(int(text), "its tag")
        problem = f"Its tag {LIMIT_TAG} must be an integer from 1 to {MAX_LIMIT_DAYS}, got {tag!r}."
    for age_class in classes:
        if age_class.matches(secret):
            return Limit(age_class.days, f"age class: {age_class}", problem)
    return Limit(max_age_days, "", problem)
