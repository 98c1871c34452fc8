"""Links: what a row carries so that no earlier row of its secret can be changed or removed unnoticed.

The rows of a secret are a chain in the order in which they were recorded. A row has one attribute for it, `link`, with
its number in the chain, the hash of the row before it, and its own hash, which covers everything else in the row. The
head of the chain is a row of its own that names the last link; it is replaced in the transaction that adds a row.

Rows expire, and the setting that says when may change, so a row that is missing may have been removed or have expired.
Each link therefore lists when the rows before it expire: of those that outlast all rows between them and the link.
For any gap before a link, the first entry in the gap is the row in it that expires last.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .canonical_json import canonicalize

LINK = "link"
"""The attribute of a row."""
NO_HASH = "0" * 64
"""The previous hash of the first row."""
HEAD_PREFIX, HEAD = "chain#", "head"
"""The key of a head: the prefix and the key of its rows, and this sort key. No row has this sort key."""
CHAIN_OF = "chain_of"
"""The attribute of a head that names the key of its rows."""
_HASH = "hash"
_FIELDS = ("sequence", "previous_hash", "ancestors", _HASH)
_LONGEST_KEY = 2048
"""Bytes of a partition key (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html)."""

Item = Mapping[str, Any]
"""A row in DynamoDB's JSON."""


class MalformedLink(ValueError):
    """A link or a head is not as it is written here; the message says what is wrong."""


class Ancestor(NamedTuple):
    """A row before a link that expires later than every row between the two."""

    sequence: int
    hash: str
    expires_at: int | None
    """Epoch seconds; None if it never expires."""

    def is_expired(self, now: int) -> bool:
        """Whether it may be deleted at this time, in epoch seconds."""
        return self.expires_at is not None and self.expires_at <= now

    def to_value(self) -> Item:
        """The entry in a link, in DynamoDB's JSON."""
        expires_at = {"NULL": True} if self.expires_at is None else {"N": str(self.expires_at)}
        return {"M": {"sequence": {"N": str(self.sequence)}, _HASH: {"S": self.hash}, "expires_at": expires_at}}


@dataclass(frozen=True)
class Head:
    """The end of a chain: what the next link is built on."""

    sequence: int
    """How many rows were added to the chain since it began."""
    hash: str
    """The hash of the last one."""
    began_at: str
    """When the first one was added, ISO 8601 in UTC."""
    ancestors: tuple[Ancestor, ...]
    """The last row, and the rows before it that outlast it; the oldest first, and so the last to expire."""

    @classmethod
    def from_item(cls, item: Item) -> "Head":
        """Parse a stored head. Raises MalformedLink."""
        return cls(
            sequence=_read_integer(item, "sequence"),
            hash=_read_text(item, _HASH),
            began_at=_read_text(item, "began_at"),
            ancestors=_read_ancestors(item),
        )

    def to_item(self, key: str) -> dict[str, Any]:
        """The attributes of the row that stores it, without its key; `key` is that of the chain's rows."""
        return {
            CHAIN_OF: {"S": key},
            "sequence": {"N": str(self.sequence)},
            _HASH: {"S": self.hash},
            "began_at": {"S": self.began_at},
            "ancestors": _to_list(self.ancestors),
        }


@dataclass(frozen=True)
class Link:
    """The link of a row."""

    sequence: int
    """The row's number in the chain; the first one is 1."""
    previous_hash: str
    ancestors: tuple[Ancestor, ...]
    hash: str
    """The hash of the row's content and of the rest of the link."""
    extent: Item = field(default_factory=dict)
    """What else the link says: which part of the row it covers, in a table whose rows change."""

    @classmethod
    def from_value(cls, value: Any) -> "Link":
        """Parse the value of the attribute. Raises MalformedLink."""
        if not value:
            raise MalformedLink("there is none")
        fields = _read(value, "M", Mapping, LINK)
        return cls(
            sequence=_read_integer(fields, "sequence"),
            previous_hash=_read_text(fields, "previous_hash"),
            ancestors=_read_ancestors(fields),
            hash=_read_text(fields, _HASH),
            extent={name: content for name, content in fields.items() if name not in _FIELDS},
        )

    def to_value(self) -> dict[str, Any]:
        """The value of the attribute, in DynamoDB's JSON."""
        fields = _hashed_fields(self.sequence, self.previous_hash, self.ancestors)
        return {"M": {**fields, **self.extent, _HASH: {"S": self.hash}}}


