"""The AWS clients, one per service and process: made when first used, so that importing a handler touches nothing."""

from functools import cache
from typing import Any

import boto3
from botocore.config import Config

CONNECTIONS = 16
"""Calls that one client may have under way at once, from as many threads."""
_PATIENCE = Config(
    connect_timeout=5,
    read_timeout=20,
    max_pool_connections=CONNECTIONS,
    # Of the time that a batch of rows takes, a third went into checking what the adapters have written right.
    parameter_validation=False,
    retries={"mode": "standard", "total_max_attempts": 6},
)
_OWN_PATIENCE = {
    # Secrets Manager throttles an account as a whole, so others' calls count: a minute is waited before that is told.
    "secretsmanager": _PATIENCE.merge(Config(retries={"mode": "standard", "total_max_attempts": 10})),
    # A deployment takes no token: a call whose answer was lost is not repeated before somebody has looked.
    "ecs": _PATIENCE.merge(Config(retries={"mode": "standard", "total_max_attempts": 1})),
}


@cache
def client(service: str, answers_within: int | None = None, attempts: int = 1) -> Any:
    """The client of this service, in the Region and with the role that Lambda gives.

    Where `answers_within` is given, a call that has no answer after so many seconds is given up; it is made up to
    `attempts` times.
    """
    patience = _OWN_PATIENCE.get(service, _PATIENCE)
    if answers_within is not None:
        patience = patience.merge(
            Config(
                connect_timeout=2,
                read_timeout=answers_within,
                retries={"mode": "standard", "total_max_attempts": attempts},
            )
        )
    return boto3.client(service, config=patience)
