"""Every setting of the whole product, each with another value than its default."""

from . import audit, messages, remediation, stack
from .stack import KEY, LAYER

__all__ = ["EVERYTHING", "KEY", "LAYER"]
EVERYTHING = {**audit.OTHER, **messages.OTHER, **remediation.OTHER, **stack.OTHER}
