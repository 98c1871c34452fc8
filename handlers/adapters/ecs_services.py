"""ECS services, which a new deployment restarts task by task."""

from typing import Any

from ..domain.restarts import CannotBeRestarted, Standing, State
from .clients import client
from .refusals import told

STARTING_ACTIONS = frozenset({"ecs:DescribeServices", "ecs:UpdateService"})
WATCHING_ACTIONS = frozenset({"ecs:DescribeServices"})
_FOR_GOOD = frozenset(
    {
        "AccessDeniedException",
        "ClientException",
        "ClusterNotFoundException",
        "InvalidParameterException",
        "NamespaceNotFoundException",
        "PlatformTaskDefinitionIncompatibilityException",
        "PlatformUnknownException",
        "ServiceNotActiveException",
        "ServiceNotFoundException",
        "UnsupportedFeatureException",
    }
)
"""https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html"""
_MARGIN_SECONDS = 1
"""Between the clocks of two machines, one of which may tell whole seconds."""
_ROLLED_BACK = Standing(State.FAILED, "Its deployment failed, and ECS rolled it back.")
_STATES = {
    "COMPLETED": Standing(State.SETTLED),
    "FAILED": Standing(State.FAILED, "Its deployment failed: tasks did not reach a steady state."),
}

Service = dict[str, Any]
Deployment = dict[str, Any]


class EcsServices:
    """The services of this account and Region."""

    def __init__(self) -> None:
        self._ecs = client("ecs")

    def start(self, target_arn: str, token: str, not_before: int) -> str:
        """Begins a new deployment and answers its id, or the id of one that began at `not_before`, epoch ms, or later.

        UpdateService takes no token, so a call whose answer was lost is found by its deployment.
        Raises CannotBeRestarted and PassingTrouble.
        """
        with told(_FOR_GOOD):
            primary = _primary(self._described(target_arn))
            if primary is None or primary["createdAt"].timestamp() < not_before / 1000 - _MARGIN_SECONDS:
                cluster, service = _names(target_arn)
                answer = self._ecs.update_service(cluster=cluster, service=service, forceNewDeployment=True)
                primary = _primary(answer["service"])
        if primary is None:
            raise CannotBeRestarted("Its deployments are not made by ECS itself.")
        return primary["id"]

    def state(self, target_arn: str, handle: str) -> Standing:
        """How the deployment of this id stands, or what has replaced it. Raises as `start` does.

        A roll back is a deployment of its own, and the one that failed stays in the list while its tasks end; once it
        is gone only the service's events tell of it
        (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html).
        """
        with told(_FOR_GOOD):
            service = self._described(target_arn)
        if service["status"] != "ACTIVE":
            raise CannotBeRestarted("The service is no longer active.")
        own = next((one for one in service["deployments"] if one["id"] == handle), {})
        primary = _primary(service) or {}
        if own.get("rolloutState") == "FAILED" and own is not primary:
            return _ROLLED_BACK
        if own is not primary and (_rolls_back(primary) or _has_failed(service, handle)):
            return _ROLLED_BACK
        if "rolloutState" in primary:
            return _STATES.get(primary["rolloutState"], Standing(State.STARTED))
        # Behind a Classic Load Balancer there is no such state
        # (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html).
        is_alone = len(service["deployments"]) == 1 and primary.get("runningCount") == primary.get("desiredCount")
        return Standing(State.SETTLED if is_alone else State.STARTED)

    def _described(self, target_arn: str) -> Service:
        cluster, service = _names(target_arn)
        found = self._ecs.describe_services(cluster=cluster, services=[service])["services"]
        if not found:
            raise CannotBeRestarted("ECS does not know the service.")
        return found[0]


def _names(target_arn: str) -> list[str]:
    """Cluster and service, out of a service's ARN."""
    return target_arn.split("/")[-2:]


def _primary(service: Service) -> Deployment | None:
    return next((one for one in service["deployments"] if one["status"] == "PRIMARY"), None)


def _rolls_back(deployment: Deployment) -> bool:
    return "rolling back" in deployment.get("rolloutStateReason", "")


def _has_failed(service: Service, handle: str) -> bool:
    """Whether an event says `(service x) (deployment ecs-svc/1) deployment failed: ...`.

    (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html)
    """
    return any(f"(deployment {handle}) deployment failed" in event["message"] for event in service.get("events", []))
