"""Where the runbook of this release can be read, by what the package says of itself: no stack is asked."""

from importlib.metadata import PackageNotFoundError, metadata

_PACKAGE = "rotation-guard"


def find_runbook() -> str:
    """The URL of the runbook in the public repository; empty where this package is not installed."""
    try:
        described = metadata(_PACKAGE)
    except PackageNotFoundError:
        return ""
    links = (entry.partition(", ") for entry in described.get_all("Project-URL") or ())
    repository = next((url for name, _, url in links if name == "Repository"), "")
    return f"{repository}/blob/v{described['Version']}/docs/runbook.md" if repository else ""
