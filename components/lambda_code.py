"""Packs the archive that every function shares: what runs in Lambda is what lies in the repository."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pulumi

from rotation_guard import domain

DOMAIN = Path(domain.__file__).resolve().parent
SOURCES: Mapping[str, Path] = {
    "handlers": Path(__file__).resolve().parent.parent / "handlers",
    "rotation_guard": DOMAIN.parent / "__init__.py",
    "rotation_guard/domain": DOMAIN,
}
"""Where the archive's folders come from, by the names that they are imported by."""


@cache
def lambda_code() -> pulumi.AssetArchive:
    """The archive of `handlers/` and the domain, in a fixed order.

    There is no build step and nothing is vendored: the runtime brings boto3, a layer brings Powertools. The order is
    fixed because Pulumi hashes the archive, and an unchanged function should show no diff.
    """
    return pulumi.AssetArchive({path: pulumi.FileAsset(str(source)) for path, source in list_sources(SOURCES).items()})


def list_sources(sources: Mapping[str, Path]) -> dict[str, Path]:
    """Each Python source by its path in the archive, sorted; RunError where a folder has none."""
    listed: dict[str, Path] = {}
    for prefix, source in sources.items():
        files = [source] if source.is_file() else sorted(source.rglob("*.py"))
        if not files:
            raise pulumi.RunError(f"no Python sources in {source}: is rotation-guard installed whole?")
        listed |= {f"{prefix}/{(path.relative_to(source) if path != source else path.name)}": path for path in files}
    return listed
