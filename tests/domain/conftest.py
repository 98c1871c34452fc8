"""Moves Hypothesis's directory into pytest's cache: it stores constants of the code even without a database."""

import pytest
from hypothesis import configuration


def pytest_configure(config: pytest.Config) -> None:
    configuration.set_hypothesis_home_dir(config.rootpath / ".pytest_cache" / "hypothesis")
