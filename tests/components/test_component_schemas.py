"""The schema of the components that Pulumi's SDK generates for other languages."""

import pytest
import yaml
from pulumi.provider.experimental.analyzer import Analyzer

from components.rotation_guard import RotationGuard
from components.settings.declarations import SETTINGS
from components.settings.setting import to_camel_case
from local.deploy.stacks import ROOT
from tests.component_classes import list_components


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
