"""The canonical JSON of a row: the text that is hashed, which every program can compute from what DynamoDB returns.

It is the row in DynamoDB's own JSON (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html),
in which numbers are texts and binary values base64, written as RFC 8785 (JCS, https://www.rfc-editor.org/rfc/rfc8785)
says: UTF-8, no white space, names in the order of their UTF-16 code units. DynamoDB's sets have no order, so their
members are sorted in the same way.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

_SETS = ("SS", "NS", "BS")


def canonicalize(item: Mapping[str, Any]) -> bytes:
    """The canonical JSON of an item in DynamoDB's JSON, where binary values are bytes or base64."""
    return json.dumps(_arrange(item), ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass")


def _arrange(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _arrange_value(attributes[name]) for name in _sort(attributes)}


def _arrange_value(value: Mapping[str, Any]) -> dict[str, Any]:
    [(kind, content)] = value.items()
    if kind == "M":
        return {kind: _arrange(content)}
    if kind == "L":
        return {kind: [_arrange_value(member) for member in content]}
    if kind in _SETS:
        return {kind: _sort(map(_to_text, content))}
    return {kind: _to_text(content)}


def _to_text(content: Any) -> Any:
    return base64.b64encode(bytes(content)).decode() if isinstance(content, bytes | bytearray) else content


def _sort(texts: Iterable[str]) -> list[str]:
    return sorted(texts, key=lambda text: text.encode("utf-16-be", "surrogatepass"))
