"""The kill switch: a parameter in SSM Parameter Store that allows repairs while its value is `go`."""

from .clients import client

ACTIONS = frozenset({"ssm:GetParameter"})
_GO = "go"


def is_stopped(parameter_name: str) -> bool:
    """Whether repairs are stopped: any value but `go` (case-insensitive) stops them, and so does a missing parameter.

    Raises ClientError if the parameter cannot be read, which does not allow repairs either.
    """
    ssm = client("ssm")
    try:
        value = ssm.get_parameter(Name=parameter_name)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        return True
    return value.strip().lower() != _GO
