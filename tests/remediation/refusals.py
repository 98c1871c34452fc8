"""AWS's refusals, as boto3 raises them: one class for each code, under which `client.exceptions` has it too."""

from functools import cache
from typing import Any

from botocore.exceptions import ClientError


@cache
def refusal(code: str) -> type[ClientError]:
    """The class of this code."""
    return type(code, (ClientError,), {})


def refused(code: str, message: str = "", **more: Any) -> ClientError:
    """A refusal with this code and AWS's message, and what else its answer holds."""
    return refusal(code)({"Error": {"Code": code, "Message": message}, **more}, "Operation")


class Refusals:
    """What a client has as `exceptions`."""

    def __getattr__(self, code: str) -> type[ClientError]:
        return refusal(code)
