"""Which release this is, and where its documentation can be read."""

import re
from urllib.parse import quote

VERSION = "0.1.0"
"""The version of the package too: pyproject.toml reads it here."""
REPOSITORY = "https://github.com/rotation-guard/rotation-guard"


_UNSAFE = re.compile(r"""[\s"'()<>\\^`{|}]""")
"""What ends a string of a state machine or a link of the dashboard, and is never needed as it is in a URL."""


def resolve_runbook(runbook_url: str = "") -> str:
    """The URL of the runbook: the one given, or the one of this release in the public repository.

    What would end the text that it becomes a part of is percent-encoded, which leads to the same page.
    """
    url = runbook_url or f"{REPOSITORY}/blob/v{VERSION}/docs/runbook.md"
    return _UNSAFE.sub(lambda found: quote(found[0], safe=""), url)


def link_heading(runbook: str, heading: str) -> str:
    """The URL of one heading of the runbook; a URL that has a fragment of its own keeps it."""
    return runbook if "#" in runbook else f"{runbook}#{heading}"
