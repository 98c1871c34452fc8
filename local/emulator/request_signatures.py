"""Lets nobody into the embedded AWS who does not have a key of this run.

Runs inside the emulator, which listens on loopback, where every user of this machine can reach it: who may create a
function runs code as the developer. MiniStack takes the key `test`, every account number and no key at all for the
root user, asks the root user for no valid signature, and answers some paths of its own to anybody. Here the root user
has one key, which is random, and its signature is verified like that of any other key; a request without a key that
exists is refused wherever it goes, and MiniStack's own paths, which verify no signature, are closed to everybody. Only
whether the emulator is up, anybody may ask.
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
_ADMINISTRATION = ("/_ministack/", "/_localstack/")
"""Paths of MiniStack's own, which ask for no signature: one of them forgets everything that was deployed."""
_REFUSAL = "The security token included in the request is invalid."

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


def install() -> None:
    """Refuse everybody else from here on."""
    for module in (iam_evaluator, sts):
        module.is_root_access_key = is_root_key  # ty: ignore[invalid-assignment]
    # MiniStack asks this where it leaves out the check of a signature.
    iam_evaluator._is_root_key = _is_exempt  # ty: ignore[invalid-assignment]
    server.app = guard(server.app)  # ty: ignore[invalid-assignment]


def is_root_key(access_key_id: str) -> bool:
    """Whether this is the key that was made for this run."""
    configured = os.environ.get("AWS_ACCESS_KEY_ID", "")
    return bool(configured) and hmac.compare_digest(access_key_id.encode(), configured.encode())


def _is_exempt(access_key_id: str) -> bool:
    """No key may do without a valid signature."""
    return False


def guard(answer: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """The ASGI application, which hears of no request without a key that exists."""

    async def guarded(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or _is_health_check(scope) or _may_enter(scope):
            await answer(scope, receive, send)
        elif scope["type"] == "http":
            await _refuse(scope, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    return guarded


def _is_health_check(scope: Mapping[str, Any]) -> bool:
    return scope["type"] == "http" and (scope["method"], scope["path"]) == ("GET", HEALTH_PATH)


def _may_enter(scope: Mapping[str, Any]) -> bool:
    return not scope["path"].startswith(_ADMINISTRATION) and _has_known_key(scope)


def _has_known_key(scope: Mapping[str, Any]) -> bool:
    headers = _headers(scope)
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    access_key_id = router.extract_access_key_id(headers, query)
    if is_root_key(access_key_id) or access_key_id in sts._sessions:
        return True
    try:
        return bool(access_key_id) and find_iam_access_key_account(access_key_id) is not None
    except AmbiguousAccessKeyError:
        return False


def _headers(scope: Mapping[str, Any]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope.get("headers", ())}


async def _refuse(scope: Mapping[str, Any], send: Send) -> None:
    """Answer as AWS does, in the language that the request speaks: XML for forms, JSON otherwise."""
    if _headers(scope).get("content-type", "").startswith("application/x-www-form-urlencoded"):
        kind = b"text/xml"
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>{_REFUSAL}</Message>"
            "</Error><RequestId>none</RequestId></ErrorResponse>"
        )
    else:
        kind = b"application/x-amz-json-1.1"
        body = json.dumps({"__type": "UnrecognizedClientException", "message": _REFUSAL})
    content = body.encode()
    headers = [(b"content-type", kind), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": content})
