"""Writes `docs/deployer/*.json`: managed policies for the identity that runs `pulumi up`."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from docs.deployer_actions import GRANTS, Grant

FOLDER = Path(__file__).resolve().parent / "deployer"
LONGEST_POLICY = 6144
"""Characters of a managed policy, without white space
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)."""
SERVICES: Mapping[str, tuple[str, ...]] = {
    "functions": ("iam", "lambda", "cloudwatch/logGroup", "scheduler", "sfn"),
    "messages": ("cloudwatch", "sns", "sqs"),
    "storage": ("cloudtrail", "dynamodb", "s3", "ssm"),
    "demo": ("secretsmanager",),
}
"""Each policy with the services of its resource types, as Pulumi calls them, or with a type of its own."""


def choose_policy(type_: str) -> str:
    """The policy that a resource type is in; raises LookupError for a service that is in none."""
    kind = type_.removeprefix("aws:").partition(":")[0]
    for owned in (kind, kind.partition("/")[0]):
        for policy, services in SERVICES.items():
            if owned in services:
                return policy
    raise LookupError(f"{type_} is in none of the policies of docs/deployer_policies.py")


def write_policies() -> dict[Path, str]:
    """Each file with its policy."""
    texts = {}
    for policy in SERVICES:
        grants = [grant for type_ in GRANTS if choose_policy(type_) == policy for grant in GRANTS[type_]]
        document = {"Version": "2012-10-17", "Statement": list_statements(grants)}
        texts[FOLDER / f"{policy}.json"] = json.dumps(document, indent=2) + "\n"
    return texts


def list_statements(grants: Iterable[Grant]) -> list[dict[str, Any]]:
    """Statements that allow what is granted: one for each set of resources and condition."""
    merged: dict[str, tuple[Grant, set[str]]] = {}
    for grant in grants:
        key = json.dumps([grant.resources, grant.condition], sort_keys=True)
        merged.setdefault(key, (grant, set()))[1].update(grant.actions)
    return [
        {
            "Effect": "Allow",
            "Action": sorted(actions),
            "Resource": grant.resources[0] if len(grant.resources) == 1 else list(grant.resources),
            **({"Condition": grant.condition} if grant.condition else {}),
        }
        for grant, actions in merged.values()
    ]
