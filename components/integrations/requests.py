"""The parts of a request to a receiver, and what of it the connection keeps: EventBridge has that in Secrets Manager.

Everyone who may call DescribeApiDestination sees the address of an API destination. So the query of a URL is moved to
the connection, and so are headers and PagerDuty's key. The path stays: a connection has no place for it, and the path
of a Slack webhook is its secret. The deployment's state has all of it as secrets
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-target-connection-auth.html).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import pulumi

from ..notifications.subscription_names import hash_endpoint
from .receivers import PAGERDUTY_URLS, RECEIVERS, SECRET_FIELDS, is_endpoint

API_KEY_HEADER, API_KEY_VALUE = "X-Sent-By", "rotation-guard"
"""A connection has to add one header: this where the receiver wants none."""
ROUTING_KEY = "routing_key"


class Request(NamedTuple):
    """What a receiver gets besides the body; every part is secret."""

    url: pulumi.Output[str]
    api_key: pulumi.Output[Any]
    """Name and value of the header that the connection has to have."""
    parameters: pulumi.Output[Any]
    """What the connection adds to each request: further headers, query, fields of the body; None without any."""


def seal_endpoints(subscriptions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The subscriptions with what receivers must be asked with in secret Outputs, under the names that they have."""
    sealed = []
    for subscription in subscriptions:
        entry = dict(subscription)
        if entry["protocol"] in RECEIVERS:
            if isinstance(entry["endpoint"], str) and not entry.get("name"):
                entry["name"] = hash_endpoint(entry["endpoint"])
            entry |= {
                field: pulumi.Output.secret(entry[field]) for field in SECRET_FIELDS if entry.get(field) is not None
            }
        sealed.append(entry)
    return sealed


def build_request(subscription: Mapping[str, Any], name: str) -> Request:
    """The request of a subscription. Raises RunError, once it is known, for an endpoint that cannot be one.

    `name` is what a complaint calls the subscription: what was given may be secret.
    """
    protocol = subscription["protocol"]
    headers = pulumi.Output.secret(subscription.get("headers") or {}).apply(lambda known: sorted(known.items()))
    endpoint = pulumi.Output.secret(subscription["endpoint"]).apply(lambda text: _require(protocol, text, name))
    api_key = headers.apply(lambda known: known[0] if known else (API_KEY_HEADER, API_KEY_VALUE))
    url, parameters = endpoint.apply(_without_query), pulumi.Output.all(endpoint, headers).apply(_list_url_parameters)
    if protocol == "pagerduty":
        url = pulumi.Output.secret(PAGERDUTY_URLS[subscription.get("service_region") or "us"])
        parameters = endpoint.apply(lambda key: {"bodies": _list_secrets([(ROUTING_KEY, key)])})
    return Request(url, api_key.apply(lambda pair: {"key": pair[0], "value": pair[1]}), parameters)


def _require(protocol: str, endpoint: str, name: str) -> str:
    if not is_endpoint(protocol, endpoint):
        raise pulumi.RunError(f"the endpoint of {name} must be {RECEIVERS[protocol].what}, got a secret value")
    return endpoint


def _without_query(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path or "/", "", ""))


def _list_url_parameters(known: Sequence[Any]) -> Mapping[str, Any] | None:
    endpoint, headers = known
    query = parse_qsl(urlsplit(endpoint).query, keep_blank_values=True)
    parts = {"headers": _list_secrets(headers[1:]), "query_strings": _list_secrets(query)}
    return {part: listed for part, listed in parts.items() if listed} or None


def _list_secrets(pairs: Iterable[tuple[str, str]]) -> list[Mapping[str, Any]]:
    return [{"key": key, "value": value, "is_value_secret": True} for key, value in pairs]
