"""What AWS refuses when something is to be restarted, told by its code and never in its words."""

from collections.abc import Generator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from rotation_guard.domain.remediation.restarts import CannotBeRestarted, NotReady, TransientError

CALL_SECONDS = 10
"""How long a call may take: one that hangs is given up, so that the other dependents have their turn as well."""
_COMMON_FOR_GOOD = frozenset(
    {
        "AccessDeniedException",
        "MalformedHttpRequestException",
        "NotAuthorized",
        "OptInRequired",
        "RequestEntityTooLargeException",
        "UnknownOperationException",
        "ValidationError",
        "ValidationException",
    }
)
"""Errors of any operation that another try does not help
(https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html)."""


@contextmanager
def translate_client_errors(for_good: frozenset[str], in_progress: frozenset[str] = frozenset()) -> Generator[None]:
    """Turns whatever boto3 raises for a call into the domain's errors, by AWS's error code.

    CannotBeRestarted where another try does not help, NotReady where AWS is busy with the target, and PassingTrouble
    for all others, the network's among them. None holds AWS's message: it may quote what was sent, such as the
    environment of a function.
    """
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in for_good | _COMMON_FOR_GOOD:
            raise CannotBeRestarted(f"AWS refused it: {code}.") from None
        if code in in_progress:
            raise NotReady(f"AWS is busy with it: {code}.") from None
        raise TransientError(code) from None
    except BotoCoreError as error:
        raise TransientError(type(error).__name__) from None
