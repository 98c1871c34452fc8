"""The provider of the components, as the plugin serves it."""

import json
from typing import Any

import pytest

from components.provider.host import RotationGuardProvider


@pytest.fixture(scope="session")
def provider() -> RotationGuardProvider:
    """The provider, in this process."""
    return RotationGuardProvider()


@pytest.fixture(scope="session")
def schema(provider) -> dict[str, Any]:
    """Its schema."""
    return json.loads(provider.schema)
