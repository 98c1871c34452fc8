"""Takes every request for one over TLS: this port stands for AWS's, and nothing but this machine reaches it.

Otherwise a bucket that refuses requests without TLS, as AWS recommends, would refuse all. Runs inside the emulator.
"""

from typing import Any

from ministack.core import iam_evaluator

_resolve_by_ministack = iam_evaluator._resolve_condition_key


def install() -> None:
    """Let conditions see TLS."""
    iam_evaluator._resolve_condition_key = resolve_condition_key  # ty: ignore[invalid-assignment]


def resolve_condition_key(key: str, context: Any) -> Any:
    """The value of a global condition key."""
    return "true" if key.lower() == "aws:securetransport" else _resolve_by_ministack(key, context)
