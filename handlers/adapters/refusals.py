"""What AWS refuses when something is to be restarted, told by its code and never in its words."""

from collections.abc import Generator
from contextlib import contextmanager

from botocore.exceptions import ClientError

from ..domain.restarts import CannotBeRestarted, PassingTrouble


@contextmanager
def told(for_good: frozenset[str]) -> Generator[None]:
    """Turns an error of AWS's into CannotBeRestarted where its code is one of these, and else into PassingTrouble.

    Neither holds the message: it may quote what was sent, such as the environment of a function.
    """
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in for_good:
            raise CannotBeRestarted(f"AWS refused it: {code}.") from None
        raise PassingTrouble(code) from None
