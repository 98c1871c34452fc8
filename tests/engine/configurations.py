"""The configurations that are deployed: our own two stacks, and one in which every setting has another value."""

from collections.abc import Mapping
from typing import Any

from components.settings.setting import to_camel_case
from tests.components.samples.everything import EVERYTHING

REGION = "eu-west-1"
LAYER = "arn:aws:lambda:eu-west-1:444455556666:layer:powertools:7"
"""Of another account, as the one that AWS publishes: the embedded AWS asks for those of its own."""
ON_CALL = f"arn:aws:lambda:{REGION}:111122223333:function:on-call:live"
"""The alias of a function that tests make and subscribe."""
CONFIGURATIONS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "dev": ("dev", {"deletionProtection": False}),
    "prod": ("prod", {"deletionProtection": False}),
    "everything": (
        "prod",
        {**{to_camel_case(name): value for name, value in EVERYTHING.items()}, "powertoolsLayerArn": LAYER},
    ),
}
"""A configuration -> the stack whose file it begins with, and what it sets instead."""
