"""Clients of the embedded AWS, which ignore the developer's own AWS configuration."""

import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import create_loader

# Every setting has its default, whatever the developer's environment and AWS files say.
_ISOLATED = {
    **{
        name: (None, None, default, None)
        for name, (_, _, default, _) in botocore.session.Session.SESSION_VARIABLES.items()
    },
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}

# Reading the service models is most of what a client costs, so all accounts share one loader.
_MODELS = create_loader()


@dataclass
class Aws:
    """An account and Region of the embedded AWS, with one client per service."""

    endpoint_url: str
    region: str
    account_id: str
    access_key_id: str
    secret_access_key: str = field(repr=False)

    def __post_init__(self) -> None:
        session = botocore.session.Session(session_vars=_ISOLATED)
        session.register_component("data_loader", _MODELS)
        self._session = boto3.Session(
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            region_name=self.region,
            botocore_session=session,
        )
        self._config = Config(
            proxies={},
            retries={"total_max_attempts": 2, "mode": "standard"},
            connect_timeout=5,
            read_timeout=70,
            max_pool_connections=32,
            use_fips_endpoint=False,
            use_dualstack_endpoint=False,
        )
        self._clients: dict[str, Any] = {}
        self._creation_lock = threading.Lock()

    def client(self, service: str) -> Any:
        """Return the client of a service. Creating a client takes 10 to 100 ms, so it is created once."""
        client = self._clients.get(service)
        if client is None:
            # Clients are thread-safe; creating them from one boto3 session is not.
            with self._creation_lock:
                client = self._clients.get(service)
                if client is None:
                    client = self._session.client(service, endpoint_url=self.endpoint_url, config=self._config)
                    self._clients[service] = client
        return client

    def create_clients(self, services: Iterable[str]) -> None:
        """Create these clients now, while the emulator starts."""
        for service in services:
            self.client(service)
