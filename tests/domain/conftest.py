"""Keeps what Hypothesis leaves behind where pytest leaves its own: it keeps constants of the code, database or not."""

import pytest
from hypothesis import configuration


def pytest_configure(config: pytest.Config) -> None:
    configuration.set_hypothesis_home_dir(config.rootpath / ".pytest_cache" / "hypothesis")
