"""AWS as it answers about a stack that the program has deployed, in the shapes that AWS documents."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError, EndpointConnectionError

from local.mocks.recording import ACCOUNT, REGION, Recording
from rotation_guard.domain.timestamps import to_iso
from tests.contracts.test_rules_and_events import matches

Values = dict[str, Any]
CALLER = f"arn:aws:sts::{ACCOUNT}:assumed-role/operator/on-call"
TRAIL = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/all"
MISSING = {
    "events": "ResourceNotFoundException",
    "sns": "NotFound",
    "sqs": "AWS.SimpleQueueService.NonExistentQueue",
    "scheduler": "ResourceNotFoundException",
    "iam": "NoSuchEntity",
    "lambda": "ResourceNotFoundException",
    "dynamodb": "ResourceNotFoundException",
    "states": "StateMachineDoesNotExist",
    "ssm": "ParameterNotFound",
    "kms": "NotFoundException",
    "cloudtrail": "TrailNotFoundException",
}
"""The error codes of the services' API references for a resource that does not exist."""
DENIED = {"sqs": "AccessDenied", "sns": "AuthorizationError", "iam": "AccessDenied"}
"""The error codes for a call that is not permitted, of services that do not use AccessDeniedException."""


_IAM_PREFIXES = {"monitoring": "cloudwatch"}
"""Signing name -> prefix of IAM actions, where they differ."""


class Refusal(Exception):
    """An error response."""

    def __init__(self, code: str, message: str = "No.") -> None:
        super().__init__(message)
        self.response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 400}}


