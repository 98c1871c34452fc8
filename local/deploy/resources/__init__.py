"""The resource table: how to create each resource type in the embedded AWS, read its outputs, and delete it.

A type without an entry is an error, and so is an input that its entry does not support. Nothing here depends on mocks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...aws import Aws
from ...errors import LocalError
from . import (
    alarms,
    api_destinations,
    compute,
    events,
    identity,
    messaging,
    parameters,
    secrets,
    storage,
    trails,
    workflows,
)
from .entry import CreatedResource, Entry, Inputs

__all__ = ["SERVICES", "TABLE", "Created", "Entry", "Inputs", "Resource", "entry_for"]

TABLE: Mapping[str, Entry] = {
    entry.token: entry
    for module in (
        alarms,
        messaging,
        api_destinations,
        events,
        compute,
        identity,
        storage,
        secrets,
        parameters,
        trails,
        workflows,
    )
    for entry in module.ENTRIES
}
SERVICES = (
    "sns", "sqs", "iam", "lambda", "events", "logs", "dynamodb", "secretsmanager", "ssm", "scheduler", "stepfunctions",
    "cloudwatch",
)  # fmt: skip
"""The services whose clients every deployment needs."""


def find_entry(token: str) -> Entry:
    """Return the entry of a resource type, such as `aws:sns/topic:Topic`; raises LocalError when there is none."""
    if token not in TABLE:
        raise LocalError(
            f"local/deploy/resources has no entry for the resource type {token}: add one to deploy it locally."
        )
    return TABLE[token]


@dataclass(frozen=True)
class Resource:
    """A resource that was created, with what is needed to delete it."""

    token: str
    name: str
    id: str
    outputs: dict[str, Any]

    def delete(self, aws: Aws) -> None:
        """Delete it from the embedded AWS."""
        find_entry(self.token).delete(aws, CreatedResource(self.id, self.outputs))
