"""The kill switch: a parameter in SSM's Parameter Store, which lets the product act while it says `go`."""

from .clients import client

ACTIONS = frozenset({"ssm:GetParameter"})
_GO = "go"


def says_stop(parameter_name: str) -> bool:
    """Whether nothing is to be done: anything but `go`, in any case, and no parameter at all, is a stop.

    Raises ClientError when AWS cannot tell, which is no permission either.
    """
    ssm = client("ssm")
    try:
        value = ssm.get_parameter(Name=parameter_name)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        return True
    return value.strip().lower() != _GO
