"""Measures remediation: the delay of notifications, the duration of a repair, and two hundred incidents at once."""

import statistics
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.remediation.workflow import GATHER_SECONDS
from local.demo import portfolio, scenarios
from local.demo.notification_listener import NotificationListener, listen
from local.demo.secret import DemoSecret
from local.demo.trace import CRITICAL, REMEDIATION, ROTATION_GUARD, Message
from local.deploy import deployment
from local.deploy.deployment import RunningStack
from local.waiting import eventually
from tests.e2e.remediation.estate import FUNCTIONS
from tests.e2e.remediation.world import World

from .figures import Figure

DELIVERIES = REPAIRS = ALONE = 5
AT_ONCE, CAP = 200, 50
"""Secrets whose rotations fail in the same second, and the maximum of actions per hour."""
CALLS_A_SECOND = 50
"""The quota of RotateSecret
(https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html)."""
GATHERED_SECONDS = 45
"""How long rate-limited incidents are collected for a digest: until the last of them arrives."""
TIMEOUT_SECONDS = 120.0
_NOTHING_TO_WAIT_FOR = {"settleMinutes": 0}
_ENDS = ("Rotation Incident Recovered", "Rotation Incident Held", "Rotation Incident Escalated")


def deliveries() -> Iterator[Figure]:
    """From the event of a failed rotation to each of its effects: with cold functions, and then with warm ones."""
    with _stack(_NOTHING_TO_WAIT_FOR) as stack:
        cold, *warm = [_delivery(stack) for _ in range(1 + DELIVERIES)]
    for what, milliseconds in cold.items():
        yield Figure(f"event to {what}, cold functions", milliseconds / 1000, "s")
    medians = {what: statistics.median(delivery[what] for delivery in warm) / 1000 for what in cold}
    row, opened = "row in the audit trail", "notification on the remediation topic"
    for what in ("notification on the failures topic", row):
        yield Figure(f"event to {what}", medians[what], "s", bound=0.5)
    yield Figure(
        f"event to {opened}, by three functions, beside the row's one",
        medians[opened],
        "s",
        baseline=medians[row],
        ratio_bound=6,
    )


def repairs() -> Iterator[Figure]:
    """From a failure to the notification of its repair, without waits, compared with a rotation of the same secret."""
    with _stack(_NOTHING_TO_WAIT_FOR) as stack:
        secret = DemoSecret(stack)
        with listen(stack) as listener:
            for step in ("setSecret", "testSecret"):
                _repair(secret, listener, step)  # while the functions are cold
            rotations = [_rotation(secret) for _ in range(REPAIRS)]
            retried, moved = (
                statistics.median(_repair(secret, listener, step) for _ in range(REPAIRS))
                for step in ("setSecret", "testSecret")
            )
    beside = {"baseline": statistics.median(rotations)}
    # Seventeen and fifteen function calls, compared with the four of a rotation; and the emulator delays each execution
    # by 0.15 s, which is longer than a rotation.
    yield Figure(
        "failure to retried, verified and notified, compared with a rotation", retried, "s", **beside, ratio_bound=8
    )
    yield Figure(
        "failure to rolled forward, verified and notified, compared with a rotation",
        moved,
        "s",
        **beside,
        ratio_bound=6,
    )


def burst() -> Iterator[Figure]:
    """Two hundred incidents at once, compared with a single one."""
    config = {
        **_NOTHING_TO_WAIT_FOR,
        "remediationMode": "retry",
        "maxActionsPerHour": CAP,
        "rotationFunctions": [FUNCTIONS["rotate"]],
    }
    with _stack(config, wait_scale=GATHERED_SECONDS / GATHER_SECONDS) as stack, listen(stack) as listener:
        world = World(stack)
        alone = [_failures(world, listener, 1)[0] for _ in range(1 + ALONE)][1:]
        seconds, messages, arns = _failures(world, listener, AT_ONCE)
        digests = eventually(
            lambda: _receive_digests(messages, listener), "the digest of rate-limited incidents", TIMEOUT_SECONDS, 0.5
        )
        rows = [row for arn in arns for row in world.listener.rows(arn)]
    opened = [message for message in messages if (message.source, message.body.get("turn")) == (REMEDIATION, "opened")]
    yield Figure(
        f"{AT_ONCE} incidents at once, each, beside one alone",
        seconds / AT_ONCE,
        "s",
        baseline=statistics.median(alone),
        ratio_bound=1,
    )
    yield Figure("all of them", seconds, "s")
    yield Figure("incidents that are not closed, or twice there", abs(AT_ONCE - len(rows)) + _open(rows), "", exactly=0)
    yield Figure("opened notifications", len(opened), "", exactly=AT_ONCE)
    outcomes = Counter(row.get("outcome") for row in rows)
    acted = CAP - 1 - ALONE
    yield Figure("recovered by retry, up to the cap", outcomes["recovered by retry"], "", exactly=acted)
    yield Figure("rate limited beyond it", outcomes["held"], "", exactly=AT_ONCE - acted)
    yield Figure("digests of rate-limited incidents", len(digests), "", exactly=1)
    yield Figure("RotateSecret calls in the busiest second", _busiest(rows), "", bound=CALLS_A_SECOND)


