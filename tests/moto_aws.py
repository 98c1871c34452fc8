"""moto's AWS for one test, without costs that no test here needs.

`mock_aws` also intercepts the library `requests`, which nothing here uses, and registers 1,300 addresses for it. moto
validates an update expression anew for each of its parts, which the whole includes. And it works out anew at every
call what never changes: under which names a backend might have a member of a response, what an update expression
consists of, and which operations a service has. Together they are two thirds of moto's processor time.
"""

from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import Any

from moto.core import responses
from moto.core.base_backend import BackendDict
from moto.core.model import Shape
from moto.core.models import botocore_stubber, reset_model_data
from moto.core.serialize import AttributePicker, AttributePickerContext, ResponseSerializer
from moto.core.utils import get_value
from moto.dynamodb.parsing.ast_nodes import DepthFirstTraverser
from moto.dynamodb.parsing.expressions import UpdateExpressionParser
from moto.dynamodb.parsing.validators import ActionCountValidator, OverlappingPathsValidator

ActionCountValidator.traverse = ActionCountValidator.verify_action_counts  # ty: ignore[invalid-assignment]
OverlappingPathsValidator.traverse = OverlappingPathsValidator.check_for_overlapping_paths  # ty: ignore[invalid-assignment]
UpdateExpressionParser.make = cache(UpdateExpressionParser.make)  # ty: ignore[invalid-assignment]
responses.method_names_from_class = cache(responses.method_names_from_class)  # ty: ignore[invalid-assignment]

_MISSING = object()
_node_types: dict[type, tuple[type, ...]] = {}
_pick_slowly = ResponseSerializer.get_value


def _pick(self: ResponseSerializer, value: Any, key: str, shape: Shape) -> Any:
    """Return what moto's own method returns, with the possible names of a member remembered on its shape."""
    picker, kind = self._value_picker, type(value)
    if not isinstance(picker, AttributePicker) or picker.response_transformers or hasattr(kind, "Meta"):
        return _pick_slowly(self, value, key, shape)
    names_by_type = shape.__dict__.setdefault("names_by_type", {})
    if kind not in names_by_type:
        names_by_type[kind] = tuple(dict.fromkeys(picker.get_possible_keys(AttributePickerContext(value, key, shape))))
    if kind is dict:
        # Nothing in a response has a dot in its name, which moto would take for a path.
        return next((value[name] for name in names_by_type[kind] if name in value), None)
    for name in names_by_type[kind]:
        member = get_value(value, name, _MISSING)
        if member is not _MISSING:
            return member
    return None


def _get_node_types(self: DepthFirstTraverser) -> tuple[type, ...]:
    """Return which nodes of an expression this kind of traverser processes."""
    if type(self) not in _node_types:
        _node_types[type(self)] = tuple(self._processing_map())
    return _node_types[type(self)]


ResponseSerializer.get_value = _pick
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
