"""Zips an archive of the program for Lambda: the same contents give the same bytes."""

import io
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pulumi

from ...errors import LocalError

_EPOCH = (1980, 1, 1, 0, 0, 0)


def build_zip(archive: pulumi.Archive) -> bytes:
    """Zip an AssetArchive of files and texts, or a FileArchive of a folder; other archives raise LocalError."""
    return _zip(tuple(sorted(_list_files("", archive))))


@lru_cache(maxsize=8)  # Most functions of a program have the same code.
def _zip(files: tuple[tuple[str, bytes], ...]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        for name, content in files:
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            target.writestr(info, content)
    return buffer.getvalue()


def _list_files(name: str, asset: pulumi.Asset | pulumi.Archive) -> Iterator[tuple[str, bytes]]:
    if isinstance(asset, pulumi.AssetArchive):
        for inner_name, inner in asset.assets.items():
            yield from _list_files(f"{name}/{inner_name}" if name else inner_name, inner)
    elif isinstance(asset, pulumi.StringAsset):
        yield name, asset.text.encode()
    elif isinstance(asset, pulumi.FileAsset):
        yield name, Path(asset.path).read_bytes()
    elif isinstance(asset, pulumi.FileArchive) and Path(asset.path).is_dir():
        folder = Path(asset.path)
        for path in folder.rglob("*"):
            if path.is_file():
                inner_name = path.relative_to(folder).as_posix()
                yield (f"{name}/{inner_name}" if name else inner_name), path.read_bytes()
    else:
        raise LocalError(
            f"local/deploy/resources cannot zip {type(asset).__name__} {name!r}: use an AssetArchive of files."
        )
