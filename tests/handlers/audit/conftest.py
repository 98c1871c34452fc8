"""The time at which a test of the audit begins."""

from datetime import UTC, datetime

import pytest


@pytest.fixture(autouse=True)
def begin_now(request, monkeypatch):
    """Sets the NOW of a test's module to the current time, however long the previous tests took."""
    if hasattr(request.module, "NOW"):
        monkeypatch.setattr(request.module, "NOW", datetime.now(UTC).replace(microsecond=0))
