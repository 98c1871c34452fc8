"""The one table: resource type -> how to create it in the embedded AWS, read back its outputs, and delete it.

A type that is not in it is an error, and so is an input that an entry does not know. Nothing here knows of mocks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...aws import Aws
from ...errors import LocalError
from . import alarms, compute, events, identity, messaging, parameters, secrets, storage, workflows
from .entry import Created, Entry, Inputs

__all__ = ["SERVICES", "TABLE", "Created", "Entry", "Inputs", "Resource", "entry_for"]

TABLE: Mapping[str, Entry] = {
    entry.token: entry
    for module in (alarms, messaging, events, compute, identity, storage, secrets, parameters, workflows)
    for entry in module.ENTRIES
}
SERVICES = (
    "sns", "sqs", "iam", "lambda", "events", "logs", "dynamodb", "secretsmanager", "ssm", "scheduler", "stepfunctions",
    "cloudwatch",
)  # fmt: skip
"""The services whose clients a deployment needs in any case."""


def entry_for(token: str) -> Entry:
    """The entry of a resource type, such as `aws:sns/topic:Topic`.

    Raises LocalError, naming the type, when the table lacks it.
    """
    if token not in TABLE:
        raise LocalError(
            f"local/deploy/resources has no entry for the resource type {token}: add one to deploy it here."
        )
    return TABLE[token]


@dataclass(frozen=True)
class Resource:
    """A resource that was created, with what it takes to delete it."""

    token: str
    name: str
    id: str
    outputs: dict[str, Any]

    def delete(self, aws: Aws) -> None:
        """Delete it from the embedded AWS."""
        entry_for(self.token).delete(aws, Created(self.id, self.outputs))
