"""Every call that remediation makes, times every way in which it may fail: nothing is done twice, or forgotten.

What is right is told by the model of Secrets Manager, by the notices and by the rows, and not by the code: a label
moves once, a rotation begins once, a dependent is restarted once; and once the trouble is over, every incident is
closed and told, if need be by what the next audit finds.
"""

import itertools
import logging
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from tests.remediation.account import WRITES, Crash, Disturbance
from tests.remediation.refusals import refused
from tests.remediation.scenario import fail_rotation, list_transitions
from tests.remediation.world import CRITICAL, DEPENDENTS, Settings, World

OPTED_IN = {"rotation-guard:remediation": "repair", "rotation-guard:probe": "probe"}
RESTART = {"rotation-guard:restart": DEPENDENTS}
FALLBACK = {"rotation-guard:fallback": "allowed"}


# --- histories that between them pass every step ---------------------------------------------------------------------


def retried(world):
    fail_rotation(world, world.secret(tags=OPTED_IN | RESTART), "createSecret", times=1)


def rolled_forward(world):
    fail_rotation(world, world.secret(tags=OPTED_IN | RESTART | FALLBACK), "setSecret", after=True, times=9)


def escalated_and_resolved(world):
    secret = world.secret(tags={"rotation-guard:remediation": "retry"})
    fail_rotation(world, secret, "createSecret", times=9)
    world.run()
    secret.fault = None
    world.secrets_manager.start_rotation(secret.arn)
    world.secrets_manager.go_on(secret.arn)


def rate_limited(world):
    for number in range(2):
        fail_rotation(world, world.secret(f"secret-{number}", tags=OPTED_IN), "createSecret", times=9)


def restarted(world):
    secret = world.secret(tags=RESTART | {"rotation-guard:restart-on": "rotation"})
    world.secrets_manager.start_rotation(secret.arn)
    world.secrets_manager.go_on(secret.arn)


STORIES: dict[str, tuple[Callable[[World], None], Settings]] = {
    "retried": (retried, Settings()),
    "rolled forward": (rolled_forward, Settings()),
    "escalated and resolved": (escalated_and_resolved, Settings(max_retries=1)),
    "rate limited": (rate_limited, Settings(max_actions_per_hour=0)),
    "restarted": (restarted, Settings()),
}


# --- faults ----------------------------------------------------------------------------------------------------------

EMPTY = "it answers nothing"
"""As DynamoDB does where there is no such row."""
_URL = {"endpoint_url": "https://aws"}
_THROTTLED = {
    "dynamodb": "ProvisionedThroughputExceededException",
    "lambda": "TooManyRequestsException",
    "sns": "Throttled",
}
CARRIED_OUT: dict[str, Callable[[str], Disturbance]] = {
    "the function dies after it": lambda _: Disturbance(Crash(), is_carried_out=True),
    "its answer is lost": lambda _: Disturbance(ConnectionClosedError(**_URL), is_carried_out=True),
}
ONCE: dict[str, Callable[[str], Disturbance]] = {
    "the function dies before it": lambda _: Disturbance(Crash()),
    "it cannot be reached": lambda _: Disturbance(EndpointConnectionError(**_URL)),
    **CARRIED_OUT,
    EMPTY: lambda _: Disturbance(None),
}
FOR_EVER: dict[str, Callable[[str], Disturbance]] = {
    "it is throttled for ever": lambda service: Disturbance(refused(_THROTTLED.get(service, "ThrottlingException"))),
    "it is denied for ever": lambda _: Disturbance(refused("AccessDeniedException")),
    "it fails for ever": lambda _: Disturbance(refused("InternalServerError")),
    "it hangs for ever": lambda _: Disturbance(ReadTimeoutError(**_URL)),
}
IN_TURN = "it fails for ever in each of these ways in turn"
ALIKE = ("dynamodb", "sns", "events")
"""Services whose errors remediation does not tell apart, save for conditions that do not hold."""


@dataclass(frozen=True)
class Site:
    """One call: of which step, how many came before it in its invocation, and what is called."""

    story: str
    step: str
    number: int
    service: str
    operation: str

    def __str__(self) -> str:
        return f"{self.step}-{self.number}-{self.operation}"


@cache
def sites() -> list[Site]:
    """Every call of every step, each in the first history that makes it."""
    known: dict[tuple[str, int, str], Site] = {}
    for story in STORIES:
        for step, number, service, operation in calls_of(story):
            known.setdefault((step, number, operation), Site(story, step, number, service, operation))
    return list(known.values())


def calls_of(story: str) -> Iterator[tuple[str, int, str, str]]:
    tell, settings = STORIES[story]
    calls: list[tuple[str, int, str, str]] = []
    with World(settings).installed() as world:

        def note(number: int, service: str, operation: str) -> None:
            calls.append((world.event_log.actor.step, number, service, operation))

        world.account.disturb = note
        tell(world)
        world.run()
    return (call for call in calls if call[0] != "start")


def disturb(world: World, site: Site, fault: str) -> None:
    """Has this fault happen at this call: the first time, or each time until it is lifted."""
    is_over = False
    ways = list(FOR_EVER.values()) if fault == IN_TURN else [FOR_EVER[fault]] if fault in FOR_EVER else []
    # Not always the same way first.
    in_turn = itertools.cycle(ways[site.number % 4 :] + ways[: site.number % 4])

    def at(number: int, service: str, operation: str) -> Disturbance | None:
        nonlocal is_over
        here = (world.event_log.actor.step, number, operation) == (site.step, site.number, site.operation)
        if ways:
            # What a role lacks, it lacks at every such call of the step.
            same = (world.event_log.actor.step, operation) == (site.step, site.operation) and number >= site.number
            return next(in_turn)(service) if same else None
        if is_over or not here:
            return None
        is_over = True
        return ONCE[fault](service)

    world.account.disturb, world.event_log.is_disturbed = at, True


def faults_of(site: Site) -> Iterator[str]:
    """The faults that make a difference at this call."""
    for fault in ONCE:
        # Whether a call is carried out makes no difference if it changes nothing.
        if fault in CARRIED_OUT and site.operation not in (*WRITES, "invoke"):
            continue
        if fault != EMPTY or site.operation == "get_item":
            yield fault
    yield from [IN_TURN] if site.service in ALIKE else FOR_EVER


CASES = [pytest.param(site, fault, id=f"{site}-{fault}") for site in sites() for fault in faults_of(site)]


@pytest.fixture
def without_log() -> Iterator[None]:
    """What the functions would log takes as long as what they do; the stories look at it."""
    logging.disable(logging.INFO)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("without_log")
@pytest.mark.parametrize(("site", "fault"), CASES)
def test_whatever_fails_nothing_is_done_twice_and_everybody_is_told(site, fault, monkeypatch):
    monkeypatch.setattr(random, "random", random.Random(6).random)  # noqa: S311 - jitter, not a secret
    tell, settings = STORIES[site.story]
    with World(settings).installed() as world:
        disturb(world, site, fault)
        tell(world)
        world.run()
        world.account.disturb = lambda number, service, operation: None

        world.invariants.at_the_end()
        for secret in world.secrets_manager.secrets.values():
            assert len(secret.moved_at) <= 1
        began = [(incident, target) for _, incident, target in world.event_log.restarts if target == "orders"]
        assert len(began) == len(set(began))
        assert all(row["state"] == "closed" for row in world.rows())
        assert list_transitions(world) or list_transitions(world, CRITICAL)


def test_the_table_is_as_long_as_it_was():
    assert len(sites()) >= 65
    assert {site.step for site in sites()} == {*Settings().steps}
