"""Settings as environment variables of functions."""

from collections.abc import Mapping
from typing import Any

import pulumi

from .declarations import SETTINGS, value_of


def to_environment(args: Mapping[str, Any], function: str) -> dict[str, pulumi.Input[str]]:
    """The variables of this function, by the last word of its name, for the settings declared as read by it.

    They are named as the settings but in capitals: `max_retries` becomes `MAX_RETRIES`. Lists and maps are JSON, which
    may be known only during the deployment.
    """
    read = [name for name, setting in SETTINGS.items() if function in setting.read_by]
    return {name.upper(): _to_text(value_of(args, name)) for name in read}


def _to_text(value: Any) -> pulumi.Input[str]:
    return pulumi.Output.json_dumps(value) if isinstance(value, (list, tuple, Mapping)) else str(value)
