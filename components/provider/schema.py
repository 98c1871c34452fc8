"""The schema of the components, from which Pulumi generates SDKs (https://www.pulumi.com/docs/iac/guides/building-extending/packages/schema/)."""

import json
from collections.abc import Mapping
from typing import Any

from ..release import REPOSITORY
from .inputs import rename_words

_ABOUT = {
    "description": "Records, audits and repairs the rotation of every secret in AWS Secrets Manager.",
    "homepage": REPOSITORY,
    "repository": REPOSITORY,
    "license": "Apache-2.0",
    "keywords": ["pulumi", "aws", "secrets-manager", "rotation", "kind/component"],
}

_ARGS = "Args"


def complete_schema(schema: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The SDK's schema with what it lacks: what the package is, and descriptions that other languages can use.

    Descriptions become one line, and name inputs and outputs as the schema does; `names` are those by the ones of
    Python. Types lose the `Args` at the end of their names, which SDKs append themselves.
    """
    rewritten = {key: _rewrite(value, names) for key, value in schema.items()}
    types = {name.removesuffix(_ARGS): type_ for name, type_ in rewritten["types"].items()}
    return {**_ABOUT, **rewritten, "types": types}


def write_schema(schema: Mapping[str, Any]) -> str:
    """A schema as its file has it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _rewrite(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_rewrite(inner, names) for inner in value]
    if not isinstance(value, dict):
        return value
    return {key: _rewrite_entry(key, inner, names) for key, inner in value.items()}


def _rewrite_entry(key: str, value: Any, names: Mapping[str, str]) -> Any:
    if key == "description" and isinstance(value, str):
        return _describe(value, names)
    if key == "$ref":
        return value.removesuffix(_ARGS)
    if key in ("items", "additionalProperties"):
        # The description of the list or map, once more.
        value = {inner: value[inner] for inner in value if inner != "description"}
    return _rewrite(value, names)


def _describe(text: str, names: Mapping[str, str]) -> str:
    return rename_words(" ".join(text.split()), names)
