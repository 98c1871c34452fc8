"""What the demo takes for a database with one user: a parameter that holds the hash of the password it takes now."""

import hashlib

from .clients import client

READING_ACTIONS = frozenset({"ssm:GetParameter"})
WRITING_ACTIONS = frozenset({"ssm:PutParameter"})


class DemoDatabase:
    """The database in the parameter of this name."""

    def __init__(self, parameter_name: str) -> None:
        self._parameter_name = parameter_name
        self._ssm = client("ssm")

    def takes(self, password: str) -> bool:
        """Whether a login with this password would succeed."""
        return self._ssm.get_parameter(Name=self._parameter_name)["Parameter"]["Value"] == _hash(password)

    def set_password(self, password: str) -> None:
        """Changes the password of its only user: the one before opens nothing any more."""
        self._ssm.put_parameter(Name=self._parameter_name, Value=_hash(password), Type="String", Overwrite=True)


def _hash(password: str) -> str:
    # Plain, for it keeps no passwords of people's: those of the demo are random, and open nothing.
    return hashlib.sha256(password.encode()).hexdigest()
