"""What every test may rely on: recorded events, and no way out to a real account."""

import gc
import json
import os
from collections.abc import Callable
from functools import cache
from typing import Any

import botocore.session
import botocore.useragent
import hypothesis
import pytest

from tests.paths import EVENTS

# Until the tests are collected, which leaves next to no garbage.
gc.disable()

# At once: what a session shares is made before the first test has its own environment.
for _name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
    os.environ.pop(_name, None)

# A busy machine takes longer than 200 ms for some examples.
hypothesis.settings.register_profile("without deadline", deadline=None)
hypothesis.settings.load_profile("without deadline")

# Every session of boto3 would read the models of its services anew, which is most of what a client costs.
botocore.session.create_loader = cache(botocore.session.create_loader)  # ty: ignore[invalid-assignment]

# Every call would clean the same ninety words of the user agent anew.
botocore.useragent.sanitize_user_agent_string_component = cache(  # ty: ignore[invalid-assignment]
    botocore.useragent.sanitize_user_agent_string_component
)


def pytest_collection_finish() -> None:
    """Keep Python from searching for garbage among modules and tests, which live as long as the session does."""
    gc.collect()
    gc.freeze()
    # What tests leave behind in reference cycles is freed less often, in larger portions.
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


@pytest.fixture
def recorded() -> Callable[[str], dict[str, Any]]:
    """Reads a recorded event by the name of its file; each call gives a copy of its own."""
    return lambda name: json.loads((EVENTS / f"{name}.json").read_text())


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes away whatever credentials and profile the developer has, and puts in ones that work nowhere."""
    for name in ("AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "ROTATION_GUARD_STACK_OUTPUTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
