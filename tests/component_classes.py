"""The classes of all components."""

import importlib
import inspect
import pkgutil

import pulumi

import components


def list_components() -> list[type[pulumi.ComponentResource]]:
    """Every component, of every module."""
    modules = [
        importlib.import_module(module.name) for module in pkgutil.walk_packages(components.__path__, "components.")
    ]
    return [
        value
        for module in modules
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, pulumi.ComponentResource)
        and value.__module__ == module.__name__
    ]
