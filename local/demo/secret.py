"""The demo's rotating secret on a running stack: makes its rotation fail, and reads its state as the root user."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Generator

from rotation_guard.domain.rotation_event import STEPS
from rotation_guard.domain.tags import BREAK_TAG, PROBE_TAG

from ..deploy.deployment import RunningStack
from ..errors import LocalError
from ..waiting import eventually
from .event_log import EventLog, SentEvent

__all__ = ["BREAK_TAG", "STEPS", "DemoSecret"]


_DATABASE_VARIABLE = "DEMO_DATABASE_PARAMETER_NAME"
_TIMEOUT_SECONDS = 60.0


class DemoSecret:
    """The secret `rotating` of this stack; raises LocalError when the stack has no demo."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack
        self._manager = stack.client("secretsmanager")
        described = self._manager.describe_secret(SecretId=stack.output("rotating_secret_name"))
        self.arn, self.name = str(described["ARN"]), str(described["Name"])
        self._tags = {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}

    def read_versions(self) -> dict[str, list[str]]:
        """Return the labels of each version that has any."""
        return self._manager.describe_secret(SecretId=self.arn)["VersionIdsToStages"]

    def read_value(self, version: str) -> str | None:
        """Return the value of a version; None when it has none."""
        try:
            return self._manager.get_secret_value(SecretId=self.arn, VersionId=version)["SecretString"]
        except (self._manager.exceptions.ResourceNotFoundException, self._manager.exceptions.InvalidRequestException):
            return None

    def is_working(self) -> bool:
        """Whether the demo's database accepts the value that applications read; checked without the probe."""
        password = json.loads(self._manager.get_secret_value(SecretId=self.arn)["SecretString"])["password"]
        accepted_hash = self._stack.client("ssm").get_parameter(Name=self._find_database())["Parameter"]["Value"]
        return hashlib.sha256(password.encode()).hexdigest() == accepted_hash

    @contextlib.contextmanager
    def break_at(self, step: str) -> Generator[Callable[[], None]]:
        """Make its rotation fail at this step, until the context ends or the function that it yields is called."""
        self._manager.tag_resource(SecretId=self.arn, Tags=[{"Key": BREAK_TAG, "Value": step}])
        try:
            yield self._remove_fault
        finally:
            self._remove_fault()

    def rotate(self) -> None:
        """Start a rotation, which continues in the background."""
        self._manager.rotate_secret(SecretId=self.arn)

    def rotate_and_wait(self, ending: str) -> SentEvent:
        """Start a rotation, and wait for the event that ends it, such as `RotationFailed`."""
        emulator = self._stack.emulator
        if emulator is None:
            raise LocalError("The embedded AWS has been replaced: start it again with `make up`.")
        event_log = EventLog(emulator.event_log)
        self.rotate()
        return eventually(lambda: event_log.find(ending, self.arn), f"{ending} of {self.name}", _TIMEOUT_SECONDS, 0.002)

    def finish_pending_work(self) -> None:
        """Wait for the end of an open incident, then finish an incomplete rotation."""
        # A drill that was killed leaves the fault, and an incident that the workflow ends.
        self._remove_fault()
        eventually(
            lambda: not self._has_open_incident(), f"The end of the open incident of {self.name}", _TIMEOUT_SECONDS
        )
        if not self._has_finished_rotation():
            with contextlib.suppress(self._manager.exceptions.InvalidRequestException):
                self.rotate()
        eventually(self._has_finished_rotation, f"The end of the previous rotation of {self.name}", _TIMEOUT_SECONDS)

    def _remove_fault(self) -> None:
        self._manager.untag_resource(SecretId=self.arn, TagKeys=[BREAK_TAG])

    def _has_finished_rotation(self) -> bool:
        return all("AWSPENDING" not in labels or "AWSCURRENT" in labels for labels in self.read_versions().values())

    def _has_open_incident(self) -> bool:
        claim = {"secret_arn": {"S": f"open#{self.arn}"}, "opened_at": {"S": "claim"}}
        table = self._stack.output("incidents_table_name")
        return "Item" in self._stack.client("dynamodb").get_item(TableName=table, Key=claim, ConsistentRead=True)

    def _find_database(self) -> str:
        """Return the parameter that the demo uses as its database, from its probe's environment."""
        configuration = self._stack.client("lambda").get_function_configuration(FunctionName=self._tags[PROBE_TAG])
        return configuration["Environment"]["Variables"][_DATABASE_VARIABLE]
