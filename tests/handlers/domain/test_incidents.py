"""What a failure does to the incident of its secret."""

from dataclasses import replace

import pytest

from handlers.domain.incidents import Add, OpenIncident, OpenNew, Resume, Supersede, claim
from handlers.domain.rotation import SecretState
from handlers.events import parse

OPEN = OpenIncident("2026-03-01T00:50:21.000Z", "execution-1", "v1", frozenset({"event-1"}), frozenset({"rotation-1"}))
UNKNOWING = replace(OPEN, current_version_id=None)
SAME = SecretState("orders/db", {"v1": ("AWSCURRENT",), "v2": ("AWSPENDING",)})
MOVED = SecretState("orders/db", {"v1": ("AWSPREVIOUS",), "v2": ("AWSCURRENT", "AWSPENDING")})
UNLABELLED = SecretState("orders/db", {"v1": ("AWSPREVIOUS",)})


@pytest.fixture
def failure(recorded):
    event = parse(recorded("rotation-failed"))
    return lambda identity, rotation_id: replace(event, identity=identity, rotation_id=rotation_id)


@pytest.mark.parametrize(
    ("incident", "execution", "identity", "rotation", "secret", "expected"),
    [
        pytest.param(None, "execution-2", "event-2", "rotation-2", SAME, OpenNew(), id="nothing is open"),
        pytest.param(None, "execution-2", "event-2", None, None, OpenNew(), id="nothing is open or known"),
        pytest.param(OPEN, "execution-1", "event-1", "rotation-1", SAME, Resume(OPEN), id="asked twice"),
        pytest.param(OPEN, "execution-1", "event-1", "rotation-1", MOVED, Resume(OPEN), id="asked twice, moved since"),
        pytest.param(OPEN, "execution-2", "event-1", "rotation-1", SAME, Add(OPEN), id="a copy"),
        pytest.param(OPEN, "execution-2", "event-2", "rotation-1", SAME, Add(OPEN), id="AWS's own retry"),
        pytest.param(OPEN, "execution-2", "event-2", "rotation-2", SAME, Add(OPEN), id="another rotation"),
        pytest.param(OPEN, "execution-2", "event-2", "rotation-2", MOVED, Supersede(OPEN), id="failed anew"),
        pytest.param(OPEN, "execution-2", "event-2", None, MOVED, Supersede(OPEN), id="failed anew, rotation unknown"),
        pytest.param(OPEN, "execution-2", "event-1", "rotation-1", MOVED, Add(OPEN), id="a copy that comes late"),
        pytest.param(OPEN, "execution-2", "event-1", None, MOVED, Add(OPEN), id="a late copy, rotation unknown"),
        pytest.param(OPEN, "execution-2", "event-2", "rotation-1", MOVED, Add(OPEN), id="late, of the same rotation"),
        pytest.param(OPEN, "execution-2", "event-2", "rotation-2", None, Add(OPEN), id="labels unreadable"),
        pytest.param(OPEN, "execution-2", "event-2", "rotation-2", UNLABELLED, Add(OPEN), id="nothing is current"),
        pytest.param(UNKNOWING, "execution-2", "event-2", "rotation-2", MOVED, Add(UNKNOWING), id="unknown before"),
    ],
)
def test_a_failure_opens_joins_or_supersedes(incident, execution, identity, rotation, secret, expected, failure):
    assert claim(incident, execution, failure(identity, rotation), secret) == expected
