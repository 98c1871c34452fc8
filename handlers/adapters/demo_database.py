"""The demo's database with one user: a parameter with the hash of its current password."""

import hashlib

from .clients import client

READING_ACTIONS = frozenset({"ssm:GetParameter"})
WRITING_ACTIONS = frozenset({"ssm:PutParameter"})


class DemoDatabase:
    """The database in the parameter of this name."""

    def __init__(self, parameter_name: str) -> None:
        self._parameter_name = parameter_name
        self._ssm = client("ssm")

    def accepts(self, password: str) -> bool:
        """Whether a login with this password would succeed."""
        return self._ssm.get_parameter(Name=self._parameter_name)["Parameter"]["Value"] == _hash(password)

    def set_password(self, password: str) -> None:
        """Change the password of its only user; the previous one no longer works."""
        self._ssm.put_parameter(Name=self._parameter_name, Value=_hash(password), Type="String", Overwrite=True)


def _hash(password: str) -> str:
    # A plain hash is enough: the demo's passwords are random and protect nothing.
    return hashlib.sha256(password.encode()).hexdigest()
