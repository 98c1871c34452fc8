"""The schema of the components that Pulumi's SDK generates for other languages."""

import importlib
import inspect
import pkgutil

import pulumi
import pytest
import yaml
from pulumi.provider.experimental.analyzer import Analyzer

import components
from components.rotation_guard import RotationGuard
from components.settings.declarations import SETTINGS
from components.settings.setting import to_camel_case
from local.deploy.stacks import ROOT


def list_components() -> list[type[pulumi.ComponentResource]]:
    """Every component, of every module."""
    modules = [
        importlib.import_module(module.name) for module in pkgutil.walk_packages(components.__path__, "components.")
    ]
    return [
        value
        for module in modules
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, pulumi.ComponentResource)
        and value.__module__ == module.__name__
    ]


@pytest.mark.parametrize("component", list_components(), ids=lambda component: component.__name__)
def test_everything_in_the_schema_has_a_description(component):
    schema = Analyzer("rotation-guard").analyze([component])

    definition = schema["component_definitions"][component.__name__]
    described = {**definition.inputs, **definition.outputs}
    for type_ in schema["type_definitions"].values():
        described |= {f"{type_.name}.{name}": property_ for name, property_ in type_.properties.items()}
    assert definition.description
    assert definition.inputs
    assert [name for name, property_ in described.items() if not property_.description] == []


def test_the_schema_has_every_setting_and_requires_none():
    schema = Analyzer("rotation-guard").analyze([RotationGuard])

    inputs = schema["component_definitions"]["RotationGuard"].inputs
    settings = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    assert set(inputs) - {"existing"} == set(settings) == {to_camel_case(name) for name in SETTINGS}
    assert [name for name, property_ in inputs.items() if not property_.optional] == []
