"""The rules, one module for each subject. A module that lies here is found; there is no list to add it to."""

import importlib
import pkgutil
from collections.abc import Mapping

from ..model import exemptions, unjudged
from ..model.rule import REGISTRY, Rule

# What is about the pack itself comes first.
REGISTRY.update({rule.name: rule for rule in (exemptions.RULE, unjudged.RULE)})

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")

RULES: Mapping[str, Rule] = REGISTRY
"""Every rule by its name."""
