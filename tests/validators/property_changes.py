"""How an input of the provider becomes properties of a CloudFormation template.

A field that no change names raises NoCounterpart, however deep: what is left out, nobody checks.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

Inputs = Mapping[str, Any]
Properties = dict[str, Any]
Change = Callable[[Any], Properties]
Names = Mapping[str, str | Change]
"""An input -> what the property is called, or what makes properties of it."""


class NoCounterpart(Exception):
    """The converter does not know this type, input or field: teach it."""


def rename(inputs: Inputs, names: Names) -> Properties:
    """The inputs as properties; raises NoCounterpart with the first that has no name there."""
    properties: Properties = {}
    for key, value in inputs.items():
        if value is None:  # a template leaves out what is not set
            continue
        if key not in names:
            raise NoCounterpart(f"{key} has no counterpart in tests/validators/resource_types.py")
        name = names[key]
        properties.update({name: value} if isinstance(name, str) else name(value))
    return properties


def rename_fields(name: str, names: Names) -> Change:
    """An object with these fields, as one under another name."""
    return lambda value: {} if value is None else {name: rename(value, names)}


def flatten(names: Names) -> Change:
    """An object with these fields, as properties of their own."""
    return lambda value: rename(value, names)


def rename_each(name: str, names: Names) -> Change:
    """A list of objects with these fields, as one under another name."""
    return lambda values: {name: [join_keys(rename(value, names)) for value in values]}


def read_json(name: str) -> Change:
    """JSON in a text, as an object."""
    return lambda text: {name: json.loads(text)}


def wrap_in_list(name: str) -> Change:
    """One value, as a list of it."""
    return lambda value: {name: [value]}


def list_pairs(name: str, key: str, value: str) -> Change:
    """A map of texts, as a list of pairs with these names."""
    return lambda texts: {name: [{key: left, value: right} for left, right in texts.items()]}


def leave_out(_: Any) -> Properties:
    """What a template has no property for, and so nobody checks."""
    return {}


def append_suffix(name: str) -> Change:
    """The beginning of a name, with the 26 characters that the provider appends to it
    (https://developer.hashicorp.com/terraform/plugin/sdkv2/resources/id)."""
    return lambda prefix: {name: f"{prefix}{'0' * 26}"}


def locate_code(files: Mapping[str, Path]) -> Properties:
    """The archive of a function as the place in S3 where CloudFormation would look for it, another for other files."""
    listing = json.dumps({name: str(path) for name, path in files.items()})
    digest = hashlib.sha256(listing.encode()).hexdigest()
    return {"Code": {"S3Bucket": "code-of-the-program", "S3Key": f"{digest}.zip"}}


def mark_key(kind: str) -> Change:
    """The attribute that is the HASH or the RANGE of a key, which `join_keys` puts together."""
    return lambda attribute: {f"key:{kind}": attribute}


def join_keys(properties: Properties) -> Properties:
    """The properties with the halves of their key, if they have one, as a KeySchema."""
    halves: Iterable[str] = [half for half in ("key:HASH", "key:RANGE") if half in properties]
    schema = [{"AttributeName": properties.pop(half), "KeyType": half.removeprefix("key:")} for half in halves]
    return {**properties, "KeySchema": schema} if schema else properties
