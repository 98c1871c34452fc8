"""Writes a file or a directory whole or not at all: what breaks off would look like what is complete."""

import errno
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from .errors import UsageError

_NOT_REPLACED = (errno.EBUSY, errno.EACCES, errno.EPERM, errno.EXDEV, errno.EROFS)
_NEW_FILE, _NEW_DIRECTORY = 0o666, 0o777
"""Modes without the bits of the umask: a list of secrets may be kept private by it."""


def write_file_of(option: str, name: str | Path, text: str) -> None:
    """Write the file that an option names. Raises UsageError if it cannot be written."""
    try:
        write_whole_file(Path(name), text)
    except OSError as error:
        raise UsageError(f"{option} must be a file that can be written, got {name}: {error.strerror}.") from None


def write_whole_file(path: Path, text: str) -> None:
    """Write this text in UTF-8; a file that is there keeps its mode. Raises OSError, and then leaves it as it was.

    What is no file, such as /dev/stdout or a pipe, is written to; so is a file that cannot be replaced, such as one
    that is mounted into a container.
    """
    if path.absolute().parts[1:2] in (("dev",), ("proc",)) or (path.exists() and not path.is_file()):
        # To append, because /dev/stdout may be a file that others write to as well.
        with path.open("a", encoding="utf-8") as stream:
            stream.write(text)
        return
    target = Path(os.path.realpath(path))
    try:
        _replace(target, text)
    except OSError as error:
        if error.errno not in _NOT_REPLACED or not target.is_file():
            raise
        target.write_text(text, encoding="utf-8")


def _replace(target: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.")
    part = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        part.chmod(target.stat().st_mode if target.exists() else _NEW_FILE & ~_read_umask())
        part.replace(target)
    except BaseException:  # also when it is interrupted
        part.unlink(missing_ok=True)
        raise


def write_whole_directory(path: Path, files: Mapping[str, bytes]) -> None:
    """Write these files into a directory that is new or empty. Raises OSError, and then leaves nothing behind."""
    part = Path(tempfile.mkdtemp(dir=path.absolute().parent, prefix=f".{path.name[:40]}."))
    try:
        for name, content in files.items():
            (part / name).write_bytes(content)
        part.chmod(_NEW_DIRECTORY & ~_read_umask())
        part.replace(path)
    except BaseException:  # also when it is interrupted
        with suppress(OSError):
            shutil.rmtree(part)
        raise


def _read_umask() -> int:
    """The process's mask of file modes, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
