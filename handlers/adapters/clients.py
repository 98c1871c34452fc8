"""The AWS clients, one per service and process: made when first used, so that importing a handler touches nothing."""

from functools import cache
from typing import Any

import boto3
from botocore.config import Config

_PATIENCE = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 6},
)


@cache
def client(service: str) -> Any:
    """The client of this service, in the Region and with the role that Lambda gives."""
    return boto3.client(service, config=_PATIENCE)
