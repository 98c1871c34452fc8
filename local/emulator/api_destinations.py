"""Calls API destinations as EventBridge does, and treats their answers as it does. Runs inside the emulator.

MiniStack builds the request of a connection and sends it once. Here, what a destination answers decides
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html):

- 2xx: the event is delivered.
- 401, 407, 409, 429 and 5xx, no answer within 5 seconds, and no connection: the event is retried within the retry
  policy of its target: with `Retry-After` not before then.
- Every other answer: the event goes to the dead-letter queue at once.

The dead letter has what AWS says of the failure in its attributes. A rate limit is not enforced.

Tests stand in for receivers on the internet: `RotationGuardReceivers` maps the beginnings of addresses to others.
"""

import copy
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from ministack.core.responses import get_account_id, get_region, json_response
from ministack.services import eventbridge

from . import deliveries

RECEIVERS_ACTION = "RotationGuardReceivers"
TIMEOUT_SECONDS = 5.0
_RETRIED = (401, 407, 409, 429)
_receivers: dict[str, str] = {}
_opener = urllib.request.build_opener(eventbridge._NoFollowRedirect(), urllib.request.ProxyHandler())


def install() -> None:
    """Deliver to API destinations."""
    eventbridge._dispatch_to_api_destination = dispatch  # ty: ignore[invalid-assignment]


def set_receivers(data: Mapping[str, str]) -> Any:
    """Replace the beginnings of addresses: an action of the embedded AWS only."""
    _receivers.clear()
    _receivers.update(data)
    return json_response({})


def dispatch(spec: Any, payload: str, target: Mapping[str, Any]) -> None:
    """Deliver an event to the destination of a target, in the background."""
    if spec.account_id != get_account_id() or spec.region != get_region():
        return
    name = spec.resource.split("/", 2)[1]
    # PutEvents does not wait for a receiver.
    deliveries.attempt_later(0, _call, name, payload, target.get("HttpParameters") or {})


def _call(name: str, payload: str, parameters: dict[str, Any]) -> None:
    """Call a destination. Raises an error that says whether to try again, by its class."""
    destination = eventbridge._api_destinations.get(name)
    connection = eventbridge._connections.get((destination or {}).get("ConnectionArn", "").rsplit("/", 1)[-1])
    if destination is None or connection is None:
        raise deliveries.TargetNotFoundError(f"the API destination {name} or its connection does not exist")
    request = eventbridge._build_api_destination_request(destination, copy.deepcopy(connection), parameters, payload)
    token_key = (get_account_id(), get_region(), connection["Name"])
    headers = {**request["headers"], **eventbridge._connection_auth_headers(connection, token_key)}
    sent = urllib.request.Request(  # noqa: S310 - CreateApiDestination takes http and https alone
        _find_address(request["url"]),
        data=request["body"].encode(),
        headers=eventbridge._finalize_api_dest_headers(headers),
        method=request["method"],
    )
    try:
        with _opener.open(sent, timeout=TIMEOUT_SECONDS):
            return
    except urllib.error.HTTPError as error:
        with error:
            _raise_for(error.code, error.headers.get("Retry-After"))


def _raise_for(status: int, retry_after: str | None) -> None:
    if status not in _RETRIED and status < 500:
        raise deliveries.NotRetriableError(f"the API destination answered with status {status}")
    wait = float(retry_after) if retry_after and retry_after.isdigit() and status not in _RETRIED[:3] else 0.0
    raise deliveries.RetryLaterError(f"the API destination answered with status {status}", wait)


def _find_address(url: str) -> str:
    for beginning, other in _receivers.items():
        if url.startswith(beginning):
            return other + url.removeprefix(beginning)
    return url
