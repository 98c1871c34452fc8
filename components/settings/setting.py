"""What one setting is, and the texts that are generated from its declaration."""

import json
import re
from dataclasses import dataclass
from typing import Any

from .checks import Check

ALL = (
    *("audit", "canary", "demo", "events", "findings", "hub", "integrations", "management_trail", "member"),
    *("notifications", "observability", "remediation", "reports", "runtime", "status", "trail"),
)
"""Every component that takes settings, and what their functions have in common."""


@dataclass(frozen=True)
class Setting:
    """One setting: all that is known of it. What documents, arguments and environments say of it is made from this."""

    name: str
    """As the components' arguments call it, such as `max_age_days`."""
    subject: str
    """Heading of the README's table that it is in."""
    type: str
    """Its annotation in the components' arguments, such as `int` or `list[SubscriptionArgs]`."""
    default: Any
    """Its value where it is not given, as components read it; None where there is none."""
    check: Check
    """What is wrong with a value."""
    help: str
    """What it sets, with its unit: one sentence, without a full stop. Limits and the default are added to it."""
    used_by: tuple[str, ...]
    """The components that take it as an argument, by their names in `SOURCES` of docs/settings.py."""
    read_by: tuple[str, ...] = ()
    """The functions whose environment has it as it is, by the last word of their name, such as `decide`."""
    default_text: str = ""
    """What the default is called where its value says too little, such as `any time`."""
    may_be_output: bool = False
    """Whether it may be known only during the deployment."""

    @property
    def key(self) -> str:
        """Its key in a stack's configuration, such as `maxAgeDays`."""
        return to_camel_case(self.name)

    @property
    def description(self) -> str:
        """The sentence about it in Pulumi.yaml and the README."""
        limits = getattr(self.check, "limits", "")
        return f"{self.help} ({limits})." if limits else f"{self.help}."

    @property
    def docstring(self) -> str:
        """The sentence about it in the components' arguments, which becomes their published schema."""
        return f"{self.help}. Default: {self.default_text or _write_default(self.default)}."

    @property
    def config_type(self) -> str:
        """Its type as Pulumi.yaml names it."""
        plain = re.sub(r"^pulumi\.Input\[(.*)\]$", r"\1", self.type)
        if plain.startswith("list["):
            return "array"
        return {"int": "integer", "str": "string", "bool": "boolean"}.get(plain, "object")

    @property
    def item_type(self) -> str:
        """The type of its entries where it is a list."""
        return "string" if "Input[str]" in self.type else "object"

    @property
    def config_default(self) -> Any:
        """Its default as Pulumi.yaml writes it: empty where there is none."""
        return {"string": ""}.get(self.config_type, {}) if self.default is None else self.default


def to_camel_case(name: str) -> str:
    """A setting's name as a stack's configuration writes it."""
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


def _write_default(value: Any) -> str:
    if value in (None, "", [], {}):
        return "none"
    return f"`{value}`" if isinstance(value, str) else json.dumps(value)
