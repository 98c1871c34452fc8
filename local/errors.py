"""What this room says when it cannot do what it was asked: one sentence that also says what to do."""


class LocalError(Exception):
    """A sentence for the person at the keyboard; `python -m local` prints it and ends with exit code 1."""
