"""Translates errors of AWS calls that restart a target, by error code and without AWS's message."""

from collections.abc import Generator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from rotation_guard.domain.remediation.restarts import CannotBeRestarted, NotReady, TransientError

CALL_SECONDS = 10
"""Read timeout: a call that hangs must not delay the other dependents."""
_COMMON_PERMANENT_ERRORS = frozenset(
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
"""Errors of any operation that a retry does not resolve
(https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html)."""


@contextmanager
def translate_client_errors(permanent: frozenset[str], busy: frozenset[str] = frozenset()) -> Generator[None]:
    """Translate boto3's errors into the domain's: CannotBeRestarted, NotReady while AWS is busy, or TransientError.

    AWS's message is dropped, because it may quote the request, such as a function's environment.
    """
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in permanent | _COMMON_PERMANENT_ERRORS:
            raise CannotBeRestarted(f"AWS refused it: {code}.") from None
        if code in busy:
            raise NotReady(f"AWS is busy with it: {code}.") from None
        raise TransientError(code) from None
    except BotoCoreError as error:
        raise TransientError(type(error).__name__) from None
