"""moto's AWS for one test, without costs that no test here needs.

`mock_aws` also intercepts the library `requests`, which nothing here uses, and registers 1,300 addresses for it. moto
validates an update expression anew for each of its parts, which the whole includes. And it works out anew at every
call what an update expression consists of and which operations a service has, and looks in every part of a response for
every member that it might have, under every name. Together they are more than half of moto's processor time.
"""

from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import Any

from moto.core import responses
from moto.core.base_backend import BackendDict
from moto.core.model import StructureShape
from moto.core.models import botocore_stubber, reset_model_data
from moto.core.serialize import ResponseSerializer
from moto.dynamodb.parsing.ast_nodes import DepthFirstTraverser
from moto.dynamodb.parsing.expressions import UpdateExpressionParser
from moto.dynamodb.parsing.validators import ActionCountValidator, OverlappingPathsValidator

ActionCountValidator.traverse = ActionCountValidator.verify_action_counts  # ty: ignore[invalid-assignment]
OverlappingPathsValidator.traverse = OverlappingPathsValidator.check_for_overlapping_paths  # ty: ignore[invalid-assignment]
UpdateExpressionParser.make = cache(UpdateExpressionParser.make)  # ty: ignore[invalid-assignment]
responses.method_names_from_class = cache(responses.method_names_from_class)  # ty: ignore[invalid-assignment]

_node_types: dict[type, tuple[type, ...]] = {}
_serialize_slowly = ResponseSerializer._serialize_type_structure


def _serialize_structure(
    self: ResponseSerializer, serialized: Any, value: Any, shape: StructureShape, key: str
) -> None:
    """Do what moto's own method does; of a dict with the names of members only, look at those that it has."""
    if type(value) is not dict or not value.keys() <= shape.members.keys():
        _serialize_slowly(self, serialized, value, shape, key)
        return
    wrapper = self.MAP_TYPE() if key else serialized
    for name in value:
        member = shape.members[name]
        member.parent = shape
        self._serialize_structure_member(wrapper, value, member, name)
    if key:
        self._default_serialize(serialized, wrapper, shape, key)


def _get_node_types(self: DepthFirstTraverser) -> tuple[type, ...]:
    """Return which nodes of an expression this kind of traverser processes."""
    if type(self) not in _node_types:
        _node_types[type(self)] = tuple(self._processing_map())
    return _node_types[type(self)]


ResponseSerializer._serialize_type_structure = _serialize_structure
DepthFirstTraverser.nodes_to_be_processed = _get_node_types


@contextmanager
def empty_account() -> Generator[None]:
    """An empty AWS account that answers every client of boto3 until the end of the block."""
    BackendDict.reset()
    botocore_stubber.enabled = True
    try:
        yield
    finally:
        botocore_stubber.enabled = False
        BackendDict.reset()
        reset_model_data()
