"""A running stack with a team in its account: what a story of remediation is told in."""

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
    """One deployment, what a team has there, and what is heard of it."""

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

    def mendable(self, tags: Mapping[str, str] | None = None) -> str:
        """A secret that is rolled forward when its rotation fails, since its database takes AWSPENDING alone."""
        arn = self.estate.secret(tags)
        self.estate.pending(arn)
        self.estate.takes(arn, "AWSPENDING")
        return arn

    def breaks(self, arn: str, step: str, times: int = 99) -> str:
        """Lets a rotation break at this step, so many times, and waits for the first."""
        self.estate.breaks(arn, step, times)
        self.aws_says("RotationFailed", arn)
        return arn

    def rotates(self, arn: str) -> str:
        """Lets a rotation succeed, and waits for it."""
        self.estate.rotate(arn)
        self.aws_says("RotationSucceeded", arn)
        return arn

    def aws_says(self, event: str, arn: str) -> None:
        """Waits until AWS has said this of a secret."""
        eventually(lambda: self._event_log.find(event, arn), f"{event} of {arn}", 30, 0.005)

    def at_rest(self, arn: str, executions: int) -> None:
        """Waits until so many executions have begun about a secret, and all are over."""
        states, machine = self.stack.client("stepfunctions"), self.stack.outputs["state_machine_arn"]
        begun: dict[str, bool] = {}

        def over() -> bool:
            pages = states.get_paginator("list_executions").paginate(stateMachineArn=machine)
            known = {
                execution["executionArn"]: execution["status"] for page in pages for execution in page["executions"]
            }
            for name in known.keys() - begun.keys():
                begun[name] = arn in states.describe_execution(executionArn=name)["input"]
            own = [status for name, status in known.items() if begun[name]]
            return len(own) == executions and "RUNNING" not in own

        eventually(over, f"the end of {executions} executions about {arn}", 30, 0.1)

    def acting_as(self, step: str, service: str) -> Any:
        """A client with the credentials of a step's role."""
        pages = self.stack.client("iam").get_paginator("list_roles").paginate()
        roles = {role["RoleName"]: role["Arn"] for page in pages for role in page["Roles"]}
        [arn] = [arn for name, arn in roles.items() if name.startswith(f"rotation-guard-remediation-{step}-")]
        given = self.stack.client("sts").assume_role(RoleArn=arn, RoleSessionName=step)["Credentials"]
        return boto3.client(
            service,
            endpoint_url=self.stack.endpoint_url,
            region_name=self.stack.region,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )

    @staticmethod
    def is_allowed(call: Callable[..., Any], **given: Any) -> bool:
        """Whether IAM lets this call through, whatever becomes of it."""
        try:
            call(**given)
        except ClientError as error:
            return error.response["Error"]["Code"] not in DENIED
        return True

    def raw_rows(self, output: str) -> list[dict[str, Any]]:
        """A whole table, as it is kept."""
        table = self.stack.outputs[output]
        pages = self.stack.client("dynamodb").get_paginator("scan").paginate(TableName=table)
        return [row for page in pages for row in page["Items"]]

    def histories(self) -> dict[str, str]:
        """Everything that the executions keep: execution -> its history."""
        states, machine = self.stack.client("stepfunctions"), self.stack.outputs["state_machine_arn"]
        pages = states.get_paginator("list_executions").paginate(stateMachineArn=machine)
        names = [execution["executionArn"] for page in pages for execution in page["executions"]]
        history = states.get_paginator("get_execution_history").paginate
        return {name: json.dumps([*history(executionArn=name)], default=str) for name in names}

    def logs(self, part: str) -> dict[str, str]:
        """What has been logged in the log groups with this in their name, wherever they are: log group -> all of it."""
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
    def step_told(self, step: str, **environment: str) -> Generator[None]:
        """Deploys the function of a step with other settings, for as long as this lasts."""
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
        return [name for name in names if name.startswith(f"rotation-guard-remediation-{step}-")]
