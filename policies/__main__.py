"""Starts the pack for the engine: `pulumi preview --policy-pack policies`. Never returns.

The engine runs this folder by its path, and the folder of a published pack has another name. The package is therefore
imported under its fixed name here.
"""

import importlib.util
import sys
from pathlib import Path

_NAME = "policies"


def _import_package() -> None:
    folder = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(
        _NAME, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} is not a Python package")
    package = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = package
    spec.loader.exec_module(package)


_import_package()

try:
    from policies.engine import crossguard
except ModuleNotFoundError as missing:
    sys.exit(
        f"The policy pack needs the Python package {missing.name}, which is not installed: run `pulumi install --cwd "
        f"{Path(__file__).resolve().parent}`."
    )

crossguard.serve()
