"""AWS's errors as boto3 raises them: one class per code, which `client.exceptions` has too."""

from functools import cache
from typing import Any

from botocore.exceptions import ClientError


@cache
def error_class(code: str) -> type[ClientError]:
    """The exception class of this error code."""
    return type(code, (ClientError,), {})


def client_error(code: str, message: str = "", **more: Any) -> ClientError:
    """An error with this code and AWS's message, and what else the response holds."""
    return error_class(code)({"Error": {"Code": code, "Message": message}, **more}, "Operation")


class ClientExceptions:
    """A client's `exceptions`."""

    def __getattr__(self, code: str) -> type[ClientError]:
        return error_class(code)
