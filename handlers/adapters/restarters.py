"""Who restarts what, by the kind of target."""

from collections.abc import Mapping
from typing import Protocol

from rotation_guard.domain.remediation.restarts import RestartStatus, kind_of

from . import automations, ecs_services, lambda_functions

STARTING_ACTIONS = ecs_services.STARTING_ACTIONS | lambda_functions.STARTING_ACTIONS | automations.STARTING_ACTIONS
WATCHING_ACTIONS = ecs_services.WATCHING_ACTIONS | lambda_functions.WATCHING_ACTIONS | automations.WATCHING_ACTIONS


class Restarter(Protocol):
    """One AWS service's way to restart something, and to tell how that went."""

    def look(self, target_arn: str) -> tuple[str, ...] | None:
        """What is there before a restart, to be written down first; None where a token is enough. Raises as `start`."""
        ...

    def start(self, target_arn: str, token: str, before: tuple[str, ...]) -> str:
        """Starts a restart, or finds the one that was started before; answers what it is watched by.

        `before` is what `look` has answered, before the first try. Raises CannotBeRestarted, NotReady while AWS is busy
        with the target, and PassingTrouble when it is worth another try.
        """
        ...

    def state(self, target_arn: str, handle: str, before: tuple[str, ...]) -> RestartStatus:
        """How a restart stands, with what was there before it. Raises as `start` does, but for NotReady."""
        ...


_RESTARTERS: Mapping[str, type[Restarter]] = {
    "ecs": ecs_services.EcsServices,
    "lambda": lambda_functions.LambdaFunctions,
    "ssm": automations.Automations,
}


def restarter_of(target_arn: str) -> Restarter:
    """Who restarts this target."""
    return _RESTARTERS[kind_of(target_arn)]()
