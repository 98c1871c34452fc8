"""Which secrets something applies to: by a pattern of their names, by a tag, or by both."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Self

from .secret import ListedSecret


@dataclass(frozen=True, slots=True)
class SecretFilter:
    """Criteria that a secret has to meet, all of them; a filter without any applies to every secret."""

    name: str | None = None
    """A case-sensitive pattern for the whole name, with the wildcards `*`, `?` and `[...]`."""
    tag_key: str | None = None
    tag_value: str | None = None
    """None matches any value."""

    @classmethod
    def from_setting(cls, setting: Mapping[str, Any]) -> Self:
        """The filter in a setting of the form `{"name": pattern, "tag": {"key": ..., "value": ...}}`."""
        tag = setting.get("tag") or {}
        return cls(setting.get("name"), tag.get("key"), tag.get("value"))

    def matches(self, secret: ListedSecret) -> bool:
        """Whether the secret meets every criterion that is set."""
        if self.name is not None and not fnmatchcase(secret.name, self.name):
            return False
        if self.tag_key is None:
            return True
        return self.tag_key in secret.tags and self.tag_value in (None, secret.tags[self.tag_key])

    def __str__(self) -> str:
        tag = "" if self.tag_key is None else f"tag {self.tag_key}"
        tag += "" if self.tag_value is None else f"={self.tag_value}"
        return " and ".join(part for part in (f"name {self.name}" if self.name else "", tag) if part)


EVERY_SECRET = SecretFilter()
