"""The rules, in modules per AWS service. Every module in this package is imported: there is no list to add it to."""

import importlib
import pkgutil
from collections.abc import Mapping

from ..model import exemptions, unjudged
from ..model.rule import REGISTRY, Rule

# The rules about the pack itself come first.
REGISTRY.update({rule.name: rule for rule in (exemptions.RULE, unjudged.RULE)})

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")

RULES: Mapping[str, Rule] = REGISTRY
"""Every rule by its name."""
