"""moto's AWS for one test, without costs that no test here needs.

`mock_aws` also intercepts the library `requests`, which nothing here uses, and registers 1,300 addresses for it. moto
validates an update expression anew for each of its parts, which the whole includes. And it works out anew at every
call what an update expression consists of and which operations a service has, and looks in every part of a response for
every member that it might have, under every name. Together they are more than half of moto's processor time.

Requests to services that speak JSON go to moto without HTTP in between: no signature, no search through the addresses
of all services. Botocore builds the request and parses the response as ever.
"""

import re
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.endpoint import Endpoint, convert_to_response_dict
from botocore.model import OperationModel
from moto.backend_index import backend_url_patterns
from moto.backends import get_backend
from moto.core import responses
from moto.core.base_backend import BackendDict
from moto.core.botocore_stubber import MockRawResponse
from moto.core.exceptions import HTTPException
from moto.core.model import StructureShape
from moto.core.models import DEFAULT_ACCOUNT_ID, botocore_stubber, reset_model_data
from moto.core.request import Request
from moto.core.serialize import ResponseSerializer
from moto.dynamodb.parsing.ast_nodes import DepthFirstTraverser
from moto.dynamodb.parsing.expressions import UpdateExpressionParser
from moto.dynamodb.parsing.validators import ActionCountValidator, OverlappingPathsValidator

ActionCountValidator.traverse = ActionCountValidator.verify_action_counts  # ty: ignore[invalid-assignment]
OverlappingPathsValidator.traverse = OverlappingPathsValidator.check_for_overlapping_paths  # ty: ignore[invalid-assignment]
UpdateExpressionParser.make = cache(UpdateExpressionParser.make)  # ty: ignore[invalid-assignment]
responses.method_names_from_class = cache(responses.method_names_from_class)  # ty: ignore[invalid-assignment]

_node_types: dict[type, tuple[type, ...]] = {}
_send_over_http = Endpoint._send_request
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


@cache
def _find_handler(url: str) -> Any:
    """Return what handles the requests to this address in moto."""
    service = next(service for service, pattern in backend_url_patterns if pattern.match(url))
    backends = get_backend(service)[DEFAULT_ACCOUNT_ID]  # ty: ignore[no-matching-overload]
    return next(handler for address, handler in backends["us-east-1"].urls.items() if re.match(address, url))


def _send(self: Endpoint, request_dict: dict[str, Any], operation_model: OperationModel) -> tuple[Any, Any]:
    """Do what botocore's own method does, without HTTP where moto answers in JSON."""
    if not botocore_stubber.enabled or operation_model.service_model.resolved_protocol != "json":
        return _send_over_http(self, request_dict, operation_model)
    url = request_dict["url"]
    request = Request.from_primitives("POST", url, request_dict["headers"], request_dict["body"])
    try:
        status, headers, body = _find_handler(url)(request, request.raw_url, request.headers)
    except HTTPException as error:
        status, headers, body = error.code or 500, error.get_headers(), error.get_body()
    response = AWSResponse(url, status, headers, MockRawResponse(body))
    as_dict = convert_to_response_dict(response, operation_model)
    parser = self._response_parser_factory.create_parser("json")
    parsed = parser.parse(as_dict, operation_model.output_shape)
    if status >= 300:
        self._add_modeled_error_fields(as_dict, parsed, operation_model, parser)
    return response, parsed


Endpoint._send_request = _send


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
