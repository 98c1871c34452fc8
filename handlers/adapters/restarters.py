"""Selects the restarter for a kind of target."""

from collections.abc import Mapping
from typing import Protocol

from rotation_guard.domain.remediation.restarts import RestartStatus, read_target_kind

from . import automations, ecs_services, lambda_functions

STARTING_ACTIONS = ecs_services.STARTING_ACTIONS | lambda_functions.STARTING_ACTIONS | automations.STARTING_ACTIONS
WATCHING_ACTIONS = ecs_services.WATCHING_ACTIONS | lambda_functions.WATCHING_ACTIONS | automations.WATCHING_ACTIONS


class Restarter(Protocol):
    """Restarts one kind of target and reports the status of a restart."""

    def list_previous(self, target_arn: str) -> tuple[str, ...] | None:
        """Ids of earlier restarts, to be stored first; None if an idempotency key is enough. Raises as `start` does."""
        ...

    def start(self, target_arn: str, idempotency_key: str, before: tuple[str, ...]) -> str:
        """Start a restart, or find the one that was already started, and return its id.

        `before` is the result of `list_previous` before the first try. Raises CannotBeRestarted, NotReady while AWS is
        busy with the target, and TransientError if another try may succeed.
        """
        ...

    def read_status(self, target_arn: str, restart_id: str, before: tuple[str, ...]) -> RestartStatus:
        """The status of a restart. Raises as `start` does, except NotReady."""
        ...


_RESTARTERS: Mapping[str, type[Restarter]] = {
    "ecs": ecs_services.EcsServices,
    "lambda": lambda_functions.LambdaFunctions,
    "ssm": automations.Automations,
}


def create_restarter(target_arn: str) -> Restarter:
    """The restarter for this target."""
    return _RESTARTERS[read_target_kind(target_arn)]()
