"""A tag that secrets are chosen by."""

from typing import NotRequired, TypedDict


class TagArgs(TypedDict):
    """A tag, or with its key alone a tag with any value."""

    key: str
    """Its key."""
    value: NotRequired[str]
    """Its value; any unless given."""
