"""Errors that end a command: one sentence on standard error, and an exit code."""

NEEDS_ATTENTION, USAGE, UNREACHABLE, LISTING_DENIED, INTERRUPTED = 1, 2, 3, 4, 130
"""Exit codes, documented in docs/reports.md. 1 is used with `--exit-code`, and by `verify` alone without it."""


class CommandError(Exception):
    """The command cannot answer; the message says why."""

    exit_code = UNREACHABLE


class UsageError(CommandError):
    """An option, an argument or a file is invalid; the message names it, what is allowed, and what was given."""

    exit_code = USAGE


class Unreachable(CommandError):
    """AWS or the deployment does not answer, or refuses the call."""


class Refused(Unreachable):
    """AWS refused a call."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code
        """AWS's error code."""


class ListingDenied(CommandError):
    """The caller may not list secrets, so there is nothing to evaluate."""

    exit_code = LISTING_DENIED
