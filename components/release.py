"""Which release this is, and where its documentation can be read."""

VERSION = "0.1.0"
"""The version of the package too: pyproject.toml reads it here."""
REPOSITORY = "https://github.com/rotation-guard/rotation-guard"


def resolve_runbook(runbook_url: str = "") -> str:
    """The URL of the runbook: the one given, or the one of this release in the public repository."""
    return runbook_url or f"{REPOSITORY}/blob/v{VERSION}/docs/runbook.md"
