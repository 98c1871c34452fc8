"""ECS services, which a new deployment restarts task by task."""

from typing import Any

from rotation_guard.domain.remediation.restarts import CannotBeRestarted, RestartState, RestartStatus

from .client_errors import CALL_SECONDS, translate_client_errors
from .clients import client

STARTING_ACTIONS = frozenset({"ecs:DescribeServices", "ecs:UpdateService"})
WATCHING_ACTIONS = frozenset({"ecs:DescribeServices"})
_FOR_GOOD = frozenset(
    {
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
_ROLLED_BACK = RestartStatus(RestartState.FAILED, "Its deployment failed, and ECS rolled it back.")
_STATES = {
    "COMPLETED": RestartStatus(RestartState.SETTLED),
    "FAILED": RestartStatus(RestartState.FAILED, "Its deployment failed: tasks did not reach a steady state."),
}

Service = dict[str, Any]
Deployment = dict[str, Any]


class EcsServices:
    """The services of this account and Region."""

    def __init__(self) -> None:
        self._ecs = client("ecs", CALL_SECONDS)

    def look(self, target_arn: str) -> tuple[str, ...]:
        """The ids of the deployments that there are. Raises CannotBeRestarted and PassingTrouble."""
        with translate_client_errors(_FOR_GOOD):
            return tuple(one["id"] for one in self._described(target_arn)["deployments"])

    def start(self, target_arn: str, token: str, before: tuple[str, ...]) -> str:
        """Begins a new deployment and answers its id, or the id of the newest, where that is none of those `before`.

        UpdateService takes no token, so a call whose answer was lost is found by its deployment: one that nobody had
        seen before the call, whatever the clocks say. Raises CannotBeRestarted and PassingTrouble.
        """
        with translate_client_errors(_FOR_GOOD):
            newest = _newest(self._described(target_arn))
            if newest is None or newest["id"] in before:
                cluster, service = _names(target_arn)
                answer = self._ecs.update_service(cluster=cluster, service=service, forceNewDeployment=True)
                newest = _newest(answer["service"])
        if newest is None:
            raise CannotBeRestarted("Its deployments are not made by ECS itself.")
        return newest["id"]

    def state(self, target_arn: str, handle: str, before: tuple[str, ...]) -> RestartStatus:
        """How the deployment of this id stands, or what has replaced it. Raises as `start` does.

        The one that failed stays in the list while its tasks end; once it is gone, the service's events tell of it, or
        what is deployed instead: a deployment that rolls back, or one from before, as a roll back deploys the last
        revision that succeeded (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-revision.html).
        """
        with translate_client_errors(_FOR_GOOD):
            service = self._described(target_arn)
        if service["status"] != "ACTIVE":
            raise CannotBeRestarted("The service is no longer active.")
        own = next((one for one in service["deployments"] if one["id"] == handle), {})
        primary = _primary(service) or {}
        if own is not primary and (
            own.get("rolloutState") == "FAILED"
            or _rolls_back(primary)
            or (not own and primary.get("id") in before)
            or _has_failed(service, handle)
        ):
            return _ROLLED_BACK
        if _shifts_traffic(service):
            return RestartStatus(RestartState.STARTED)
        if "rolloutState" in primary:
            return _STATES.get(primary["rolloutState"], RestartStatus(RestartState.STARTED))
        # Behind a Classic Load Balancer there is no such state
        # (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html).
        is_alone = len(service["deployments"]) == 1 and primary.get("runningCount") == primary.get("desiredCount")
        return RestartStatus(RestartState.SETTLED if is_alone else RestartState.STARTED)

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


def _shifts_traffic(service: Service) -> bool:
    """Whether a deployment that is no rolling update still has the tasks of before beside its own.

    They run until the traffic has been shifted and the bake time is over, which may take a day for each
    (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html). What its
    rollout state says meanwhile is not documented.
    """
    is_rolling = service.get("deploymentConfiguration", {}).get("strategy", "ROLLING") == "ROLLING"
    others = (one for one in service["deployments"] if one["status"] != "PRIMARY")
    return not is_rolling and any(one.get("runningCount") or one.get("pendingCount") for one in others)


def _newest(service: Service) -> Deployment | None:
    deployments: list[Deployment] = service["deployments"]
    return max(deployments, key=lambda one: one["createdAt"]) if deployments else None


def _rolls_back(deployment: Deployment) -> bool:
    return "rolling back" in deployment.get("rolloutStateReason", "")


def _has_failed(service: Service, handle: str) -> bool:
    """Whether an event says `(service x) (deployment ecs-svc/1) deployment failed: ...`.

    (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html)
    """
    return any(f"(deployment {handle}) deployment failed" in event["message"] for event in service.get("events", []))
