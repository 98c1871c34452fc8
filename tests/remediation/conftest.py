"""A simulated account for each test of whole scenarios, and Hypothesis's directory."""

import random
from collections.abc import Callable, Generator
from typing import Any

import pytest
from hypothesis import configuration

from tests import used_permissions
from tests.remediation.scenario import list_transitions
from tests.remediation.world import Settings, World


def pytest_configure(config: pytest.Config) -> None:
    configuration.set_hypothesis_home_dir(config.rootpath / ".pytest_cache" / "hypothesis")


def pytest_sessionfinish() -> None:
    used_permissions.write()


@pytest.fixture(autouse=True)
def check_permissions() -> Generator[None]:
    """Fails a test in which a function makes a call that it does not declare, so that no role grants it."""
    used_permissions.listen()
    before = used_permissions.undeclared()
    yield
    assert used_permissions.undeclared() == before


@pytest.fixture
def settings() -> Settings:
    """The settings of a stack in mode repair; a test overrides them by a parameter."""
    return Settings()


@pytest.fixture
def world(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Generator[World]:
    """A world with a stack of these settings and a fixed random seed."""
    monkeypatch.setattr(random, "random", random.Random(6).random)  # noqa: S311 - jitter, not a secret
    with World(settings).installed() as installed:
        yield installed


@pytest.fixture
def finish(world: World, caplog: pytest.LogCaptureFixture) -> Callable[[], tuple[dict[str, Any], list[str]]]:
    """Run everything to its end, check every invariant, and return the incident and its transitions."""

    def run() -> tuple[dict[str, Any], list[str]]:
        world.run()
        world.invariants.check_at_end()
        assert "CANARY" not in caplog.text
        [incident] = world.rows()
        return incident, list_transitions(world)

    return run
