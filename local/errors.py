"""The error of the local deployment: one sentence that says what is wrong and what to do."""


class LocalError(Exception):
    """An error for the user; `python -m local` prints its message and exits with code 1."""
