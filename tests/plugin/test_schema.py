"""The published schema: everything that components take and give, as their own annotations say."""

import inspect
import re
import subprocess
import sys
import typing
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from components.function import Function
from components.rotation_guard import RotationGuard
from components.settings.declarations import SETTINGS
from components.settings.setting import to_camel_case
from docs.generate import SCHEMA
from local.deploy.stacks import ROOT
from tests.component_classes import list_components

PUBLIC = [component for component in list_components() if component is not Function]
"""A Function is made of handlers of this product, and of no use by itself."""
each_component = pytest.mark.parametrize("component", PUBLIC, ids=lambda component: component.__name__)


def list_descriptions(node: Any, path: str = "") -> Iterator[tuple[str, str | None]]:
    """The description of each component, input, output, type and property, by its path in the schema."""
    for key, value in node.items() if isinstance(node, dict) else ():
        if isinstance(value, dict):
            parent = path.rpartition("/")[2]
            if parent in ("resources", "types", "inputProperties", "properties"):
                yield f"{path}/{key}", value.get("description")
            yield from list_descriptions(value, f"{path}/{key}")


def find_args(component: type) -> Any:
    return inspect.get_annotations(component.__init__)["args"]


def test_the_file_is_what_the_plugin_answers_from_its_folder():
    with subprocess.Popen(
        [sys.executable, str(ROOT / "plugin"), "127.0.0.1:1"], stdout=subprocess.PIPE, text=True, cwd="/"
    ) as plugin:
        try:
            assert plugin.stdout
            with grpc.insecure_channel(f"127.0.0.1:{int(plugin.stdout.readline())}") as channel:
                stub = provider_pb2_grpc.ResourceProviderStub(channel)
                schema = stub.GetSchema(provider_pb2.GetSchemaRequest()).schema
                version = stub.GetPluginInfo(empty_pb2.Empty()).version  # ty: ignore[missing-attribute]
        finally:
            plugin.terminate()

    assert schema == SCHEMA.read_text(encoding="utf-8")
    assert f'"version": "{version}"' in schema


def test_every_component_is_in_the_schema(schema):
    assert len(PUBLIC) >= 9
    assert set(schema["resources"]) == {f"rotation-guard:index:{component.__name__}" for component in PUBLIC}


def test_every_setting_is_an_input_of_its_type(schema):
    inputs = schema["resources"]["rotation-guard:index:RotationGuard"]["inputProperties"]

    types = {name: "object" if "$ref" in input_ else input_["type"] for name, input_ in inputs.items()}
    assert len(SETTINGS) > 30
    assert types == {"existing": "object"} | {setting.key: setting.config_type for setting in SETTINGS.values()}


@each_component
def test_a_component_has_the_inputs_and_outputs_of_its_annotations(component, schema):
    resource, args = schema["resources"][f"rotation-guard:index:{component.__name__}"], find_args(component)
    outputs = {name: type_ for name, type_ in inspect.get_annotations(component).items() if not name.startswith("_")}

    assert set(resource["inputProperties"]) == set(map(to_camel_case, args.__annotations__))
    assert set(resource["requiredInputs"]) == set(map(to_camel_case, args.__required_keys__))
    assert set(resource["properties"]) == set(map(to_camel_case, outputs))
    always = {name for name, type_ in outputs.items() if type(None) not in typing.get_args(type_)}
    assert set(resource["required"]) == set(map(to_camel_case, always))


@each_component
def test_only_an_input_that_may_be_an_output_accepts_one(component, schema):
    inputs = schema["resources"][f"rotation-guard:index:{component.__name__}"]["inputProperties"]

    annotations = inspect.get_annotations(find_args(component))
    accept = {name for name, type_ in annotations.items() if re.search(r"\[(Output|.*Awaitable)", str(type_))}
    entries = {name for name in accept if re.search(r"(list|Mapping)\[", str(annotations[name]))}
    assert {name for name, input_ in inputs.items() if not input_.get("plain")} == {
        to_camel_case(name) for name in accept - entries
    }


def test_everything_in_the_schema_has_a_description_in_the_names_of_the_schema(schema):
    descriptions = dict(list_descriptions(schema))
    python_names = {
        name
        for component in PUBLIC
        for name in (*find_args(component).__annotations__, *component.__annotations__)
        if "_" in name
    }

    assert len(descriptions) > 200
    assert [path for path, text in descriptions.items() if not text] == []
    assert [path for path, text in descriptions.items() if "\n" in (text or "")] == []
    assert {
        path: text for path, text in descriptions.items() if python_names & set(re.findall(r"\w+", text or ""))
    } == {}


def test_the_product_requires_no_input(schema):
    assert find_args(RotationGuard).__required_keys__ == frozenset()
    assert schema["resources"]["rotation-guard:index:RotationGuard"]["requiredInputs"] == []