@contextmanager
def _stack(config: dict[str, Any], wait_scale: float = 0.01) -> Generator[RunningStack]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / ".local"
        with deployment.deploy_temporarily(path, config=config, wait_scale=wait_scale) as stack:
            yield stack


def _delivery(stack: RunningStack) -> dict[str, float]:
    steps = list(scenarios.fail_rotation(stack))
    return {step.text: step.milliseconds for step in steps if step.milliseconds is not None}


def _rotation(secret: DemoSecret) -> float:
    began = time.time()
    return secret.rotate_and_wait("RotationSucceeded").put_at - began


def _repair(secret: DemoSecret, listener: NotificationListener, step: str) -> float:
    """Return the seconds from the event of a failure at this step to the notification that closes its incident."""
    secret.finish_pending_work()
    with secret.break_at(step):
        sent = secret.rotate_and_wait("RotationFailed")
    messages: list[Message] = []

    def closed() -> Message | None:
        messages.extend(listener.receive(secret.arn))
        return next(
            (
                message
                for message in messages
                if (message.source, message.body.get("turn")) == (REMEDIATION, "recovered")
            ),
            None,
        )

    return eventually(closed, f"the end of the failure at {step}", TIMEOUT_SECONDS).at - sent.put_at


def _failures(world: World, listener: NotificationListener, count: int) -> tuple[float, list[Message], list[str]]:
    """Seconds from so many failures at once to the last event of an end; all that was heard; the secrets."""
    now = datetime.now(UTC)
    entries = [_entry(number, now) for number in range(count)]
    arns = [entry["ARN"] for entry in entries]
    portfolio.seed(world.stack, entries)
    for arn in arns:
        world.estate.set(arn, accepted_hash="")
    failures = [world.event("rotation-failed", arn) for arn in arns]
    messages: list[Message] = []

    def ended() -> list[float]:
        messages.extend(listener.receive("bench/"))
        ends = [message.at for message in messages if message.source == ROTATION_GUARD and message.subject in _ENDS]
        return ends if len(ends) >= count else []

    began = time.time()
    world.put(*failures)
    ends = eventually(ended, f"the end of {count} incidents", TIMEOUT_SECONDS, 0.05)
    return max(ends) - began, messages, arns


def _entry(number: int, now: datetime) -> dict[str, Any]:
    """Build a secret with an incomplete rotation, for which retries are allowed."""
    current, pending = str(uuid.uuid4()), str(uuid.uuid4())
    name, created_at = f"bench/{uuid.uuid4()}", now.isoformat()
    return {
        "Name": name,
        "ARN": f"arn:aws:secretsmanager:eu-west-1:111122223333:secret:{name}-Bn{number:04}",
        "Tags": [{"Key": "rotation-guard:remediation", "Value": "retry"}],
        "SecretVersionsToStages": {current: ["AWSCURRENT"], pending: ["AWSPENDING"]},
        "VersionCreatedDates": {current: created_at, pending: created_at},
        "CreatedDate": created_at,
        "LastChangedDate": created_at,
        "RotationEnabled": True,
        "RotationLambdaARN": FUNCTIONS["rotate"],
    }


def _receive_digests(messages: list[Message], listener: NotificationListener) -> list[Message]:
    messages.extend(listener.receive("bench/"))
    return [message for message in messages if message.source == CRITICAL and message.body.get("turn") == "held_burst"]


def _open(rows: list[dict[str, Any]]) -> int:
    return sum(row["state"] != "closed" for row in rows)


def _busiest(rows: list[dict[str, Any]]) -> int:
    """Return the maximum number of RotateSecret calls in a second."""
    actions = [action for row in rows for action in row["actions"]]
    requests = Counter(one["at"] for one in actions if (one["action"], one["outcome"]) == ("retry", "asked"))
    return max(requests.values(), default=0)
