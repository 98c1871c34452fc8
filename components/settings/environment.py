"""Settings as environment variables of functions."""

from collections.abc import Mapping
from typing import Any

import pulumi

from .declarations import value_of


def to_environment(args: Mapping[str, Any], *names: str) -> dict[str, pulumi.Input[str]]:
    """The variables for these settings, named as they are but in capitals: `max_retries` becomes `MAX_RETRIES`.

    Lists and maps are JSON, which may be known only during the deployment.
    """
    return {name.upper(): _to_text(value_of(args, name)) for name in names}


def _to_text(value: Any) -> pulumi.Input[str]:
    return pulumi.Output.json_dumps(value) if isinstance(value, (list, tuple, Mapping)) else str(value)
