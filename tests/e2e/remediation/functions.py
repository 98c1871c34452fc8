"""The code of a team's own functions: all are deployed from this file, which imports nothing of the project.

A secret's database is a parameter with the hash of the password that it accepts, and how a rotation shall fail.
"""

import functools
import hashlib
import json
import time
import uuid
from typing import Any

import boto3

PLANTED = "hunter2"
"""How every password begins: anywhere but in the secret itself, it shows that a value has leaked."""
LOGGED_TEXT = "correct-horse"
"""A text that a function of the team writes into its own log."""


@functools.cache
def client(service: str) -> Any:
    """A client for as long as the function's process lives."""
    return boto3.client(service)


class DatabaseIsDown(RuntimeError):
    """The test makes the rotation fail here."""


def rotate(event: dict[str, Any], context: Any) -> None:
    """One step of a rotation of a single user, after AWS's template; fails where its database says, this many times."""
    step, arn, token = event["Step"], event["SecretId"], event["ClientRequestToken"]
    database = _database(arn)
    if database.get("breaks_at") == step and database["times"] > 0:
        _change(arn, {"times": database["times"] - 1})
        raise DatabaseIsDown(f"it is down at {step}")
    {"createSecret": _create, "setSecret": _set, "testSecret": _test, "finishSecret": _finish}[step](arn, token)


def probe(event: dict[str, Any], context: Any) -> Any:
    """Whether the database accepts a version; or another result, if the database is configured so."""
    arn = event["SecretId"]
    value = _value(arn, event["VersionId"], event["VersionStage"])
    match _database(arn).get("probe"):
        case "lies":
            # As with a stale cache: what was accepted as AWSPENDING is rejected as AWSCURRENT.
            return {"works": event["VersionStage"] != "AWSCURRENT"}
        case "talks":
            return {"works": "yes", "password": value, "note": f"it is {value}"}
        case "raises":
            raise DatabaseIsDown(f"{LOGGED_TEXT} is refused")
    return {"works": _hash(value) == _database(arn)["accepted_hash"]}


def hang(event: dict[str, Any], context: Any) -> Any:
    """The probe of a database that does not respond before the probe times out."""
    time.sleep(8)
    return {"works": True}


def idle(event: dict[str, Any], context: Any) -> None:
    """A function that uses a secret."""


def _create(arn: str, token: str) -> None:
    try:
        _value(arn, token, "AWSPENDING")
    except client("secretsmanager").exceptions.ResourceNotFoundException:
        client("secretsmanager").put_secret_value(
            SecretId=arn,
            ClientRequestToken=token,
            SecretString=f"{PLANTED}-{uuid.uuid4()}",
            VersionStages=["AWSPENDING"],
        )


def _set(arn: str, token: str) -> None:
    _change(arn, {"accepted_hash": _hash(_value(arn, token, "AWSPENDING"))})


def _test(arn: str, token: str) -> None:
    if _database(arn)["accepted_hash"] != _hash(_value(arn, token, "AWSPENDING")):
        raise DatabaseIsDown("it does not take the pending password")


def _finish(arn: str, token: str) -> None:
    versions = client("secretsmanager").describe_secret(SecretId=arn)["VersionIdsToStages"]
    current = next(version for version, labels in versions.items() if "AWSCURRENT" in labels)
    if current != token:
        client("secretsmanager").update_secret_version_stage(
            SecretId=arn, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current
        )


def _value(arn: str, version: str, label: str) -> str:
    return client("secretsmanager").get_secret_value(SecretId=arn, VersionId=version, VersionStage=label)[
        "SecretString"
    ]


def _database(arn: str) -> dict[str, Any]:
    return json.loads(client("ssm").get_parameter(Name=parameter_of(arn))["Parameter"]["Value"])


def _change(arn: str, changes: dict[str, Any]) -> None:
    text = json.dumps({**_database(arn), **changes})
    client("ssm").put_parameter(Name=parameter_of(arn), Value=text, Type="String", Overwrite=True)


def parameter_of(arn: str) -> str:
    """The parameter that represents the database of a secret."""
    return f"/database/{arn.split(':secret:')[1]}"


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
