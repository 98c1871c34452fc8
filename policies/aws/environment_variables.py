"""Reads environment variables of functions, containers, builds and jobs, and finds credentials in them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ..model import resource_types, values
from ..model.stack import Resource, Stack
from ..model.values import Mark
from . import arns, credentials

_REFERENCES = (
    resource_types.SECRET,
    "aws:ssm/parameter:Parameter",
    resource_types.KEY,
    resource_types.TABLE,
    resource_types.QUEUE,
)
"""Resources that a variable with a credential's name may refer to."""

MAPS: Mapping[str, tuple[str, ...]] = {
    "aws:amplify/app:App": ("environmentVariables",),
    "aws:amplify/branch:Branch": ("environmentVariables",),
    "aws:apprunner/service:Service": (
        "sourceConfiguration.imageRepository.imageConfiguration.runtimeEnvironmentVariables",
        "sourceConfiguration.codeRepository.codeConfiguration.codeConfigurationValues.runtimeEnvironmentVariables",
    ),
    "aws:glue/job:Job": ("defaultArguments",),
    "aws:lightsail/containerServiceDeploymentVersion:ContainerServiceDeploymentVersion": ("containers.environment",),
    "aws:sagemaker/model:Model": ("primaryContainer.environment", "containers.environment"),
    "aws:synthetics/canary:Canary": ("runConfig.environmentVariables",),
}
"""Properties with a map of variables, other than a function's."""
PAIRS: Mapping[str, str] = {
    "aws:batch/jobDefinition:JobDefinition": "containerProperties.environment",
    "aws:codebuild/project:Project": "environment.environmentVariables",
    "aws:ecs/taskDefinition:TaskDefinition": "containerDefinitions.environment",
    "aws:elasticbeanstalk/environment:Environment": "settings",
}
"""Properties with a list of names and values."""
TYPES = (*MAPS, *PAIRS)
_PLAINTEXT_TYPES = ("", "PLAINTEXT", "aws:elasticbeanstalk:application:environment")
"""Types and namespaces of variables with a plain value, not a reference to a secret."""


def read(holder: Resource) -> Iterator[tuple[str, Any]]:
    """List the known variables with their values, which may be marks."""
    for path in MAPS.get(holder.type, ()):
        for variables in _all(holder.props, path.split(".")):
            if isinstance(variables, Mapping):
                yield from variables.items()
    for pair in _all(holder.props, PAIRS[holder.type].split(".")) if holder.type in PAIRS else ():
        if isinstance(pair, Mapping):
            name = values.member(pair, "name")
            kind = pair.get("type") or pair.get("namespace") or ""
            if isinstance(name, str) and kind in _PLAINTEXT_TYPES:
                yield name, values.member(pair, "value")


def _all(tree: Any, keys: list[str]) -> Iterator[Any]:
    """All values at a path, through lists and JSON strings."""
    if isinstance(tree, str) and tree.lstrip()[:1] in ("[", "{"):
        try:
            tree = json.loads(tree)
        except (ValueError, RecursionError):
            return
    if isinstance(tree, list):
        for inner in tree:
            yield from _all(inner, keys)
    elif not keys:
        yield tree
    elif isinstance(tree, Mapping):
        yield from _all(values.member(tree, keys[0]), keys[1:])


def find_credential(stack: Stack, name: str, value: Any) -> str | None:
    """Why a variable contains a credential, without its value; None where it does not or is unknown."""
    if value is Mark.SECRET:
        return "is a secret of the program and named as a credential" if credentials.is_credential_name(name) else None
    if isinstance(value, Mark | bool) or value is None:
        return None
    text = str(value)
    kind = credentials.find_kind(text)
    if kind:
        return f"looks like {kind}"
    if not credentials.is_credential_name(name) or not credentials.may_be_credential(name, text):
        return None
    if arns.parse(text) or stack.find(text, *_REFERENCES) is not None:
        return None
    return "is named as a credential, and its value is in plaintext"
