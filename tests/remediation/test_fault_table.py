"""Every call that remediation makes, with every fault: nothing is done twice, and nothing is lost.

The model of Secrets Manager, the notifications and the rows decide what is right, and not the code: a label moves
once, a rotation starts once, a dependent is restarted once; and once the fault is over, every incident is closed and
published, if need be after the next audit.
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
from tests.remediation.client_errors import client_error
from tests.remediation.scenario import fail_rotation, list_transitions
from tests.remediation.world import CRITICAL, DEPENDENTS, Settings, World

REPAIR = {"rotation-guard:remediation": "repair", "rotation-guard:probe": "probe"}
RESTART = {"rotation-guard:restart": DEPENDENTS}
FALLBACK = {"rotation-guard:fallback": "allowed"}


# --- scenarios that together reach every step ------------------------------------------------------------------------


def retried(world):
    fail_rotation(world, world.secret(tags=REPAIR | RESTART), "createSecret", times=1)


def rolled_forward(world):
    fail_rotation(world, world.secret(tags=REPAIR | RESTART | FALLBACK), "setSecret", after=True, times=9)


def escalated_and_resolved(world):
    secret = world.secret(tags={"rotation-guard:remediation": "retry"})
    fail_rotation(world, secret, "createSecret", times=9)
    world.run()
    secret.fault = None
    world.secrets_manager.start_rotation(secret.arn)
    world.secrets_manager.continue_rotation(secret.arn)


def rate_limited(world):
    for number in range(2):
        fail_rotation(world, world.secret(f"secret-{number}", tags=REPAIR), "createSecret", times=9)


def restarted(world):
    secret = world.secret(tags=RESTART | {"rotation-guard:restart-on": "rotation"})
    world.secrets_manager.start_rotation(secret.arn)
    world.secrets_manager.continue_rotation(secret.arn)


SCENARIOS: dict[str, tuple[Callable[[World], None], Settings]] = {
    "retried": (retried, Settings()),
    "rolled forward": (rolled_forward, Settings()),
    "escalated and resolved": (escalated_and_resolved, Settings(max_retries=1)),
    "rate limited": (rate_limited, Settings(max_actions_per_hour=0)),
    "restarted": (restarted, Settings()),
}


# --- faults ----------------------------------------------------------------------------------------------------------

EMPTY = "its response is empty"
"""As DynamoDB does if there is no such row."""
_URL = {"endpoint_url": "https://aws"}
_THROTTLED = {
    "dynamodb": "ProvisionedThroughputExceededException",
    "lambda": "TooManyRequestsException",
    "sns": "Throttled",
}
CARRIED_OUT: dict[str, Callable[[str], Disturbance]] = {
    "the function crashes after it": lambda _: Disturbance(Crash(), is_carried_out=True),
    "its response is lost": lambda _: Disturbance(ConnectionClosedError(**_URL), is_carried_out=True),
}
ONE_TIME: dict[str, Callable[[str], Disturbance]] = {
    "the function crashes before it": lambda _: Disturbance(Crash()),
    "it is unreachable": lambda _: Disturbance(EndpointConnectionError(**_URL)),
    **CARRIED_OUT,
    EMPTY: lambda _: Disturbance(None),
}
PERMANENT: dict[str, Callable[[str], Disturbance]] = {
    "it is always throttled": lambda service: Disturbance(client_error(_THROTTLED.get(service, "ThrottlingException"))),
    "it is always denied": lambda _: Disturbance(client_error("AccessDeniedException")),
    "it always fails": lambda _: Disturbance(client_error("InternalServerError")),
    "it always times out": lambda _: Disturbance(ReadTimeoutError(**_URL)),
}
ALTERNATING = "it fails always, with each of these errors in turn"
UNDISTINGUISHED = ("dynamodb", "sns", "events")
"""Services whose errors remediation does not distinguish, except for failed conditions."""


@dataclass(frozen=True)
class Site:
    """One call: the scenario, the step, the number of calls before it in its invocation, and the operation."""

    scenario: str
    step: str
    number: int
    service: str
    operation: str

    def __str__(self) -> str:
        return f"{self.step}-{self.number}-{self.operation}"


@cache
def sites() -> list[Site]:
    """Every call of every step, in the first scenario that makes it."""
    sites_by_call: dict[tuple[str, int, str], Site] = {}
    for scenario in SCENARIOS:
        for step, number, service, operation in calls_of(scenario):
            sites_by_call.setdefault((step, number, operation), Site(scenario, step, number, service, operation))
    return list(sites_by_call.values())


def calls_of(scenario: str) -> Iterator[tuple[str, int, str, str]]:
    run_scenario, settings = SCENARIOS[scenario]
    calls: list[tuple[str, int, str, str]] = []
    with World(settings).installed() as world:

        def record(number: int, service: str, operation: str) -> None:
            calls.append((world.event_log.actor.step, number, service, operation))

        world.account.disturb = record
        run_scenario(world)
        world.run()
    return (call for call in calls if call[0] != "start")


def disturb(world: World, site: Site, fault: str) -> None:
    """Injects this fault at this call: the first time, or every time."""
    has_happened = False
    faults = list(PERMANENT.values()) if fault == ALTERNATING else [PERMANENT[fault]] if fault in PERMANENT else []
    # The first fault varies by call.
    next_fault = itertools.cycle(faults[site.number % 4 :] + faults[: site.number % 4])

    def choose_disturbance(number: int, service: str, operation: str) -> Disturbance | None:
        nonlocal has_happened
        here = (world.event_log.actor.step, number, operation) == (site.step, site.number, site.operation)
        if faults:
            # A permission that is missing is missing for every such call of the step.
            same = (world.event_log.actor.step, operation) == (site.step, site.operation) and number >= site.number
            return next(next_fault)(service) if same else None
        if has_happened or not here:
            return None
        has_happened = True
        return ONE_TIME[fault](service)

    world.account.disturb, world.event_log.is_disturbed = choose_disturbance, True


def faults_of(site: Site) -> Iterator[str]:
    """The faults that have different effects at this call."""
    for fault in ONE_TIME:
        # For a call that changes nothing, it makes no difference whether it was carried out.
        if fault in CARRIED_OUT and site.operation not in (*WRITES, "invoke"):
            continue
        if fault != EMPTY or site.operation == "get_item":
            yield fault
    yield from [ALTERNATING] if site.service in UNDISTINGUISHED else PERMANENT


CASES = [pytest.param(site, fault, id=f"{site}-{fault}") for site in sites() for fault in faults_of(site)]


@pytest.fixture
def without_log() -> Iterator[None]:
    """Disables logging, which takes as long as all else; the scenario tests check the logs."""
    logging.disable(logging.INFO)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("without_log")
@pytest.mark.parametrize(("site", "fault"), CASES)
def test_no_fault_repeats_an_action_or_loses_a_notification(site, fault, monkeypatch):
    monkeypatch.setattr(random, "random", random.Random(6).random)  # noqa: S311 - jitter, not a secret
    run_scenario, settings = SCENARIOS[site.scenario]
    with World(settings).installed() as world:
        disturb(world, site, fault)
        run_scenario(world)
        world.run()
        world.account.disturb = lambda number, service, operation: None

        world.invariants.check_at_end()
        for secret in world.secrets_manager.secrets.values():
            assert len(secret.moved_at) <= 1
        restarts = [(incident, target) for _, incident, target in world.event_log.restarts if target == "orders"]
        assert len(restarts) == len(set(restarts))
        assert all(row["state"] == "closed" for row in world.rows())
        assert list_transitions(world) or list_transitions(world, CRITICAL)


def test_the_scenarios_reach_every_step_and_at_least_65_calls():
    assert len(sites()) >= 65
    assert {site.step for site in sites()} == {*Settings().steps}
