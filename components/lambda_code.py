"""Packs the archive that every function shares: what runs in Lambda is what lies in the repository."""

import importlib.util
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import pulumi

from rotation_guard import domain, html_report

DOMAIN = Path(domain.__file__).resolve().parent
SOURCES: Mapping[str, Path] = {
    "handlers": Path(__file__).resolve().parent.parent / "handlers",
    "rotation_guard": DOMAIN.parent / "__init__.py",
    "rotation_guard/domain": DOMAIN,
}
"""Where the archive's folders come from, by the names that they are imported by."""
HTML_REPORT = Path(html_report.__file__).resolve().parent
LIBRARIES = ("jinja2", "markupsafe", "svg")
"""What renders HTML, as it is installed where the stack is deployed from. Only Python is packed: markupsafe has a
compiled part for one platform, and the same in Python for all others."""


@cache
def lambda_code() -> pulumi.AssetArchive:
    """The archive of `handlers/` and the domain, in a fixed order.

    There is no build step and nothing is vendored: the runtime brings boto3, a layer brings Powertools. The order is
    fixed because Pulumi hashes the archive, and an unchanged function should show no diff.
    """
    return pulumi.AssetArchive({path: pulumi.FileAsset(str(source)) for path, source in list_sources(SOURCES).items()})


@cache
def report_code() -> pulumi.AssetArchive:
    """The same with what renders HTML, for the function of reports alone: the others start without it."""
    sources = {**SOURCES, "rotation_guard/html_report": HTML_REPORT, **{name: find_package(name) for name in LIBRARIES}}
    listed = list_sources(sources, patterns=("*.py", "templates/*"))
    return pulumi.AssetArchive({path: pulumi.FileAsset(str(source)) for path, source in listed.items()})


def find_package(name: str) -> Path:
    """The folder of an installed package; RunError where it is not installed."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise pulumi.RunError(
            f"{name} must be installed to deploy reports, got no such package: pip install rotation-guard"
        )
    return Path(spec.origin).resolve().parent


def list_sources(sources: Mapping[str, Path], patterns: Sequence[str] = ("*.py",)) -> dict[str, Path]:
    """Each source by its path in the archive, sorted; RunError where a folder has none."""
    listed: dict[str, Path] = {}
    for prefix, source in sources.items():
        files = (
            [source] if source.is_file() else sorted({path for pattern in patterns for path in source.rglob(pattern)})
        )
        if not files:
            raise pulumi.RunError(f"no Python sources in {source}: is rotation-guard installed whole?")
        listed |= {f"{prefix}/{(path.relative_to(source) if path != source else path.name)}": path for path in files}
    return listed
