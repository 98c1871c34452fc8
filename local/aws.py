"""The way into the embedded AWS: clients that can reach nothing else, whatever the developer's own AWS setup is."""

import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import create_loader

# Nothing of the developer's AWS setup is looked at: each setting has its default, whatever environment and files say.
_ISOLATED = {
    **{
        name: (None, None, default, None)
        for name, (_, _, default, _) in botocore.session.Session.SESSION_VARIABLES.items()
    },
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}

# Reading the services' models is most of what a client costs: they are read once for all accounts.
_MODELS = create_loader()


@dataclass
class Aws:
    """One account and Region of the embedded AWS, with one client per service."""

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
        self._making = threading.Lock()

    def client(self, service: str) -> Any:
        """The client of a service, made on first use: making one costs 10 to 100 ms, so there is only one."""
        client = self._clients.get(service)
        if client is None:
            # A boto3 session is not safe to share while it makes clients; the clients are.
            with self._making:
                client = self._clients.get(service)
                if client is None:
                    client = self._session.client(service, endpoint_url=self.endpoint_url, config=self._config)
                    self._clients[service] = client
        return client

    def prepare(self, services: Iterable[str]) -> None:
        """Make these clients now, while there is something else to wait for."""
        for service in services:
            self.client(service)
