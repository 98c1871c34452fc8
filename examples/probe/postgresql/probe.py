"""Whether a PostgreSQL server lets in the user of one version of a secret: a probe for rotation-guard."""

import json
import os
import ssl
from typing import Any

import boto3
from pg8000.native import Connection, DatabaseError  # ty: ignore[import-not-found] - packed with the function

SECONDS = 5
"""How long a connection, and each answer, may take: less than rotation-guard waits for the probe."""
REFUSED = ("28P01", "28000")
"""invalid_password and invalid_authorization_specification
(https://www.postgresql.org/docs/current/errcodes-appendix.html)."""


def handler(event: dict[str, str], context: Any) -> dict[str, bool]:
    """Tries the version that `{"SecretId", "VersionId", "VersionStage"}` name, and answers `{"works": bool}`.

    Whatever else happens is raised, and is neither yes nor no to rotation-guard.
    """
    try:
        _connect(_login(event)).close()
    except DatabaseError as error:
        # The fields of PostgreSQL's message: C is the SQLSTATE
        # (https://www.postgresql.org/docs/current/protocol-error-fields.html).
        if error.args[0].get("C") not in REFUSED:
            raise
        return {"works": False}
    return {"works": True}


def _login(event: dict[str, str]) -> dict[str, Any]:
    """The value of the version; with both its id and its label, one that has moved on is not tried."""
    names = {name: event[name] for name in ("SecretId", "VersionId", "VersionStage")}
    return json.loads(boto3.client("secretsmanager").get_secret_value(**names)["SecretString"])


def _connect(login: dict[str, Any]) -> Connection:
    """A connection, which stands once the server has let the user in; encrypted, and only to the server it names.

    The fields are those of AWS's database secrets
    (https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html).
    """
    return Connection(
        login["username"],
        password=login["password"],
        host=login["host"],
        port=int(login.get("port", 5432)),
        database=login.get("dbname", "postgres"),
        timeout=SECONDS,
        ssl_context=ssl.create_default_context(cafile=os.environ.get("CA_BUNDLE")),
    )
