"""Dependents of a team's secrets: services, functions and documents, some of which never settle."""

from typing import Any

from local.deploy.deployment import RunningStack

from .estate import ACCOUNT, REGION, Estate

WORKERS = ("team-worker", "team-shared", "team-consumer")
TARGETS = [
    *(f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/team/{service}" for service in ("api", "stuck")),
    *(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{worker}" for worker in WORKERS),
    *(
        f"arn:aws:ssm:{REGION}:{ACCOUNT}:document/team-{document}"
        for document in ("reload", "reload-never", "reload-fails")
    ),
]
"""ARNs of what the stack may restart."""


class Dependents:
    """The dependents in a running stack's account; no documents are created, as their names determine how they end."""

    def __init__(self, stack: RunningStack, estate: Estate) -> None:
        self._ecs, self._lambda = stack.client("ecs"), stack.client("lambda")
        for worker in (*WORKERS, "team-unlisted"):
            estate.function(worker, "idle")
        self._ecs.create_cluster(clusterName="team")
        self._ecs.register_task_definition(
            family="api", containerDefinitions=[{"name": "api", "image": "none", "memory": 64}]
        )
        # Tasks of a task definition that does not exist never run: the deployment never ends.
        for service, runs in (("api", "api"), ("stuck", "none:1")):
            self._ecs.create_service(cluster="team", serviceName=service, taskDefinition=runs, desiredCount=1)

    def deployment(self, service: str) -> str:
        """The id of the latest deployment of a service."""
        [description] = self._ecs.describe_services(cluster="team", services=[service])["services"]
        return next(deployment["id"] for deployment in description["deployments"] if deployment["status"] == "PRIMARY")

    def configuration(self, worker: str) -> dict[str, Any]:
        """What a restart changes in a function."""
        configuration = self._lambda.get_function_configuration(FunctionName=worker)
        return {
            "revision": configuration["RevisionId"],
            "variables": configuration.get("Environment", {}).get("Variables", {}),
        }
