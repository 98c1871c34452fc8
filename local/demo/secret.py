"""The demo's rotating secret on a running stack: broken where somebody wants it, and looked at as nobody else may."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Generator

from ..deploy.deployment import RunningStack
from ..errors import LocalError
from ..waiting import eventually
from .event_log import EventLog, SentEvent

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
BREAK_TAG = "rotation-guard:demo-break-at"

_PROBE_TAG = "rotation-guard:probe"
_DATABASE_VARIABLE = "DEMO_DATABASE_PARAMETER_NAME"
_PATIENCE_SECONDS = 60.0


class DemoSecret:
    """The secret `rotating` of this stack; raises LocalError where the stack has no demo."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack
        self._manager = stack.client("secretsmanager")
        described = self._manager.describe_secret(SecretId=stack.output("rotating_secret_name"))
        self.arn, self.name = str(described["ARN"]), str(described["Name"])
        self._tags = {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}

    def versions(self) -> dict[str, list[str]]:
        """Each version that holds a label, with its labels."""
        return self._manager.describe_secret(SecretId=self.arn)["VersionIdsToStages"]

    def value(self, version: str) -> str | None:
        """The whole value of a version, as the account's root user may read it; None where it has none."""
        try:
            return self._manager.get_secret_value(SecretId=self.arn, VersionId=version)["SecretString"]
        except (self._manager.exceptions.ResourceNotFoundException, self._manager.exceptions.InvalidRequestException):
            return None

    def works(self) -> bool:
        """Whether the demo's database takes the value that applications read; asked of the database and not a probe."""
        password = json.loads(self._manager.get_secret_value(SecretId=self.arn)["SecretString"])["password"]
        taken = self._stack.client("ssm").get_parameter(Name=self._database())["Parameter"]["Value"]
        return hashlib.sha256(password.encode()).hexdigest() == taken

    @contextlib.contextmanager
    def broken_at(self, step: str) -> Generator[Callable[[], None]]:
        """Have its rotation break at this step until the end, or until what it yields is called."""

        self._manager.tag_resource(SecretId=self.arn, Tags=[{"Key": BREAK_TAG, "Value": step}])
        try:
            yield self._mend
        finally:
            self._mend()

    def rotate(self) -> None:
        """Ask for a rotation, which goes on by itself."""
        self._manager.rotate_secret(SecretId=self.arn)

    def rotated(self, ending: str) -> SentEvent:
        """Rotate it, and wait for the event that tells of its end, such as `RotationFailed`."""
        emulator = self._stack.emulator
        if emulator is None:
            raise LocalError("The embedded AWS has gone: start it anew with `make up`.")
        event_log = EventLog(emulator.event_log)
        self.rotate()
        return eventually(
            lambda: event_log.find(ending, self.arn), f"{ending} of {self.name}", _PATIENCE_SECONDS, 0.002
        )

    def settle(self) -> None:
        """Bring what was begun to its end, so that what follows is new: its incident, and then its rotation."""
        # Whoever killed a drill has left it broken, and an incident that the workflow ends.
        self._mend()
        eventually(lambda: not self._has_incident(), f"The end of the open incident of {self.name}", _PATIENCE_SECONDS)
        if not self._is_settled():
            with contextlib.suppress(self._manager.exceptions.InvalidRequestException):
                self.rotate()
        eventually(self._is_settled, f"The end of the previous rotation of {self.name}", _PATIENCE_SECONDS)

    def _mend(self) -> None:
        self._manager.untag_resource(SecretId=self.arn, TagKeys=[BREAK_TAG])

    def _is_settled(self) -> bool:
        return all("AWSPENDING" not in labels or "AWSCURRENT" in labels for labels in self.versions().values())

    def _has_incident(self) -> bool:
        claim = {"secret_arn": {"S": f"open#{self.arn}"}, "opened_at": {"S": "claim"}}
        table = self._stack.output("incidents_table_name")
        return "Item" in self._stack.client("dynamodb").get_item(TableName=table, Key=claim, ConsistentRead=True)

    def _database(self) -> str:
        """The parameter that the demo takes for a database: its probe's own variable names it."""
        configuration = self._stack.client("lambda").get_function_configuration(FunctionName=self._tags[_PROBE_TAG])
        return configuration["Environment"]["Variables"][_DATABASE_VARIABLE]
