"""The rules, one module for each subject. A module that lies here is found; there is no list to add it to."""

import importlib
import pkgutil
from collections.abc import Mapping

from .. import exemptions  # noqa: F401 - its rule comes first
from ..rule import REGISTRY, Rule

for _module in sorted(found.name for found in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")

RULES: Mapping[str, Rule] = REGISTRY
"""Every rule by its name."""
