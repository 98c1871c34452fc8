"""Every input of every resource type of Pulumi's AWS provider, read from its source: importing is slow."""

import importlib.util
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

_TOKEN = '@pulumi.type_token("'
_PARAMETER = re.compile(r"^ +(\w+): (.+?),?$", re.MULTILINE)
_NESTED = re.compile(r"'(\w+Args)'")
DEPTH = 4
"""The depth of nested objects to read: deeper ones are expression languages, such as WAF's."""

Parameters = Mapping[str, str]
"""The annotation of each parameter by its name."""


@cache
def paths_by_type() -> dict[str, frozenset[str]]:
    """The paths of all inputs, such as `inlinePolicies.policy`, by the type."""
    return {token: frozenset(_paths(own, nested, 0)) for token, own, nested in _resource_types()}


def _resource_types() -> Iterator[tuple[str, Parameters, Mapping[str, Parameters]]]:
    """Each type with its own inputs and with the classes of the objects in them."""
    spec = importlib.util.find_spec("pulumi_aws")
    assert spec
    assert spec.origin
    for inputs in sorted(Path(spec.origin).parent.glob("*/__init__.py")):
        folder = inputs.parent
        shared = folder / "_inputs.py"
        nested = _classes(shared.read_text()) if shared.exists() else {}
        for module in sorted(folder.glob("*.py")):
            if module.name.startswith(("_", "get_")) or module.name == "outputs.py":
                continue
            source = module.read_text()
            _, token, rest = source.partition(_TOKEN)
            if token:
                yield rest.partition('"')[0], next(iter(_classes(source).values()), {}), nested


def _classes(source: str) -> dict[str, Parameters]:
    """The parameters of every class of inputs. One regular expression for it all takes ten times as long."""
    classes = {}
    end = 0
    while (start := source.find("\nclass ", end)) >= 0:
        name, _, _ = source[start + 7 : start + 400].partition(":")
        end = start + 7
        if name.endswith("Args"):
            end = source.find("):\n", start)
            classes[name] = dict(_PARAMETER.findall(source, start, end))
    return classes


def _paths(parameters: Parameters, nested: Mapping[str, Parameters], depth: int) -> Iterator[str]:
    for name, annotation in parameters.items():
        key = re.sub(r"_(\w)", lambda match: match[1].upper(), name)
        yield key
        for inner in _NESTED.findall(annotation) if depth < DEPTH else ():
            yield from (f"{key}.{path}" for path in _paths(nested.get(inner, {}), nested, depth + 1))
