"""Cases of the rule about credentials in environments, other than those of functions."""

import json
from typing import Any

from tests.policies.programs import UNKNOWN, Case, Made, Secret, make, program

HOLDS = "environment-holds-no-credential"
ACCESS_KEY = "AKIAQQQQQQQQQQQQQQQQ"

app = make("aws:amplify/app:App")
build = make("aws:codebuild/project:Project")
job = make("aws:batch/jobDefinition:JobDefinition")
service = make("aws:apprunner/service:Service")
task = make("aws:ecs/taskDefinition:TaskDefinition")


def task_with(name: str, value: Any) -> Made:
    """A task definition whose second container has this variable."""
    containers = [{"name": "side"}, {"name": "app", "environment": [{"name": name, "value": value}]}]
    return task("it", containerDefinitions=json.dumps(containers))


def builds(name: str, value: Any, **more: Any) -> Made:
    """A build with this variable."""
    return build("it", environment={"environmentVariables": [{"name": name, "value": value, **more}]})


CASES = [
    Case(
        HOLDS,
        "typical",
        "a password of a task",
        program(task_with("DB_PASSWORD", "hunter2hunter2")),
        {"it": "DB_PASSWORD"},
    ),
    *(
        Case(HOLDS, "variant", what, program(given), {"it": words})
        for what, given, words in [
            ("a key of a build", builds("AWS", ACCESS_KEY), "AWS access key"),
            ("a key of an app", app("it", environmentVariables={"KEY": ACCESS_KEY}), "AWS access key"),
            (
                "a password of a job",
                job(
                    "it",
                    containerProperties=json.dumps({"environment": [{"name": "API_TOKEN", "value": "s3cr3t-of-9"}]}),
                ),
                "API_TOKEN",
            ),
            (
                "a key of a service",
                service(
                    "it",
                    sourceConfiguration={
                        "imageRepository": {"imageConfiguration": {"runtimeEnvironmentVariables": {"K": ACCESS_KEY}}}
                    },
                ),
                "K looks like",
            ),
        ]
    ),
    Case(HOLDS, "compliant", "no credential", program(task_with("STAGE", "prod"))),
    Case(HOLDS, "unknown", "the value", program(app("it", environmentVariables={"DB_PASSWORD": UNKNOWN}))),
    Case(HOLDS, "unknown", "all of them", program(task("it", containerDefinitions=UNKNOWN))),
    Case(
        HOLDS,
        "near miss",
        "where a secret is",
        program(
            builds("DB_PASSWORD", "orders/db", type="SECRETS_MANAGER"),
            task(
                "task",
                containerDefinitions=json.dumps(
                    [{"secrets": [{"name": "DB_PASSWORD", "valueFrom": "arn:aws:secretsmanager:eu-west-1:1:secret:x"}]}]
                ),
            ),
        ),
    ),
    Case(HOLDS, "near miss", "a text that is no JSON", program(task("it", containerDefinitions="[not JSON"))),
    Case(
        HOLDS,
        "variant",
        "a secret of the program, by its name a credential",
        program(app("it", environmentVariables={"DB_PASSWORD": Secret("hunter2")})),
        {"it": "DB_PASSWORD"},
    ),
]
