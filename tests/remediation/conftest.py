"""An account for each test of whole histories, and a place for what Hypothesis leaves behind."""

import random
from collections.abc import Callable, Generator
from typing import Any

import pytest
from hypothesis import configuration

from tests import used_permissions
from tests.remediation.story import heard
from tests.remediation.world import Settings, World


def pytest_configure(config: pytest.Config) -> None:
    configuration.set_hypothesis_home_dir(config.rootpath / ".pytest_cache" / "hypothesis")


def pytest_sessionfinish() -> None:
    used_permissions.write()


@pytest.fixture(autouse=True)
def permitted() -> Generator[None]:
    """No function makes a call that it does not declare, and so may not make."""
    used_permissions.listen()
    before = used_permissions.undeclared()
    yield
    assert used_permissions.undeclared() == before


@pytest.fixture
def settings() -> Settings:
    """Those of a stack that may repair; a test that wants others has them as its parameter."""
    return Settings()


@pytest.fixture
def world(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Generator[World]:
    """A world with a stack of these settings, in which chance is the same in every run."""
    monkeypatch.setattr(random, "random", random.Random(6).random)  # noqa: S311 - jitter, not a secret
    with World(settings).installed() as made:
        yield made


@pytest.fixture
def told(world: World, caplog: pytest.LogCaptureFixture) -> Callable[[], tuple[dict[str, Any], list[str]]]:
    """Runs everything to its end, holds it to every promise, and answers the one incident and the turns it was told."""

    def run() -> tuple[dict[str, Any], list[str]]:
        world.run()
        world.promises.at_the_end()
        assert "CANARY" not in caplog.text
        [incident] = world.rows()
        return incident, heard(world)

    return run
