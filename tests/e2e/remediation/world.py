"""A running stack with a team's resources in its account, for scenarios of remediation."""

import json
import time
import uuid
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError

from local.demo.event_log import EventLog
from local.deploy.deployment import RunningStack
from local.waiting import eventually
from tests.paths import EVENTS

from .estate import Estate
from .notification_listener import NotificationListener

_RECORDED_FOR = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-Ab12Cd"

DENIED = ("AccessDenied", "AccessDeniedException", "AuthorizationError")

Event = dict[str, Any]


class World:
    """A deployment, a team's resources there, and a listener for notifications."""

    def __init__(self, stack: RunningStack) -> None:
        self.stack, self.listener, self.estate = stack, NotificationListener(stack), Estate(stack)
        assert stack.emulator is not None
        self.emulator = stack.emulator
        self._event_log = EventLog(self.emulator.event_log)

    def event(self, name: str, arn: str, *, seconds_ago: int = 0, **detail: Any) -> Event:
        """A recorded event, as if it had happened to this secret."""
        event = json.loads((EVENTS / f"{name}.json").read_text().replace(_RECORDED_FOR, arn))
        at = datetime.fromtimestamp(time.time() - seconds_ago, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event["time"] = at
        if "eventTime" in event["detail"]:
            event["detail"] |= {"eventTime": at, "eventID": str(uuid.uuid4())}
            event["detail"]["requestID"] = f"Rotation-{arn}-{uuid.uuid4()}"
        event["detail"] |= detail
        return event

    def put(self, *events: Event) -> None:
        """Puts events on the default bus, from the drill source where AWS alone may be the source."""
        for start in range(0, len(events), 10):
            entries = [
                {
                    "Source": "rotation-guard.drill" if event["source"].startswith("aws.") else event["source"],
                    "DetailType": event["detail-type"],
                    "Detail": json.dumps(event["detail"]),
                    "Resources": event["resources"],
                }
                for event in events[start : start + 10]
            ]
            answer = self.stack.client("events").put_events(Entries=entries)
            assert answer["FailedEntryCount"] == 0, answer

    def create_secret_to_roll_forward(self, tags: Mapping[str, str] | None = None) -> str:
        """Creates a secret that is rolled forward when its rotation fails: its database accepts AWSPENDING only."""
        arn = self.estate.secret(tags)
        self.estate.put_pending_value(arn)
        self.estate.accept_label(arn, "AWSPENDING")
        return arn

    def fail_rotation(self, arn: str, step: str, times: int = 99) -> str:
        """Makes a rotation fail at this step, this many times, and waits for the first failure."""
        self.estate.fail_rotation(arn, step, times)
        self.wait_for_event("RotationFailed", arn)
        return arn

    def complete_rotation(self, arn: str) -> str:
        """Rotates a secret, and waits for the success."""
        self.estate.rotate(arn)
        self.wait_for_event("RotationSucceeded", arn)
        return arn

    def wait_for_event(self, event: str, arn: str) -> None:
        """Waits for this event of AWS about a secret."""
        eventually(lambda: self._event_log.find(event, arn), f"{event} of {arn}", 30, 0.005)

    def wait_for_executions(self, arn: str, executions: int) -> None:
        """Waits until this many executions were started for a secret, and all have ended."""
        states, machine = self.stack.client("stepfunctions"), self.stack.outputs["state_machine_arn"]
        is_own: dict[str, bool] = {}

        def have_ended() -> bool:
            pages = states.get_paginator("list_executions").paginate(stateMachineArn=machine)
            statuses = {
                execution["executionArn"]: execution["status"] for page in pages for execution in page["executions"]
            }
            for name in statuses.keys() - is_own.keys():
                is_own[name] = arn in states.describe_execution(executionArn=name)["input"]
            own = [status for name, status in statuses.items() if is_own[name]]
            return len(own) == executions and "RUNNING" not in own

        eventually(have_ended, f"the end of {executions} executions about {arn}", 30, 0.1)

    def client_as(self, step: str, service: str) -> Any:
        """A client with the credentials of a step's role."""
        pages = self.stack.client("iam").get_paginator("list_roles").paginate()
        roles = {role["RoleName"]: role["Arn"] for page in pages for role in page["Roles"]}
        [arn] = [arn for name, arn in roles.items() if name.startswith(f"rotation-guard-repair-{step}-")]
        credentials = self.stack.client("sts").assume_role(RoleArn=arn, RoleSessionName=step)["Credentials"]
        return boto3.client(
            service,
            endpoint_url=self.stack.endpoint_url,
            region_name=self.stack.region,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )

    @staticmethod
    def is_allowed(call: Callable[..., Any], **parameters: Any) -> bool:
        """Whether IAM allows this call, even if it fails otherwise."""
        try:
            call(**parameters)
        except ClientError as error:
            return error.response["Error"]["Code"] not in DENIED
        return True

    def raw_rows(self, output: str) -> list[dict[str, Any]]:
        """All items of a table, in DynamoDB's notation."""
        table = self.stack.outputs[output]
        pages = self.stack.client("dynamodb").get_paginator("scan").paginate(TableName=table)
        return [row for page in pages for row in page["Items"]]

    def execution_histories(self) -> dict[str, str]:
        """Execution -> its whole history."""
        states, machine = self.stack.client("stepfunctions"), self.stack.outputs["state_machine_arn"]
        pages = states.get_paginator("list_executions").paginate(stateMachineArn=machine)
        names = [execution["executionArn"] for page in pages for execution in page["executions"]]
        history = states.get_paginator("get_execution_history").paginate
        return {name: json.dumps([*history(executionArn=name)], default=str) for name in names}

    def logs(self, part: str) -> dict[str, str]:
        """Log group -> its whole log, for all log groups with this in their name."""
        logs = self.stack.client("logs")
        groups = logs.get_paginator("describe_log_groups").paginate()
        names = [
            group["logGroupName"] for page in groups for group in page["logGroups"] if part in group["logGroupName"]
        ]
        events = logs.get_paginator("filter_log_events").paginate
        return {
            name: "".join(e["message"] for page in events(logGroupName=name) for e in page["events"]) for name in names
        }

    @contextmanager
    def configure_step(self, step: str, **environment: str) -> Generator[None]:
        """Deploys the function of a step with other settings, and restores them at the end."""
        functions = self.stack.client("lambda")
        [name] = self._functions_of(step)
        before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": {**before, **environment}})
        try:
            yield
        finally:
            functions.update_function_configuration(FunctionName=name, Environment={"Variables": before})

    def has_step(self, step: str) -> bool:
        """Whether there is a function for this step."""
        return bool(self._functions_of(step))

    def _functions_of(self, step: str) -> list[str]:
        pages = self.stack.client("lambda").get_paginator("list_functions").paginate()
        names = [function["FunctionName"] for page in pages for function in page["Functions"]]
        return [name for name in names if name.startswith(f"rotation-guard-repair-{step}-")]
