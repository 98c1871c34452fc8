"""Whether an HTTPS API takes the token of one version of a secret: a probe for rotation-guard."""

import http.client
import json
import os
import ssl
from typing import Any
from urllib.parse import urlsplit

import boto3

SECONDS = 5
"""How long a connection, and each answer, may take: less than rotation-guard waits for the probe."""
REFUSED = (401, 403)


def handler(event: dict[str, str], context: Any) -> dict[str, bool]:
    """Tries the version that `{"SecretId", "VersionId", "VersionStage"}` name, and answers `{"works": bool}`.

    Whatever else happens is raised, and is neither yes nor no to rotation-guard.
    """
    status = _status(os.environ["PROBE_URL"], _token(event))
    if 200 <= status < 300:
        return {"works": True}
    if status in REFUSED:
        return {"works": False}
    raise RuntimeError(f"the API answered {status}, which says nothing of the token")


def _token(event: dict[str, str]) -> str:
    """The field `token` of the version; with both its id and its label, one that has moved on is not tried."""
    names = {name: event[name] for name in ("SecretId", "VersionId", "VersionStage")}
    token = json.loads(boto3.client("secretsmanager").get_secret_value(**names)["SecretString"])["token"]
    if not (token.isascii() and token.isprintable()):
        # The error of http.client would quote it, and Lambda would log that.
        raise ValueError("the token has characters that no HTTP header may have")
    return token


def _status(url: str, token: str) -> int:
    """The status of one GET. Redirects are not followed: the token would go along, to whomever they name."""
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.hostname is None:
        raise ValueError("PROBE_URL must begin with https:// and name a host")
    connection = http.client.HTTPSConnection(
        parts.hostname, parts.port, timeout=SECONDS, context=ssl.create_default_context()
    )
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse().status
    finally:
        connection.close()