class DeployedAws:
    """Everything works until a test changes one of these attributes."""

    def __init__(self, recording: Recording) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.outputs = json.loads(json.dumps(recording.outputs))
        self.denied: set[str] = set()
        self.refusals: dict[str, str] = {}
        """IAM action -> the error code of its calls."""
        self.is_reachable = True
        self.calls: list[str] = []
        self.trails = [{"Name": "all", "TrailARN": TRAIL, "HomeRegion": REGION, "IsMultiRegionTrail": True}]
        self.trail_status: dict[str, Values] = {TRAIL: {"IsLogging": True}}
        self.selectors: dict[str, Values] = {
            TRAIL: {"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": True}]}
        }
        self.keys: dict[str, Values] = {}
        self.key_policies: dict[str, str] = {}
        self.runs = [self.build_run(0.5)]
        self.oldest_event_seconds: float | None = None
        self._read_events(recording)
        self._read_messaging(recording)
        self._read_functions(recording)
        self._read_roles(recording)
        self._read_tables(recording)
        self._read_alarms(recording)

    def build_run(self, hours: float, **more: Any) -> Values:
        """A run that started so many hours ago, complete unless more says otherwise."""
        started_at = to_iso(self.now - timedelta(hours=hours))
        return {
            "audit": "rotation",
            "run_id": started_at,
            "started_at": started_at,
            "finished_at": to_iso(self.now - timedelta(hours=hours - 0.01)),
            "complete": True,
            "checked": 3,
            "period_seconds": 3600,
            **more,
        }

    def rule(self, short: str) -> Values:
        """A rule by its short name."""
        return self.rules[self.outputs["rule_names"][short]]

    def function(self, short: str) -> Values:
        """The configuration of a function by its short name."""
        return self.functions[self.outputs["function_names"][short]]

    def queue(self, output: str) -> Values:
        """The attributes of a queue by its output."""
        return self.queues[self.outputs[output]]

    def statements(self, role: str) -> list[Values]:
        """The statements of the first policy of a role."""
        return next(iter(self.role_policies[role].values()))["Statement"]

    def answer(self, action: str, parameters: Values) -> Values:
        """The response to a call. Raises Refusal."""
        self.calls.append(action)
        service, _, operation = action.partition(":")
        if not self.is_reachable:
            raise EndpointConnectionError(endpoint_url=f"https://{service}.{REGION}.amazonaws.com")
        if action in self.denied:
            raise Refusal(DENIED.get(service, "AccessDeniedException"))
        if action in self.refusals:
            raise Refusal(self.refusals[action])
        try:
            return getattr(self, f"_answer_{operation}")(**parameters)
        except KeyError as error:
            raise Refusal(MISSING[service], f"There is no {error}.") from None

    # --- what the program deploys ------------------------------------------------------------------------------------

    def _read_events(self, recording: Recording) -> None:
        self.rules = {
            rule.outputs["name"]: {
                "Name": rule.outputs["name"],
                "Arn": rule.arn,
                "EventPattern": rule.inputs["eventPattern"],
                "State": rule.inputs["state"],
                "EventBusName": rule.inputs.get("eventBusName", "default"),
            }
            for rule in recording.of_type("aws:cloudwatch/eventRule:EventRule")
        }
        self.targets: dict[str, list[Values]] = {name: [] for name in self.rules}
        for target in recording.of_type("aws:cloudwatch/eventTarget:EventTarget"):
            queue = {"Arn": target.inputs["deadLetterConfig"]["arn"]}
            described = {"Id": target.inputs["targetId"], "Arn": target.inputs["arn"], "DeadLetterConfig": queue}
            self.targets[target.inputs["rule"]].append(described)
        [schedule] = recording.of_type("aws:scheduler/schedule:Schedule")
        target = schedule.inputs["target"]
        self.schedules = {
            schedule.outputs["name"]: {
                "State": schedule.inputs["state"],
                "Target": {
                    "Arn": target["arn"],
                    "RoleArn": target["roleArn"],
                    "DeadLetterConfig": {"Arn": target["deadLetterConfig"]["arn"]},
                },
            }
        }

    def _read_messaging(self, recording: Recording) -> None:
        self.topics = {
            topic.arn: {"TopicArn": topic.arn, **_present(KmsMasterKeyId=topic.inputs.get("kmsMasterKeyId"))}
            for topic in recording.of_type("aws:sns/topic:Topic")
        }
        for policy in recording.of_type("aws:sns/topicPolicy:TopicPolicy"):
            self.topics[policy.inputs["arn"]]["Policy"] = policy.inputs["policy"]
        self.subscriptions: dict[str, list[Values]] = {arn: [] for arn in self.topics}
        self.subscription_attributes: dict[str, Values] = {}
        for number, one in enumerate(recording.of_type("aws:sns/topicSubscription:TopicSubscription")):
            arn = f"{one.inputs['topic']}:{number}"
            described = {"Protocol": one.inputs["protocol"], "Endpoint": one.inputs["endpoint"]}
            self.subscriptions[one.inputs["topic"]].append({"SubscriptionArn": arn, **described})
            self.subscription_attributes[arn] = _present(RedrivePolicy=one.inputs.get("redrivePolicy"))
        self.queues = {
            queue.outputs["url"]: {
                "QueueArn": queue.arn,
                "ApproximateNumberOfMessages": "0",
                "ApproximateNumberOfMessagesNotVisible": "0",
                **_present(
                    KmsMasterKeyId=queue.inputs.get("kmsMasterKeyId"), RedrivePolicy=queue.inputs.get("redrivePolicy")
                ),
            }
            for queue in recording.of_type("aws:sqs/queue:Queue")
        }
        for policy in recording.of_type("aws:sqs/queuePolicy:QueuePolicy"):
            self.queues[policy.inputs["queueUrl"]]["Policy"] = policy.inputs["policy"]

    def _read_functions(self, recording: Recording) -> None:
        self.functions, self.function_policies = {}, {}
        self.concurrency: dict[str, Values] = {}
        for function in recording.of_type("aws:lambda/function:Function"):
            name, reserved = function.outputs["name"], function.inputs.get("reservedConcurrentExecutions")
            self.functions[name] = {
                "FunctionName": name,
                "FunctionArn": function.arn,
                "Role": function.inputs["role"],
                "Runtime": function.inputs["runtime"],
                "Environment": {"Variables": dict(function.inputs["environment"]["variables"])},
                "State": "Active",
                "LastUpdateStatus": "Successful",
            }
            self.concurrency[name] = _present(ReservedConcurrentExecutions=reserved and int(reserved))
        for permission in recording.of_type("aws:lambda/permission:Permission"):
            name = permission.inputs["function"].rpartition(":")[2]
            if name in self.functions:
                # As Lambda writes it (https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html).
                statement = {
                    "Effect": "Allow",
                    "Principal": {"Service": permission.inputs["principal"]},
                    "Action": permission.inputs["action"],
                    "Resource": self.functions[name]["FunctionArn"],
                    "Condition": {"ArnLike": {"AWS:SourceArn": permission.inputs["sourceArn"]}},
                }
                self.function_policies.setdefault(name, []).append(statement)
        self.invoke_configurations = {
            one.inputs["functionName"]: {
                "DestinationConfig": {
                    "OnFailure": {"Destination": one.inputs["destinationConfig"]["onFailure"]["destination"]}
                }
            }
            for one in recording.of_type("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig")
        }
        self.mappings = [
            {"UUID": "m-1", "EventSourceArn": one.inputs["eventSourceArn"], "State": "Enabled", "FunctionArn": arn}
            for one in recording.of_type("aws:lambda/eventSourceMapping:EventSourceMapping")
            if (arn := one.inputs["functionName"])
        ]
        [machine] = recording.of_type("aws:sfn/stateMachine:StateMachine")
        logging = machine.inputs["loggingConfiguration"]
        self.machines = {
            machine.arn: {
                "stateMachineArn": machine.arn,
                "status": "ACTIVE",
                "roleArn": machine.inputs["roleArn"],
                "loggingConfiguration": {
                    "level": logging["level"],
                    "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": logging["logDestination"]}}],
                },
            }
        }
        self.parameters = {
            one.outputs["name"]: {"Name": one.outputs["name"], "Value": one.inputs["value"]}
            for one in recording.of_type("aws:ssm/parameter:Parameter")
        }

    def _read_roles(self, recording: Recording) -> None:
        self.roles: dict[str, Values] = {
            role.outputs["name"]: {"AssumeRolePolicyDocument": json.loads(role.inputs["assumeRolePolicy"])}
            for role in recording.of_type("aws:iam/role:Role")
        }
        self.role_policies: dict[str, dict[str, Values]] = {name: {} for name in self.roles}
        for policy in recording.of_type("aws:iam/rolePolicy:RolePolicy"):
            self.role_policies[policy.inputs["role"]][policy.name] = json.loads(policy.inputs["policy"])
        self.attached: dict[str, list[Values]] = {name: [] for name in self.roles}

    def _read_tables(self, recording: Recording) -> None:
        tables = recording.of_type("aws:dynamodb/table:Table")
        self.tables = {
            table.outputs["name"]: {
                "TableName": table.outputs["name"],
                "TableStatus": "ACTIVE",
                "DeletionProtectionEnabled": table.inputs["deletionProtectionEnabled"],
            }
            for table in tables
        }
        self.recovery = {table.outputs["name"]: "ENABLED" for table in tables}
        self.expiry = {
            table.outputs["name"]: {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"} for table in tables
        }

    def _read_alarms(self, recording: Recording) -> None:
        shared = {"ActionsEnabled": True, "StateValue": "OK", "StateUpdatedTimestamp": self.now - timedelta(days=9)}
        self.metric_alarms = {
            alarm.outputs["name"]: {
                "AlarmName": alarm.outputs["name"],
                "AlarmDescription": alarm.inputs["alarmDescription"],
                "TreatMissingData": alarm.inputs["treatMissingData"],
                "Period": alarm.inputs["period"],
                "EvaluationPeriods": alarm.inputs["evaluationPeriods"],
                "AlarmActions": [],
                **shared,
            }
            for alarm in recording.of_type("aws:cloudwatch/metricAlarm:MetricAlarm")
        }
        self.composite_alarms = {
            alarm.inputs["alarmName"]: {
                "AlarmName": alarm.inputs["alarmName"],
                "AlarmDescription": alarm.inputs["alarmDescription"],
                "AlarmRule": alarm.inputs["alarmRule"],
                "AlarmActions": alarm.inputs["alarmActions"],
                **shared,
            }
            for alarm in recording.of_type("aws:cloudwatch/compositeAlarm:CompositeAlarm")
        }

    # --- the calls ---------------------------------------------------------------------------------------------------

    def _answer_GetCallerIdentity(self) -> Values:  # noqa: N802 - AWS's name, as in all that follow
        return {"Account": ACCOUNT, "Arn": CALLER, "UserId": "A:on-call"}

    def _answer_DescribeTrails(self, **_: Any) -> Values:  # noqa: N802
        return {"trailList": self.trails}

    def _answer_GetTrailStatus(self, Name: str) -> Values:  # noqa: N802, N803
        return self.trail_status[Name]

    def _answer_GetEventSelectors(self, TrailName: str) -> Values:  # noqa: N802, N803
        return self.selectors[TrailName]

    def _answer_DescribeRule(self, Name: str, **_: Any) -> Values:  # noqa: N802, N803
        return self.rules[Name]

    def _answer_ListTargetsByRule(self, Rule: str, **_: Any) -> Values:  # noqa: N802, N803
        return {"Targets": self.targets[Rule]}

    def _answer_TestEventPattern(self, EventPattern: str, Event: str) -> Values:  # noqa: N802, N803
        return {"Result": matches(json.loads(EventPattern), json.loads(Event))}

    def _answer_GetSchedule(self, Name: str, **_: Any) -> Values:  # noqa: N802, N803
        return self.schedules[Name]

    def _answer_GetTopicAttributes(self, TopicArn: str) -> Values:  # noqa: N802, N803
        return {"Attributes": self.topics[TopicArn]}

    def _answer_ListSubscriptionsByTopic(self, TopicArn: str) -> Values:  # noqa: N802, N803
        return {"Subscriptions": self.subscriptions[TopicArn]}

    def _answer_GetSubscriptionAttributes(self, SubscriptionArn: str) -> Values:  # noqa: N802, N803
        return {"Attributes": self.subscription_attributes[SubscriptionArn]}

    def _answer_GetQueueAttributes(self, QueueUrl: str, **_: Any) -> Values:  # noqa: N802, N803
        return {"Attributes": self.queues[QueueUrl]}

    def _answer_GetQueueUrl(self, QueueName: str, **_: Any) -> Values:  # noqa: N802, N803
        return {"QueueUrl": {url.rpartition("/")[2]: url for url in self.queues}[QueueName]}

    def _answer_GetFunctionConfiguration(self, FunctionName: str) -> Values:  # noqa: N802, N803
        return self.functions[FunctionName]

    def _answer_GetFunctionConcurrency(self, FunctionName: str) -> Values:  # noqa: N802, N803
        return self.concurrency[FunctionName]

    def _answer_GetFunctionEventInvokeConfig(self, FunctionName: str) -> Values:  # noqa: N802, N803
        return self.invoke_configurations[FunctionName]

    def _answer_GetPolicy(self, FunctionName: str) -> Values:  # noqa: N802, N803
        return {"Policy": json.dumps({"Statement": self.function_policies[FunctionName]})}

    def _answer_ListEventSourceMappings(self, FunctionName: str) -> Values:  # noqa: N802, N803
        of_function = [one for one in self.mappings if one["FunctionArn"].endswith(f":{FunctionName}")]
        return {"EventSourceMappings": of_function}

    def _answer_GetRole(self, RoleName: str) -> Values:  # noqa: N802, N803
        return {"Role": {"RoleName": RoleName, **self.roles[RoleName]}}

    def _answer_ListRolePolicies(self, RoleName: str) -> Values:  # noqa: N802, N803
        return {"PolicyNames": list(self.role_policies[RoleName])}

    def _answer_GetRolePolicy(self, RoleName: str, PolicyName: str) -> Values:  # noqa: N802, N803
        return {"PolicyDocument": self.role_policies[RoleName][PolicyName]}

    def _answer_ListAttachedRolePolicies(self, RoleName: str) -> Values:  # noqa: N802, N803
        return {"AttachedPolicies": self.attached[RoleName]}

    def _answer_DescribeTable(self, TableName: str) -> Values:  # noqa: N802, N803
        return {"Table": self.tables[TableName]}

    def _answer_DescribeContinuousBackups(self, TableName: str) -> Values:  # noqa: N802, N803
        recovery = {"PointInTimeRecoveryStatus": self.recovery[TableName]}
        return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": recovery}}

    def _answer_DescribeTimeToLive(self, TableName: str) -> Values:  # noqa: N802, N803
        return {"TimeToLiveDescription": self.expiry[TableName]}

    def _answer_Query(self, KeyConditionExpression: str, **_: Any) -> Values:  # noqa: N802, N803
        rows = self.runs if "<= :until" in KeyConditionExpression else []
        return {"Items": [{name: _to_attribute(value) for name, value in row.items()} for row in rows]}

    def _answer_DescribeAlarms(self, AlarmNames: list[str], **_: Any) -> Values:  # noqa: N802, N803
        return {
            "CompositeAlarms": [alarm for name, alarm in self.composite_alarms.items() if name in AlarmNames],
            "MetricAlarms": [alarm for name, alarm in self.metric_alarms.items() if name in AlarmNames],
        }

    def _answer_GetMetricStatistics(self, **_: Any) -> Values:  # noqa: N802
        seconds = self.oldest_event_seconds
        return {"Datapoints": [] if seconds is None else [{"Timestamp": self.now, "Maximum": seconds}]}

    def _answer_DescribeStateMachine(self, stateMachineArn: str) -> Values:  # noqa: N802, N803
        return self.machines[stateMachineArn]

    def _answer_GetParameter(self, Name: str) -> Values:  # noqa: N802, N803
        return {"Parameter": self.parameters[Name]}

    def _answer_DescribeKey(self, KeyId: str) -> Values:  # noqa: N802, N803
        return {"KeyMetadata": self.keys[KeyId]}

    def _answer_GetKeyPolicy(self, KeyId: str, **_: Any) -> Values:  # noqa: N802, N803
        return {"Policy": self.key_policies[KeyId]}


def connect(aws: DeployedAws) -> Mapping[str, Callable[..., Any]]:
    """Handlers of a client's events that answer its calls as this AWS does, without a connection."""

    def note(params: Values, context: Values, **_: Any) -> None:
        context["parameters"] = params

    def respond(model: Any, context: Values, **_: Any) -> tuple[AWSResponse, Values]:
        name = model.service_model.signing_name
        service = _IAM_PREFIXES.get(name, name)
        try:
            response = aws.answer(f"{service}:{model.name}", context["parameters"])
            return AWSResponse("", 200, {}, None), _encode_policies(response) if service == "iam" else response
        except Refusal as refusal:
            return AWSResponse("", 400, {}, None), refusal.response

    return {"provide-client-params": note, "before-call": respond}


class DirectClient:
    """A client of this AWS without boto3, whose share of a call is most of its time."""

    def __init__(self, aws: DeployedAws, service: str) -> None:
        self._aws = aws
        self._prefix = {"stepfunctions": "states"}.get(service, service)
        self.meta = SimpleNamespace(region_name=REGION, events=SimpleNamespace(register=lambda *_: None))

    def can_paginate(self, method: str) -> bool:
        return False

    def __getattr__(self, method: str) -> Callable[..., Values]:
        operation = "".join(word.capitalize() for word in method.split("_"))

        def call(**parameters: Any) -> Values:
            try:
                return self._aws.answer(f"{self._prefix}:{operation}", parameters)
            except Refusal as refusal:
                raise ClientError(refusal.response, operation) from None

        return call


def _encode_policies(value: Any) -> Any:
    """Policies as IAM returns them (https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html)."""
    if not isinstance(value, dict):
        return value
    return {
        key: quote(json.dumps(inner)) if key.endswith("PolicyDocument") else _encode_policies(inner)
        for key, inner in value.items()
    }


def _present(**values: Any) -> Values:
    return {name: value for name, value in values.items() if value}


def _to_attribute(value: Any) -> Values:
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, list):
        return {"L": [_to_attribute(inner) for inner in value]}
    return {"S": value}