def build_head_key(key: str) -> str:
    """The partition key of the head of the chain whose rows have this partition key."""
    head_key = f"{HEAD_PREFIX}{key}"
    if len(head_key.encode()) <= _LONGEST_KEY:
        return head_key
    return f"{HEAD_PREFIX}{hashlib.sha256(key.encode()).hexdigest()}"


def add_link(content: Item, head: Head | None, now: str, extent: Item | None = None) -> tuple[Link, Head]:
    """The link of a row that follows the head, and the head after it; `content` is what the link covers of the row.

    `now` is when a chain begins, ISO 8601 in UTC.
    """
    sequence, previous_hash = (head.sequence + 1, head.hash) if head else (1, NO_HASH)
    ancestors = head.ancestors if head else ()
    own_hash = _hash(content, {**_hashed_fields(sequence, previous_hash, ancestors), **(extent or {})})
    link = Link(sequence, previous_hash, ancestors, own_hash, extent or {})
    return link, follow(link, read_expiry(content), head.began_at if head else now)


def follow(link: Link, expires_at: int | None, began_at: str) -> Head:
    """The head after a row with this link and expiry."""
    own = Ancestor(link.sequence, link.hash, expires_at)
    return Head(link.sequence, link.hash, began_at, (*_outlasting(link.ancestors, expires_at), own))


def compute_hash(content: Item, link: Item) -> str:
    """The SHA-256, in hex, that a row of this content must have in its link, whose value is in DynamoDB's JSON."""
    return _hash(content, {name: value for name, value in link["M"].items() if name != _HASH})


def read_expiry(content: Item) -> int | None:
    """When a row expires, epoch seconds; None if it does not. Raises MalformedLink."""
    return _read_integer(content, "expires_at") if "expires_at" in content else None


def _hash(content: Item, fields: Item) -> str:
    return hashlib.sha256(canonicalize({**content, LINK: {"M": fields}})).hexdigest()


def _outlasting(ancestors: Sequence[Ancestor], expires_at: int | None) -> list[Ancestor]:
    """Those that expire later than a row that follows them."""
    if expires_at is None:
        return []
    return [ancestor for ancestor in ancestors if ancestor.expires_at is None or ancestor.expires_at > expires_at]


def _hashed_fields(sequence: int, previous_hash: str, ancestors: Sequence[Ancestor]) -> dict[str, Any]:
    return {
        "sequence": {"N": str(sequence)},
        "previous_hash": {"S": previous_hash},
        "ancestors": _to_list(ancestors),
    }


def _to_list(ancestors: Sequence[Ancestor]) -> Item:
    return {"L": [ancestor.to_value() for ancestor in ancestors]}


def _read_ancestors(fields: Item) -> tuple[Ancestor, ...]:
    entries = _read(fields.get("ancestors"), "L", Sequence, "ancestors")
    return tuple(_read_ancestor(_read(entry, "M", Mapping, "an entry of ancestors")) for entry in entries)


def _read_ancestor(fields: Item) -> Ancestor:
    is_permanent = fields.get("expires_at") == {"NULL": True}
    expires_at = None if is_permanent else _read_integer(fields, "expires_at")
    return Ancestor(_read_integer(fields, "sequence"), _read_text(fields, _HASH), expires_at)


def _read_integer(fields: Item, name: str) -> int:
    text = _read(fields.get(name), "N", str, name)
    # Python refuses to parse integers of thousands of digits; DynamoDB stores 38.
    if not (text.isascii() and text.isdigit() and len(text) <= 38):
        raise MalformedLink(f"{name} must be a whole number, got {text[:50]}")
    return int(text)


def _read_text(fields: Item, name: str) -> str:
    return _read(fields.get(name), "S", str, name)


def _read(value: Any, kind: str, expected: type, name: str) -> Any:
    content = value.get(kind) if isinstance(value, Mapping) else None
    if not isinstance(content, expected):
        raise MalformedLink(f"{name} must be of DynamoDB's type {kind}")
    return content
