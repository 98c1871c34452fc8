"""Restarts ECS services by a new deployment."""

from typing import Any

from rotation_guard.domain.remediation.restarts import CannotBeRestarted, RestartState, RestartStatus

from .client_errors import CALL_SECONDS, translate_client_errors
from .clients import client

STARTING_ACTIONS = frozenset({"ecs:DescribeServices", "ecs:UpdateService"})
WATCHING_ACTIONS = frozenset({"ecs:DescribeServices"})
_PERMANENT_ERRORS = frozenset(
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

    def list_previous(self, target_arn: str) -> tuple[str, ...]:
        """The ids of the current deployments. Raises CannotBeRestarted and TransientError."""
        with translate_client_errors(_PERMANENT_ERRORS):
            return tuple(deployment["id"] for deployment in self._describe(target_arn)["deployments"])

    def start(self, target_arn: str, idempotency_key: str, before: tuple[str, ...]) -> str:
        """Start a new deployment and return its id, or the id of the newest if it is not among those `before`.

        UpdateService has no idempotency key, so a call whose response was lost is recognized by its new deployment.
        Raises CannotBeRestarted and TransientError.
        """
        with translate_client_errors(_PERMANENT_ERRORS):
            newest = _find_newest(self._describe(target_arn))
            if newest is None or newest["id"] in before:
                cluster, service = _parse_names(target_arn)
                response = self._ecs.update_service(cluster=cluster, service=service, forceNewDeployment=True)
                newest = _find_newest(response["service"])
        if newest is None:
            raise CannotBeRestarted("ECS does not manage its deployments.")
        return newest["id"]

    def read_status(self, target_arn: str, restart_id: str, before: tuple[str, ...]) -> RestartStatus:
        """The status of this deployment, or of the one that replaced it. Raises as `start` does.

        A failed deployment is listed while its tasks end. After that, the service's events show the failure, or the
        primary deployment does: it rolls back, or is an earlier one, since a rollback deploys the last revision that
        succeeded (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-revision.html).
        """
        with translate_client_errors(_PERMANENT_ERRORS):
            service = self._describe(target_arn)
        if service["status"] != "ACTIVE":
            raise CannotBeRestarted("The service is no longer active.")
        own = next((each for each in service["deployments"] if each["id"] == restart_id), {})
        primary = _find_primary(service) or {}
        if own is not primary and (
            own.get("rolloutState") == "FAILED"
            or _is_rolling_back(primary)
            or (not own and primary.get("id") in before)
            or _has_failed(service, restart_id)
        ):
            return _ROLLED_BACK
        if _is_shifting_traffic(service):
            return RestartStatus(RestartState.STARTED)
        if "rolloutState" in primary:
            return _STATES.get(primary["rolloutState"], RestartStatus(RestartState.STARTED))
        # Behind a Classic Load Balancer a deployment has no rollout state
        # (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html).
        is_alone = len(service["deployments"]) == 1 and primary.get("runningCount") == primary.get("desiredCount")
        return RestartStatus(RestartState.SETTLED if is_alone else RestartState.STARTED)

    def _describe(self, target_arn: str) -> Service:
        cluster, service = _parse_names(target_arn)
        services = self._ecs.describe_services(cluster=cluster, services=[service])["services"]
        if not services:
            raise CannotBeRestarted("The service does not exist in ECS.")
        return services[0]


def _parse_names(target_arn: str) -> list[str]:
    """Cluster and service in a service's ARN."""
    return target_arn.split("/")[-2:]


def _find_primary(service: Service) -> Deployment | None:
    return next((each for each in service["deployments"] if each["status"] == "PRIMARY"), None)


def _is_shifting_traffic(service: Service) -> bool:
    """Whether a deployment that is not a rolling update still has tasks of an earlier one.

    They run until the traffic is shifted and the bake time is over, which may each take a day
    (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html). The
    rollout state during that time is not documented.
    """
    is_rolling = service.get("deploymentConfiguration", {}).get("strategy", "ROLLING") == "ROLLING"
    others = (each for each in service["deployments"] if each["status"] != "PRIMARY")
    return not is_rolling and any(other.get("runningCount") or other.get("pendingCount") for other in others)


def _find_newest(service: Service) -> Deployment | None:
    deployments: list[Deployment] = service["deployments"]
    return max(deployments, key=lambda deployment: deployment["createdAt"]) if deployments else None


def _is_rolling_back(deployment: Deployment) -> bool:
    return "rolling back" in deployment.get("rolloutStateReason", "")


def _has_failed(service: Service, restart_id: str) -> bool:
    """Whether an event of the service says `(service x) (deployment ecs-svc/1) deployment failed: ...`.

    (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html)
    """
    return any(
        f"(deployment {restart_id}) deployment failed" in event["message"] for event in service.get("events", [])
    )
