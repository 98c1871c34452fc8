"""Packs `handlers/` into the archive that every function shares: what runs in Lambda is what lies in the repository."""

from functools import cache
from pathlib import Path

import pulumi

HANDLERS = Path(__file__).resolve().parent.parent / "handlers"


@cache
def lambda_code(handlers: Path = HANDLERS) -> pulumi.AssetArchive:
    """The archive of all Python sources below `handlers/`, in a fixed order, under `handlers/`.

    There is no build step and nothing is vendored: the runtime brings boto3, a layer brings Powertools. The order is
    fixed because Pulumi hashes the archive, and an unchanged function should show no diff.
    """
    sources = sorted(path for path in handlers.rglob("*.py"))
    if not sources:
        raise pulumi.RunError(f"no Python sources in {handlers}: is rotation-guard installed whole?")
    return pulumi.AssetArchive(
        {f"handlers/{path.relative_to(handlers).as_posix()}": pulumi.FileAsset(str(path)) for path in sources}
    )
