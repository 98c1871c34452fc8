"""What some tests need besides the engine, and why they are skipped without it."""

import pytest

from tests.engine.harness import locate_language_host

needs_yaml = pytest.mark.skipif(
    locate_language_host("yaml") is None,
    reason="no language host for YAML: `make engine` builds one where Go is installed, or it comes with `pulumi`",
)
