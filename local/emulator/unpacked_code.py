"""Unpacks equal archives of functions once. Runs inside the emulator.

MiniStack unpacks a function's archive for each of its processes, which compiles what it imports: half of what such a
process costs until it can be called. In Lambda the code is read-only, so processes may share its folder.
"""

import hashlib
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime

_unpacking = threading.Lock()


class SharedZipFile(zipfile.ZipFile):
    """An archive that is unpacked into a folder of all archives with its contents."""

    def extractall(self, path: Any = None, members: Any = None, pwd: bytes | None = None) -> None:
        """Replace an empty folder by a link to that folder."""
        digest = hashlib.sha256(Path(str(self.filename)).read_bytes()).hexdigest()
        shared = Path(tempfile.gettempdir(), f"code-{digest}")
        with _unpacking:
            if not shared.exists():
                partial = shared.with_suffix(".part")
                super().extractall(partial, members, pwd)
                partial.rename(shared)
        folder = Path(path)
        folder.rmdir()
        folder.symlink_to(shared, target_is_directory=True)


class _SharingModule:
    """The module `zipfile`, with archives that are shared."""

    ZipFile = SharedZipFile

    def __getattr__(self, name: str) -> Any:
        return getattr(zipfile, name)


def install() -> None:
    """Unpack the code and layers of functions once."""
    lambda_runtime.zipfile = _SharingModule()  # ty: ignore[invalid-assignment]
