"""What stands in the way of an answer, each in a sentence and with an exit code of its own."""

NEEDS_SOMEONE, USAGE, UNREACHABLE, LISTING_DENIED = 1, 2, 3, 4
"""Exit codes. 1 is given by `--exit-code` alone; 2 is that of the options' own parser, too."""


class Problem(Exception):
    """The command cannot answer; the message says why."""

    exit_code = UNREACHABLE


class Misused(Problem):
    """An option or a file cannot be used; the message names it, what is allowed, and what was given."""

    exit_code = USAGE


class Unreachable(Problem):
    """AWS or the deployment does not answer, or not as it should."""


class ListingDenied(Problem):
    """The caller may not list secrets, so there is nothing to judge."""

    exit_code = LISTING_DENIED
