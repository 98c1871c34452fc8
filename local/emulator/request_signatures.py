"""Rejects requests to the embedded AWS that are not signed with a key of this run.

Runs inside the emulator, which listens on loopback, where every user of this machine can reach it: a caller who can
create a function can run code as the developer. MiniStack treats the key `test`, every account number and a missing key
as the root user, does not verify the root user's signature, and serves some paths of its own to everybody. Here the
root user has one random key, whose signature is verified like any other; requests without an existing key are rejected
on every path, and MiniStack's own paths, which verify no signature, are closed. Only the health check is public.
"""

import hmac
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from ministack import app as server
from ministack.core import iam_evaluator, router
from ministack.core.iam_evaluator import AmbiguousAccessKeyError, find_iam_access_key_account
from ministack.services import sts

HEALTH_PATH = "/_ministack/health"
_ADMINISTRATIVE_PATHS = ("/_ministack/", "/_localstack/")
"""MiniStack's own paths, which verify no signature: one of them deletes everything that was deployed."""
_REJECTION = "The security token included in the request is invalid."

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


def install() -> None:
    """Require a key of this run."""
    for module in (iam_evaluator, sts):
        module.is_root_access_key = is_root_key  # ty: ignore[invalid-assignment]
    # MiniStack skips the verification of the signature where this is true.
    iam_evaluator._is_root_key = _is_exempt  # ty: ignore[invalid-assignment]
    server.app = require_key(server.app)  # ty: ignore[invalid-assignment]


def is_root_key(access_key_id: str) -> bool:
    """Whether this is the root key of this run."""
    configured = os.environ.get("AWS_ACCESS_KEY_ID", "")
    return bool(configured) and hmac.compare_digest(access_key_id.encode(), configured.encode())


def _is_exempt(access_key_id: str) -> bool:
    """Whether a key needs no valid signature: none is exempt."""
    return False


def require_key(app: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Wrap the ASGI application, which then receives only requests with an existing key."""

    async def checked(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or _is_health_check(scope) or _is_allowed(scope):
            await app(scope, receive, send)
        elif scope["type"] == "http":
            await _reject(scope, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    return checked


def _is_health_check(scope: Mapping[str, Any]) -> bool:
    return scope["type"] == "http" and (scope["method"], scope["path"]) == ("GET", HEALTH_PATH)


def _is_allowed(scope: Mapping[str, Any]) -> bool:
    return not scope["path"].startswith(_ADMINISTRATIVE_PATHS) and _has_known_key(scope)


def _has_known_key(scope: Mapping[str, Any]) -> bool:
    headers = _read_headers(scope)
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    access_key_id = router.extract_access_key_id(headers, query)
    if is_root_key(access_key_id) or access_key_id in sts._sessions:
        return True
    try:
        return bool(access_key_id) and find_iam_access_key_account(access_key_id) is not None
    except AmbiguousAccessKeyError:
        return False


def _read_headers(scope: Mapping[str, Any]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope.get("headers", ())}


async def _reject(scope: Mapping[str, Any], send: Send) -> None:
    """Respond as AWS does, in the format of the request: XML for forms, JSON otherwise."""
    if _read_headers(scope).get("content-type", "").startswith("application/x-www-form-urlencoded"):
        content_type = b"text/xml"
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>{_REJECTION}</Message>"
            "</Error><RequestId>none</RequestId></ErrorResponse>"
        )
    else:
        content_type = b"application/x-amz-json-1.1"
        body = json.dumps({"__type": "UnrecognizedClientException", "message": _REJECTION})
    content = body.encode()
    headers = [(b"content-type", content_type), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": content})
