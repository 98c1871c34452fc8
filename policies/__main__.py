"""Starts the pack for the engine: `pulumi preview --policy-pack policies`. It serves, and never returns.

The engine runs this folder by its path, and a published pack lies in a folder of any name. So the room is imported
here under the one name that it has everywhere.
"""

import importlib.util
import sys
from pathlib import Path

_NAME = "policies"


def _import_room() -> None:
    folder = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(
        _NAME, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} is no Python package")
    room = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = room
    spec.loader.exec_module(room)


_import_room()

try:
    from policies.engine import crossguard
except ModuleNotFoundError as missing:
    sys.exit(
        f"The policy pack needs the Python package {missing.name}, which is not installed: run `pulumi install --cwd "
        f"{Path(__file__).resolve().parent}`."
    )

crossguard.serve()
