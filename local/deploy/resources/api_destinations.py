"""EventBridge connections and API destinations, which `local/emulator/api_destinations.py` calls."""

from collections.abc import Iterable
from typing import Any

from ...aws import Aws
from .entry import CreatedResource, Entry, Inputs, select_inputs, supported_inputs, to_api_case

_PARTS = {"headers": "HeaderParameters", "queryStrings": "QueryStringParameters", "bodies": "BodyParameters"}
"""Parts of the invocation parameters, and what the API calls them."""


def _build_authorization(inputs: Inputs) -> dict[str, Any]:
    given = inputs["authParameters"]
    parameters: dict[str, Any] = {
        "ApiKeyAuthParameters": {"ApiKeyName": given["apiKey"]["key"], "ApiKeyValue": given["apiKey"]["value"]}
    }
    if added := given.get("invocationHttpParameters"):
        parameters["InvocationHttpParameters"] = {
            _PARTS[part]: to_api_case(listed) for part, listed in added.items() if listed
        }
    return {
        "AuthorizationType": inputs["authorizationType"],
        "AuthParameters": parameters,
        **select_inputs(inputs, Description="description"),
    }


def _create_connection(aws: Aws, inputs: Inputs) -> CreatedResource:
    """Create a connection. The embedded AWS keeps its secrets itself: it has neither a secret nor the key for one."""
    arn = aws.client("events").create_connection(Name=inputs["name"], **_build_authorization(inputs))["ConnectionArn"]
    return CreatedResource(inputs["name"], {"arn": arn, "name": inputs["name"], "secretArn": ""})


def update_connection(aws: Aws, connection: CreatedResource, before: Inputs, inputs: Inputs) -> None:
    """Replace everything but the name."""
    aws.client("events").update_connection(Name=connection.id, **_build_authorization(inputs))


def _delete_connection(aws: Aws, connection: CreatedResource) -> None:
    aws.client("events").delete_connection(Name=connection.id)


def _list_connections(aws: Aws) -> Iterable[str]:
    return (connection["Name"] for connection in aws.client("events").list_connections()["Connections"])


def _build_destination(inputs: Inputs) -> dict[str, Any]:
    return select_inputs(
        inputs,
        ConnectionArn="connectionArn",
        InvocationEndpoint="invocationEndpoint",
        HttpMethod="httpMethod",
        InvocationRateLimitPerSecond="invocationRateLimitPerSecond",
        Description="description",
    )


def _create_destination(aws: Aws, inputs: Inputs) -> CreatedResource:
    answer = aws.client("events").create_api_destination(Name=inputs["name"], **_build_destination(inputs))
    return CreatedResource(inputs["name"], {"arn": answer["ApiDestinationArn"], "name": inputs["name"]})


def update_destination(aws: Aws, destination: CreatedResource, before: Inputs, inputs: Inputs) -> None:
    """Replace everything but the name."""
    aws.client("events").update_api_destination(Name=destination.id, **_build_destination(inputs))


def _delete_destination(aws: Aws, destination: CreatedResource) -> None:
    aws.client("events").delete_api_destination(Name=destination.id)


def _list_destinations(aws: Aws) -> Iterable[str]:
    return (destination["Name"] for destination in aws.client("events").list_api_destinations()["ApiDestinations"])


ENTRIES = (
    Entry(
        "aws:cloudwatch/eventConnection:EventConnection",
        supported_inputs(
            "name",
            "description",
            "authorizationType",
            "kmsKeyIdentifier",
            "authParameters.apiKey.key",
            "authParameters.apiKey.value",
            *(
                f"authParameters.invocationHttpParameters.{part}.{field}"
                for part in _PARTS
                for field in ("key", "value", "isValueSecret")
            ),
        ),
        _create_connection,
        _delete_connection,
        name_input="name",
        list_names=_list_connections,
    ),
    Entry(
        "aws:cloudwatch/eventApiDestination:EventApiDestination",
        supported_inputs(
            "name",
            "description",
            "connectionArn",
            "invocationEndpoint",
            "httpMethod",
            "invocationRateLimitPerSecond",
        ),
        _create_destination,
        _delete_destination,
        name_input="name",
        list_names=_list_destinations,
    ),
)
